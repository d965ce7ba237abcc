//! Lists of rules, which their programs walk.

use super::error::HoldError;
use super::load::{self, put, take_off, whole};
use super::part::Part;
use super::target::Target;
use super::value::List;

/// Sets a part's list, or replaces the one in force whole.
pub(super) fn set<T: Copy + 'static>(
    target: &Target,
    part: Part,
    list: T,
) -> Result<(), HoldError> {
    if let Some(mut in_force) = open::<T>(target, part) {
        return in_force.set(list);
    }
    take_off(&target.directory, part)?;
    let mut object = load::object(&Vec::new(), &[])?;
    List::within(&mut object, part.map())?.set(list)?;
    let programs = load::programs(&mut object, part)?;
    let put = programs
        .iter()
        .try_for_each(|program| put(&target.directory, program));
    put.inspect_err(|_| {
        // Some of the hooks alone are half a rule; the first error is the one to tell.
        let _ = take_off(&target.directory, part);
    })
}

/// A part's list that is in force; `None` too when it is of another version of the agent.
pub(super) fn get<T: Copy + 'static>(target: &Target, part: Part) -> Option<T> {
    open(target, part)?.get().ok()
}

fn open<T: Copy + 'static>(target: &Target, part: Part) -> Option<List<T>> {
    let attached = whole(&target.directory, part)?;
    List::open(part.map(), attached.map(part.map())?).ok()
}
