//! A sender in a cgroup that is limited and a receiver in one that is not, each in a network
//! namespace of its own, with a veth pair between them; and iperf3 over it.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use plimsoll::kernel::{Applied, CgroupRules, TrafficRules};
use serde_json::Value;

use crate::support::{OwnCgroup, V2, installed, poll};

/// Payload of a full TCP segment with timestamps in a packet of 1,500 bytes from the IP header on.
const SEGMENT: f64 = 1_448.0;
const PACKET: f64 = 1_500.0;
/// IP's and UDP's headers.
const UDP_HEADERS: f64 = 28.0;
pub(crate) const MBIT: u64 = 1_000_000;

/// The receiver's address.
pub(crate) const RECEIVER: &str = "10.78.0.2";

/// More than it takes to agree on a run.
const BEGUN_BYTES: u64 = 20_000;

/// How often iperf3 reports.
const INTERVAL: Duration = Duration::from_millis(500);

/// Between whom iperf3 sends.
#[derive(Clone, Copy)]
pub(crate) struct Path {
    /// Index of the receiver's namespace: 0 is the sender's own.
    receiver: usize,
    /// Runs before the machine's other work, which is not what is measured.
    ahead: &'static [&'static str],
    address: &'static str,
    port: u16,
}

pub(crate) const OVER_WIRE: Path = Path {
    receiver: 1,
    ahead: &["chrt", "--fifo", "1"],
    address: RECEIVER,
    port: 5_201,
};
/// The same, for a second run at the same time.
pub(crate) const BESIDE: Path = Path {
    port: 5_202,
    ..OVER_WIRE
};
/// For runs that have no limit at times, and would leave nothing to the test itself.
pub(crate) const UNLIMITED: Path = Path {
    ahead: &["nice", "-n", "-5"],
    ..OVER_WIRE
};
pub(crate) const LOOPBACK: Path = Path {
    receiver: 0,
    address: "127.0.0.1",
    port: 5_203,
    ..UNLIMITED
};

pub(crate) struct Wire {
    pub(crate) sender: OwnCgroup,
    pub(crate) receiver: OwnCgroup,
    /// A process in each one's network namespace.
    holders: [u32; 2],
    scratch: tempfile::TempDir,
    runs: u32,
}

/// What iperf3's receiver says.
pub(crate) struct Report {
    /// Bits of payload a second, over the whole run.
    payload: f64,
    /// The same, by [`INTERVAL`].
    pub(crate) intervals: Vec<f64>,
    /// Bytes of each datagram; 0 for TCP.
    datagram: f64,
}

impl Report {
    /// Bits a second from the IP header on.
    pub(crate) fn wire(&self) -> f64 {
        self.payload * self.overhead()
    }

    /// The same, in the whole intervals between two moments after the start.
    pub(crate) fn between(&self, from: Duration, to: Duration) -> f64 {
        let first = from.div_duration_f64(INTERVAL).ceil() as usize;
        let last = to.div_duration_f64(INTERVAL).floor() as usize;
        let within = self.intervals.get(first..last).expect("a longer run");
        assert!(
            !within.is_empty(),
            "no interval between {from:?} and {to:?}"
        );
        within.iter().sum::<f64>() / within.len() as f64 * self.overhead()
    }

    pub(crate) fn overhead(&self) -> f64 {
        if self.datagram == 0.0 {
            PACKET / SEGMENT
        } else {
            (self.datagram + UDP_HEADERS) / self.datagram
        }
    }
}

/// An iperf3 run under way.
pub(crate) struct Run {
    log: PathBuf,
    sender: u32,
    receiver: u32,
}

impl Wire {
    /// `None`, and the test is skipped, where something is missing.
    pub(crate) fn make(test: &str) -> Option<Self> {
        Self::between(test, hold)
    }

    /// The same, with the sender's end in the namespace of this thread.
    pub(crate) fn make_from_here(test: &str) -> Option<Self> {
        Self::between(test, |sender| sender.spawn("sleep", &["600"]).id())
    }

