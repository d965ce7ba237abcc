//! Extended headers of POSIX archives: `LENGTH KEY=VALUE\n`, where the value may be any bytes.

use rustix::fs::Timespec;

/// How `star`, GNU tar and Go name an extended attribute.
const XATTR: &str = "SCHILY.xattr.";

/// One line of an extended header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record<'a> {
    pub(super) key: &'a [u8],
    pub(super) value: &'a [u8],
}

/// `None`: it is malformed.
pub(super) fn parse(mut text: &[u8]) -> Option<Vec<Record<'_>>> {
    let mut records = Vec::new();
    while !text.is_empty() {
        let space = text.iter().position(|byte| *byte == b' ')?;
        let length = usize::try_from(number(text.get(..space)?)?).ok()?;
        let (line, rest) = text.split_at_checked(length)?;
        let (end, line) = line.get(space + 1..)?.split_last()?;
        let equals = line.iter().position(|byte| *byte == b'=')?;
        if *end != b'\n' {
            return None;
        }
        records.push(Record {
            key: line.get(..equals)?,
            value: line.get(equals + 1..)?,
        });
        text = rest;
    }
    Some(records)
}

/// A decimal number.
pub(super) fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Seconds since 1970 with a fraction.
pub(super) fn time(text: &[u8]) -> Option<Timespec> {
    let text = std::str::from_utf8(text).ok()?;
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits: String = fraction
        .chars()
        .chain("000000000".chars())
        .take(9)
        .collect();
    let mut time = Timespec {
        tv_sec: seconds.parse().ok()?,
        tv_nsec: digits.parse().ok()?,
    };
    // The fraction goes further from 0, the kernel's nanoseconds go up.
    if seconds.starts_with('-') && time.tv_nsec > 0 {
        time.tv_sec = time.tv_sec.checked_sub(1)?;
        time.tv_nsec = 1_000_000_000 - time.tv_nsec;
    }
    Some(time)
}

/// Extended attributes among them; `None`: one has a name that is no text.
pub(super) fn xattrs(records: &[Record<'_>]) -> Option<Vec<(String, Vec<u8>)>> {
    let named = records.iter().filter_map(|record| {
        let name = record.key.strip_prefix(XATTR.as_bytes())?;
        Some((name, record.value))
    });
    named
        .map(|(name, value)| Some((String::from_utf8(name.to_vec()).ok()?, value.to_vec())))
        .collect()
}

/// The key of an extended attribute.
pub(super) fn xattr_key(name: &str) -> String {
    format!("{XATTR}{name}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    /// A line; its length counts its own digits.
    fn write(out: &mut Vec<u8>, key: &str, value: &[u8]) {
        let rest = key.len() + value.len() + 3;
        let mut length = rest + 1;
        while length != rest + length.to_string().len() {
            length = rest + length.to_string().len();
        }
        out.extend_from_slice(format!("{length} {key}=").as_bytes());
        out.extend_from_slice(value);
        out.push(b'\n');
    }

    #[test]
    fn times_before_1970_go_up() {
        let time = time(b"-1.25").unwrap();
        assert_eq!((time.tv_sec, time.tv_nsec), (-2, 750_000_000));
    }

    #[test]
    fn times_are_cut_to_nanoseconds() {
        let cut = time(b"1700000000.1234567899").unwrap();
        assert_eq!((cut.tv_sec, cut.tv_nsec), (1_700_000_000, 123_456_789));
        assert!(time(b"1.-5").is_none());
        assert!(time(b"").is_none());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(lines in proptest::collection::vec(
            ("[a-zA-Z.]{1,120}", proptest::collection::vec(any::<u8>(), 0..120)), 0..4,
        )) {
            let mut text = Vec::new();
            for (key, value) in &lines {
                write(&mut text, key, value);
            }
            let records = parse(&text).unwrap();
            let read: Vec<_> = records.iter().map(|r| (r.key, r.value)).collect();
            let written: Vec<_> = lines.iter().map(|(k, v)| (k.as_bytes(), &v[..])).collect();
            prop_assert_eq!(read, written);
        }

        #[test]
        fn any_bytes_are_read_or_refused(text in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _either = parse(&text);
        }
    }
}
