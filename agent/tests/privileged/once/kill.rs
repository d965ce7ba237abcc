//! The ladder of signals. The oracles are the exit status, and the kernel's list of processes.

use std::fs;
use std::thread::sleep;

use nix::sys::signal::Signal;
use plimsoll::policy::Process;

use super::*;
use crate::support::{installed, skip};

const TERM: i32 = Signal::SIGTERM as i32;
const KILL: i32 = Signal::SIGKILL as i32;
const GRACE: Duration = Duration::from_millis(300);
/// For those who heed, on a machine that has other things to do.
const LONG_GRACE: Duration = Duration::from_secs(2);
const IGNORE: &str = "$SIG{TERM} = 'IGNORE'";

fn kill(scope: Process, signal: i32, grace: Duration, escalate: Option<i32>) -> Once {
    Once::Kill {
        scope,
        signal,
        grace,
        escalate,
    }
}

/// Runs a test with a cgroup in each kind of hierarchy.
fn each(test: &str, run: impl Fn(&Runner, OwnCgroup, &'static str, &Path)) {
    if !installed(test, "perl") {
        return;
    }
    let kinds = kinds();
    if kinds.is_empty() {
        skip(test, "neither cgroup v2 nor v1's freezer");
    }
    let runner = Runner::start(Settings::default());
    for kind in kinds {
        let directory = tempfile::tempdir().unwrap();
        let Some(own) = OwnCgroup::make(test, &[kind]) else {
            return;
        };
        run(&runner, own, kind, directory.path());
    }
}

fn killed(runner: &Runner, own: &OwnCgroup, kind: &str, once: Once) -> (Finished, Duration) {
    let errand = errand(1, &own.path(), control(own, &[kind]), once);
    let start = Instant::now();
    let finished = runner.run(errand);
    (finished, start.elapsed())
}

fn populated(own: &OwnCgroup, kind: &str) -> bool {
    !own.read(kind, "cgroup.procs").is_empty()
}

#[test]
fn who_heeds_the_signal_is_not_killed() {
    each(
        "who_heeds_the_signal_is_not_killed",
        |runner, mut own, kind, directory| {
            perl(
                &mut own,
                directory,
                "$SIG{TERM} = sub { exit 7 }",
                "sleep 600",
            );
            let once = kill(Process::Cgroup, TERM, LONG, Some(KILL));
            let (finished, took) = killed(runner, &own, kind, once);
            assert_eq!(ending(own.child(0)), 7, "{kind}");
            assert!(took < LONG / 3, "{kind}: {took:?}");
            let text = done(&finished);
            assert!(text.starts_with("1 process ended "), "{text}");
            assert!(text.ends_with(" after SIGTERM"), "{text}");
            assert_eq!(finished.before.as_deref(), Some("1 process"));
        },
    );
}

#[test]
fn who_ignores_it_dies_when_the_grace_is_over() {
    each(
        "who_ignores_it_dies_when_the_grace_is_over",
        |runner, mut own, kind, directory| {
            perl(&mut own, directory, IGNORE, "sleep 600");
            perl(&mut own, directory, "1", "sleep 600");
            let once = kill(Process::Cgroup, TERM, LONG_GRACE, Some(KILL));
            let (finished, took) = killed(runner, &own, kind, once);
            assert_eq!(ending(own.child(0)), -KILL, "{kind}");
            assert_eq!(
                ending(own.child(1)),
                -TERM,
                "{kind}: the other one heeds it"
            );
            assert!(
                took >= LONG_GRACE && took < LONG_GRACE * 5,
                "{kind}: {took:?}"
            );
            let text = done(&finished);
            let said = "1 left 2s after SIGTERM; 1 process ended ";
            assert!(text.starts_with(said), "{text}");
            assert!(text.ends_with(" after SIGKILL"), "{text}");
        },
    );
}

#[test]
fn without_a_next_signal_nobody_is_killed() {
    each(
        "without_a_next_signal_nobody_is_killed",
        |runner, mut own, kind, directory| {
            perl(&mut own, directory, IGNORE, "sleep 600");
            let once = kill(Process::Cgroup, TERM, GRACE, None);
            let (finished, _) = killed(runner, &own, kind, once);
            assert_eq!(
                done(&finished),
                "SIGTERM sent to 1 process; 1 left after 300ms"
            );
            assert!(populated(&own, kind));
        },
    );
}

#[test]
fn a_tree_dies_at_once() {
    each("a_tree_dies_at_once", |runner, mut own, kind, _| {
        let mut below = own.nested("below");
        for _ in 0..10 {
            own.spawn("sleep", &["600"]);
            below.spawn("sleep", &["600"]);
        }
        poll("programs", || (processes(&own, kind) == 20).then_some(()));
        let once = kill(Process::Cgroup, KILL, Duration::ZERO, None);
        let (finished, took) = killed(runner, &own, kind, once);
        let text = done(&finished);
        assert!(text.starts_with("20 processes ended "), "{text}");
        assert_eq!(processes(&own, kind), 0, "{kind}");
        assert!(took < LONG / 3, "{kind}: {took:?}");
        println!("{kind}: {text}");
    });
}

/// The kernel's count, of the cgroup and those below.
fn processes(own: &OwnCgroup, kind: &str) -> usize {
    let lines = |path: &Path| {
        let text = fs::read_to_string(path.join("cgroup.procs")).unwrap_or_default();
        text.lines().count()
    };
    let directory = own.directory(kind);
    lines(directory) + lines(&directory.join("below"))
}

/// Ten chains of processes, each of which forks the next and exits: nobody is there for long. They
/// end by themselves after half a minute, should the test fail.
const RESTLESS: &str = "my $end = time + 30; for (1 .. 10) { next if fork; while (time < $end) { \
                        exit if fork; select undef, undef, undef, 0.02 } }";

#[test]
fn who_forks_without_end_dies_too() {
    each(
        "who_forks_without_end_dies_too",
        |runner, mut own, kind, directory| {
            for signal in [KILL, TERM] {
                perl(&mut own, directory, "1", RESTLESS);
                let listed = || own.read(kind, "cgroup.procs");
                let before = poll("chains", || {
                    let now = listed();
                    (now.lines().count() >= 10).then_some(now)
                });
                poll("others", || {
                    let now = listed();
                    let stays = before
                        .lines()
                        .any(|pid| now.lines().any(|line| line == pid));
                    (!stays && !now.is_empty()).then_some(())
                });
                let once = kill(Process::Cgroup, signal, GRACE, Some(KILL));
                let (finished, took) = killed(runner, &own, kind, once);
                let text = done(&finished);
                assert!(took < LONG / 3, "{kind}: {took:?}");
                println!("{kind}: {text}, {took:?} in all");
                // Whoever got away would be there, with children.
                sleep(Duration::from_millis(50));
                assert!(!populated(&own, kind), "{kind}: {text}");
            }
        },
    );
}

#[test]
fn the_frozen_die_without_a_grace_they_could_not_use() {
    let test = "the_frozen_die_without_a_grace_they_could_not_use";
    each(test, |runner, mut own, kind, directory| {
        perl(
            &mut own,
            directory,
            "$SIG{TERM} = sub { exit 7 }",
            "sleep 600",
        );
        let (file, on) = match kind {
            V2 => ("cgroup.freeze", "1"),
            _ => ("freezer.state", "FROZEN"),
        };
        own.write(kind, file, on);
        poll("frozen", || match kind {
            V2 => (own.field(kind, "cgroup.events", "frozen") == 1).then_some(()),
            _ => (own.read(kind, file) == "FROZEN\n").then_some(()),
        });
        let once = kill(Process::Cgroup, TERM, LONG, Some(KILL));
        let (finished, took) = killed(runner, &own, kind, once);
        assert_eq!(ending(own.child(0)), -KILL, "{kind}");
        assert!(took < LONG / 3, "{kind}: {took:?}");
        let text = done(&finished);
        assert!(
            text.starts_with("frozen, so no time for SIGTERM; 1 process"),
            "{text}"
        );
    });
}

#[test]
fn only_the_largest_or_the_first_dies() {
    each(
        "only_the_largest_or_the_first_dies",
        |runner, mut own, kind, directory| {
            perl(&mut own, directory, "my $x = 'x' x (8 << 20)", "sleep 600");
            // The first is the shell that became perl; later ones start at another clock tick.
            sleep(Duration::from_millis(50));
            let large = perl(&mut own, directory, "my $x = 'x' x (64 << 20)", "sleep 600");
            perl(&mut own, directory, IGNORE, "sleep 600");
            let once = kill(Process::Largest, TERM, LONG, Some(KILL));
            let (finished, _) = killed(runner, &own, kind, once);
            assert_eq!(ending(own.child(1)), -TERM, "{kind}: {finished:?}");
            let name = format!("process {large} (perl)");
            assert_eq!(finished.before.as_deref(), Some(&*name));
            let text = done(&finished);
            assert!(text.starts_with(&format!("{name} ended ")), "{text}");
            let first = own.child(0).id();

            let once = kill(Process::Main, KILL, GRACE, None);
            let (finished, _) = killed(runner, &own, kind, once);
            assert_eq!(ending(own.child(0)), -KILL, "{kind}: {finished:?}");
            assert!(done(&finished).contains(&format!("process {first} (perl)")));

            // The last one ignores what it can.
            let once = kill(Process::Main, TERM, GRACE, Some(KILL));
            let (finished, took) = killed(runner, &own, kind, once);
            assert_eq!(ending(own.child(2)), -KILL, "{kind}: {finished:?}");
            assert!(took >= GRACE, "{kind}: {took:?}");
            assert!(done(&finished).starts_with("still there 300ms after SIGTERM; "));
            let nobody = kill(Process::Main, TERM, GRACE, Some(KILL));
            assert_eq!(done(&killed(runner, &own, kind, nobody).0), "none was left");
        },
    );
}

#[test]
fn a_cgroup_that_is_gone_has_nobody_left() {
    each(
        "a_cgroup_that_is_gone_has_nobody_left",
        |runner, mut own, kind, _| {
            let gone = control(&own, &[kind]);
            own.remove();
            let once = kill(Process::Cgroup, TERM, LONG, Some(KILL));
            let finished = runner.run(errand(1, &own.path(), gone, once));
            assert!(done(&finished).ends_with("is gone"), "{finished:?}");
        },
    );
}

#[test]
fn nothing_more_is_sent_when_the_agent_ends() {
    let test = "nothing_more_is_sent_when_the_agent_ends";
    if !installed(test, "perl") {
        return;
    }
    let Some(kind) = kinds().pop() else {
        return skip(test, "neither cgroup v2 nor v1's freezer");
    };
    let directory = tempfile::tempdir().unwrap();
    let Some(mut own) = OwnCgroup::make(test, &[kind]) else {
        return;
    };
    perl(&mut own, directory.path(), IGNORE, "sleep 600");
    let runner = Runner::start(Settings::default());
    let once = kill(Process::Cgroup, TERM, GRACE, Some(KILL));
    let started = errand(1, &own.path(), control(&own, &[kind]), once);
    runner.errands.run(started).unwrap();
    let start = Instant::now();
    runner.errands.stop(Duration::from_millis(50));
    assert!(start.elapsed() < GRACE, "{:?}", start.elapsed());
    let finished = runner.ends.recv_timeout(LONG).unwrap();
    assert_eq!(
        finished.outcome,
        Outcome::Failed("broken off before its end".into())
    );
    sleep(GRACE * 2);
    assert!(populated(&own, kind));
}
