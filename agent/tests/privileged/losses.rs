//! Nothing is lost, or said to be, when all CPUs meet a cgroup for the first time at once.
#![allow(clippy::unwrap_used)]

use std::io::pipe;
use std::process::{Child, Command};

use crate::support::{Agent, OwnCgroup, Settings, V2, installed, poll};

const TRIES: usize = 100;

/// A task on one CPU that sleeps until the pipe's last writer is gone.
fn sleeper(cpu: usize, pipe: &std::io::PipeReader) -> Child {
    let cpu = cpu.to_string();
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", &cpu, "cat"]);
    command.stdin(pipe.try_clone().unwrap());
    command.spawn().unwrap()
}

fn sleeps(task: &Child) -> bool {
    let read = |file| std::fs::read_to_string(format!("/proc/{}/{file}", task.id())).unwrap();
    let stat = read("stat");
    read("comm") == "cat\n" && stat.rsplit_once(") ").unwrap().1.starts_with('S')
}

#[test]
fn first_switches_on_all_cpus_at_once_are_no_loss() {
    let test = "first_switches_on_all_cpus_at_once_are_no_loss";
    if !installed(test, "taskset") {
        return;
    }
    let Some(own) = OwnCgroup::make(test, &[V2]) else {
        return;
    };
    let Some(agent) = Agent::start(test, &Settings::default()) else {
        return;
    };
    let cpus = std::thread::available_parallelism().unwrap().get();
    for n in 0..TRIES {
        let one = own.nested(&n.to_string());
        let (reader, writer) = pipe().unwrap();
        let mut tasks: Vec<_> = (0..cpus).map(|cpu| sleeper(cpu, &reader)).collect();
        for task in &tasks {
            poll("a sleeping task", || sleeps(task).then_some(()));
            // Moved while it sleeps, it has not run there yet.
            one.write(V2, "cgroup.procs", &task.id().to_string());
        }
        drop(writer);
        for task in &mut tasks {
            assert!(task.wait().unwrap().success());
        }
        drop(reader);
    }
    agent.fresh_scrape().assert_nothing_lost();
}
