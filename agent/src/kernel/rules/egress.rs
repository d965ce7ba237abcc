//! Egress rates: their programs, and the sockets that exist when one comes or goes.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use aya::{Btf, Ebpf};
use plimsoll_abi::rules::{self as abi, Egress, map};

use super::super::layout;
use super::attachment::Attached;
use super::bpffs::with_bpffs;
use super::descriptors;
use super::error::HoldError;
use super::load::{self, Loaded, Offsets, any, put, take_off, whole};
use super::part::Part;
use super::rate;
use super::sockets::Walker;
use super::target::Target;
use super::value::Cell;

/// How long flows that send get to give their pacing back by themselves, on kernels where they
/// cannot be walked: a round trip each, for most.
const GIVE_BACK: Duration = Duration::from_millis(300);

/// The rates that this process set or changed.
#[derive(Default)]
pub(super) struct EgressRates {
    kernel: OnceCell<Result<KernelTypes, String>>,
    /// By cgroup id.
    paced: BTreeMap<u64, Paced>,
}

/// What the iterator's loading takes.
struct KernelTypes {
    btf: Btf,
    offsets: Offsets,
}

struct Paced {
    target: Target,
    walker: Walker,
    /// `Egress::unattended_bytes` at the last walk.
    unattended_bytes: u64,
}

impl EgressRates {
    /// Reads the running kernel's types, once.
    pub(super) fn prepare(&self) -> Result<(), &String> {
        self.kernel().map(drop)
    }

    /// Sets a rate, or changes the one in force. Returns what is not as good as it could be.
    pub(super) fn set(
        &mut self,
        target: &Target,
        id: u64,
        bits_per_second: u64,
        burst_bytes: Option<u64>,
    ) -> Result<Vec<String>, HoldError> {
        let state = |before| rate::egress(bits_per_second, burst_bytes, rate::now_ns(), before);
        let in_force = whole(&target.directory, Part::Egress)
            .and_then(|attached| Some((cell(&attached)?, attached)));
        if let Some((mut cell, attached)) = in_force {
            cell.set(state(Some(cell.get()?)))?;
            let walker = match self.paced.remove(&id) {
                Some(paced) => Ok(paced.walker),
                None => self.walker_of(&attached),
            };
            return Ok(self.take_up(target, id, walker));
        }
        // What is left of another version's, or of a setting that was cut short.
        self.clear(target, id)?;
        let kernel = self.kernel();
        let none = Offsets::new();
        let offsets = kernel.as_ref().map_or(&none, |kernel| &kernel.offsets);
        let mut object = load::object(offsets, &[])?;
        Cell::within(&mut object, map::EGRESS)?.set(state(None))?;
        let programs = load::programs(&mut object, Part::Egress)?;
        let walker = kernel
            .map_err(|reason| HoldError::Sockets(reason.clone()))
            .and_then(|kernel| Walker::new(object, &kernel.btf));
        let put = self.put(target, id, &programs, walker);
        if put.is_err() {
            // The first error is the one to tell.
            let _ = self.clear(target, id);
        }
        put
    }

    /// Takes the rate off, and gives every socket back what it had.
    pub(super) fn clear(&mut self, target: &Target, id: u64) -> Result<(), HoldError> {
        let paced = self.paced.remove(&id);
        let Some(attached) = any(&target.directory, Part::Egress) else {
            return Ok(());
        };
        let Some(cell) = cell(&attached) else {
            take_off(&target.directory, Part::Egress)?;
            return self.free(target);
        };
        let given_back = self.give_back(target, &attached, cell, paced);
        take_off(&target.directory, Part::Egress).and(given_back)
    }

    /// Sets the share of flows that no callback attends to: connections that were there before the
    /// rate was, on kernels before 6.12. Where there are none it costs one look-up a rate.
    pub(super) fn tend(&mut self) {
        self.paced.retain(|_, paced| {
            let Some(state) = get(&paced.target) else {
                // Somebody else took it off, or the cgroup is gone.
                return false;
            };
            if state.unattended_bytes != paced.unattended_bytes {
                paced.unattended_bytes = state.unattended_bytes;
                if let Err(error) = paced.walker.set(&paced.target) {
                    tracing::debug!(%error, "cannot walk sockets");
                }
            }
            true
        });
    }

    /// New connections are paced first, then those that exist; only then is anything dropped.
    fn put(
        &mut self,
        target: &Target,
        id: u64,
        programs: &[Loaded],
        walker: Result<Walker, HoldError>,
    ) -> Result<Vec<String>, HoldError> {
        let Some((dropping, pacing)) = programs.split_last() else {
            return Ok(Vec::new());
        };
        for program in pacing {
            put(&target.directory, program)?;
        }
        let caveats = self.take_up(target, id, walker);
        put(&target.directory, dropping)?;
        Ok(caveats)
    }

