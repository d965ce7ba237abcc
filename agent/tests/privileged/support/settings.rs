//! What a test sets in the configuration of its agent.

use std::path::{Path, PathBuf};

/// The agent's policy file, which may be absent.
pub(super) const POLICY: &str = "policy.toml";

/// What tests set; the rest is as shipped, but that no engine is asked.
pub(crate) struct Settings {
    pub(crate) tick: &'static str,
    pub(crate) idle_refresh: &'static str,
    pub(crate) retain_dead: &'static str,
    pub(crate) max_workloads: usize,
    /// `None`: a free one.
    pub(crate) port: Option<u16>,
    /// `None`: one of its own.
    pub(crate) socket: Option<PathBuf>,
    /// Where a container engine keeps its containers; `None`: there is none.
    pub(crate) containers_storage: Option<PathBuf>,
    /// A program, with arguments, that runs the agent.
    pub(crate) through: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            tick: "100ms",
            idle_refresh: "10s",
            retain_dead: "5m",
            max_workloads: 20_000,
            port: None,
            socket: None,
            containers_storage: None,
            through: Vec::new(),
        }
    }
}

impl Settings {
    /// The file of an agent in `directory`.
    pub(super) fn file(&self, directory: &Path, port: u16) -> String {
        let Settings {
            tick,
            idle_refresh,
            retain_dead,
            max_workloads,
            socket,
            containers_storage,
            ..
        } = self;
        let own = directory.join("plimsoll.sock");
        let socket = socket.as_ref().unwrap_or(&own);
        format!(
            "[agent]\nsocket = {socket:?}\ntick = \"{tick}\"\nidle_refresh = \"{idle_refresh}\"\n\
             event_history = 200000\n\
             [metrics]\nlisten = \"127.0.0.1:{port}\"\nretain_dead = \"{retain_dead}\"\n\
             [containers]\nmax_workloads = {max_workloads}\n\
             [attribution]\ndocker_socket = \"\"\npodman_socket = \"\"\n\
             containers_storage = {storage:?}\ncontainerd_state = \"\"\n\
             [policy]\nfile = {policy:?}\n\
             [enforce]\nstate_dir = {state:?}\n\
             [audit]
path = {audit:?}
\
             [engine]
enable = false
",
            storage = containers_storage.clone().unwrap_or_default(),
            policy = directory.join(POLICY),
            state = directory.join("enforce"),
            audit = directory.join("audit.jsonl"),
        )
    }
}
