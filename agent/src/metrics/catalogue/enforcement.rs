//! Enforcement: what was done, what is held, what others changed.

use crate::metrics::catalogue::Group;
use crate::metrics::family::Kind::{Counter, Histogram};
use crate::metrics::family::{Emit, Family, Source};
use crate::metrics::hold::HoldReading;

const ENFORCER: Source = Source::new("the enforcer");
const JOURNAL: Source = Source::new("the enforcer's journal");

pub(super) const GROUP: Group = Group {
    title: "Enforcement",
    about: "",
    families: &[
        Family {
            name: "plimsoll_actions_total",
            kind: Counter,
            help: "Orders of policies and operators by what was to be done (hold, release, notify, reclaim, kill, restart) and what became of it (done, dry_run, refused, failed, deferred, yielded, restored).",
            labels: &["action", "outcome"],
            source: ENFORCER,
            absent: "nothing was ordered yet",
            emit: Emit::Once(|scrape, out| {
                let Some(hold) = &scrape.hold else { return };
                for ((action, outcome), count) in &hold.enforce.actions {
                    out.push_with(&[("action", action), ("outcome", outcome)], *count);
                }
            }),
            ..Family::SINGLE
        },
        Family {
            name: "plimsoll_refusals_total",
            kind: Counter,
            help: "Orders that were refused, by reason: protected, budget, no_gain, not_enforceable, harmful, journal, guardian, invalid.",
            labels: &["reason"],
            source: ENFORCER,
            absent: "nothing was refused yet",
            emit: Emit::Once(|scrape, out| {
                let Some(hold) = &scrape.hold else { return };
                for (reason, count) in &hold.enforce.refusals {
                    out.push_with(&[("reason", reason)], *count);
                }
            }),
            ..Family::SINGLE
        },
        Family {
            name: "plimsoll_held",
            help: "What is held now, by the kernel's name of it; `net` and `devices` are held by BPF programs.",
            labels: &["what"],
            source: ENFORCER,
            absent: "nothing is held",
            emit: Emit::Once(|scrape, out| {
                let Some(hold) = &scrape.hold else { return };
                for (what, count) in &hold.enforce.held {
                    out.push_with(&[("what", what)], *count);
                }
            }),
            ..Family::SINGLE
        },
        Family {
            name: "plimsoll_owed",
            help: "What could not be given back yet, and is tried again.",
            source: ENFORCER,
            emit: Emit::Once(|scrape, out| {
                out.push_some(scrape.hold.as_ref().map(|hold| hold.enforce.owed));
            }),
            ..Family::SINGLE
        },
        Family {
            name: "plimsoll_drift_total",
            kind: Counter,
            help: "Times somebody else wrote a file that is held, by what was done about it: yielded, reasserted, alerted.",
            labels: &["answer"],
            source: Source::new("inotify on the files that are held"),
            absent: "nobody did yet",
            emit: Emit::Once(|scrape, out| {
                let Some(hold) = &scrape.hold else { return };
                for (answer, count) in &hold.enforce.drifts {
                    out.push_with(&[("answer", answer)], *count);
                }
            }),
            ..Family::SINGLE
        },
        Family {
            name: "plimsoll_reaction_seconds",
            kind: Histogram,
            unit: "seconds",
            help: "Time from the reading that a decision rests on to its effect in the kernel, read back.",
            source: ENFORCER,
            absent: "nothing was done yet",
            emit: Emit::Once(|scrape, out| {
                if let Some(hold) = &scrape.hold {
                    out.whole_histogram(&hold.enforce.reaction);
                }
            }),
            ..Family::SINGLE
        },
        Family {
            name: "plimsoll_enforcement_disabled",
            help: "1 while nothing can be enforced; the log has the reason.",
            source: ENFORCER,
            emit: Emit::Once(|scrape, out| {
                let disabled = |hold: &HoldReading| hold.enforce.disabled.is_some();
                out.push_some(scrape.hold.as_ref().map(disabled));
            }),
            ..Family::SINGLE
        },
        Family {
            name: "plimsoll_guardian_up",
            help: "1 while a guardian stands by to give back what is held should the agent die.",
            source: ENFORCER,
            absent: "nothing was ever held",
            emit: Emit::Once(|scrape, out| {
                let Some(hold) = &scrape.hold else { return };
                let guardian = &hold.enforce.guardian;
                if guardian.pid.is_some() || guardian.failure.is_some() {
                    out.push(guardian.pid.is_some());
                }
            }),
            ..Family::SINGLE
        },
        Family {
            name: "plimsoll_guardian_restarts_total",
            kind: Counter,
            help: "Times the guardian had to be started again.",
            source: ENFORCER,
            emit: Emit::Once(|scrape, out| {
                out.push_some(
                    scrape
                        .hold
                        .as_ref()
                        .map(|hold| hold.enforce.guardian.restarts),
                );
            }),
            ..Family::SINGLE
        },
        Family {
            name: "plimsoll_journal_bytes",
            unit: "bytes",
            help: "Size of the journal of what is held.",
            source: JOURNAL,
            emit: Emit::Once(|scrape, out| {
                out.push_some(scrape.hold.as_ref().map(|hold| hold.enforce.journal.bytes));
            }),
            ..Family::SINGLE
        },
        Family {
            name: "plimsoll_journal_sync_seconds_total",
            kind: Counter,
            unit: "seconds",
            help: "Time that the journal was waited for before the kernel was written to.",
            source: JOURNAL,
            emit: Emit::Once(|scrape, out| {
                let seconds = |hold: &HoldReading| hold.enforce.journal.sync_time.as_secs_f64();
                out.push_some(scrape.hold.as_ref().map(seconds));
            }),
            ..Family::SINGLE
        },
        Family {
            name: "plimsoll_journal_failures_total",
            kind: Counter,
            help: "Writes to the journal that failed; what could not be written down was not done.",
            source: JOURNAL,
            emit: Emit::Once(|scrape, out| {
                out.push_some(
                    scrape
                        .hold
                        .as_ref()
                        .map(|hold| hold.enforce.journal.failures),
                );
            }),
            ..Family::SINGLE
        },
        Family {
            name: "plimsoll_audit_records_total",
            kind: Counter,
            help: "Records of the audit by what became of them: written, lost.",
            labels: &["outcome"],
            source: Source::new("the audit"),
            emit: Emit::Once(|scrape, out| {
                let Some(hold) = &scrape.hold else { return };
                out.push_with(&[("outcome", "written")], hold.audit.written);
                out.push_with(&[("outcome", "lost")], hold.audit.lost);
            }),
            ..Family::SINGLE
        },
    ],
};