    fn between(test: &str, hold_sender: impl Fn(&mut OwnCgroup) -> u32) -> Option<Self> {
        Self::from_sender(test, OwnCgroup::make(test, &[V2])?, hold_sender)
    }

    /// From a cgroup that is there.
    pub(crate) fn from_cgroup(test: &str, sender: OwnCgroup) -> Option<Self> {
        Self::from_sender(test, sender, hold)
    }

    fn from_sender(
        test: &str,
        mut sender: OwnCgroup,
        hold_sender: impl Fn(&mut OwnCgroup) -> u32,
    ) -> Option<Self> {
        if !installed(test, "iperf3") || !installed(test, "ip") || !installed(test, "chrt") {
            return None;
        }
        let mut receiver = OwnCgroup::make(test, &[V2])?;
        let holders = [hold_sender(&mut sender), hold(&mut receiver)];
        let other = holders[1].to_string();
        let veth = [
            "link", "add", "wire0", "type", "veth", "peer", "name", "wire1", "netns", &other,
        ];
        ip(holders[0], &veth);
        for (holder, interface, address) in [
            (holders[0], "wire0", "10.78.0.1/24"),
            (holders[1], "wire1", "10.78.0.2/24"),
        ] {
            ip(holder, &["address", "add", address, "dev", interface]);
            ip(holder, &["link", "set", "lo", "up"]);
            ip(holder, &["link", "set", interface, "up"]);
        }
        Some(Self {
            sender,
            receiver,
            holders,
            scratch: tempfile::tempdir().unwrap(),
            runs: 0,
        })
    }

    /// Sets the sender's rules; nothing may be refused.
    pub(crate) fn limit(&self, rules: &mut CgroupRules, traffic: &TrafficRules) -> Applied {
        let directory = self.sender.directory(V2);
        let applied = rules
            .set_traffic(directory, id(&self.sender), traffic)
            .unwrap();
        assert_eq!(applied.refused, [], "{applied:?}");
        applied
    }

    /// Sends from the limited cgroup until iperf3's time is over.
    pub(crate) fn send(&mut self, arguments: &[&str]) -> Report {
        let run = self.start(OVER_WIRE, arguments);
        self.finish(run)
    }

    /// Runs a program in the sender's cgroup and network namespace to its end; its exit code.
    pub(crate) fn run_in_sender(&mut self, words: &[&str]) -> Option<i32> {
        let namespace = format!("--net=/proc/{}/ns/net", self.holders[0]);
        let words: Vec<_> = [namespace.as_str()].iter().chain(words).copied().collect();
        let process = self.sender.spawn("nsenter", &words).id();
        self.sender.wait(process).code()
    }

    /// Begins to send, and waits until data arrives.
    pub(crate) fn start(&mut self, path: Path, arguments: &[&str]) -> Run {
        self.runs += 1;
        let log = self.scratch.path().join(format!("{}.json", self.runs));
        let port = path.port.to_string();
        let within = |n: usize| format!("--net=/proc/{}/ns/net", self.holders[n]);
        let (sender, receiver) = (within(0), within(path.receiver));
        // A run that hangs fails.
        let end = |namespace: &str, rest: &[&str]| -> Vec<String> {
            let words = [&[namespace, "timeout", "60"], path.ahead, &["iperf3"], rest];
            words.concat().into_iter().map(str::to_owned).collect()
        };
        let log_argument = log.to_str().unwrap();
        let interval = INTERVAL.as_secs_f64().to_string();
        let serve = [
            "-s",
            "-1",
            "-J",
            "-i",
            &interval,
            "-p",
            &port,
            "--logfile",
            log_argument,
        ];
        let server = end(&receiver, &serve);
        let receiver = spawn(&mut self.receiver, &server);
        let holder = self.holders[path.receiver];
        poll("a listening receiver", || {
            listens(holder, path.port).then_some(())
        });
        let before = received_bytes(holder);
        let to = ["-c", path.address, "-p", &port];
        let client = end(&sender, &[&to, arguments].concat());
        let sender = spawn(&mut self.sender, &client);
        poll("data", || {
            (received_bytes(holder) > before + BEGUN_BYTES).then_some(())
        });
        Run {
            log,
            sender,
            receiver,
        }
    }

