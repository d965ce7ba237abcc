//! Plain columns, as `docker ps` and `systemctl` print them, that fit a width: first names are
//! shortened, then the least important columns go.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Spaces between columns, and between them when it gets tight.
const GAP: usize = 3;
const TIGHT_GAP: usize = 2;

/// A column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    title: &'static str,
    right: bool,
    /// Which go first when there is no room: the highest. 0 stays.
    rank: u8,
    /// To how little it may be shortened, and where.
    shrink: Option<(usize, Cut)>,
}

/// Where a text is shortened.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cut {
    Middle,
    End,
}

/// How a cell looks on a terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Style {
    #[default]
    Plain,
    Good,
    Warning,
    Bad,
    Dim,
}

/// A text in its style.
#[derive(Clone, Debug, Default)]
pub(super) struct Cell {
    text: String,
    style: Style,
}

/// Rows under titles.
#[derive(Clone, Debug)]
pub(super) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

impl Column {
    pub(super) const fn left(title: &'static str, rank: u8) -> Self {
        Self {
            title,
            right: false,
            rank,
            shrink: None,
        }
    }

    /// For numbers.
    pub(super) const fn right(title: &'static str, rank: u8) -> Self {
        Self {
            title,
            right: true,
            rank,
            shrink: None,
        }
    }

    pub(super) const fn shrink_to(mut self, width: usize, cut: Cut) -> Self {
        self.shrink = Some((width, cut));
        self
    }
}

impl Cell {
    pub(super) fn styled(text: impl Into<String>, style: Style) -> Self {
        Self {
            text: text.into(),
            style,
        }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::styled(text, Style::Plain)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::styled(text, Style::Plain)
    }
}

impl Table {
    pub(super) fn new(columns: Vec<Column>) -> Self {
        Self {
            columns,
            rows: Vec::new(),
        }
    }

    /// Adds a row, which has a cell for each column.
    pub(super) fn row(&mut self, cells: Vec<Cell>) {
        debug_assert_eq!(cells.len(), self.columns.len());
        self.rows.push(cells);
    }

    /// Lines of at most `width` columns, as far as shortening and leaving out can help.
    pub(super) fn render(&self, width: Option<usize>, color: bool) -> String {
        let layout = self.layout(width);
        let titles = self.columns.iter().map(|column| Cell::from(column.title));
        let titles = layout.line(&self.columns, &titles.collect::<Vec<_>>(), false);
        let rows = self
            .rows
            .iter()
            .map(|row| layout.line(&self.columns, row, color));
        std::iter::once(titles).chain(rows).collect()
    }

    fn layout(&self, width: Option<usize>) -> Layout {
        let natural = |(index, column): (usize, &Column)| {
            let cells = self.rows.iter().filter_map(|row| row.get(index));
            let widest = cells.map(|cell| cell.text.width()).max().unwrap_or(0);
            (index, widest.max(column.title.width()))
        };
        let mut layout = Layout {
            widths: self.columns.iter().enumerate().map(natural).collect(),
            gap: GAP,
        };
        let Some(width) = width else {
            return layout;
        };
        if layout.total() > width {
            layout.gap = TIGHT_GAP;
        }
        while layout.total() > width + self.slack(&layout) {
            let ranks = layout.widths.iter().enumerate();
            let ranks = ranks.map(|(place, (index, _))| (self.columns[*index].rank, place));
            match ranks.max() {
                Some((rank, place)) if rank > 0 => layout.widths.remove(place),
                _ => break,
            };
        }
        self.shrink(&mut layout, width);
        layout
    }

    /// How much could be saved by shortening.
    fn slack(&self, layout: &Layout) -> usize {
        let saved = |(index, width): &(usize, usize)| match self.columns[*index].shrink {
            Some((least, _)) => width.saturating_sub(least),
            None => 0,
        };
        layout.widths.iter().map(saved).sum()
    }

    /// Takes from the widest first, so that none is shortened more than the others need.
    fn shrink(&self, layout: &mut Layout, width: usize) {
        while layout.total() > width {
            let shrinkable = layout.widths.iter_mut().filter(|(index, width)| {
                self.columns[*index]
                    .shrink
                    .is_some_and(|(least, _)| *width > least)
            });
            match shrinkable.max_by_key(|(_, width)| *width) {
                Some((_, widest)) => *widest -= 1,
                None => break,
            }
        }
    }
}

/// Which columns are shown, and how wide.
struct Layout {
    widths: Vec<(usize, usize)>,
    gap: usize,
}

impl Layout {
    fn total(&self) -> usize {
        let widths: usize = self.widths.iter().map(|(_, width)| width).sum();
        widths + self.gap * self.widths.len().saturating_sub(1)
    }

