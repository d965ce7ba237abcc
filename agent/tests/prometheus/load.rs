//! Three containers' worth of work: one burns CPU against a quota, one moves bytes, one is held by a
//! policy.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::cgroup::{Cgroup, Hierarchies};
use crate::disk::Disk;
use crate::held;
use crate::peer::Peer;

/// Of one CPU. Low, so that two busy loops are throttled on any host.
const QUOTA_PERCENT: u32 = 20;
const MEMORY_BYTES: u64 = 64 << 20;

/// Works until it is dropped.
pub(crate) struct Load {
    /// Two busy loops under a CPU quota.
    pub(crate) burn: Cgroup,
    /// Writes, reads, sends and receives, under a memory limit.
    pub(crate) shift: Cgroup,
    /// A busy loop, as far as the policy lets it.
    pub(crate) held: Cgroup,
    disk: Disk,
    peer: Option<Peer>,
    children: Vec<Child>,
}

impl Load {
    /// `scratch` is a directory on a block device.
    pub(crate) fn start(hierarchies: &Hierarchies, scratch: &Path) -> Self {
        let mut load = Self {
            burn: Cgroup::create(hierarchies, "burn"),
            shift: Cgroup::create(hierarchies, "shift"),
            held: Cgroup::create(hierarchies, held::ROLE),
            disk: Disk::attach(scratch),
            peer: None,
            children: Vec::new(),
        };
        load.burn.limit_cpu(QUOTA_PERCENT);
        load.shift.limit_memory(MEMORY_BYTES);
        for _ in 0..2 {
            let spin = spawn(&load.burn, "while :; do :; done", None);
            load.children.push(spin);
        }
        // With memory of its own: what it had before it was in the cgroup is charged elsewhere.
        let spin = "x=$(printf %0200000d 0); while :; do :; done";
        let spin = spawn(&load.held, spin, None);
        load.children.push(spin);
        // The network namespace is made inside the cgroup: it is the container's own. Its network
        // is set up from outside, as an engine does, and only then is it used.
        let network = format!(
            "exec unshare --net bash -c 'read -r go
            while :; do
                exec 3<>/dev/tcp/{}/{} || exit
                head -c {bytes} /dev/zero >&3
                head -c {bytes} <&3 >/dev/null
                exec 3>&-
                sleep 0.1
            done'",
            Peer::ADDRESS,
            Peer::PORT,
            bytes = Peer::BYTES,
        );
        let mut client = spawn(&load.shift, &network, None);
        load.peer = Some(Peer::connect(client.id()));
        go(&mut client);

        load.shift.count_io(&load.disk.number());
        // As in any container, all its processes share the network.
        let disk = format!(
            "exec nsenter --net=/proc/{}/ns/net sh -c 'while :; do
                dd if=/dev/zero of=\"$DISK\" bs=64k count=16 conv=notrunc oflag=direct
                dd if=\"$DISK\" of=/dev/null bs=64k count=16 iflag=direct
                sleep 0.2
            done 2>/dev/null'",
            client.id()
        );
        let disk = spawn(&load.shift, &disk, Some(("DISK", &load.disk.path)));
        load.children.push(disk);
        load.children.push(client);
        load
    }

    /// `Err` names what does not work any more.
    pub(crate) fn check(&mut self) -> Result<(), String> {
        let ended = self
            .children
            .iter_mut()
            .find_map(|child| match child.try_wait() {
                Ok(None) => None,
                ended => Some(format!("a process of the load ended: {ended:?}")),
            });
        ended.map_or(Ok(()), Err)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for child in &mut self.children {
            // Fails only when it has ended.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Starts a shell, moves it in, and only then lets it work.
fn spawn(cgroup: &Cgroup, script: &str, variable: Option<(&str, &Path)>) -> Child {
    let mut child = Command::new("sh")
        .arg("-c")
        .arg(format!("read -r go\n{script}"))
        .envs(variable)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    cgroup.add(child.id());
    go(&mut child);
    child
}

fn go(child: &mut Child) {
    let stdin = child.stdin.as_mut().unwrap();
    stdin.write_all(b"go\n").unwrap();
    stdin.flush().unwrap();
}
