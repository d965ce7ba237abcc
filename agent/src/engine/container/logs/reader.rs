//! A log's files as one: the rotated ones, oldest first, and the one that is written.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::entry::Entry;
use crate::launch::shim::LogEnd;

const BLOCK: usize = 64 * 1024;
/// Names without a file one after the other, of which more follow: while they are rotated there is one, which goes down
/// from the last name to the first as this goes up.
const MOST_MISSING: u32 = 2;

/// Reads on across rotation.
pub(super) struct Reader {
    path: PathBuf,
    current: Option<BufReader<File>>,
    next: VecDeque<File>,
    /// A line that is not whole yet.
    line: Vec<u8>,
    /// What comes after it is not read.
    end: Option<LogEnd>,
}

/// Where a log ends now.
pub(in crate::engine::container) fn end_of(path: &Path) -> io::Result<LogEnd> {
    match std::fs::metadata(path) {
        Ok(file) => Ok(LogEnd {
            inode: file.ino(),
            bytes: file.len(),
        }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(LogEnd::default()),
        Err(error) => Err(error),
    }
}

impl Reader {
    /// From the first entry, or from `tail` entries before the end.
    pub(super) fn open(path: &Path, tail: Option<usize>) -> io::Result<Self> {
        let mut files = VecDeque::new();
        let mut left = tail;
        for mut file in newest_first(path)? {
            if let Some(wanted) = left {
                let (start, found) = last_lines(&mut file, wanted)?;
                file.seek(SeekFrom::Start(start))?;
                left = Some(wanted - found);
            }
            files.push_front(file);
            if left == Some(0) {
                break;
            }
        }
        Ok(Self {
            path: path.to_owned(),
            current: files.pop_front().map(BufReader::new),
            next: files,
            line: Vec::new(),
            end: None,
        })
    }

    /// From the first entry to `end` and no further; nothing, when that has been rotated away.
    pub(super) fn until(path: &Path, end: LogEnd) -> io::Result<Self> {
        let mut files = VecDeque::new();
        for file in newest_first(path)? {
            if !files.is_empty() || file.metadata()?.ino() == end.inode {
                files.push_front(file);
            }
        }
        Ok(Self {
            path: path.to_owned(),
            current: files.pop_front().map(BufReader::new),
            next: files,
            line: Vec::new(),
            end: Some(end),
        })
    }

    /// The next entries, so many at most; none: there are no more now.
    pub(super) fn batch(&mut self, most: usize) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        while entries.len() < most {
            if self.is_at_end()? {
                break;
            }
            let read = match &mut self.current {
                Some(file) => file.read_until(b'\n', &mut self.line)?,
                None => 0,
            };
            if self.line.ends_with(b"\n") {
                entries.extend(Entry::parse(&self.line));
                self.line.clear();
            } else if read == 0 && !self.go_on()? {
                break;
            }
        }
        Ok(entries)
    }

    fn is_at_end(&mut self) -> io::Result<bool> {
        let (Some(end), true) = (self.end, self.next.is_empty()) else {
            return Ok(false);
        };
        match &mut self.current {
            Some(last) => Ok(last.stream_position()? >= end.bytes),
            None => Ok(true),
        }
    }

    /// At the end of a file: is there more to be read?
    fn go_on(&mut self) -> io::Result<bool> {
        if let Some(next) = self.next.pop_front() {
            self.line.clear();
            self.current = Some(BufReader::new(next));
            return Ok(true);
        }
        if self.end.is_some() {
            return Ok(false);
        }
        let Some(current) = &mut self.current else {
            self.next = newest_first(&self.path)?.into_iter().rev().collect();
            return Ok(!self.next.is_empty());
        };
        let own = current.get_ref().metadata()?;
        let latest = match std::fs::metadata(&self.path) {
            Ok(latest) => latest,
            // Between two names.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        if latest.ino() == own.ino() {
            let is_cut = own.len() < current.stream_position()?;
            if is_cut {
                self.line.clear();
                current.seek(SeekFrom::Start(0))?;
            }
            return Ok(is_cut);
        }
        // Written to between our end and its rotation?
        if current.read_until(b'\n', &mut self.line)? > 0 {
            return Ok(true);
        }
        for file in newest_first(&self.path)? {
            if file.metadata()?.ino() == own.ino() {
                break;
            }
            self.next.push_front(file);
        }
        Ok(!self.next.is_empty())
    }
}

/// The file that is written, and the rotated ones; each once, also when they are rotated meanwhile.
fn newest_first(path: &Path) -> io::Result<Vec<File>> {
    let mut found: Vec<(u64, File)> = Vec::new();
    let mut missing = 0;
    for number in 0.. {
        let mut name = path.as_os_str().to_owned();
        if number > 0 {
            name.push(format!(".{number}"));
        }
        let file = match File::open(&name) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound && missing < MOST_MISSING => {
                missing += 1;
                continue;
            }
            Err(error) if error.kind() == ErrorKind::NotFound => break,
            Err(error) => return Err(error),
        };
        missing = 0;
        let inode = file.metadata()?.ino();
        if found.iter().all(|(other, _)| *other != inode) {
            found.push((inode, file));
        }
    }
    Ok(found.into_iter().map(|(_, file)| file).collect())
}

