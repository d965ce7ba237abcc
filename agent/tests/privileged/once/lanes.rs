//! One kind of errand does not hold up another, and each is bounded.

use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;

use nix::sys::signal::Signal;
use plimsoll::policy::Process;

use super::*;
use crate::support::skip;

/// Notifications at work and waiting.
const ROOM: u64 = 4 + 64;

#[test]
fn receivers_that_hang_delay_no_kill() {
    let test = "receivers_that_hang_delay_no_kill";
    let Some(kind) = kinds().pop() else {
        return skip(test, "neither cgroup v2 nor v1's freezer");
    };
    let Some(mut own) = OwnCgroup::make(test, &[kind]) else {
        return;
    };
    own.spawn("sleep", &["600"]);
    poll("program", || {
        (!own.read(kind, "cgroup.procs").is_empty()).then_some(())
    });
    let (url, connected) = hanging();
    let runner = Runner::start(Settings::default());
    let notify = |id| {
        let once = Once::Notify {
            webhook: Some(url.clone()),
            command: None,
            timeout: LONG,
        };
        runner.errands.run(errand(id, "/x", nowhere(), once))
    };
    for id in 1..=ROOM {
        notify(id).unwrap();
    }
    // They have begun to hang.
    let first: Vec<_> = (0..4)
        .map(|_| connected.recv_timeout(LONG).unwrap())
        .collect();
    let turned_away = notify(ROOM + 1).unwrap_err();
    assert_eq!(
        turned_away.outcome,
        Outcome::Failed("too many notifications are under way".into())
    );

    let start = Instant::now();
    let once = Once::Kill {
        scope: Process::Cgroup,
        signal: Signal::SIGKILL as i32,
        grace: Duration::ZERO,
        escalate: None,
    };
    let finished = runner.run(errand(1_000, &own.path(), control(&own, &[kind]), once));
    assert_eq!(finished.outcome, Outcome::Done);
    assert!(start.elapsed() < LONG / 3, "{:?}", start.elapsed());
    println!("killed in {:?} beside four that hang", start.elapsed());

    // Four at once: none of the others has come in the meantime.
    assert!(connected.try_recv().is_err());
    let notifications = runner.errands.status()[0];
    assert_eq!(
        (notifications.kind, notifications.turned_away),
        ("notifications", 1)
    );
    assert_eq!(notifications.under_way as u64, ROOM);
    // At the end all of them are told to be broken off, without waiting for any.
    let start = Instant::now();
    runner.errands.stop(Duration::ZERO);
    assert!(start.elapsed() < LONG / 3, "{:?}", start.elapsed());
    let ends: Vec<_> = runner.ends.iter().collect();
    assert_eq!(ends.len() as u64, ROOM);
    let broken_off = Outcome::Failed("broken off before its end".into());
    assert!(ends.iter().all(|end| end.outcome == broken_off), "{ends:?}");
    drop(first);
}

/// A receiver that takes connections and says nothing.
fn hanging() -> (String, mpsc::Receiver<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let (sender, connected) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            if sender.send(stream.unwrap()).is_err() {
                return;
            }
        }
    });
    (url, connected)
}

#[test]
fn a_notification_without_a_receiver_is_done_at_once() {
    let runner = Runner::start(Settings::default());
    let once = Once::Notify {
        webhook: None,
        command: None,
        timeout: LONG,
    };
    let finished = runner.run(errand(1, "/x", nowhere(), once));
    assert_eq!(finished.outcome, Outcome::Done);
    assert_eq!(finished.after, None);
}
