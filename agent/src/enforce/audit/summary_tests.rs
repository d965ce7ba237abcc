use std::path::PathBuf;

use super::*;
use crate::cgroup::IoCaps;
use crate::enforce::audit::tests::record;

const HEAD: &str = "2026-11-21T12:04:11Z batch/thrash ";
const WHY: &str = " (memory.full above 20%: 34%, for 3s) → ";

/// The line without the parts that are always there.
fn told(step: Step, outcome: Outcome, change: impl FnOnce(&mut Record)) -> String {
    let mut record = record(0);
    record.step = step;
    record.outcome = outcome;
    change(&mut record);
    let line = summary(&record);
    let line = line.strip_prefix(HEAD).unwrap_or(&line);
    line.replacen(WHY, " | ", 1)
}

fn set(knob: Knob, amount: Amount) -> Step {
    hold(Limit::Cgroup(Wanted {
        knob,
        amount,
        ceiling: None,
        floor: None,
    }))
}

fn hold(limit: Limit) -> Step {
    Step::Hold(Claim {
        limit,
        at_most: None,
    })
}

fn freeze(on: bool) -> Step {
    set(Knob::Freeze, Amount::Exactly(Setting::Freeze(on)))
}

#[test]
fn the_whole_line() {
    let mut record = record(0);
    record.step = freeze(true);
    let line = "2026-11-21T12:04:11Z batch/thrash froze web \
                (memory.full above 20%: 34%, for 3s) → done in 3ms";
    assert_eq!(summary(&record), line);
    record.claimant = Claimant::Operator;
    record.evidence.condition = "plimsoll freeze web".into();
    record.evidence.observed.clear();
    record.evidence.held = Duration::ZERO;
    record.took = Duration::from_nanos(712_345);
    let line = "2026-11-21T12:04:11Z operator froze web (plimsoll freeze web) → done in 712us";
    assert_eq!(summary(&record), line);
}

#[test]
fn what_is_done_less_well_is_said() {
    let step = hold(Limit::Io {
        path: PathBuf::from("/data"),
        caps: IoCaps::default(),
    });
    let line = told(step, Outcome::Done, |record| {
        record.caveats = vec!["v1 blkio does not see buffered writes".into()];
    });
    let wanted = "limited I/O below /data of web | done in 3ms; but v1 blkio does not see \
                  buffered writes";
    assert_eq!(line, wanted);
}

#[test]
fn every_outcome_has_its_tense() {
    let reason = || "it is init".to_owned();
    for (outcome, line) in [
        (Outcome::Done, "froze web | done in 3ms"),
        (
            Outcome::DryRun,
            "would freeze web | only said: monitor mode",
        ),
        (
            Outcome::Refused(reason()),
            "to freeze web | refused: it is init",
        ),
        (
            Outcome::Failed(reason()),
            "to freeze web | failed: it is init",
        ),
        (
            Outcome::Deferred(reason()),
            "to freeze web | deferred: it is init",
        ),
        (
            Outcome::Yielded(reason()),
            "no longer holds what it froze web | yielded: it is init",
        ),
    ] {
        assert_eq!(told(freeze(true), outcome, |_| {}), line);
    }
    assert_eq!(
        told(
            Step::Release(Scope::Knob(Knob::Freeze)),
            Outcome::Restored,
            |_| {}
        ),
        "thawed web | restored in 3ms"
    );
}

#[test]
fn limits_say_what_was_and_what_is() {
    let percent = Amount::PercentOf {
        knob: Knob::MemoryMax,
        percent: 80.0,
    };
    let step = || set(Knob::MemoryHigh, percent.clone());
    let line = told(step(), Outcome::Done, |record| {
        record.before = Some("memory.high max".into());
        record.after = Some("memory.high 429496729".into());
    });
    assert_eq!(
        line,
        "set memory.high of web: memory.high max → memory.high 429496729 | done in 3ms"
    );
    assert_eq!(
        told(step(), Outcome::DryRun, |_| {}),
        "would set memory.high of web to 80% of memory.max | only said: monitor mode"
    );
    let climb = set(Knob::MemoryMax, Amount::Change(Change::OfCurrent(1.25)));
    assert_eq!(
        told(climb, Outcome::Refused("no".into()), |_| {}),
        "to set memory.max of web to 1.25 times what it is | refused: no"
    );
    let io = hold(Limit::Io {
        path: PathBuf::from("/srv"),
        caps: IoCaps::default(),
    });
    assert_eq!(
        told(io, Outcome::Done, |_| {}),
        "limited I/O below /srv of web | done in 3ms"
    );
    assert_eq!(
        told(Step::Release(Scope::All), Outcome::Restored, |_| {}),
        "released all that it held on web | restored in 3ms"
    );
}

#[test]
fn deeds_tell_how_they_went_on_one_line() {
    let kill = Step::Once(Once::Kill {
        scope: Process::Largest,
        signal: 15,
        grace: Duration::from_secs(5),
        escalate: Some(9),
    });
    let line = told(kill, Outcome::Done, |record| {
        record.after = Some("line one\nline \u{1b}[31mtwo".into());
    });
    assert_eq!(
        line,
        "killed the largest process of web | done in 3ms: line one\\nline \\u{1b}[31mtwo"
    );
    assert_eq!(
        told(Step::Once(Once::Restart), Outcome::Done, |_| {}),
        "restarted web | done in 3ms"
    );
}
