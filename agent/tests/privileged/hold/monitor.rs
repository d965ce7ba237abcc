//! Monitor mode decides and reports, and writes nothing: the system calls tell.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::Cell;
use crate::support::{Agent, Settings, installed, poll};

#[test]
fn nothing_is_written() {
    let test = "nothing_is_written";
    if !installed(test, "strace") {
        return;
    }
    let Some(mut cell) = Cell::make(test) else {
        return;
    };
    cell.spawn("sh", &["-c", "sleep 1000 & sleep 1000 & wait"]);
    let policy = format!(
        r#"version = 1
mode = "monitor"
[[policy]]
name = "watching"
match = {{ cgroup = "{}" }}
[policy.limits]
"memory.max" = "256MiB"
"cpu.max" = "1 cores"
[[policy.rule]]
name = "stop"
any = [{{ metric = "pids.current", above = "1" }}]
then = [{{ freeze = {{ max = "60s" }} }}, {{ kill = {{ scope = "cgroup" }} }}]
"#,
        cell.path()
    );
    let trace = tempfile::NamedTempFile::new().unwrap();
    let through = [
        "strace",
        // The agent is then our child, and gets our signals.
        "-D",
        "-f",
        "-qq",
        "-e",
        "trace=openat,openat2,kill,tgkill,pidfd_send_signal",
        "-o",
        trace.path().to_str().unwrap(),
    ];
    let settings = Settings {
        through: through.map(String::from).to_vec(),
        ..Settings::default()
    };
    let Some(agent) = Agent::start_with_policy(test, &settings, &policy) else {
        return;
    };
    poll("decisions", || {
        let told = agent.say(&["actions", "--outcome", "dry_run"]);
        (told.contains("memory.max") && told.contains("would freeze")).then_some(())
    });
    assert!(!cell.is_frozen());
    assert_eq!(cell.memory_max(), None);
    assert_eq!(cell.processes().len(), 3);
    drop(agent);

    let name = cell.path();
    let trace = poll("the trace of how the agent read it", || {
        let trace = std::fs::read_to_string(trace.path()).unwrap();
        trace.contains(&name).then_some(trace)
    });
    let touched: Vec<_> = trace
        .lines()
        .filter(|line| {
            line.contains(&name) && (line.contains("O_WRONLY") || line.contains("O_RDWR"))
        })
        .collect();
    assert!(touched.is_empty(), "{touched:#?}");
    let signals: Vec<_> = trace
        .lines()
        .filter(|line| line.contains("pidfd_send_signal("))
        .collect();
    assert!(signals.is_empty(), "{signals:#?}");
}
