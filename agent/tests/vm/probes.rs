//! The state of every probe on this kernel.

use std::fs;

use crate::agent::running;
use crate::guest::outbox;

/// Attached, or missing for a reason that is told; the list goes back for the page.
#[test]
fn every_probe_has_a_state_and_a_reason_where_it_needs_one() {
    let Some(outbox) = outbox("every_probe_has_a_state_and_a_reason_where_it_needs_one") else {
        return;
    };
    let agent = running();
    let list = agent.ask(&["probes"]);
    fs::write(outbox.join("probes.json"), list.to_string()).unwrap();
    let probes = list["probes"].as_array().unwrap();
    assert!(probes.len() > 20, "{} probes", probes.len());
    let mut wrong = Vec::new();
    for probe in probes {
        let reason = probe["reason"].as_str().unwrap_or_default();
        match probe["state"].as_str().unwrap() {
            "attached" | "disabled" => {}
            "degraded" | "unsupported" if !reason.is_empty() => {}
            state => wrong.push(format!("{}: {state}: {reason}", probe["name"])),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
