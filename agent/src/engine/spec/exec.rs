//! A further process in a container that runs.

use std::path::Path;

use bollard::models::ExecConfig;
use libcontainer::oci_spec::runtime::{BoxBuilder, Process, Spec};

use super::error::refuse;
use super::{SpecError, capability, environment, user, working_directory};

/// The process that `exec` asks for: what it does not say is as for the container's first process.
/// `container`: as [`build`](super::build) made it, without the `HOME` that `launch` gives each user.
///
/// # Errors
/// No command, no such user, or a working directory that is none.
pub fn exec_process(
    exec: &ExecConfig,
    container: &Spec,
    rootfs: &Path,
) -> Result<Process, SpecError> {
    let first = container.process().clone().unwrap_or_default();
    let Some(arguments) = exec.cmd.clone().filter(|words| !words.is_empty()) else {
        return refuse("No exec command specified");
    };
    let mut process = first.clone();
    process.set_args(Some(arguments));
    let tty = exec.tty == Some(true);
    process.set_terminal(Some(tty));
    process.set_console_size(None);
    if let (true, Some([rows, columns])) = (tty, exec.console_size.as_deref()) {
        let size = BoxBuilder::default()
            .height(*rows as u64)
            .width(*columns as u64)
            .build()?;
        process.set_console_size(Some(size));
    }
    let mut variables = first.env().clone().unwrap_or_default();
    if tty
        && !variables
            .iter()
            .any(|variable| variable.starts_with("TERM="))
    {
        variables.push("TERM=xterm".to_owned());
    }
    if let Some(words) = exec.user.as_deref().filter(|words| !words.is_empty()) {
        process.set_user(user::look_up(words, &[], rootfs)?);
    }
    environment::apply(&mut variables, exec.env.clone().unwrap_or_default());
    process.set_env(Some(variables));
    let own = exec.working_dir.as_deref();
    let inherited = first.cwd().to_string_lossy();
    process.set_cwd(working_directory::of(own, Some(&inherited))?);
    let bounding = if exec.privileged == Some(true) {
        capability::held()
    } else {
        let sets = first.capabilities().as_ref();
        sets.and_then(|sets| sets.bounding().clone())
            .unwrap_or_default()
    };
    process.set_capabilities(Some(capability::sets(&bounding, process.user().uid())?));
    Ok(process)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::{Value, json};

    use super::*;

    fn exec(config: Value) -> Result<Process, SpecError> {
        let container: Spec = serde_json::from_value(json!({
            "ociVersion": "1.0.2",
            "process": {
                "cwd": "/work", "args": ["init"], "terminal": false,
                "env": ["PATH=/bin", "A=1"],
                "user": {"uid": 7, "gid": 8, "additionalGids": [8]},
                "capabilities": {"bounding": ["CAP_CHOWN"]}
            }
        }))
        .unwrap();
        let root = tempfile::tempdir().unwrap();
        let config: ExecConfig = serde_json::from_value(config).unwrap();
        exec_process(&config, &container, root.path())
    }

    #[test]
    fn what_is_not_said_is_as_for_the_first_process() {
        let process = exec(json!({"Cmd": ["ps"]})).unwrap();
        assert_eq!(process.args().as_deref(), Some(&["ps".to_owned()][..]));
        assert_eq!((process.user().uid(), process.user().gid()), (7, 8));
        assert_eq!(process.cwd(), Path::new("/work"));
        assert_eq!(process.env().as_deref().unwrap(), ["PATH=/bin", "A=1"]);
        assert_eq!(process.terminal(), Some(false));
        let sets = process.capabilities().as_ref().unwrap();
        assert_eq!(sets.effective().as_ref().map(|set| set.len()), Some(0));
    }

    #[test]
    fn what_is_said_counts() {
        let process = exec(
            json!({"Cmd": ["sh"], "Tty": true, "ConsoleSize": [24, 80], "User": "0:5",
            "Env": ["A=2", "PATH"], "WorkingDir": "/tmp/"}),
        )
        .unwrap();
        assert_eq!((process.user().uid(), process.user().gid()), (0, 5));
        assert_eq!(process.env().as_deref().unwrap(), ["A=2", "TERM=xterm"]);
        assert_eq!(process.cwd(), Path::new("/tmp"));
        let size = process.console_size().unwrap();
        assert_eq!((size.height(), size.width()), (24, 80));
        let sets = process.capabilities().as_ref().unwrap();
        assert_eq!(sets.effective(), sets.bounding());
        assert_eq!(sets.bounding().as_ref().map(|set| set.len()), Some(1));
    }

    #[test]
    fn privileged_is_all_that_is_held() {
        let process = exec(json!({"Cmd": ["sh"], "User": "0", "Privileged": true})).unwrap();
        let sets = process.capabilities().as_ref().unwrap();
        assert_eq!(sets.effective().as_ref(), Some(&capability::held()));
    }

    #[test]
    fn errors_name_what_is_wrong() {
        assert_eq!(
            exec(json!({})).unwrap_err().to_string(),
            "No exec command specified"
        );
        assert!(exec(json!({"Cmd": ["a"], "User": "nobody"})).is_err());
        assert!(exec(json!({"Cmd": ["a"], "WorkingDir": "here"})).is_err());
    }
}
