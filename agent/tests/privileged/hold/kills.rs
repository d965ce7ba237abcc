//! A thousand kills, each at another moment: whatever was being written, everything is as it was
//! within a second, and nothing stays frozen. The one who is killed is the room that enforces, in a
//! process of its own without BPF, which is there in no time; its guardian is the real one.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::Cell;
use super::holder::{hold, random};
use crate::support::{OwnCgroup, V2, is_guest, mounted, poll};

const TEST: &str = "after_a_thousand_kills_everything_is_as_it_was";
/// Set for the process that holds: where it says that it is up, and the process it holds.
const HOLDER: &str = "PLIMSOLL_TEST_HOLDER";
const HELD: &str = "PLIMSOLL_TEST_HELD";

/// As many at once as have something to do while others wait for the disk or a process.
const LANES: usize = 4;
const MIB: u64 = 1 << 20;
/// A guardian is started in the first of these milliseconds, then a claim is made in each.
const LONGEST_LIFE_US: u64 = 60_000;
const WITHIN: Duration = Duration::from_secs(1);

#[test]
fn after_a_thousand_kills_everything_is_as_it_was() {
    if let Some(directory) = std::env::var_os(HOLDER) {
        hold(
            Path::new(&directory),
            std::env::var(HELD).unwrap().parse().unwrap(),
        );
    }
    // The CPU of a guest is emulated: a tenth must do there.
    let kills = if is_guest() { 100 } else { 1_000 };
    let lanes: Vec<_> = (0..LANES)
        .map_while(|_| {
            Some((
                Cell::make(TEST)?,
                OwnCgroup::make(TEST, &mounted(&["pids", V2]))?,
            ))
        })
        .collect();
    if lanes.len() < LANES {
        return;
    }
    let began = Instant::now();
    let tally = std::thread::scope(|scope| {
        let lanes: Vec<_> = lanes
            .into_iter()
            .map(|(cell, holder)| scope.spawn(|| Lane::new(cell, holder).run(kills / LANES)))
            .collect();
        let tallies = lanes.into_iter().map(|lane| lane.join().unwrap());
        tallies.fold(Tally::default(), Tally::plus)
    });
    let Tally {
        mut taken,
        held,
        frozen,
    } = tally;
    taken.sort_unstable();
    let late = taken.iter().filter(|one| **one > WITHIN).count();
    eprintln!(
        "{kills} kills in {:?}: something was held at {held} of them, frozen at {frozen}; given back in \
         {:?} (median), {:?} (p99), {:?} (most)",
        began.elapsed(),
        taken[kills / 2],
        taken[kills * 99 / 100],
        taken[kills - 1],
    );
    // Others run beside this one, and for moments leave it no CPU.
    assert!(
        late <= kills / 100,
        "{late} of {kills} took more than a second"
    );
    assert!(
        held > kills / 10,
        "only {held} kills met something that was held"
    );
    assert!(frozen > 0);
}

/// What came of the kills.
#[derive(Default)]
struct Tally {
    /// From the kill, or the next start, to the originals.
    taken: Vec<Duration>,
    /// Kills at which something was not as it had been.
    held: usize,
    frozen: usize,
}

impl Tally {
    fn plus(mut self, other: Self) -> Self {
        self.taken.extend(other.taken);
        self.held += other.held;
        self.frozen += other.frozen;
        self
    }
}

/// One workload, and those who hold it, one after the other.
struct Lane {
    cell: Cell,
    holder: OwnCgroup,
    directory: tempfile::TempDir,
    held: u32,
    originals: State,
}

/// Who gives back.
#[derive(Clone, Copy)]
enum Heir {
    Guardian,
    /// The guardian is killed along.
    NextStart,
    /// The guardian is killed at its work.
    Both,
}

impl Lane {
    fn new(mut cell: Cell, holder: OwnCgroup) -> Self {
        let held = cell.spawn("sleep", &["100000"]).id();
        cell.set_memory_max(512 * MIB);
        cell.set_cpu(80_000, 40_000);
        poll("workload", || (cell.processes() == [held]).then_some(()));
        Self {
            originals: State::of(&cell),
            cell,
            holder,
            directory: tempfile::tempdir().unwrap(),
            held,
        }
    }

