//! What goes over the image: the guest's identity, the agent as an operator installs it, and the
//! service that runs the tests.

use std::fs;
use std::io::{self, Write};

use anyhow::{Context, Result};

use super::super::cpio::Archive;
use super::super::protocol::OUTBOX;
use crate::workspace;

/// Folder of the initramfs that is the layer.
pub(in super::super) const LAYER: &str = "/layer";
/// Where the shipped unit expects the agent.
const AGENT: &str = "/usr/local/bin/plimsoll";
/// The shipped unit, below the workspace's root.
const AGENT_UNIT: &str = "deploy/plimsoll.service";
const UNITS: &str = "/etc/systemd/system";
/// Started with the system, as `systemctl enable` has it.
const ENABLED: [&str; 3] = ["docker.service", "plimsoll.service", "vm-test.service"];
/// Where packages have their units.
const PACKAGED: &str = "/usr/lib/systemd/system";
/// What a guest without a keyboard, a disk of its own and a second boot has no use for.
const MASKED: [&str; 8] = [
    "getty.target",
    "proc-sys-fs-binfmt_misc.automount",
    "systemd-binfmt.service",
    "systemd-journal-flush.service",
    "systemd-logind.service",
    "systemd-random-seed.service",
    "systemd-update-utmp.service",
    "systemd-update-utmp-runlevel.service",
];
const TEST_UNIT: &str = "\
[Unit]
Description=Tests of cargo xtask vm-test
After=dbus.service docker.service plimsoll.service

[Service]
Type=exec
ExecStart=/init run
StandardOutput=tty
StandardError=tty
TTYPath=/dev/console
";
/// A bridge, and no firewall: the modules of one would take seconds to load.
const DOCKER: &str =
    "{\"iptables\": false, \"ip6tables\": false, \"storage-driver\": \"overlay2\"}\n";
/// Docker needs none of these; each asks the host for something as it starts.
const CONTAINERD: &str = "version = 2\ndisabled_plugins = [\n\
    \"io.containerd.grpc.v1.cri\",\n\
    \"io.containerd.snapshotter.v1.aufs\",\n\
    \"io.containerd.snapshotter.v1.btrfs\",\n\
    \"io.containerd.snapshotter.v1.devmapper\",\n\
    \"io.containerd.snapshotter.v1.zfs\",\n\
    ]\n";
const FILES: [(&str, &str); 10] = [
    (
        "/etc/passwd",
        "root:x:0:0:root:/root:/bin/sh\n\
         messagebus:x:100:100::/nonexistent:/usr/sbin/nologin\n\
         nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    ),
    (
        "/etc/group",
        "root:x:0:\ntty:x:5:\nadm:x:4:\ndocker:x:101:\nmessagebus:x:100:\n\
         systemd-journal:x:102:\nutmp:x:43:\nnogroup:x:65534:\n",
    ),
    ("/etc/hostname", "guest\n"),
    ("/etc/hosts", "127.0.0.1 localhost guest\n"),
    ("/etc/fstab", ""),
    // An empty one makes this a first boot, which enables every unit there is.
    ("/etc/machine-id", "00000000000000000000000000000001\n"),
    // Debian's removes what is below /tmp, where the tests may be.
    ("/etc/tmpfiles.d/tmp.conf", ""),
    ("/etc/containerd/config.toml", CONTAINERD),
    ("/etc/docker/daemon.json", DOCKER),
    ("/etc/systemd/system/vm-test.service", TEST_UNIT),
];

/// What scripts of packages would make.
const LINKS: [(&str, &str); 3] = [
    ("/usr/bin/sh", "dash"),
    ("/var/lock", "/run/lock"),
    ("/var/run", "/run"),
];

/// Writes it, but for the tests: the path at which `agent` is asked for is a link to where it is
/// installed.
pub(in super::super) fn write<W: Write>(
    archive: &mut Archive<W>,
    agent_path: &str,
    agent: &[u8],
) -> Result<()> {
    let at = |path: &str| format!("{LAYER}{path}");
    for (path, content) in FILES {
        archive.file(&at(path), content.as_bytes())?;
    }
    archive.folder(&at(OUTBOX))?;
    for (link, target) in LINKS {
        archive.link(&at(link), target)?;
    }
    let unit = fs::read(workspace::root().join(AGENT_UNIT))
        .with_context(|| format!("cannot read {AGENT_UNIT}"))?;
    archive.file(&at(&format!("{UNITS}/plimsoll.service")), &unit)?;
    archive.file(&at(AGENT), agent)?;
    archive.link(&at(agent_path), AGENT)?;
    units(archive)?;
    Ok(())
}

fn units<W: Write>(archive: &mut Archive<W>) -> io::Result<()> {
    let at = |path: &str| format!("{LAYER}{UNITS}/{path}");
    let target = format!("{PACKAGED}/multi-user.target");
    archive.link(&at("default.target"), &target)?;
    for unit in ENABLED {
        let folder = match unit {
            "docker.service" => PACKAGED,
            _ => UNITS,
        };
        let wanted = at(&format!("multi-user.target.wants/{unit}"));
        archive.link(&wanted, &format!("{folder}/{unit}"))?;
    }
    for unit in MASKED {
        archive.link(&at(unit), "/dev/null")?;
    }
    Ok(())
}
