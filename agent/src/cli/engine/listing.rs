//! Lists as Docker prints them: columns, templates, JSON lines, ids alone.

use serde_json::{Map, Value};

use super::super::failure::{Exit, Failure};
use super::super::output::Output;
use super::template::{self, Form};

/// Between columns, and what a column has at least with it.
const GAP: usize = 3;
pub(super) const NARROWEST: usize = 10;

/// What is in a list: fields by their names in templates.
pub(super) type Row = Map<String, Value>;

/// A field's name in templates and its title.
pub(super) type Column = (&'static str, &'static str);

/// Prints `rows` in the form asked for; without one, `usual` columns.
pub(super) fn print(
    rows: Vec<Row>,
    form: Option<&Form>,
    titles: &[Column],
    usual: &[&str],
    out: &mut Output,
) -> Result<(), Failure> {
    out.text(&text(rows, form, titles, usual)?)?;
    Ok(out.flush()?)
}

/// What [`print`] prints.
pub(super) fn text(
    rows: Vec<Row>,
    form: Option<&Form>,
    titles: &[Column],
    usual: &[&str],
) -> Result<String, Failure> {
    Ok(match form.unwrap_or(&Form::Table(None)) {
        Form::Json => {
            let lines = rows.into_iter().map(|mut row| {
                // As Docker has them.
                row.sort_keys();
                format!("{}\n", Value::Object(row))
            });
            lines.collect()
        }
        Form::Template(text) => by_template(text, rows)?.join(""),
        Form::Table(text) => {
            let usual: Vec<_> = usual
                .iter()
                .map(|name| format!("{{{{.{name}}}}}"))
                .collect();
            let text = text.clone().unwrap_or_else(|| usual.join("\t"));
            let titles = titles
                .iter()
                .map(|(name, title)| ((*name).to_owned(), (*title).into()));
            let rows = std::iter::once(titles.collect()).chain(rows);
            align(&by_template(&text, rows)?, NARROWEST)
        }
    })
}

/// Prints one a line.
pub(super) fn print_lines(
    lines: impl IntoIterator<Item = String>,
    out: &mut Output,
) -> Result<(), Failure> {
    for line in lines {
        out.text(&line)?;
        out.text("\n")?;
    }
    Ok(out.flush()?)
}

fn by_template(text: &str, rows: impl IntoIterator<Item = Row>) -> Result<Vec<String>, Failure> {
    let failure = |error: String| Failure::new(Exit::Failed, error);
    let template = template::compile(text).map_err(failure)?;
    let line = |row| {
        let line = template::render(&template, &Value::Object(row)).map_err(failure)?;
        Ok(format!("{line}\n"))
    };
    rows.into_iter().map(line).collect()
}

/// Text between tabs in columns; the last of a line is as wide as it is.
pub(super) fn align(lines: &[String], narrowest: usize) -> String {
    let mut widths: Vec<usize> = Vec::new();
    for line in lines {
        let cells = line.split('\t').count();
        for (index, cell) in line.split('\t').take(cells - 1).enumerate() {
            let width = (cell.chars().count() + GAP).max(narrowest);
            match widths.get_mut(index) {
                Some(widest) => *widest = width.max(*widest),
                None => widths.push(width),
            }
        }
    }
    let mut text = String::new();
    for line in lines {
        let (before, last) = line.rsplit_once('\t').unwrap_or(("", line));
        let before = line.contains('\t').then(|| before.split('\t'));
        for (cell, width) in before.into_iter().flatten().zip(&widths) {
            text.push_str(&format!("{cell:<width$}"));
        }
        text.push_str(last);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_dockers() {
        let lines = ["ID\tNAMES\tSTATUS\n", "0123456789ab\tx\tUp 2 seconds\n"].map(String::from);
        let expected = "\
ID             NAMES     STATUS
0123456789ab   x         Up 2 seconds
";
        assert_eq!(align(&lines, NARROWEST), expected);
        assert_eq!(align(&["a\t\n".to_owned()], NARROWEST), "a         \n");
    }
}
