//! On which line what stands.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use super::node::child;

/// Line of every key path.
pub(super) struct Lines(BTreeMap<String, usize>);

impl Lines {
    pub(super) fn new(text: &str, document: &DeTable<'_>) -> Self {
        let starts = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let starts: Vec<usize> = starts.map(|(at, _)| at).collect();
        let line_at = |offset: usize| starts.partition_point(|end| *end < offset) + 1;
        let mut lines = BTreeMap::new();
        visit_table("", document, &line_at, &mut lines);
        Self(lines)
    }

    /// The line of this path, or of the nearest one above it that is in the file.
    pub(super) fn of(&self, path: &str) -> Option<usize> {
        let mut path = path;
        loop {
            if let Some(line) = self.0.get(path) {
                return Some(*line);
            }
            path = path.get(..path.rfind(['.', '['])?)?;
        }
    }
}

fn visit_table(
    path: &str,
    table: &DeTable<'_>,
    line_at: &dyn Fn(usize) -> usize,
    lines: &mut BTreeMap<String, usize>,
) {
    for (key, value) in table {
        let path = child(path, key.get_ref());
        lines.insert(path.clone(), line_at(key.span().start));
        visit(&path, value.get_ref(), line_at, lines);
    }
}

fn visit(
    path: &str,
    value: &DeValue<'_>,
    line_at: &dyn Fn(usize) -> usize,
    lines: &mut BTreeMap<String, usize>,
) {
    match value {
        DeValue::Table(table) => visit_table(path, table, line_at, lines),
        DeValue::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                let path = format!("{path}[{index}]");
                lines.insert(path.clone(), line_at(element.span().start));
                visit(&path, element.get_ref(), line_at, lines);
            }
        }
        _ => {}
    }
}
