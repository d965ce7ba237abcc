//! A client and a server, each in a cgroup and network namespace of its own, or both in one.
//!
//! They speak in turns, so that nothing is dropped, and each checks what it got.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{OwnCgroup, V2, installed, poll};

#[derive(Clone, Copy)]
pub(super) enum Protocol {
    Udp,
    Tcp,
}

/// Arguments: protocol, address, port file, rounds, length.
const SERVER: &str = r#"
use strict; use IO::Socket::IP; use Socket qw(SOCK_DGRAM SOCK_STREAM);
alarm 20;
my ($protocol, $address, $file, $rounds, $length) = @ARGV;
my $tcp = $protocol eq 'tcp';
my $socket = IO::Socket::IP->new(LocalHost => $address, LocalPort => 0,
    Type => $tcp ? SOCK_STREAM : SOCK_DGRAM, $tcp ? (Listen => 1) : ()) or die "bind: $@";
open(my $port, '>', "$file.new") or die; print $port $socket->sockport, "\n"; close $port;
rename "$file.new", $file or die;
my $peer = $tcp ? $socket->accept : $socket;
for (1 .. $rounds) {
    my ($got, $from) = (0);
    while ($got < $length) {
        my $buffer;
        if ($tcp) { my $n = sysread($peer, $buffer, $length - $got) or die 'short'; $got += $n; }
        else { $from = recv($peer, $buffer, 65536, 0); die unless defined $from; $got += length $buffer; }
    }
    die "got $got" if $got != $length;
    $tcp ? syswrite($peer, '12345678') : send($peer, '12345678', 0, $from);
}
if ($tcp) { my $rest; die 'more' if sysread($peer, $rest, 1); }
"#;

const CLIENT: &str = r#"
use strict; use IO::Socket::IP; use Socket qw(SOCK_DGRAM SOCK_STREAM);
alarm 20;
my ($protocol, $address, $file, $rounds, $length) = @ARGV;
my $tcp = $protocol eq 'tcp';
open(my $port, '<', $file) or die; chomp(my $number = <$port>);
my $socket = IO::Socket::IP->new(PeerHost => $address, PeerPort => $number,
    Type => $tcp ? SOCK_STREAM : SOCK_DGRAM) or die "connect: $@";
for (1 .. $rounds) {
    my ($data, $sent) = ('x' x $length, 0);
    while ($sent < $length) {
        my $n = $tcp ? syswrite($socket, $data, $length - $sent, $sent) : send($socket, $data, 0);
        die "send: $!" unless $n; $sent += $n;
    }
    my ($answer, $got) = ('', 0);
    while ($got < 8) { my $n = sysread($socket, $answer, 8 - $got, $got) or die 'no answer'; $got += $n; }
}
"#;

/// Two cgroups and namespaces, with a veth pair between them.
pub(super) struct Ends {
    pub(super) client: OwnCgroup,
    pub(super) server: OwnCgroup,
    /// A process in each one's network namespace.
    holders: [u32; 2],
}

impl Ends {
    /// `None`, and the test is skipped, where something is missing.
    pub(super) fn make(test: &str) -> Option<Self> {
        if !installed(test, "perl") || !installed(test, "ip") {
            return None;
        }
        let mut client = OwnCgroup::make(test, &[V2])?;
        let mut server = OwnCgroup::make(test, &[V2])?;
        let (first, second) = (hold(&mut client), hold(&mut server));
        let veth = [
            "link", "add", "inside0", "type", "veth", "peer", "name", "inside1", "netns",
        ];
        ip(first, &[&veth[..], &[&second.to_string()]].concat());
        for (holder, interface, four, six) in [
            (first, "inside0", "10.77.0.1/24", "fd77::1/64"),
            (second, "inside1", "10.77.0.2/24", "fd77::2/64"),
        ] {
            ip(holder, &["address", "add", four, "dev", interface]);
            ip(holder, &["address", "add", six, "dev", interface, "nodad"]);
            ip(holder, &["link", "set", "lo", "up"]);
            ip(holder, &["link", "set", interface, "up"]);
        }
        Some(Self {
            client,
            server,
            holders: [first, second],
        })
    }

    /// What the kernel itself sent in both namespaces: neighbour discovery and group membership
    /// (IPv6 alone), which it sends in the name of who made the namespace.
    pub(super) fn chatter(&self) -> u64 {
        let of_kernel = |holder| {
            let text = fs::read_to_string(format!("/proc/{holder}/net/snmp6")).unwrap();
            let line = text.lines().find(|line| line.starts_with("Icmp6OutMsgs"));
            let count = line.unwrap().split_whitespace().last().unwrap();
            count.parse::<u64>().unwrap()
        };
        self.holders.into_iter().map(of_kernel).sum()
    }

    /// So many rounds of `length` bytes to the server and eight back.
    pub(super) fn exchange(&mut self, protocol: Protocol, address: &str, rounds: u64, length: u64) {
        let protocol = match protocol {
            Protocol::Udp => "udp",
            Protocol::Tcp => "tcp",
        };
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("port");
        let (rounds, length) = (rounds.to_string(), length.to_string());
        let arguments = [protocol, address, file.to_str().unwrap(), &rounds, &length];
        let [client, server] = self
            .holders
            .map(|holder| format!("--net=/proc/{holder}/ns/net"));
        let inside = [server.as_str(), "perl", "-e", SERVER];
        let server = self
            .server
            .spawn("nsenter", &[&inside[..], &arguments[..]].concat());
        wait_for(&file);
        let inside = [client.as_str(), "perl", "-e", CLIENT];
        self.client
            .run("nsenter", &[&inside[..], &arguments[..]].concat());
        let status = server.wait().unwrap();
        assert!(status.success(), "server: {status}");
    }
}

/// Datagrams within one cgroup, in the host's network namespace.
pub(super) fn echo(own: &mut OwnCgroup, address: &str, rounds: u64, length: u64) {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("port");
    let (rounds, length) = (rounds.to_string(), length.to_string());
    let arguments = ["udp", address, file.to_str().unwrap(), &rounds, &length];
    own.spawn("perl", &[&["-e", SERVER], &arguments[..]].concat());
    wait_for(&file);
    own.run("perl", &[&["-e", CLIENT], &arguments[..]].concat());
}

fn wait_for(file: &Path) {
    poll("the server's port", || file.exists().then_some(()));
}

/// Keeps a new network namespace alive; returns the process.
fn hold(own: &mut OwnCgroup) -> u32 {
    let holder = own.spawn("unshare", &["--net", "sleep", "600"]).id();
    let link = |process: &str| fs::read_link(format!("/proc/{process}/ns/net")).ok();
    poll("network namespace", || {
        (link(&holder.to_string())? != link("self")?).then_some(holder)
    })
}

/// Runs `ip` in the process's network namespace.
fn ip(holder: u32, arguments: &[&str]) {
    let namespace = format!("--net=/proc/{holder}/ns/net");
    let done = Command::new("nsenter")
        .arg(namespace)
        .arg("ip")
        .args(arguments)
        .output()
        .unwrap();
    let complaint = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "ip {arguments:?}: {complaint}");
}
