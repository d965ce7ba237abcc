//! What is refused, and in which words: `bad.txt`.
//!
//! Cases are parted by `=====`; each is a file, a line `-----`, and every problem that is found. A file
//! that begins with `@limits`, `@rule` or `@then` is what stands there in an else good policy.

use super::*;

const CASES: &str = include_str!("bad.txt");

const POLICY: &str = "version = 1\n[[policy]]\nname = \"p\"\nmatch = {}\n";
const RULE: &str = "[[policy.rule]]\nname = \"r\"\nany = [{ event = \"oom_kill\" }]\nthen = ";

fn whole(case: &str) -> String {
    if let Some(limits) = case.strip_prefix("@limits\n") {
        format!("{POLICY}[policy.limits]\n{limits}")
    } else if let Some(rule) = case.strip_prefix("@rule\n") {
        format!("{POLICY}[[policy.rule]]\n{rule}")
    } else if let Some(then) = case.strip_prefix("@then\n") {
        format!("{POLICY}{RULE}{then}")
    } else {
        case.to_owned()
    }
}

#[test]
fn every_mistake_is_told_with_its_place_and_what_to_write() {
    let mut cases = 0;
    for case in CASES.split("=====\n") {
        let (file, expected) = case.split_once("-----\n").unwrap();
        let problems = parse(&whole(file)).err().unwrap_or_default();
        let found: String = problems
            .iter()
            .map(|problem| format!("{problem}\n"))
            .collect();
        assert!(!found.is_empty(), "accepted:\n{file}");
        assert_eq!(found, expected, "\n{file}-----\n{found}");
        cases += 1;
    }
    assert!(cases > 50, "{cases}");
}

#[test]
fn a_file_that_cannot_be_read_is_a_problem() {
    let error = crate::policy::load(std::path::Path::new("/nonexistent/policy.toml")).unwrap_err();
    let reason = "cannot be read: No such file or directory (os error 2)";
    assert_eq!(
        error.to_string(),
        format!("policy file /nonexistent/policy.toml: {reason}")
    );
    assert_eq!(
        error.lines(),
        [format!("/nonexistent/policy.toml: {reason}")]
    );
}

#[test]
fn problems_have_the_form_of_a_compilers() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("policy.toml");
    std::fs::write(&path, "version = 1\nmode = 3\nprotcet = {}\n").unwrap();
    let error = crate::policy::load(&path).unwrap_err();
    let path = path.display();
    assert_eq!(
        error.lines(),
        [
            format!("{path}:2: mode: expected one of `monitor`, `enforce`, not `3`"),
            format!("{path}:3: protcet: unknown key; did you mean `protect`?"),
        ]
    );
    assert_eq!(
        error.to_string(),
        format!(
            "policy file {path}: 2 problems: line 2: mode: expected one of `monitor`, `enforce`, not \
             `3`; line 3: protcet: unknown key; did you mean `protect`?"
        )
    );
}
