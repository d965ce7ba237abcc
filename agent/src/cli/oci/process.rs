//! What `exec` is to run, from a file or from arguments.

use std::path::Path;

use libcontainer::oci_spec::runtime::{Capability, LinuxCapabilities, Process, Spec, User};

use super::Refusal;
use super::args::ExecArgs;

/// The process of `--process`, or the container's own with what the arguments change.
pub(super) fn wanted(args: &ExecArgs, spec: &Spec) -> Result<Process, Refusal> {
    let mut process = match &args.process {
        Some(path) => read(path)?,
        None => from_arguments(args, spec)?,
    };
    if args.tty {
        process.set_terminal(Some(true));
    }
    if args.no_new_privs {
        process.set_no_new_privileges(Some(true));
    }
    Ok(process)
}

fn read(path: &Path) -> Result<Process, Refusal> {
    let text = std::fs::read(path).map_err(Refusal::io("cannot read the process"))?;
    let process = serde_json::from_slice(&text);
    process.map_err(|error| Refusal::new(format!("{}: {error}", path.display())))
}

fn from_arguments(args: &ExecArgs, spec: &Spec) -> Result<Process, Refusal> {
    if args.command.is_empty() {
        return Err(Refusal::new("process args cannot be empty"));
    }
    let own = spec.process().clone();
    let mut process = own.ok_or_else(|| Refusal::new("the container has no process"))?;
    process.set_args(Some(args.command.clone()));
    process.set_terminal(Some(false));
    if let Some(cwd) = &args.cwd {
        process.set_cwd(cwd.clone());
    }
    if !args.env.is_empty() {
        let mut environment = process.env().clone().unwrap_or_default();
        environment.extend(args.env.iter().cloned());
        process.set_env(Some(environment));
    }
    if let Some(user) = &args.user {
        let user = with_user(process.user(), user, &args.additional_gids)?;
        process.set_user(user);
    }
    if !args.cap.is_empty() {
        let mut sets = process.capabilities().clone().unwrap_or_default();
        add(&mut sets, &args.cap)?;
        process.set_capabilities(Some(sets));
    }
    Ok(process)
}

/// What is not said is the container's own.
fn with_user(own: &User, text: &str, further: &[u32]) -> Result<User, Refusal> {
    let number = |text: &str| {
        let wrong = || Refusal::new(format!("{text:?} is no user: UID or UID:GID, by number"));
        text.parse().map_err(|_| wrong())
    };
    let (uid, gid) = match text.split_once(':') {
        Some((uid, gid)) => (uid, Some(gid)),
        None => (text, None),
    };
    let mut user = own.clone();
    user.set_uid(number(uid)?);
    if let Some(gid) = gid {
        user.set_gid(number(gid)?);
    }
    if !further.is_empty() {
        user.set_additional_gids(Some(further.to_vec()));
    }
    Ok(user)
}

/// As runc: to all sets but the inheritable one, where a workload could keep it through `exec`.
fn add(sets: &mut LinuxCapabilities, names: &[String]) -> Result<(), Refusal> {
    for name in names {
        let text = serde_json::Value::from(name.to_uppercase());
        let capability: Capability = serde_json::from_value(text)
            .map_err(|_| Refusal::new(format!("{name:?} is no capability")))?;
        let with = |set: &Option<std::collections::HashSet<Capability>>| {
            let mut set = set.clone().unwrap_or_default();
            set.insert(capability);
            Some(set)
        };
        sets.set_bounding(with(sets.bounding()));
        sets.set_effective(with(sets.effective()));
        sets.set_permitted(with(sets.permitted()));
    }
    Ok(())
}
