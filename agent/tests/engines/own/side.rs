//! An engine as `docker`'s command line sees it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use tempfile::TempDir;

use crate::agent::{Agent, Config};
use crate::docker::{Docker, IMAGE};
use crate::host;

/// What a command did: status, output, errors; ids in it are `ID`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) status: Option<i32>,
    pub(super) output: String,
    pub(super) errors: String,
}

/// The agent, or a dockerd.
pub(crate) enum Side {
    Ours {
        cli: PathBuf,
        dir: TempDir,
        agent: Agent,
    },
    Oracle(Arc<Docker>),
}

/// Both, or why they cannot be had.
pub(super) fn both() -> Result<[Side; 2], String> {
    Ok([Side::ours()?, Side::Oracle(Docker::shared()?)])
}

impl Side {
    pub(crate) fn ours() -> Result<Self, String> {
        Self::ours_with(&Config {
            engine: true,
            ..Config::default()
        })
    }

    pub(super) fn ours_with(config: &Config) -> Result<Self, String> {
        let [cli, _, _] = host::programs(["docker", "unshare", "ip"])?;
        let dir = tempfile::tempdir().unwrap();
        let image = host::image(dir.path())?;
        let agent = Agent::start(config);
        let side = Self::Ours { cli, dir, agent };
        side.cli(&["import", image.to_str().unwrap(), IMAGE]);
        Ok(side)
    }

    pub(crate) fn agent(&self) -> &Agent {
        match self {
            Self::Ours { agent, .. } => agent,
            Self::Oracle(_) => panic!("it is no agent"),
        }
    }

    pub(super) fn agent_mut(&mut self) -> &mut Agent {
        match self {
            Self::Ours { agent, .. } => agent,
            Self::Oracle(_) => panic!("it is no agent"),
        }
    }

    pub(super) fn command(&self) -> Command {
        match self {
            Self::Oracle(docker) => docker.command(),
            Self::Ours { cli, dir, agent } => {
                let mut command = Command::new(cli);
                command
                    .env_remove("DOCKER_HOST")
                    .env_remove("DOCKER_CONTEXT")
                    .env("DOCKER_CONFIG", dir.path().join("config"))
                    .arg("--host")
                    .arg(format!("unix://{}", agent.socket().display()));
                command
            }
        }
    }

    /// Standard output of a command that must succeed.
    pub(super) fn cli(&self, arguments: &[&str]) -> String {
        host::stdout(self.command().args(arguments))
    }

    /// Whatever comes of a command.
    pub(super) fn see(&self, arguments: &[&str]) -> Seen {
        self.see_with(arguments, "")
    }

    pub(super) fn see_with(&self, arguments: &[&str], input: &str) -> Seen {
        let mut command = self.command();
        command.args(arguments);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // One that does not read its input has closed it.
        let _closed = child.stdin.take().unwrap().write_all(input.as_bytes());
        let done = child.wait_with_output().unwrap();
        let text = |bytes: &[u8]| without_ids(&String::from_utf8_lossy(bytes));
        Seen {
            status: done.status.code(),
            output: text(&done.stdout),
            errors: text(&done.stderr),
        }
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        if let Self::Ours { .. } = self {
            let list = self.command().args(["ps", "--all", "--quiet"]).output();
            let ids = list.map(|list| String::from_utf8_lossy(&list.stdout).into_owned());
            let ids = ids.unwrap_or_default();
            let mut command = self.command();
            let _best_effort = command
                .args(["rm", "--force", "--volumes"])
                .args(ids.split_whitespace())
                .output();
        }
    }
}

/// Runs of twelve and more hexadecimal digits are ids.
pub(super) fn without_ids(text: &str) -> String {
    let mut shown = String::new();
    let mut digits = String::new();
    for letter in text.chars().chain(['\0']) {
        if matches!(letter, '0'..='9' | 'a'..='f') {
            digits.push(letter);
            continue;
        }
        shown.push_str(if digits.len() >= 12 { "ID" } else { &digits });
        digits.clear();
        if letter != '\0' {
            shown.push(letter);
        }
    }
    shown
}

/// A file of its own in a directory that both sides may mount.
pub(super) fn file(dir: &Path, name: &str, text: &str) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, text).unwrap();
    path
}
