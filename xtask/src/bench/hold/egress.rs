//! How exact egress rates are, by what the receiver's iperf3 counts.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::bench::agent::{Agent, Variant};
use crate::bench::cgroups::Cgroups;
use crate::bench::report::{Report, Table};
use crate::bench::{Plan, interrupt};
use crate::command;

const RATES_MBIT: [u64; 3] = [10, 100, 1_000];
const LOADS: [Load; 4] = [Load::Tcp(1), Load::Tcp(8), Load::Tcp(64), Load::Udp];
const RECEIVER: &str = "10.79.0.2";
const PORT: &str = "5201";
/// Bytes of a packet from the IP header on for each byte of payload: 1,500 for 1,448.
const OVERHEAD: f64 = 1_500.0 / 1_448.0;
/// Likewise of UDP, which sends as many bytes at once.
const UDP_OVERHEAD: f64 = 1_476.0 / 1_448.0;
/// Both ends before other work of the machine: a rate is measured, not its scheduler. A real-time class is not to be
/// had in every cgroup.
const FIRST: [&str; 3] = ["nice", "-n", "-20"];
const READY: Duration = Duration::from_secs(10);

/// What is sent.
#[derive(Clone, Copy)]
enum Load {
    /// So many connections, as fast as they can.
    Tcp(u32),
    /// Half as much again as the rate lets through.
    Udp,
}

impl Load {
    fn name(self) -> String {
        match self {
            Self::Tcp(1) => "1 flow".to_owned(),
            Self::Tcp(many) => format!("{many} flows"),
            Self::Udp => "UDP".to_owned(),
        }
    }

    /// For iperf3.
    fn arguments(self, rate_mbit: u64) -> Vec<String> {
        let words = match self {
            Self::Tcp(flows) => format!("-P {flows}"),
            Self::Udp => format!("-u -l 1448 -b {}M", rate_mbit + rate_mbit / 2),
        };
        words.split(' ').map(str::to_owned).collect()
    }

    const fn overhead(self) -> f64 {
        match self {
            Self::Tcp(_) => OVERHEAD,
            Self::Udp => UDP_OVERHEAD,
        }
    }
}

pub(super) fn measure(plan: &Plan, report: &mut Report, cgroups: &mut Cgroups) -> Result<()> {
    report.heading("Egress");
    report.line(&format!(
        "`plimsoll limit NAME --net-egress RATE` on a cgroup in a network namespace of its own; iperf3 sends TCP, or UDP at \
         1.5 times the rate, over a veth pair to another namespace for {} s, after the first two. What the receiver \
         counts, with all headers from IP on, off the rate. Retransmissions in brackets.",
        plan.traffic.as_secs()
    ));
    report.line("");
    if cgroups.v2().is_none() {
        report.line("Not measured: cgroup2 is not mounted.");
        return Ok(());
    }
    cgroups.resize(1)?;
    let wire = Wire::new(cgroups)?;
    let agent = Agent::start(Variant::Default)?;
    let name = Cgroups::path(0);
    interrupt::poll("the workload", READY, || agent.ask(&["limit", &name]).ok())?;
    let columns = LOADS.map(Load::name);
    let mut header = vec!["rate"];
    header.extend(columns.iter().map(String::as_str));
    let mut table = Table::new(&header);
    for rate in RATES_MBIT {
        agent.ask(&["limit", &name, "--net-egress", &format!("{rate}Mbit")])?;
        let mut row = vec![format!("{rate} Mbit/s")];
        for load in LOADS {
            println!("bench: hold: {rate} Mbit/s, {}", load.name());
            row.push(wire.send(cgroups, plan.traffic, rate, load)?);
        }
        table.row(row);
    }
    report.table(&table);
    Ok(())
}

/// Two network namespaces with a veth pair between them; the sender's is the workload's.
struct Wire {
    sender: Ended,
    receiver: Ended,
}

