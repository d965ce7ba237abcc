//! Standard output: how wide, whether a person looks at it, and frames that replace each other.

use std::env;
use std::io::{self, BufWriter, IsTerminal, Stdout, Write};

use serde::Serialize;

use super::table::Table;

/// Standard output, buffered until [`Output::flush`] or the end of a frame.
pub(super) struct Output {
    stdout: BufWriter<Stdout>,
    terminal: bool,
    color: bool,
    /// Frames shown so far.
    frames: u64,
}

impl Output {
    pub(super) fn stdout() -> Self {
        let terminal = io::stdout().is_terminal();
        let plain = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            stdout: BufWriter::new(io::stdout()),
            terminal,
            color: terminal && !plain,
            frames: 0,
        }
    }

    pub(super) fn color(&self) -> bool {
        self.color
    }

    pub(super) fn is_terminal(&self) -> bool {
        self.terminal
    }

    pub(super) fn table(&mut self, table: &Table) -> io::Result<()> {
        let text = table.render(self.width(), self.color);
        self.text(&text)
    }

    pub(super) fn text(&mut self, text: &str) -> io::Result<()> {
        self.stdout.write_all(text.as_bytes())
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stdout.write_all(bytes)
    }

    /// As a document for people too.
    pub(super) fn json_pretty(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut self.stdout, value)?;
        self.text("\n")
    }

    /// As one line of many.
    pub(super) fn json_line(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.stdout, value)?;
        self.text("\n")
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.stdout.flush()
    }

    /// Shows the table in place of the last one; below it when this is no terminal.
    pub(super) fn frame(&mut self, table: &Table) -> io::Result<()> {
        let text = table.render(self.width(), self.color);
        if self.terminal {
            let clear = if self.frames == 0 { "\x1b[2J" } else { "" };
            let (_, height) = terminal_size::terminal_size().unzip();
            let text = in_place(&text, height.map(|height| usize::from(height.0)));
            self.text(&format!("{clear}\x1b[H{text}\x1b[J"))?;
        } else {
            let gap = if self.frames == 0 { "" } else { "\n" };
            self.text(&format!("{gap}{text}"))?;
        }
        self.frames += 1;
        self.flush()
    }

    /// Columns there are; `None` without a limit.
    fn width(&self) -> Option<usize> {
        let asked = env::var("COLUMNS")
            .ok()
            .and_then(|columns| columns.parse().ok());
        asked.or_else(|| {
            let (width, _) = terminal_size::terminal_size().filter(|_| self.terminal)?;
            Some(usize::from(width.0))
        })
    }
}

/// Each line clears what the last frame left behind it; what does not fit is counted.
fn in_place(text: &str, height: Option<usize>) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let room = height.map_or(lines.len(), |height| height.saturating_sub(1).max(1));
    let clear_rest = "\x1b[K\n";
    if lines.len() <= room {
        return lines.iter().flat_map(|line| [*line, clear_rest]).collect();
    }
    let shown = lines.iter().take(room - 1);
    let mut frame: String = shown.flat_map(|line| [*line, clear_rest]).collect();
    let rest = lines.len() - (room - 1);
    frame.push_str(&format!("… {rest} more{clear_rest}"));
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_fit_the_height() {
        assert_eq!(in_place("a\nb\n", Some(3)), "a\x1b[K\nb\x1b[K\n");
        assert_eq!(
            in_place("a\nb\nc\nd\n", Some(4)),
            "a\x1b[K\nb\x1b[K\n… 2 more\x1b[K\n"
        );
        assert_eq!(in_place("a\nb\nc\n", None), "a\x1b[K\nb\x1b[K\nc\x1b[K\n");
        assert_eq!(in_place("a\nb\n", Some(0)), "… 2 more\x1b[K\n");
    }
}
