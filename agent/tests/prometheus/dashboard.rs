//! The Grafana dashboard: its panels, their queries, and what makes them fit to be read.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::files;

/// What Grafana puts for a variable when "All" is chosen, at a scrape interval of 1 s.
/// `datasource` is not in any query.
const VARIABLES: [(&str, &str); 6] = [
    ("$__rate_interval", "10s"),
    ("$__range", "1m"),
    ("$instance", ".*"),
    ("$runtime", ".*"),
    ("$name", ".+"),
    ("$top", "10"),
];

/// Lowest schema of Grafana 10.
const SCHEMA: u64 = 38;

/// The file, parsed.
pub(crate) struct Dashboard(Value);

/// One query of a panel or of a variable, ready to be sent.
pub(crate) struct Query {
    /// Panel and legend, or the variable.
    pub(crate) of: String,
    pub(crate) expression: String,
}

impl Dashboard {
    pub(crate) fn read() -> Self {
        Self(serde_json::from_str(&files::read("grafana/plimsoll.json")).unwrap())
    }

    /// Every panel, those of folded rows too; rows themselves not.
    fn panels(&self) -> Vec<&Value> {
        let rows = list(&self.0["panels"]);
        rows.iter()
            .flat_map(|panel| std::iter::once(panel).chain(list(&panel["panels"])))
            .filter(|panel| panel["type"] != "row")
            .collect()
    }

    fn variables(&self) -> &[Value] {
        list(&self.0["templating"]["list"])
    }

    /// Queries of all panels.
    pub(crate) fn queries(&self) -> Vec<Query> {
        let mut queries = Vec::new();
        for panel in self.panels() {
            for target in list(&panel["targets"]) {
                queries.push(Query {
                    of: format!("{}: {}", text(panel, "title"), text(target, "legendFormat")),
                    expression: substitute(text(target, "expr")),
                });
            }
        }
        queries
    }

    /// What the drop-down lists are made of: `label_values(SELECTOR, LABEL)` as a query.
    pub(crate) fn choices(&self) -> Vec<Query> {
        let queried = self.variables().iter().filter(|it| it["type"] == "query");
        queried
            .map(|variable| {
                let definition = substitute(text(variable, "definition"));
                let inner = definition
                    .strip_prefix("label_values(")
                    .and_then(|rest| rest.strip_suffix(')'));
                let (selector, label) = inner.and_then(|it| it.rsplit_once(", ")).unwrap();
                Query {
                    of: format!("variable {}", text(variable, "name")),
                    expression: format!("count by ({label}) ({selector})"),
                }
            })
            .collect()
    }
}

/// The expression with each variable's value.
fn substitute(expression: &str) -> String {
    let mut result = expression.to_owned();
    for (variable, value) in VARIABLES {
        result = result.replace(variable, value);
    }
    assert!(!result.contains('$'), "unknown variable in {expression}");
    result
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key]
        .as_str()
        .unwrap_or_else(|| panic!("no {key} in {value}"))
}

#[test]
fn panels_are_fit_to_be_read() {
    let dashboard = Dashboard::read();
    assert_eq!(dashboard.0["uid"], "plimsoll-node");
    assert!(dashboard.0["schemaVersion"].as_u64() >= Some(SCHEMA));
    for panel in dashboard.panels() {
        let title = text(panel, "title");
        assert!(text(panel, "description").ends_with('.'), "{title}");
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
        assert!(
            panel["fieldConfig"]["defaults"]["unit"].is_string(),
            "{title}: no unit"
        );
        let targets = list(&panel["targets"]);
        assert!(!targets.is_empty(), "{title}: no query");
        for target in targets {
            assert!(!text(target, "legendFormat").is_empty(), "{title}: legend");
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{title}");
        }
    }
}

#[test]
fn panels_have_their_own_ids_and_places() {
    let dashboard = Dashboard::read();
    let mut ids = BTreeSet::new();
    let mut taken = BTreeSet::new();
    for panel in list(&dashboard.0["panels"]) {
        let title = text(panel, "title");
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}: id");
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|key| panel["gridPos"][key].as_u64().unwrap());
        assert!(x + w <= 24, "{title} is too wide");
        for cell in (x..x + w).flat_map(|column| (y..y + h).map(move |line| (column, line))) {
            assert!(taken.insert(cell), "{title} covers another panel");
        }
    }
}

#[test]
fn every_variable_is_used_and_known() {
    let dashboard = Dashboard::read();
    let whole = dashboard.0.to_string();
    for variable in dashboard.variables() {
        let name = text(variable, "name");
        let uses = [format!("${name}"), format!("${{{name}}}")];
        assert!(uses.iter().any(|it| whole.contains(it)), "{name} is unused");
        assert!(
            name == "datasource" || VARIABLES.iter().any(|(known, _)| known[1..] == *name),
            "{name} has no value here"
        );
    }
    // Panics on a variable that nobody defines.
    assert!(dashboard.queries().len() > dashboard.panels().len());
    assert!(!dashboard.choices().is_empty());
}
