//! The agent as it is installed, with a configuration, socket and port of its own.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::http::{self, Answer};
use super::interrupt;
use super::process::Process;
use crate::workspace;

/// In memory, as `/run` is where systemd runs: state of what runs is there.
pub(crate) const MEMORY: &str = "/dev/shm";
/// Below the workspace's root.
const AGENT: &str = "target/dist/plimsoll";
const READY: Duration = Duration::from_secs(30);

/// How an agent differs from the default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    Default,
    /// Without the kernel's run-time statistics, which cost every BPF program.
    NoStatistics,
    /// Without the system-call tracepoints, which cost every system call, and the fork probe.
    NoNamespace,
    /// With containers of its own.
    Engine,
}

impl Variant {
    fn probes(self) -> &'static str {
        match self {
            Self::Default | Self::Engine => "",
            Self::NoStatistics => "run_time_stats = false",
            Self::NoNamespace => "namespace = false",
        }
    }
}

/// A running agent; stopped on drop.
pub(crate) struct Agent {
    pub(crate) process: Process,
    address: SocketAddr,
    /// After the process, which has something mounted there as long as it runs.
    folder: Own,
    run_dir: Own,
}

/// A directory that is removed with this.
struct Own(PathBuf);

impl Drop for Own {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0)
            && error.kind() != ErrorKind::NotFound
        {
            println!("bench: {} is left: {error}", self.0.display());
        }
    }
}

impl Agent {
    /// Starts it and waits until it has taken its first reading.
    pub(crate) fn start(variant: Variant) -> Result<Self> {
        Self::start_with_policy(variant, None)
    }

    /// The same, with a policy file's text.
    pub(crate) fn start_with_policy(variant: Variant, policy: Option<&str>) -> Result<Self> {
        let address = http::free_address()?;
        let name = format!("plimsoll-bench-{}-{}", std::process::id(), address.port());
        let folder = std::env::temp_dir().join(&name);
        let run_dir = Path::new(MEMORY).join(&name);
        fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let config = folder.join("plimsoll.toml");
        let at = folder.display();
        let run = run_dir.display();
        let text = format!(
            "[agent]
socket = \"{at}/plimsoll.sock\"
[metrics]
listen = \"{address}\"
[log]
level = \"warn\"
\
             [probes]
{}
[policy]
file = \"{at}/policy.toml\"
[enforce]
state_dir = \"{at}/enforce\"
\
             [audit]
path = \"{at}/audit.jsonl\"
\
             [engine]
enable = {}
data_dir = \"{at}/data\"
run_dir = \"{run}\"
",
            variant.probes(),
            variant == Variant::Engine
        );
        fs::write(&config, text).context("cannot write the agent's configuration")?;
        if let Some(policy) = policy {
            fs::write(folder.join("policy.toml"), policy).context("cannot write a policy")?;
        }
        let log = File::create(folder.join("log")).context("cannot make the agent's log")?;
        let mut command = Command::new(workspace::root().join(AGENT));
        command.arg("agent").arg("--config").arg(&config);
        let process = Process::start("the agent", &mut command, Some(&log))?;
        let mut agent = Self {
            process,
            address,
            folder: Own(folder),
            run_dir: Own(run_dir),
        };
        interrupt::poll("the agent's first reading", READY, || {
            { agent.process.check().is_err() || http::get(address, "/readyz").is_ok() }
                .then_some(())
        })
        .with_context(|| agent.log())?;
        Ok(agent)
    }

    /// The command line that asks it.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(workspace::root().join(AGENT));
        command
            .arg("--socket")
            .arg(self.folder.0.join("plimsoll.sock"));
        command
    }

    pub(crate) fn scrape(&self) -> Result<Answer> {
        http::get(self.address, "/metrics").with_context(|| self.log())
    }

    /// Runs a verb of the command line.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Result<String> {
        crate::command::output(self.command().args(arguments)).with_context(|| self.log())
    }

    /// Of a container that `--rm` was said for.
    pub(crate) fn bundle(&self, id: &str) -> PathBuf {
        self.run_dir.0.join("bundles").join(id)
    }

    fn log(&self) -> String {
        let log = fs::read_to_string(self.folder.0.join("log")).unwrap_or_default();
        format!("the agent, which logged:\n{log}")
    }
}

/// Value of the first sample of `name` whose labels hold `with`.
pub(crate) fn sample(text: &str, name: &str, with: &str) -> Option<f64> {
    text.lines()
        .filter(|line| line.starts_with(name) && line.contains(with))
        .find(|line| matches!(line.as_bytes().get(name.len()), Some(b' ' | b'{')))
        .and_then(|line| line.rsplit(' ').next()?.parse().ok())
}

/// Value of label `label` of a sample's line.
pub(crate) fn label<'t>(line: &'t str, label: &str) -> Option<&'t str> {
    let (_, rest) = line.split_once(&format!("{label}=\""))?;
    rest.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::{label, sample};

    const TEXT: &str =
        "# HELP a_total x\na_total{probe=\"p\",hook=\"h\"} 7\na_total_more 9\na 1.5\n";

    #[test]
    fn finds_whole_names_and_labels() {
        assert_eq!(sample(TEXT, "a", ""), Some(1.5));
        assert_eq!(sample(TEXT, "a_total", "probe=\"p\""), Some(7.0));
        assert_eq!(sample(TEXT, "a_total", "probe=\"q\""), None);
        assert_eq!(
            label("a_total{probe=\"p\",hook=\"h\"} 7", "hook"),
            Some("h")
        );
    }
}
