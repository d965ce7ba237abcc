//! From the text of a policy file to its [`PolicySet`], or to everything that is wrong with it.
//!
//! The text becomes a tree of values that know where they are (`node`); one module reads one table
//! of the file. A value that cannot be read is a problem and is left out, so that the rest is read
//! and checked all the same. What is wrong with values together is for `check`.

mod condition;
mod io;
mod key;
mod ladder;
mod limits;
mod lines;
mod net;
mod node;
mod once;
mod policy;
mod problems;
mod protect;
mod rule;
mod scale;
mod selector;
mod word;

use toml::de::DeTable;

use self::key::key;
use self::lines::Lines;
use self::node::Table;
use super::check;
use super::order::Mode;
use super::problem::Problem;
use super::set::PolicySet;

pub(super) use self::key::Key;
pub(super) use self::node::child;
pub(super) use self::problems::Problems;

/// The only one there is.
const VERSION: i64 = 1;

const FILE: &[Key] = &[
    key(
        "version",
        "`1`",
        "",
        "Of the form of this file. Has to be given, so that a later form is not misread.",
    ),
    key(
        "mode",
        "`\"enforce\"`, `\"monitor\"`",
        "`\"enforce\"`",
        "For policies that do not say their own. `monitor` decides, records and reports, and writes \
         nothing.",
    ),
    key(
        "protect",
        "`[protect]`",
        "",
        "What no policy may touch, and how much may be done at the most.",
    ),
    key(
        "policy",
        "`[[policy]]`",
        "",
        "The policies, one after the other.",
    ),
];

/// Every table of the file with its heading, in the order of the reference.
pub(super) fn tables() -> Vec<(&'static str, &'static [Key])> {
    let mut tables = vec![("The file", FILE), ("`[protect]`", protect::KEYS)];
    tables.extend([
        ("`[[policy]]`", policy::KEYS),
        ("`match` and `exclude`", selector::KEYS),
        ("`[policy.limits]`, and a rule's `set`", limits::KEYS),
        ("`io.max`: each disk", io::KEYS),
        ("`net`", net::KEYS),
        ("`[[policy.rule]]`", rule::KEYS),
        ("`clear`", rule::CLEAR_KEYS),
        ("A condition on a metric", condition::METRIC_KEYS),
        ("A condition on growth", condition::RATE_KEYS),
        ("A condition on pressure", condition::PSI_KEYS),
        ("A condition on events", condition::EVENT_KEYS),
        ("A step of `then`", ladder::KEYS),
        ("`scale`", scale::SCALE_KEYS),
        ("`throttle`", scale::THROTTLE_KEYS),
        ("`freeze`", ladder::FREEZE_KEYS),
        ("`notify`", once::NOTIFY_KEYS),
        ("`signal`", once::SIGNAL_KEYS),
        ("`kill`", once::KILL_KEYS),
    ]);
    tables
}

/// Reads and checks the text of a file.
///
/// # Errors
/// Every problem, as they stand in the file; only the syntax errors, where it has any.
pub fn parse(text: &str) -> Result<PolicySet, Vec<Problem>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        return Err(errors.iter().map(|error| syntax(text, error)).collect());
    }
    let document = document.get_ref();
    let mut problems = Problems::default();
    let set = read(document, &mut problems);
    check::all(&set, &mut problems);
    let problems = problems.located(&Lines::new(text, document));
    if problems.is_empty() {
        Ok(set)
    } else {
        Err(problems)
    }
}

fn read(document: &DeTable<'_>, problems: &mut Problems) -> PolicySet {
    let table = Table::of_document(FILE, document, problems);
    let mut set = PolicySet::default();
    if let Some(version) = table.require("version", "write `version = 1`", problems)
        && version.as_integer() != Some(VERSION)
    {
        version.wrong("`1`, the form that this agent knows", problems);
    }
    if let Some(mode) = table.get("mode") {
        set.mode = word::word::<Mode>(&mode, problems).unwrap_or_default();
    }
    if let Some(protect) = table.get("protect") {
        set.protect = protect::read(&protect, problems);
    }
    if let Some(policies) = table.get("policy") {
        let policies = policies.list("tables, `[[policy]]`", problems);
        let policies = policies.unwrap_or_default();
        // A policy that cannot be read at all keeps its place, for key paths count from 0.
        let read = policies.iter().map(|node| policy::read(node, problems));
        set.policies = read.collect();
    }
    set
}

fn syntax(text: &str, error: &toml::de::Error) -> Problem {
    let before = error.span().and_then(|span| text.get(..span.start));
    let what = error.message().trim().replace('\n', ", ");
    let hint = if what.contains("duplicate key") || what.contains("extend value") {
        "; is a name with a dot in it without quotes? Write `\"cpu.max\" = …`"
    } else {
        ""
    };
    Problem {
        line: before.map(|before| before.matches('\n').count() + 1),
        key: String::new(),
        what: format!("{what}{hint}"),
    }
}
