//! `docs/metrics.md`, made from the catalogue.

use std::fmt::Write;

use crate::metrics::catalogue::{GROUPS, UNEXPORTED};
use crate::metrics::family::{Family, Kind};

const INTRODUCTION: &str = "\
# Metrics

<!-- Made from agent/src/metrics/catalogue by `cargo xtask docs`. Do not edit. -->

`GET /metrics` answers in Prometheus text 0.0.4, or in OpenMetrics 1.0 to a client that prefers it.
The families named `container_*` and `machine_*` are cAdvisor's, with its names, types, labels and
meaning; `plimsoll_*` are the agent's own, `process_*` those of every Prometheus client library.

Every series of a workload has `id` (its cgroup path) and, where they are known, `name`, `image`,
`container`, `pod` and `namespace`, and as `container_label_<name>` those of the container's labels
that the configuration lists. Other labels are in the tables. A label without a value is not
written, which is the same to Prometheus.

The series of a workload that has gone stay, with their last values, until one scrape has had them.
What is not known is absent, never 0. In OpenMetrics, `container_memory_failcnt` is of type
`unknown`, because there a counter's name must end in `_total`.

A source with two parts is \"cgroup v2; cgroup v1\", decided for each controller.
";

const UNEXPORTED_ABOUT: &str = "\
Of what cAdvisor exports with its default options. Of the groups that it has off by default (process,
sched, tcp, udp, hugetlb, NUMA, resctrl, perf events), only `container_processes`,
`container_threads` and `container_threads_max` are exported.";

/// The reference, in Markdown.
#[must_use]
pub fn reference_markdown() -> String {
    let mut out = String::from(INTRODUCTION);
    for group in GROUPS {
        section(&mut out, group.title, group.about);
        out.push_str("| Metric | Type | Labels | Meaning | Source | Absent when |\n");
        out.push_str("| --- | --- | --- | --- | --- | --- |\n");
        for family in group.families {
            row(&mut out, family);
        }
    }
    section(&mut out, "Not exported, and why", UNEXPORTED_ABOUT);
    out.push_str("| Metric | Why |\n| --- | --- |\n");
    for unexported in UNEXPORTED {
        let names = joined(unexported.names, "<br>");
        line(&mut out, &[&names, &cell(unexported.why)]);
    }
    out
}

fn section(out: &mut String, title: &str, about: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "\n## {title}\n");
    if !about.is_empty() {
        let _ = writeln!(out, "{about}\n");
    }
}

fn row(out: &mut String, family: &Family) {
    let kind = match family.kind {
        Kind::Counter | Kind::Gauge | Kind::Histogram => family.kind.word(),
        Kind::Info => "info",
    };
    let typed = match family.unit {
        "" => kind.to_owned(),
        unit => format!("{kind}, {unit}"),
    };
    let source = match family.source.v1 {
        Some(v1) => format!("{}; {v1}", family.source.v2),
        None => family.source.v2.to_owned(),
    };
    line(
        out,
        &[
            &format!("`{}`", family.name),
            &typed,
            &joined(family.labels, ", "),
            &cell(family.help),
            &cell(&source),
            &cell(family.absent),
        ],
    );
}

fn line(out: &mut String, cells: &[&str]) {
    let _ = writeln!(out, "| {} |", cells.join(" | "));
}

fn joined(names: &[&str], separator: &str) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(separator)
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::catalogue::families;

    #[test]
    fn every_family_has_one_row() {
        let markdown = reference_markdown();
        for family in families() {
            let row = format!("\n| `{}` | ", family.name);
            assert_eq!(markdown.matches(&row).count(), 1, "{}", family.name);
        }
    }

    #[test]
    fn rows_have_as_many_cells_as_their_head() {
        let markdown = reference_markdown();
        let mut width = None;
        for row in markdown.lines() {
            if !row.starts_with('|') {
                width = None;
                continue;
            }
            let cells = row.replace("\\|", "").matches('|').count();
            assert_eq!(*width.get_or_insert(cells), cells, "{row}");
        }
    }
}
