//! What the binary prints about itself.

use crate::world::{plimsoll, text};

fn printed(arguments: &[&str]) -> String {
    text(&plimsoll(arguments).output().unwrap())
}

#[test]
fn help_names_every_verb_and_exit_status() {
    let help = printed(&["--help"]);
    for word in [
        "agent",
        "workloads",
        "Run a command in a new container",
        "List workloads, the busiest first",
        "Kill workloads, or send them a signal",
        "ps",
        "network",
        "stats",
        "events",
        "probes",
        "completions",
        "man",
        "--socket",
    ] {
        assert!(help.contains(word), "{word}: {help}");
    }
    assert!(
        help.contains("4  the address or the socket is in use"),
        "{help}"
    );
    assert!(!help.contains("docs"), "{help}");
}

#[test]
fn completions_know_the_verbs() {
    for shell in ["bash", "zsh", "fish"] {
        let script = printed(&["completions", shell]);
        assert!(
            script.contains("plimsoll") && script.contains("no-stream"),
            "{shell}"
        );
    }
}

#[test]
fn manual_pages() {
    let page = printed(&["man"]);
    assert!(page.contains(".TH plimsoll 1"), "{page}");
    assert!(page.contains(".SH \"EXIT STATUS\""), "{page}");
    let page = printed(&["man", "workloads"]);
    assert!(page.contains(".TH plimsoll-workloads 1"), "{page}");
    assert!(page.contains(".SH FILTERS"), "{page}");
    let run = printed(&["man", "run"]);
    assert!(
        run.contains(".TH plimsoll-run 1") && run.contains("\\-\\-rootfs"),
        "{run}"
    );
    assert!(
        page.contains("\\-\\-filter") && page.contains("\\-\\-socket"),
        "{page}"
    );
}

#[test]
fn the_configuration_reference() {
    let page = printed(&["docs", "config"]);
    assert!(page.starts_with("# Configuration\n"), "{page}");
    assert!(
        page.contains("| `tick` | `\"1s\"` | How often readings are taken"),
        "{page}"
    );
}
