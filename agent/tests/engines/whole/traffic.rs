//! Traffic that both ends count: Perl, which every Debian has, mounted into containers.

use crate::docker::{Container, Docker};
use crate::host::wait_until;

/// Datagrams of a UDP client; each is answered, so that none is dropped.
pub(super) const ROUNDS: u64 = 200;
/// Bytes in a datagram there, and in the one back.
pub(super) const PAYLOAD: u64 = 1000;
pub(super) const ANSWER: u64 = 1;
/// Bytes that a TCP client sends.
pub(super) const STREAM: u64 = 1 << 20;

const PROGRAM: &str = r#"
use strict; use warnings; use IO::Socket::INET;
$| = 1;
my ($role, $rounds, $payload, $stream, $address, $port) = @ARGV;
my ($proto, $end) = split /-/, $role;
my @peer = $end eq "client" ? (PeerAddr => $address, PeerPort => $port)
    : $proto eq "tcp" ? (Listen => 1) : ();
my $socket = IO::Socket::INET->new(Proto => $proto, @peer) or die "socket: $@";
# Without a port in the arguments it is left unbound.
$role ne "udp-server" or $socket->bind(0, INADDR_ANY) or die "bind: $!";
print "ready ", $socket->sockport, "\n";
my ($sent, $received) = (0, 0);
if ($role eq "udp-client") {
    for (1 .. $rounds) {
        $sent += $socket->send("x" x $payload) // die "send: $!";
        defined $socket->recv(my $answer, 10) or die "recv: $!";
        $received += length $answer;
    }
} elsif ($role eq "udp-server") {
    for (1 .. $rounds) {
        defined $socket->recv(my $datagram, 65536) or die "recv: $!";
        $received += length $datagram;
        $sent += $socket->send("a") // die "send: $!";
    }
} elsif ($role eq "tcp-client") {
    $sent += syswrite($socket, "x" x ($stream - $sent)) // die "write: $!" while $sent < $stream;
    $socket->shutdown(1);
    sysread $socket, my $end_of_file, 1;
} else {
    my $peer = $socket->accept or die "accept: $!";
    while (my $n = sysread $peer, my $buffer, 65536) { $received += $n }
    close $peer;
}
print "done $sent $received\n";
sleep 600;
"#;

/// One end of a connection, in a container.
pub(super) struct End<'a> {
    docker: &'a Docker,
    pub(super) container: Container<'a>,
}

impl<'a> End<'a> {
    /// `role` is `udp-server` or `tcp-server`; returns its port too.
    pub(super) fn server(docker: &'a Docker, network: &str, role: &str) -> (Self, String) {
        let end = Self::start(docker, network, role, &[]);
        let port = end.said("ready");
        (end, port)
    }

    /// Runs a client to its end.
    pub(super) fn client(docker: &'a Docker, network: &str, role: &str, to: [&str; 2]) -> Self {
        Self::start(docker, network, role, &to)
    }

    fn start(docker: &'a Docker, network: &str, role: &str, to: &[&str]) -> Self {
        let volumes = ["/usr:/usr:ro", "/lib:/lib:ro", "/lib64:/lib64:ro"];
        let mut options = vec!["--name", role];
        for volume in &volumes {
            options.extend(["--volume", volume]);
        }
        let [rounds, payload, stream] = [ROUNDS, PAYLOAD, STREAM].map(|n| n.to_string());
        let mut command = vec![
            "/usr/bin/perl",
            "-e",
            PROGRAM,
            role,
            &rounds,
            &payload,
            &stream,
        ];
        command.extend(to);
        let container = docker.container(network, &options, &command);
        Self { docker, container }
    }

    /// Bytes that it sent and received, when it is done.
    pub(super) fn counted(&self) -> [u64; 2] {
        let said = self.said("done");
        let mut numbers = said.split(' ').map(|number| number.parse().unwrap());
        [numbers.next().unwrap(), numbers.next().unwrap()]
    }

    /// What follows a word that it prints.
    fn said(&self, word: &str) -> String {
        let mut found = None;
        wait_until(word, || {
            let log = self.docker.cli(&["logs", &self.container.id]);
            let mut lines = log.lines().filter_map(|line| line.strip_prefix(word));
            found = lines.next().map(|rest| rest.trim().to_owned());
            found.is_some()
        });
        found.unwrap()
    }
}