    fn line(&self, columns: &[Column], cells: &[Cell], color: bool) -> String {
        let mut line = String::new();
        let mut owed = 0;
        for (index, width) in &self.widths {
            let (Some(column), Some(cell)) = (columns.get(*index), cells.get(*index)) else {
                continue;
            };
            let cut = column.shrink.map_or(Cut::End, |(_, cut)| cut);
            let text = shorten(&cell.text, *width, cut);
            let pad = width.saturating_sub(text.width());
            let (before, after) = if column.right { (pad, 0) } else { (0, pad) };
            // Spaces are written only when something follows them.
            owed += before;
            if !text.is_empty() {
                line.extend(std::iter::repeat_n(' ', owed));
                line.push_str(&paint(&text, if color { cell.style } else { Style::Plain }));
                owed = 0;
            }
            owed += after + self.gap;
        }
        line.push('\n');
        line
    }
}

/// The text in colors, if its style has one.
pub(super) fn paint(text: &str, style: Style) -> String {
    let code = match style {
        Style::Plain => return text.to_owned(),
        Style::Good => 32,
        Style::Warning => 33,
        Style::Bad => 31,
        Style::Dim => 2,
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}

/// At most `width` columns of it, with `…` where something is missing.
pub(super) fn shorten(text: &str, width: usize, cut: Cut) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let Some(room) = width.checked_sub(1) else {
        return String::new();
    };
    match cut {
        Cut::End => format!("{}…", first(text.chars(), room)),
        Cut::Middle => {
            let tail: String = first(text.chars().rev(), room / 2).chars().rev().collect();
            format!("{}…{tail}", first(text.chars(), room - room / 2))
        }
    }
}

fn first(chars: impl Iterator<Item = char>, width: usize) -> String {
    let mut used = 0;
    let fits = chars.take_while(|c| {
        used += c.width().unwrap_or(0);
        used <= width
    });
    fits.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(vec![
            Column::left("NAME", 0).shrink_to(8, Cut::Middle),
            Column::left("RUNTIME", 2),
            Column::right("CPU %", 1),
            Column::left("IMAGE", 3).shrink_to(8, Cut::End),
        ]);
        let row = [
            "kube-system/coredns-7c6/dns",
            "cri-o",
            "1.25%",
            "registry.k8s.io/coredns:v1",
        ];
        table.row(row.map(Cell::from).to_vec());
        table.row(["web", "", "100.00%", ""].map(Cell::from).to_vec());
        table
    }

    #[test]
    fn without_a_limit_nothing_is_shortened() {
        let expected = "\
NAME                          RUNTIME     CPU %   IMAGE
kube-system/coredns-7c6/dns   cri-o       1.25%   registry.k8s.io/coredns:v1
web                                     100.00%
";
        assert_eq!(table().render(None, false), expected);
    }

    #[test]
    fn names_are_shortened_before_columns_go() {
        let expected = "\
NAME                RUNTIME    CPU %  IMAGE
kube-syst…-7c6/dns  cri-o      1.25%  registry.k8s.io/c…
web                          100.00%
";
        let rendered = table().render(Some(56), false);
        assert!(
            rendered.lines().all(|line| line.width() <= 56),
            "{rendered}"
        );
        assert_eq!(rendered, expected);
    }

    #[test]
    fn the_least_important_columns_go_first() {
        let titles = |width| {
            let rendered = table().render(Some(width), false);
            let titles = rendered.lines().next().unwrap_or_default();
            titles
                .split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(titles(36), "NAME RUNTIME CPU % IMAGE");
        assert_eq!(titles(35), "NAME RUNTIME CPU %");
        assert_eq!(titles(25), "NAME CPU %");
        assert_eq!(titles(9), "NAME");
        assert_eq!(titles(0), "NAME");
    }

    #[test]
    fn colors_do_not_change_the_columns() {
        let mut table = Table::new(vec![Column::left("STATE", 0), Column::left("WHY", 0)]);
        table.row(vec![Cell::styled("failed", Style::Bad), "EPERM".into()]);
        assert_eq!(table.render(None, false), "STATE    WHY\nfailed   EPERM\n");
        let colored = "STATE    WHY\n\x1b[31mfailed\x1b[0m   EPERM\n";
        assert_eq!(table.render(None, true), colored);
    }

    #[test]
    fn wide_characters_count_as_wide() {
        assert_eq!(shorten("漢字漢字", 5, Cut::End), "漢字…");
        assert_eq!(shorten("漢字漢字", 6, Cut::Middle), "漢…字");
        assert_eq!(shorten("abcdef", 4, Cut::Middle), "ab…f");
        assert_eq!(shorten("abc", 0, Cut::End), "");
        assert_eq!(shorten("abc", 3, Cut::End), "abc");
    }
}
