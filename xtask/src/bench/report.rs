//! What is printed and, when asked for, written: Markdown, readable as it is.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// Text that grows as results come in; each part is printed at once.
#[derive(Default)]
pub(crate) struct Report {
    text: String,
}

/// Rows below a heading.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Report {
    pub(crate) fn line(&mut self, line: &str) {
        println!("{line}");
        self.text.push_str(line);
        self.text.push('\n');
    }

    pub(crate) fn heading(&mut self, text: &str) {
        self.line("");
        self.line(&format!("## {text}"));
        self.line("");
    }

    pub(crate) fn table(&mut self, table: &Table) {
        self.line(table.render().trim_end());
    }

    /// Writes everything so far.
    pub(crate) fn save(&self, path: &Path) -> Result<()> {
        fs::write(path, &self.text).with_context(|| format!("cannot write {}", path.display()))
    }
}

impl Table {
    pub(crate) fn new(columns: &[&str]) -> Self {
        let header = columns.iter().map(|column| (*column).to_owned());
        Self {
            rows: vec![header.collect()],
        }
    }

    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// Columns of equal width; numbers to the right, the first column to the left.
    fn render(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |n: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(n));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<_> = (0..columns).map(|n| width(n).max(3)).collect();
        let mut text = String::new();
        for (n, row) in self.rows.iter().enumerate() {
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                // Writing to a String cannot fail.
                let _ = match column {
                    0 => write!(text, "| {cell:<width$} "),
                    _ => write!(text, "| {cell:>width$} "),
                };
            }
            text.push_str("|\n");
            if n == 0 {
                for (column, width) in widths.iter().enumerate() {
                    let dashes = "-".repeat(*width);
                    text.push_str(&match column {
                        0 => format!("|:{dashes}-"),
                        _ => format!("|-{dashes}:"),
                    });
                }
                text.push_str("|\n");
            }
        }
        text
    }
}

/// `3.2 MiB`.
pub(crate) fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

/// `12.3 ms`.
pub(crate) fn ms(seconds: f64) -> String {
    format!("{:.1} ms", seconds * 1e3)
}

/// `4.2 %`.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn a_table_lines_up() {
        let mut table = Table::new(&["what", "ns"]);
        table.row(vec!["a".to_owned(), "12345".to_owned()]);
        assert_eq!(
            table.render(),
            "| what |    ns |\n|:-----|------:|\n| a    | 12345 |\n"
        );
    }
}
