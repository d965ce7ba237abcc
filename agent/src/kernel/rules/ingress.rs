//! Ingress rates: by a queue where the workload has an interface of its own, by a policer else.

use plimsoll_abi::rules::{Ingress, map};

use super::applied::IngressMethod;
use super::error::HoldError;
use super::load::{self, put, take_off, whole};
use super::part::Part;
use super::rate;
use super::target::Target;
use super::value::Cell;
use super::{queue, veth};

/// Sets a rate, or changes the one in force. Returns how it is held, and why not better.
pub(super) fn set(
    target: &Target,
    bits_per_second: u64,
    burst_bytes: Option<u64>,
) -> Result<(IngressMethod, Vec<String>), HoldError> {
    let end = veth::host_end(target);
    let ifindex = end.as_ref().map_or(0, |end| end.index);
    let before = queue_in_force(target);
    if before != 0 && before != ifindex {
        clear_queue(before)?;
    }
    let state = |ifindex| rate::ingress(bits_per_second, burst_bytes, ifindex, rate::now_ns());
    // Recorded before it is set: whoever clears the rate finds the queue.
    write(target, state(ifindex))?;
    let queued = end.and_then(|end| {
        let queued = queue::set(&end, bits_per_second, burst_bytes);
        queued.map_err(|error| load::in_one_line(&error))?;
        Ok(end.name)
    });
    match queued {
        Ok(interface) => Ok((IngressMethod::Queue { interface }, Vec::new())),
        Err(reason) => {
            write(target, state(0))?;
            let caveat = format!("ingress is policed, which loses packets by design: {reason}");
            Ok((IngressMethod::Policer, vec![caveat]))
        }
    }
}

/// Takes the rate off, and the queue.
pub(super) fn clear(target: &Target) -> Result<(), HoldError> {
    let cleared = match queue_in_force(target) {
        0 => Ok(()),
        ifindex => clear_queue(ifindex),
    };
    take_off(&target.directory, Part::Ingress).and(cleared)
}

/// The rate in force; `None` too when it is of another version of the agent.
pub(super) fn get(target: &Target) -> Option<Ingress> {
    cell(target)?.get().ok()
}

fn cell(target: &Target) -> Option<Cell<Ingress>> {
    let attached = whole(&target.directory, Part::Ingress)?;
    Cell::open(map::INGRESS, attached.map(map::INGRESS)?).ok()
}

fn queue_in_force(target: &Target) -> u32 {
    get(target).map_or(0, |state| state.queue_ifindex)
}

/// Writes the state of the program, and attaches that where it is not.
fn write(target: &Target, state: Ingress) -> Result<(), HoldError> {
    if let Some(mut cell) = cell(target) {
        return cell.set(state);
    }
    take_off(&target.directory, Part::Ingress)?;
    let mut object = load::object(&Vec::new(), &[])?;
    Cell::within(&mut object, map::INGRESS)?.set(state)?;
    for program in &load::programs(&mut object, Part::Ingress)? {
        put(&target.directory, program)?;
    }
    Ok(())
}

fn clear_queue(ifindex: u32) -> Result<(), HoldError> {
    queue::clear(ifindex).map_err(|error| HoldError::Queue(error.to_string()))
}
