//! No text makes the reader panic, and what is wrong has a place.

use proptest::prelude::*;

use super::*;

/// Pieces that mean something somewhere.
const PIECES: [&str; 30] = [
    "[",
    "]",
    "{",
    "}",
    "\"",
    "=",
    ",",
    ".",
    "\n",
    "#",
    "[[policy]]\n",
    "[policy.limits]\n",
    "[[policy.rule]]\n",
    "3",
    "-1",
    "1.5",
    "true",
    "\"max\"",
    "\"80% of memory.max\"",
    "\"+25%\"",
    "\"3x\"",
    "\"99999999999999999999GiB\"",
    "\"0x\"",
    "inf",
    "nan",
    "0x10",
    "[]",
    "{}",
    "match = {}\n",
    "1979-05-27",
];

proptest! {
    #[test]
    fn no_text_panics(text: String) {
        let _any_answer_will_do = parse(&text);
    }

    #[test]
    fn no_change_of_a_good_file_panics(
        changes in prop::collection::vec((0_usize..10_000, 0_usize..40, 0..PIECES.len()), 1..4),
    ) {
        let mut text = WHOLE.to_owned();
        for (at, length, piece) in changes {
            let start = (0..=at % (text.len() + 1)).rev().find(|i| text.is_char_boundary(*i));
            let start = start.unwrap_or(0);
            let end = (start + length).min(text.len());
            let end = (end..=text.len()).find(|i| text.is_char_boundary(*i)).unwrap_or(end);
            text.replace_range(start..end, PIECES[piece]);
        }
        match parse(&text) {
            Ok(set) => {
                // What is read can be said, sent and read again.
                prop_assert!(!crate::policy::describe(&set).is_empty());
                let json = serde_json::to_string(&set).unwrap();
                prop_assert_eq!(serde_json::from_str::<PolicySet>(&json).unwrap(), set);
            }
            Err(problems) => {
                prop_assert!(!problems.is_empty());
                let lines = text.lines().count() + 1;
                for problem in problems {
                    prop_assert!(!problem.what.is_empty());
                    prop_assert!(problem.line.is_none_or(|line| (1..=lines).contains(&line)));
                    prop_assert!(problem.line.is_some() || problem.key.is_empty(), "{}", problem);
                }
            }
        }
    }
}
