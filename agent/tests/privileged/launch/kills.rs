//! Nothing is lost and nothing is left, whenever who is killed.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use plimsoll::launch::shim::{Hello, Kind, Line, Stdio};
use plimsoll::launch::{Fate, Phase, settle, settle_one};

use super::bundle::{Dock, id};
use super::cgroups::kill;
use crate::support::poll;

const KILLS: u32 = 50;

/// Threads that are random enough: each run kills at other points.
fn pause(seed: u32) {
    let now = Instant::now();
    let nanoseconds = u64::from(seed.wrapping_mul(2_654_435_761) % 14_000) * 1_000;
    while now.elapsed() < Duration::from_nanos(nanoseconds) {
        std::hint::spin_loop();
    }
}

/// Processes whose root is the test's, or that are in its cgroups.
fn processes_of(dock: &Dock) -> Vec<PathBuf> {
    let own = dock.directory.path();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let cgroups = std::fs::read_to_string(entry.path().join("cgroup")).unwrap_or_default();
        let root = std::fs::read_link(entry.path().join("root")).unwrap_or_default();
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let is_zombie = stat
            .rsplit_once(") ")
            .is_some_and(|(_, rest)| rest.starts_with('Z'));
        if !is_zombie && (cgroups.contains(&format!("{}/", dock.parent)) || root.starts_with(own)) {
            found.push(entry.path());
        }
    }
    found
}

#[test]
fn a_shim_killed_at_any_point_leaves_nothing() {
    let Some(dock) = Dock::new("a_shim_killed_at_any_point_leaves_nothing") else {
        return;
    };
    for round in 0..KILLS {
        let name = format!("k{round}");
        let stdio = if round % 2 == 0 {
            Stdio::Null
        } else {
            Stdio::Pipes {
                input: true,
                log: None,
            }
        };
        let bundle = dock.bundle(&name, "sleep 1000", |_| {});
        let spare = dock.spare();
        let shim = spare.pid();
        let killer = std::thread::spawn(move || {
            pause(round * 7919 + std::process::id());
            kill(shim);
        });
        if round % 4 > 1 {
            // Killed before: found out when it is to be created.
            let _ = spare.prepare(dock.preparation(&name));
        }
        let request = dock.request(&name, &bundle, stdio.clone());
        let started = spare.create(request, None).and_then(|mut held| {
            let started = held.start();
            // It is our child, and has been killed.
            let _gone = held.reap();
            started
        });
        killer.join().unwrap();
        let fate = settle_one(&dock.root(), &id(&name)).unwrap();
        match (&fate, started) {
            (Fate::Adopted(state), Ok(())) => {
                assert_eq!(stdio, Stdio::Null, "only one that needs no shim runs on");
                kill(state.init.unwrap().pid);
                let ended = poll("end", || {
                    match settle_one(&dock.root(), &id(&name)).unwrap() {
                        Fate::Ended(exit) => Some(exit),
                        _ => None,
                    }
                });
                assert!(ended.unseen);
            }
            // Started just before the kill, but not told so.
            (Fate::Adopted(state), Err(_)) => {
                kill(state.init.unwrap().pid);
                poll("end", || {
                    matches!(settle_one(&dock.root(), &id(&name)), Ok(Fate::Ended(_))).then_some(())
                });
            }
            (Fate::Ended(exit), _) => assert!(exit.unseen),
            (Fate::Undone, Err(_)) => assert!(!dock.state(&name).exists()),
            (Fate::Undone, Ok(())) => panic!("round {round}: started, and undone"),
            (Fate::Held(_) | Fate::Foreign(_), _) => panic!("round {round}: {fate:?}"),
        }
        assert!(dock.cgroups(&name).is_empty(), "round {round}: {fate:?}");
        let left = processes_of(&dock);
        assert!(left.is_empty(), "round {round}: {fate:?}: {left:?}");
        let again = settle(&dock.root()).unwrap();
        assert!(
            again
                .iter()
                .all(|(_, fate)| matches!(fate, Ok(Fate::Ended(_)))),
            "{again:?}"
        );
    }
}

#[test]
fn the_next_agent_finds_it_held_starts_it_and_gets_its_exit() {
    let Some(dock) = Dock::new("the_next_agent_finds_it_held_starts_it_and_gets_its_exit") else {
        return;
    };
    let stdio = Stdio::Pipes {
        input: true,
        log: None,
    };
    let held = dock.create("a", "read x; exit $x", stdio, |_| {}).unwrap();
    let process = held.made.process;
    // The agent goes, as if killed: the link closes.
    drop(held);
    let fates = settle(&dock.root()).unwrap();
    let [(_, Ok(Fate::Held(state)))] = &fates[..] else {
        panic!("{fates:?}");
    };
    assert_eq!((state.phase, state.init), (Phase::Created, Some(process)));
    let hello = Hello {
        output: true,
        input: true,
        wait_for_me: false,
        logs: false,
    };
    let mut line = Line::open(&dock.state("a"), &hello).unwrap();
    assert_eq!(line.welcome.process, process);
    line.send(Kind::Start, &[]).unwrap();
    let answer = line.receive().unwrap().unwrap();
    assert_eq!(answer.kind, Kind::Welcome);
    line.send(Kind::Start, &[]).unwrap();
    let answer = line.receive().unwrap().unwrap();
    assert_eq!(answer.kind, Kind::Refused, "once");
    line.send(Kind::Input, b"7\n").unwrap();
    let answer = line.receive().unwrap().unwrap();
    assert_eq!(answer.kind, Kind::Exit);
    let exit: plimsoll::launch::Exit = serde_json::from_slice(&answer.payload).unwrap();
    assert_eq!(exit.code, 7);
    let fate = poll("end", || {
        match settle_one(&dock.root(), &id("a")).unwrap() {
            Fate::Ended(exit) => Some(exit),
            _ => None,
        }
    });
    assert_eq!(fate, exit, "the same on disk");
}

#[test]
fn a_shim_that_prepared_leaves_nothing_when_it_is_let_go() {
    let Some(dock) = Dock::new("a_shim_that_prepared_leaves_nothing_when_it_is_let_go") else {
        return;
    };
    let spare = dock.spare();
    spare.prepare(dock.preparation("a")).unwrap();
    poll("cgroups", || (!dock.cgroups("a").is_empty()).then_some(()));
    spare.dismiss().unwrap();
    assert!(dock.cgroups("a").is_empty() && !dock.state("a").exists());

    // What cannot be prepared is told to who creates it.
    let taken = dock.create("a", "sleep 1000", Stdio::Null, |_| {}).unwrap();
    let spare = dock.spare();
    spare.prepare(dock.preparation("a")).unwrap();
    let bundle = dock.bundle("b", "true", |_| {});
    let refused = spare.create(dock.request("a", &bundle, Stdio::Null), None);
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("/a"), "{refused}");
    assert!(dock.state("a").exists(), "it is another's");
    kill(taken.made.process.pid);
    taken.reap().unwrap();
}

#[test]
fn a_spare_shim_ends_with_its_agent() {
    let Some(dock) = Dock::new("a_spare_shim_ends_with_its_agent") else {
        return;
    };
    let spare = dock.spare();
    let pid = nix::unistd::Pid::from_raw(i32::try_from(spare.pid()).unwrap());
    drop(spare);
    let ended = nix::sys::wait::waitpid(pid, None).unwrap();
    assert_eq!(ended, nix::sys::wait::WaitStatus::Exited(pid, 0));
}