    fn run(mut self, kills: usize) -> Tally {
        let mut tally = Tally::default();
        let mut owed_by_next = false;
        let heirs = [Heir::Guardian, Heir::NextStart, Heir::Both];
        for heir in heirs.into_iter().cycle().take(kills) {
            let (agent, taken) = self.start();
            if owed_by_next {
                tally.taken.push(taken);
            }
            File::create(self.go()).unwrap();
            std::thread::sleep(Duration::from_micros(random(LONGEST_LIFE_US)));
            self.kill(agent);
            let killed = Instant::now();
            let left = State::of(&self.cell);
            tally.held += usize::from(left != self.originals);
            tally.frozen += usize::from(left.frozen);
            match heir {
                Heir::Guardian => {}
                Heir::NextStart => self.kill_all(),
                Heir::Both => {
                    std::thread::sleep(Duration::from_micros(random(5_000)));
                    self.kill_all();
                }
            }
            owed_by_next = !matches!(heir, Heir::Guardian);
            if !owed_by_next {
                self.wait_for_originals();
                tally.taken.push(killed.elapsed());
            }
        }
        let (last, taken) = self.start();
        if owed_by_next {
            tally.taken.push(taken);
        }
        self.kill(last);
        // Nobody is left who would write once more.
        poll("end of guardians", || {
            self.processes().is_empty().then_some(())
        });
        assert_eq!(State::of(&self.cell), self.originals);
        tally
    }

    /// One that has taken up what the one before left, and waits; how long that took.
    fn start(&mut self) -> (Pid, Duration) {
        let up = self.directory.path().join("up");
        for left in [up.clone(), self.go()] {
            // There is none before the first.
            let _ = std::fs::remove_file(left);
        }
        let began = Instant::now();
        let holder = format!("{HOLDER}={}", self.directory.path().display());
        let held = format!("{HELD}={}", self.held);
        let program = std::env::current_exe().unwrap();
        let program = program.to_str().unwrap();
        let test = format!("hold::kills::{TEST}");
        let arguments = [&holder, &held, program, "--exact", &test, "--nocapture"];
        let id = self.holder.spawn("env", &arguments).id();
        poll("start", || up.exists().then_some(()));
        let taken = began.elapsed();
        assert_eq!(
            State::of(&self.cell),
            self.originals,
            "left by one who was killed"
        );
        (Pid::from_raw(i32::try_from(id).unwrap()), taken)
    }

    fn kill(&mut self, agent: Pid) {
        kill(agent, Signal::SIGKILL).unwrap();
        self.holder.wait(u32::try_from(agent.as_raw()).unwrap());
    }

    /// Guardians, those too that are on their way.
    fn kill_all(&self) {
        poll("end of guardians", || {
            let left = self.processes();
            for pid in &left {
                // It may have ended just now.
                let _ = kill(*pid, Signal::SIGKILL);
            }
            left.is_empty().then_some(())
        });
    }

    fn wait_for_originals(&self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let now = State::of(&self.cell);
            if now == self.originals {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{now:?} for {:?}",
                self.originals
            );
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Of holders and guardians.
    fn processes(&self) -> Vec<Pid> {
        let hierarchy = mounted(&["pids", V2])[0];
        let listed = self.holder.read(hierarchy, "cgroup.procs");
        let pids = listed
            .lines()
            .map(|line| Pid::from_raw(line.parse().unwrap()));
        pids.collect()
    }

    fn go(&self) -> PathBuf {
        self.directory.path().join("go")
    }
}

/// What is held, by the kernel's files.
#[derive(Debug, PartialEq, Eq)]
struct State {
    cpu_quota: Option<u64>,
    cpu_burst: u64,
    memory_max: Option<u64>,
    pids_max: Option<u64>,
    frozen: bool,
}

impl State {
    fn of(cell: &Cell) -> Self {
        Self {
            cpu_quota: cell.cpu_quota(),
            cpu_burst: cell.cpu_burst(),
            memory_max: cell.memory_max(),
            pids_max: cell.pids_max(),
            frozen: cell.is_frozen(),
        }
    }
}