    /// Gives the sockets that exist their share. What does not work is a caveat: new connections
    /// are paced, and of the others what is over the rate is dropped.
    fn take_up(
        &mut self,
        target: &Target,
        id: u64,
        walker: Result<Walker, HoldError>,
    ) -> Vec<String> {
        let walked = walker.and_then(|mut walker| {
            let pass = walker.set(target)?;
            let target = target.try_clone();
            let target = target.map_err(|error| HoldError::Sockets(error.to_string()))?;
            Ok((pass, walker, target))
        });
        let (pass, walker, target) = match walked {
            Ok(walked) => walked,
            Err(error) => {
                let reason = load::in_one_line(&error);
                return vec![format!(
                    "connections that were there before are not paced but lose packets: {reason}"
                )];
            }
        };
        let mut caveats = Vec::new();
        if pass.failed > 0 {
            caveats.push(format!("{} sockets refuse to be paced", pass.failed));
        }
        if pass.unattended > 0 {
            caveats.push(format!(
                "{} connections that were there before get a new share only while the agent runs",
                pass.unattended
            ));
        }
        let paced = Paced {
            target,
            walker,
            unattended_bytes: 0,
        };
        self.paced.insert(id, paced);
        caveats
    }

    fn give_back(
        &self,
        target: &Target,
        attached: &Attached,
        mut cell: Cell<Egress>,
        paced: Option<Paced>,
    ) -> Result<(), HoldError> {
        // From now on each flow gives back what it has at its next round trip.
        cell.set(Egress {
            rate: 0,
            ..cell.get()?
        })?;
        let walker = paced.map_or_else(|| self.walker_of(attached), |paced| Ok(paced.walker));
        let Err(error) = walker.and_then(|mut walker| walker.give_back(target)) else {
            return Ok(());
        };
        tracing::debug!(%error, "sockets cannot be walked: their descriptors are");
        std::thread::sleep(GIVE_BACK);
        descriptors::give_back(target, attached)
    }

    /// After programs of another version, whose notes on the sockets cannot be read.
    fn free(&self, target: &Target) -> Result<(), HoldError> {
        let kernel = self
            .kernel()
            .map_err(|reason| HoldError::Sockets(reason.clone()))?;
        let object = load::object(&kernel.offsets, &[])?;
        Walker::new(object, &kernel.btf)?.free(target)
    }

    /// A walker over the sockets of programs that another process attached.
    fn walker_of(&self, attached: &Attached) -> Result<Walker, HoldError> {
        let kernel = self
            .kernel()
            .map_err(|reason| HoldError::Sockets(reason.clone()))?;
        let object = with_bpffs(|directory| load_with_maps_of(attached, kernel, directory))
            .map_err(|error| HoldError::Sockets(error.to_string()))??;
        Walker::new(object, &kernel.btf)
    }

    fn kernel(&self) -> Result<&KernelTypes, &String> {
        self.kernel.get_or_init(KernelTypes::read).as_ref()
    }
}

impl KernelTypes {
    fn read() -> Result<Self, String> {
        let offsets = layout::offsets(abi::OFFSETS).map_err(|error| load::in_one_line(&error))?;
        let btf = Btf::from_sys_fs().map_err(|error| load::in_one_line(&error))?;
        Ok(Self { btf, offsets })
    }
}

/// The rate in force; `None` too when it is of another version of the agent.
pub(super) fn get(target: &Target) -> Option<Egress> {
    cell(&whole(&target.directory, Part::Egress)?)?.get().ok()
}

/// The state of an attached rate; `None` when it is of another version.
fn cell(attached: &Attached) -> Option<Cell<Egress>> {
    Cell::open(map::EGRESS, attached.map(map::EGRESS)?).ok()
}

fn load_with_maps_of(
    attached: &Attached,
    kernel: &KernelTypes,
    directory: &Path,
) -> Result<Ebpf, HoldError> {
    let mut pins = Vec::new();
    for name in [map::EGRESS, map::FLOWS] {
        let unusable = |reason: String| HoldError::Map { name, reason };
        let pin = directory.join(name);
        let data = attached
            .map_data(name)
            .ok_or_else(|| unusable("the program has none".to_owned()))?;
        data.pin(&pin)
            .map_err(|error| unusable(load::in_one_line(&error)))?;
        pins.push((name, pin));
    }
    let pins: Vec<_> = pins
        .iter()
        .map(|(name, pin)| (*name, pin.as_path()))
        .collect();
    load::object(&kernel.offsets, &pins)
}
