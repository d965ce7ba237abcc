//! Small files of one value, and numbered directories: the two shapes sysfs has.

use std::fs;
use std::path::{Path, PathBuf};

/// Content without surrounding blanks and NULs; `None` when there is none.
pub(super) fn text(path: &Path) -> Option<String> {
    let content = fs::read_to_string(path).ok()?;
    let trimmed =
        content.trim_matches(|character: char| character.is_whitespace() || character == '\0');
    (!trimmed.is_empty()).then(|| trimmed.to_owned())
}

/// A number; `None` also for the `-1` of an unknown id.
pub(super) fn number(path: &Path) -> Option<u64> {
    text(path)?.parse().ok()
}

/// Entries of `directory` called `prefix` and a number, by number.
pub(super) fn numbered(directory: &Path, prefix: &str) -> Vec<(u64, PathBuf)> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    let mut found: Vec<(u64, PathBuf)> = entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let name = entry.file_name();
            let number = name.to_str()?.strip_prefix(prefix)?.parse().ok()?;
            Some((number, entry.path()))
        })
        .collect();
    found.sort_unstable();
    found
}

/// A list as `0-2,5`; what cannot be read is left out.
pub(super) fn list(text: &str) -> Vec<u64> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.trim().parse::<u64>().ok()?..=last.trim().parse().ok()?)
    };
    text.split(',').filter_map(range).flatten().collect()
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Makes a file of a fake `/sys` or `/proc`.
    pub(in crate::metrics::machine) fn write(root: &Path, path: &str, content: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    #[test]
    fn lists() {
        assert_eq!(list("0-2,5"), [0, 1, 2, 5]);
        assert_eq!(list("7"), [7]);
        assert_eq!(list(""), [0; 0]);
        assert_eq!(list("x,3"), [3]);
    }

    #[test]
    fn numbered_entries_are_in_order() {
        let root = tempfile::tempdir().unwrap();
        for name in ["cpu10", "cpu2", "cpufreq", "cpu"] {
            fs::create_dir(root.path().join(name)).unwrap();
        }
        let numbers: Vec<u64> = numbered(root.path(), "cpu")
            .into_iter()
            .map(|(number, _)| number)
            .collect();
        assert_eq!(numbers, [2, 10]);
    }
}
