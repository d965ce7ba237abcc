//! The other end of the wire: a network namespace with a server, joined by a veth pair to the
//! namespace of a process. All of it goes with the thread that holds the namespace.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::sched::{CloneFlags, unshare};

use crate::poll;

const LIMIT: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);

/// Takes what a client sends and sends as much back, until it is dropped.
pub(crate) struct Peer {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Peer {
    pub(crate) const ADDRESS: &str = "10.77.0.1";
    pub(crate) const PORT: u16 = 4_711;
    /// The client's side of the wire.
    pub(crate) const INTERFACE: &str = "eth0";
    /// Each way, for each connection.
    pub(crate) const BYTES: usize = 64 << 10;

    /// Waits until `client` has left our network namespace, and gives it an interface.
    pub(crate) fn connect(client: u32) -> Self {
        let ours = fs::read_link("/proc/self/ns/net").unwrap();
        poll::until(LIMIT, || {
            match fs::read_link(format!("/proc/{client}/ns/net")) {
                Ok(its) if its != ours => Ok(()),
                other => Err(format!("client's network namespace is {other:?}")),
            }
        })
        .unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let (listening, ready) = mpsc::channel();
        let thread = thread::spawn({
            let stop = Arc::clone(&stop);
            move || {
                let listener = wire(client);
                listening.send(()).unwrap();
                serve(&listener, &stop);
            }
        });
        ready
            .recv()
            .expect("the thread that makes the veth pair panicked");
        Self {
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if self.thread.take().is_some_and(|it| it.join().is_err()) {
            println!("the peer panicked");
        }
    }
}

/// Puts this thread, and what it starts, into a new network namespace, joined to the client's.
fn wire(client: u32) -> TcpListener {
    unshare(CloneFlags::CLONE_NEWNET).unwrap();
    let eth0 = Peer::INTERFACE;
    let inside = format!("--net=/proc/{client}/ns/net");
    let here = |arguments: &str| run("ip", arguments);
    let there = |arguments: &str| run("nsenter", &format!("{inside} ip {arguments}"));
    here(&format!(
        "link add wire type veth peer name {eth0} netns {client}"
    ));
    here(&format!("address add {}/30 dev wire", Peer::ADDRESS));
    here("link set wire up");
    there(&format!("address add 10.77.0.2/30 dev {eth0}"));
    there(&format!("link set {eth0} up"));
    TcpListener::bind((Peer::ADDRESS, Peer::PORT)).unwrap()
}

fn run(program: &str, arguments: &str) {
    let status = Command::new(program).args(arguments.split(' ')).status();
    assert!(
        status.as_ref().is_ok_and(|status| status.success()),
        "{program} {arguments}: {status:?}"
    );
}

fn serve(listener: &TcpListener, stop: &AtomicBool) {
    listener.set_nonblocking(true).unwrap();
    while !stop.load(Ordering::Relaxed) {
        match listener.accept() {
            // A client that is killed half-way is the normal end.
            Ok((stream, _)) => drop(echo(stream)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(PAUSE),
            Err(error) => panic!("accept: {error}"),
        }
    }
}

fn echo(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(LIMIT))?;
    let mut bytes = vec![0; Peer::BYTES];
    stream.read_exact(&mut bytes)?;
    stream.write_all(&bytes)
}
