//! What was chosen among Debian's versions: stands for half a day, so that a run asks no mirror.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

const STANDS: Duration = Duration::from_secs(12 * 3600);

/// The choice kept in that file; an old one only when `offline`.
pub(super) fn standing(file: &Path, offline: bool) -> Option<String> {
    let made = fs::metadata(file).and_then(|metadata| metadata.modified());
    let age = SystemTime::now().duration_since(made.ok()?);
    let stands = offline || age.is_ok_and(|age| age < STANDS);
    let chosen = fs::read_to_string(file).ok()?;
    stands.then(|| chosen.trim().to_owned())
}