/// Where the last lines begin, `wanted` at most, and how many they are.
fn last_lines(file: &mut File, wanted: usize) -> io::Result<(u64, usize)> {
    let mut end = file.metadata()?.len();
    if wanted == 0 {
        return Ok((end, 0));
    }
    let mut found = 0;
    let mut block = vec![0; BLOCK];
    while end > 0 {
        let length = usize::try_from(end).unwrap_or(BLOCK).min(BLOCK);
        let start = end - length as u64;
        file.seek(SeekFrom::Start(start))?;
        let block = block.get_mut(..length).unwrap_or_default();
        file.read_exact(block)?;
        for (position, _) in block
            .iter()
            .enumerate()
            .rev()
            .filter(|(_, byte)| **byte == b'\n')
        {
            // The newline before the line that is wanted last.
            if found == wanted {
                return Ok((start + position as u64 + 1, found));
            }
            found += 1;
        }
        end = start;
    }
    Ok((0, found))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs;
    use std::io::Write;

    use super::*;

    fn lines(range: std::ops::Range<u32>) -> String {
        range
            .map(|number| {
                format!(
                    "{{\"log\":\"{number}\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-01T00:00:00Z\"}}\n"
                )
            })
            .collect()
    }

    fn read(reader: &mut Reader) -> Vec<u32> {
        let entries = reader.batch(usize::MAX).unwrap();
        let numbers = entries.into_iter().map(|entry| {
            let chunk = entry.chunk(false);
            std::str::from_utf8(&chunk.bytes)
                .unwrap()
                .trim()
                .parse()
                .unwrap()
        });
        numbers.collect()
    }

    fn rotate(path: &Path, most: u32) {
        let name = |number: u32| PathBuf::from(format!("{}.{number}", path.display()));
        for number in (1..most - 1).rev() {
            let _absent = fs::rename(name(number), name(number + 1));
        }
        fs::rename(path, name(1)).unwrap();
    }

    fn append(path: &Path, text: &str) {
        let mut file = File::options()
            .append(true)
            .create(true)
            .open(path)
            .unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    #[test]
    fn rotated_files_come_first_and_the_tail_reaches_into_them() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        append(&path, &lines(0..3));
        rotate(&path, 5);
        append(&path, &lines(3..5));
        rotate(&path, 5);
        append(&path, &lines(5..7));
        for (tail, first) in [
            (None, 0),
            (Some(0), 7),
            (Some(1), 6),
            (Some(2), 5),
            (Some(3), 4),
            (Some(6), 1),
            (Some(7), 0),
            (Some(99), 0),
        ] {
            let found = read(&mut Reader::open(&path, tail).unwrap());
            assert_eq!(found, (first..7).collect::<Vec<_>>(), "{tail:?}");
        }
    }

    #[test]
    fn it_is_followed_across_rotations() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let mut reader = Reader::open(&path, None).unwrap();
        assert!(read(&mut reader).is_empty());
        append(&path, &lines(0..2));
        assert_eq!(read(&mut reader), [0, 1]);
        // Half a line is awaited.
        let (half, rest) = lines(2..3).split_at(9).to_owned_pair();
        append(&path, &half);
        assert!(read(&mut reader).is_empty());
        append(&path, &rest);
        assert_eq!(read(&mut reader), [2]);
        // More than once while nobody looked.
        append(&path, &lines(3..4));
        rotate(&path, 5);
        append(&path, &lines(4..5));
        rotate(&path, 5);
        append(&path, &lines(5..6));
        assert_eq!(read(&mut reader), [3, 4, 5]);
        rotate(&path, 5);
        assert!(read(&mut reader).is_empty());
        append(&path, &lines(6..7));
        assert_eq!(read(&mut reader), [6]);
    }

    #[test]
    fn nothing_is_missed_while_files_are_rotated() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let name = |number: u32| PathBuf::from(format!("{}.{number}", path.display()));
        append(&name(2), &lines(0..1));
        append(&name(1), &lines(1..2));
        append(&path, &lines(2..3));
        let whole = |stage: &str| {
            let found = read(&mut Reader::open(&path, None).unwrap());
            assert_eq!(found, [0, 1, 2], "{stage}");
        };
        whole("before");
        for (from, to) in [
            (name(2), name(3)),
            (name(1), name(2)),
            (path.clone(), name(1)),
        ] {
            fs::rename(&from, &to).unwrap();
            whole(&format!("{} renamed", from.display()));
        }
    }

    #[test]
    fn it_is_read_to_a_place_and_no_further() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let until = |end| read(&mut Reader::until(&path, end).unwrap());
        let nowhere = end_of(&path).unwrap();
        append(&path, &lines(0..2));
        assert_eq!(until(nowhere), [0; 0]);
        rotate(&path, 3);
        append(&path, &lines(2..4));
        let here = end_of(&path).unwrap();
        append(&path, &lines(4..6));
        assert_eq!(until(here), [0, 1, 2, 3]);
        // The file that it is in gets other names, then the one before it is gone, then it is gone itself. Kept
        // open, so that its number is not given to another.
        let _open = File::open(&path).unwrap();
        for expected in [&[0, 1, 2, 3][..], &[2, 3], &[]] {
            rotate(&path, 3);
            append(&path, &lines(6..8));
            assert_eq!(until(here), expected);
        }
    }

    #[test]
    fn a_file_that_is_cut_is_read_from_its_beginning() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        append(&path, &lines(0..9));
        let mut reader = Reader::open(&path, Some(1)).unwrap();
        assert_eq!(read(&mut reader), [8]);
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(0)
            .unwrap();
        append(&path, &lines(9..10));
        assert_eq!(read(&mut reader), [9]);
    }

    trait Pair {
        fn to_owned_pair(self) -> (String, String);
    }

    impl Pair for (&str, &str) {
        fn to_owned_pair(self) -> (String, String) {
            (self.0.to_owned(), self.1.to_owned())
        }
    }
}