    /// Waits for the receiver's report; fails when the sender met an error.
    #[allow(clippy::needless_pass_by_value)] // A run ends once.
    pub(crate) fn finish(&mut self, run: Run) -> Report {
        let sent = self.sender.wait(run.sender);
        let received = self.receiver.wait(run.receiver);
        let report = fs::read_to_string(&run.log).unwrap();
        assert!(sent.success(), "sender: {sent}\n{report}");
        assert!(received.success(), "receiver: {received}\n{report}");
        parse(&report)
    }
}

fn spawn(cgroup: &mut OwnCgroup, arguments: &[String]) -> u32 {
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    cgroup.spawn("nsenter", &arguments).id()
}

/// Puts this thread before iperf3, which without a limit takes all that a machine has.
pub(crate) fn come_first() {
    let thread = nix::unistd::gettid().to_string();
    let done = Command::new("chrt")
        .args(["--fifo", "--pid", "2", &thread])
        .status();
    assert!(done.unwrap().success(), "chrt");
}

pub(crate) fn id(cgroup: &OwnCgroup) -> u64 {
    fs::metadata(cgroup.directory(V2)).unwrap().ino()
}

/// Fails unless `measured` is within `percent` of `wanted`.
#[track_caller]
pub(crate) fn within(percent: f64, measured: f64, wanted: f64, what: &str) {
    let off = (measured / wanted - 1.0) * 100.0;
    eprintln!("{what}: {:.3} Mbit/s, {off:+.2} %", measured / 1e6);
    assert!(off.abs() <= percent, "{what}: {off:+.2} %");
}

fn parse(report: &str) -> Report {
    let json: Value = serde_json::from_str(report).expect(report);
    assert!(json["error"].is_null(), "{}", json["error"]);
    let udp = json["start"]["test_start"]["protocol"] == "UDP";
    let intervals = json["intervals"].as_array().unwrap();
    let number = |value: &Value| value.as_f64().unwrap();
    let of_each = |key: &str| -> Vec<f64> {
        let sums = intervals.iter().map(|interval| &interval["sum"]);
        sums.map(|sum| number(&sum[key])).collect()
    };
    let payload = if udp {
        let bytes: f64 = of_each("bytes").iter().sum();
        bytes * 8.0 / of_each("seconds").iter().sum::<f64>()
    } else {
        number(&json["end"]["sum_received"]["bits_per_second"])
    };
    Report {
        payload,
        intervals: of_each("bits_per_second"),
        datagram: if udp {
            number(&json["start"]["test_start"]["blksize"])
        } else {
            0.0
        },
    }
}

/// Keeps a new network namespace alive; returns the process.
pub(crate) fn hold(own: &mut OwnCgroup) -> u32 {
    let holder = own.spawn("unshare", &["--net", "sleep", "600"]).id();
    let link = |process: &str| fs::read_link(format!("/proc/{process}/ns/net")).ok();
    poll("network namespace", || {
        (link(&holder.to_string())? != link("thread-self")?).then_some(holder)
    })
}

/// Runs `ip` in the process's network namespace.
pub(crate) fn ip(holder: u32, arguments: &[&str]) {
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

/// Over all interfaces of the process's namespace.
fn received_bytes(holder: u32) -> u64 {
    let table = fs::read_to_string(format!("/proc/{holder}/net/dev")).unwrap();
    let lines = table.lines().filter_map(|line| line.split_once(':'));
    let bytes = lines.filter_map(|(_, numbers)| numbers.split_whitespace().next());
    bytes.map(|bytes| bytes.parse::<u64>().unwrap()).sum()
}

fn listens(holder: u32, port: u16) -> bool {
    let port = format!(":{port:04X} ");
    ["tcp", "tcp6"].iter().any(|table| {
        let text = fs::read_to_string(format!("/proc/{holder}/net/{table}")).unwrap_or_default();
        text.lines()
            .any(|line| line.contains(&port) && line.contains(" 0A "))
    })
}
