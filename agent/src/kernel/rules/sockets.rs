//! The walk over TCP sockets that a limit finds or leaves behind.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;

use aya::maps::HashMap;
use aya::programs::{Iter, Program};
use aya::{Btf, Ebpf};
use nix::sched::{CloneFlags, setns};
use plimsoll_abi::rules::{Pass, map, pass};

use super::error::HoldError;
use super::load::{self, in_one_line};
use super::target::Target;
use super::value::Cell;

const PROGRAM: &str = "hold_iter_tcp";

/// The iterator of one cgroup's egress rate, with its maps.
pub(super) struct Walker {
    object: Ebpf,
    state: Cell<Pass>,
    tree: HashMap<aya::maps::MapData, u64, u32>,
}

impl Walker {
    /// From an object whose maps are those of the rate's programs.
    pub(super) fn new(mut object: Ebpf, btf: &Btf) -> Result<Self, HoldError> {
        iterator(&mut object)?
            .load("tcp", btf)
            .map_err(|error| HoldError::Program {
                program: PROGRAM,
                reason: in_one_line(&error),
            })?;
        let state = Cell::open(map::PASS, load::map(&mut object, map::PASS)?)?;
        let tree = HashMap::try_from(load::map(&mut object, map::TREE)?)
            .map_err(|error| super::value::unusable(map::TREE, &error))?;
        Ok(Self {
            object,
            state,
            tree,
        })
    }

    /// Gives every connected socket of the cgroup its share. Those that have something under way
    /// are counted first, so that none gets what is another's.
    pub(super) fn set(&mut self, target: &Target) -> Result<Pass, HoldError> {
        self.list(target)?;
        self.walk(target, pass::COUNT)?;
        self.walk(target, pass::SET)
    }

    /// Gives every socket back the pacing it had.
    pub(super) fn give_back(&mut self, target: &Target) -> Result<Pass, HoldError> {
        self.walk(target, pass::GIVE_BACK)
    }

    /// Lets go of every socket of the cgroup, whoever paces it.
    pub(super) fn free(&mut self, target: &Target) -> Result<(), HoldError> {
        self.list(target)?;
        self.walk(target, pass::FREE).map(drop)
    }

    /// Tells the program which cgroups are meant.
    fn list(&mut self, target: &Target) -> Result<(), HoldError> {
        let wanted: BTreeSet<u64> = target.tree().into_iter().collect();
        let listed: BTreeSet<u64> = self.tree.keys().filter_map(Result::ok).collect();
        for gone in listed.difference(&wanted) {
            // Absent is as good as removed.
            let _ = self.tree.remove(gone);
        }
        for id in wanted.difference(&listed) {
            self.tree
                .insert(id, 1, 0)
                .map_err(|error| super::value::unusable(map::TREE, &error))?;
        }
        Ok(())
    }

    fn walk(&mut self, target: &Target, task: u32) -> Result<Pass, HoldError> {
        self.state.set(Pass {
            task,
            ..Pass::default()
        })?;
        let program = iterator(&mut self.object)?;
        for namespace in namespaces(target) {
            walk_in(program, &namespace).map_err(|error| HoldError::Sockets(error.to_string()))?;
        }
        self.state.get()
    }
}

fn iterator(object: &mut Ebpf) -> Result<&mut Iter, HoldError> {
    match object.program_mut(PROGRAM) {
        Some(Program::Iter(program)) => Ok(program),
        _ => Err(HoldError::Object(format!("it has no {PROGRAM}"))),
    }
}

/// The network namespaces of the cgroup's processes.
pub(super) fn namespaces(target: &Target) -> Vec<File> {
    let mut known = BTreeSet::new();
    let mut found = Vec::new();
    for process in target.processes() {
        // One that ends meanwhile has none.
        let Ok(namespace) = File::open(format!("/proc/{process}/ns/net")) else {
            continue;
        };
        if namespace.metadata().is_ok_and(|of| known.insert(of.ino())) {
            found.push(namespace);
        }
    }
    found
}

/// An iterator walks the namespace in which it is made (bpf_iter_init_seq_net(),
/// net/core/... v6.12); a short-lived thread enters it.
fn walk_in(program: &mut Iter, namespace: &File) -> io::Result<()> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("sockets".into())
            .spawn_scoped(scope, || {
                setns(namespace, CloneFlags::CLONE_NEWNET)?;
                let link = program.attach().map_err(io::Error::other)?;
                let link = program.take_link(link).map_err(io::Error::other)?;
                let mut file = link.into_file().map_err(io::Error::other)?;
                // The program writes nothing: the first read walks to the end.
                let mut nothing = Vec::new();
                file.read_to_end(&mut nothing).map(drop)
            })?;
        thread
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the thread panicked")))
    })
}
