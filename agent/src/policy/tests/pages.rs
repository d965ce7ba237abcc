//! What people start from and read is what is accepted.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::policy::{Action, PolicySet, describe, load, policy_reference_markdown};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn every_example_loads_and_does_something() {
    let mut names = Vec::new();
    for entry in fs::read_dir(repository().join("deploy/policies")).unwrap() {
        let path = entry.unwrap().path();
        let set = load(&path).unwrap_or_else(|errors| panic!("{}", errors.lines().join("\n")));
        assert!(!set.policies.is_empty(), "{}", path.display());
        names.push(path.file_stem().unwrap().to_str().unwrap().to_owned());
    }
    names.sort();
    let expected = [
        "batch-under-pressure",
        "burst-budget",
        "limits-by-label",
        "memory-leak-freeze-and-tell",
        "network-cap",
        "noisy-disk-neighbour",
    ];
    assert_eq!(names, expected);
}

#[test]
fn the_examples_together_are_no_tie() {
    let mut text = "version = 1\n".to_owned();
    for entry in fs::read_dir(repository().join("deploy/policies")).unwrap() {
        let example = fs::read_to_string(entry.unwrap().path()).unwrap();
        let (_, policies) = example.split_once("[[policy]]").unwrap();
        text.push_str("[[policy]]");
        text.push_str(policies);
    }
    let set = read(&text);
    assert!(set.policies.len() >= 6);
}

#[test]
fn every_file_in_the_guide_loads() {
    let guide = fs::read_to_string(repository().join("docs/policy.md")).unwrap();
    let mut files = 0;
    for part in guide.split("```toml\n").skip(1) {
        let (file, _) = part.split_once("```").unwrap();
        // What begins in the middle of a file is put where it belongs.
        let file = if file.starts_with("version") {
            file.to_owned()
        } else if file.starts_with("[policy.limits]") || file.starts_with("[[policy.rule]]") {
            format!("version = 1\n[[policy]]\nname = 'p'\nmatch = {{}}\n{file}")
        } else {
            format!("version = 1\n{file}")
        };
        assert!(!describe(&read(&file)).is_empty());
        files += 1;
    }
    assert!(files >= 5, "{files}");
}

#[test]
fn the_reference_has_every_key_that_the_reader_knows() {
    let page = policy_reference_markdown();
    for (heading, keys) in crate::policy::file::tables() {
        assert!(page.contains(&format!("\n## {heading}\n")), "{heading}");
        for key in keys {
            assert!(
                !key.meaning.is_empty() && !key.form.is_empty(),
                "{}",
                key.name
            );
            assert!(
                page.contains(&format!("| `{}` | ", key.name)),
                "{}",
                key.name
            );
        }
    }
    for metric in crate::policy::Metric::ALL {
        assert!(page.contains(&format!("| `{metric}` | ")));
    }
    for event in crate::policy::WatchedEvent::ALL {
        assert!(page.contains(&format!("| `{}` | ", event.name())));
    }
}

#[test]
fn the_reference_has_the_defaults_of_the_code() {
    let page = policy_reference_markdown();
    let protect = PolicySet::default().protect;
    let budgets = [
        ("max_actions_per_minute", protect.max_actions_per_minute),
        ("max_kills_per_hour", protect.max_kills_per_hour),
    ];
    for (name, default) in budgets {
        let mut rows = page
            .lines()
            .filter(|line| line.contains(&format!("`{name}`")));
        let row = rows.next().unwrap();
        assert!(row.contains(&format!("| `{default}` |")), "{row}");
        assert_eq!(rows.next(), None);
    }
}

#[test]
fn the_whole_file_uses_every_action() {
    let set = read(WHOLE);
    let steps = set.policies[0].rules.iter().flat_map(|rule| &rule.then);
    let mut seen = [false; 5];
    for step in steps {
        seen[match step.action {
            Action::Hold(_) => 0,
            Action::Scale(_) => 1,
            Action::Throttle(_) => 2,
            Action::Freeze(_) => 3,
            Action::Once(_) => 4,
        }] = true;
    }
    assert_eq!(seen, [true; 5]);
}