impl Wire {
    fn new(cgroups: &Cgroups) -> Result<Self> {
        let wire = Self {
            sender: namespace()?,
            receiver: namespace()?,
        };
        cgroups.put(0, wire.sender.0.id())?;
        let other = wire.receiver.0.id().to_string();
        let veth = "link add bench0 type veth peer name bench1 netns";
        ip(&wire.sender, &format!("{veth} {other}"))?;
        for (end, interface, address) in [
            (&wire.sender, "bench0", "10.79.0.1/24"),
            (&wire.receiver, "bench1", "10.79.0.2/24"),
        ] {
            ip(end, &format!("address add {address} dev {interface}"))?;
            ip(end, &format!("link set {interface} up"))?;
        }
        Ok(wire)
    }

    /// How far off the rate it is, and how many segments were sent again.
    fn send(&self, cgroups: &Cgroups, time: Duration, rate: u64, load: Load) -> Result<String> {
        let mut serve = within(&self.receiver, FIRST[0]);
        serve.args(&FIRST[1..]);
        serve
            .args(["iperf3", "-s", "-1", "-p", PORT])
            .stdout(Stdio::null());
        let _server = Ended(serve.spawn().context("cannot start iperf3")?);
        interrupt::poll("a listening receiver", READY, || {
            let listening = within(&self.receiver, "ss").args(["-Hltn"]).output().ok()?;
            String::from_utf8_lossy(&listening.stdout)
                .contains(&format!(":{PORT} "))
                .then_some(())
        })?;
        // In the cgroup before its first socket: the shell waits to be put there.
        let seconds = time.as_secs().to_string();
        let mut client = Command::new("nsenter");
        client
            .arg(self.sender.namespace())
            .args(["sh", "-c", "read go; exec \"$@\"", "sh"])
            .args(FIRST)
            .args(["iperf3", "-J", "-O", "2"])
            .args(["-c", RECEIVER, "-p", PORT, "-t", &seconds])
            .args(load.arguments(rate))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut client = client.spawn().context("cannot start iperf3")?;
        cgroups.put(0, client.id())?;
        // The end of its input is an answer to `read` too.
        drop(client.stdin.take());
        let output = client.wait_with_output().context("iperf3")?;
        let report: Value = serde_json::from_slice(&output.stdout).context("iperf3's report")?;
        if let Some(error) = report["error"].as_str() {
            bail!("iperf3: {error}");
        }
        let end = &report["end"];
        let received = end["sum_received"]["bits_per_second"].as_f64();
        let wire = received.context("no rate")? * load.overhead();
        let off = (wire / (rate as f64 * 1e6) - 1.0) * 100.0;
        Ok(match end["sum_sent"]["retransmits"].as_u64() {
            Some(retransmits) => format!("{off:+.2} % ({retransmits})"),
            None => format!("{off:+.2} %"),
        })
    }
}

/// Killed and waited for on drop.
struct Ended(Child);

impl Ended {
    fn namespace(&self) -> String {
        format!("--net=/proc/{}/ns/net", self.0.id())
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        // Fails for what has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A process that keeps a new network namespace.
fn namespace() -> Result<Ended> {
    let mut holder = Command::new("unshare");
    let holder = holder.args(["--net", "sleep", "100000"]).spawn();
    let holder = Ended(holder.context("cannot make a network namespace")?);
    let link = |process: &str| std::fs::read_link(format!("/proc/{process}/ns/net")).ok();
    interrupt::poll("a network namespace", READY, || {
        (link(&holder.0.id().to_string())? != link("self")?).then_some(())
    })?;
    ip(&holder, "link set lo up")?;
    Ok(holder)
}

fn within(holder: &Ended, program: &str) -> Command {
    let mut command = Command::new("nsenter");
    command.arg(holder.namespace()).arg(program);
    command
}

fn ip(holder: &Ended, words: &str) -> Result<()> {
    command::output(within(holder, "ip").args(words.split(' '))).map(drop)
}
