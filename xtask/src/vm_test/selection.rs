//! Which tests run in a guest.

use super::protocol::World;

/// The test program whose tests are features of the whole agent: all of them run everywhere.
pub(super) const FEATURES: &str = "vm";
/// The one of which the catalogue names the tests that run everywhere.
pub(super) const PRIVILEGED: &str = "privileged";
/// Parts of the names of tests that measure the hardware, which here is none.
const TIMINGS: [&str; 2] = ["readings::cost::", "attaching_and_detaching_is_quick"];
/// Where the tests are that want a system: a module of [`FEATURES`].
pub(super) const OF_SYSTEM: &str = "systemd::";

/// What was asked for.
#[derive(Debug, Default)]
pub(super) struct Selection {
    /// Only these programs, whole; none: what the matrix runs by default.
    pub(super) programs: Vec<String>,
    /// Only tests with one of these in their names.
    pub(super) filters: Vec<String>,
    /// For the test harness.
    pub(super) flags: Vec<String>,
}

impl Selection {
    /// `harness`: what stood behind `--`.
    pub(super) fn new(programs: &[String], harness: &[String]) -> Self {
        let (flags, filters) = harness
            .iter()
            .cloned()
            .partition(|argument| argument.starts_with('-'));
        Self {
            programs: programs.to_vec(),
            filters,
            flags,
        }
    }

    /// Whether a program has to be built.
    pub(super) fn has(&self, program: &str) -> bool {
        self.programs.is_empty() || self.programs.iter().any(|name| name == program)
    }

    /// Whether a test runs in that world; `privileged`: what the catalogue names.
    pub(super) fn takes(
        &self,
        program: &str,
        test: &str,
        world: World,
        privileged: &[&str],
    ) -> bool {
        let measures = TIMINGS.iter().any(|part| test.contains(part));
        if !self.has(program) || measures || !fits(program, test, world) {
            return false;
        }
        if !self.filters.is_empty() {
            return self.filters.iter().any(|part| test.contains(part));
        }
        let is_whole = program != PRIVILEGED || !self.programs.is_empty();
        is_whole || privileged.iter().any(|part| test.contains(part))
    }
}

/// A guest with a system runs the tests that want one, the others run the rest.
fn fits(program: &str, test: &str, world: World) -> bool {
    let wants_system = program == FEATURES && test.starts_with(OF_SYSTEM);
    wants_system == (world == World::Systemd)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(programs: &[&str], harness: &[&str]) -> Selection {
        let own = |words: &[&str]| {
            words
                .iter()
                .map(|&word| word.to_owned())
                .collect::<Vec<_>>()
        };
        Selection::new(&own(programs), &own(harness))
    }

    #[test]
    fn by_default_features_are_whole_and_privileged_ones_are_those_named() {
        let default = selection(&[], &[]);
        let takes = |program, test| default.takes(program, test, World::V2, &["losses::"]);
        assert!(takes(FEATURES, "oom::kills"));
        assert!(takes(PRIVILEGED, "losses::none"));
        assert!(!takes(PRIVILEGED, "oom::kills"));
        assert!(!takes(PRIVILEGED, "losses::readings::cost::x"));
    }

    #[test]
    fn what_is_asked_for_by_name_runs_whatever_the_catalogue_says() {
        let whole = selection(&["privileged"], &[]);
        assert!(whole.takes(PRIVILEGED, "oom::kills", World::V2, &[]));
        assert!(!whole.takes(FEATURES, "oom::kills", World::V2, &[]));
        let some = selection(&[], &["oom::", "--nocapture", "burst"]);
        assert_eq!(some.flags, ["--nocapture"]);
        for (program, test) in [(PRIVILEGED, "oom::kills"), (FEATURES, "a::burst")] {
            assert!(some.takes(program, test, World::V1, &[]));
        }
        assert!(!some.takes(FEATURES, "life::x", World::V1, &[]));
    }

    #[test]
    fn a_guest_with_a_system_runs_what_wants_one() {
        let default = selection(&[], &[]);
        assert!(default.takes(FEATURES, "systemd::units", World::Systemd, &[]));
        assert!(!default.takes(FEATURES, "systemd::units", World::V2, &[]));
        assert!(!default.takes(FEATURES, "oom::kills", World::Systemd, &[]));
        assert!(!default.takes(PRIVILEGED, "losses::x", World::Systemd, &["losses"]));
    }
}
