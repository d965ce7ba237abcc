//! Keys by which somebody at a terminal leaves it.

use super::refusal::Refused;

const DEFAULT: &str = "ctrl-p,ctrl-q";

/// Looks for the keys in what comes in pieces.
#[derive(Clone, Debug)]
pub(super) struct DetachKeys {
    keys: Vec<u8>,
    /// So many of them came last.
    met: usize,
}

impl DetachKeys {
    /// Keys by commas: a character, or `ctrl-` and one of `a-z@[\]^_`.
    pub(super) fn parse(text: Option<&str>) -> Result<Self, Refused> {
        let text = text.filter(|text| !text.is_empty()).unwrap_or(DEFAULT);
        let keys = text.split(',').map(key).collect::<Option<_>>();
        let keys = keys.ok_or_else(|| {
            Refused::bad_request(format!("invalid detach keys ({text}) provided"))
        })?;
        Ok(Self { keys, met: 0 })
    }

    /// What of the piece is input, and whether the keys ended it. Keys that may be the beginning are
    /// kept back until that is known.
    pub(super) fn pass(&mut self, piece: &[u8]) -> (Vec<u8>, bool) {
        let mut input = Vec::with_capacity(piece.len());
        for &byte in piece {
            if self.keys.get(self.met) == Some(&byte) {
                self.met += 1;
                if self.met == self.keys.len() {
                    return (input, true);
                }
                continue;
            }
            input.extend_from_slice(self.keys.get(..self.met).unwrap_or_default());
            self.met = 0;
            if self.keys.first() == Some(&byte) {
                self.met = 1;
            } else {
                input.push(byte);
            }
        }
        (input, false)
    }
}

fn key(text: &str) -> Option<u8> {
    let byte = |text: &str| match text.as_bytes() {
        [byte] => Some(*byte),
        _ => None,
    };
    match text.strip_prefix("ctrl-") {
        Some(letter) => match byte(letter)? {
            letter @ (b'a'..=b'z') => Some(letter - b'a' + 1),
            letter @ (b'@' | b'['..=b'_') => Some(letter - b'@'),
            _ => None,
        },
        None => byte(text),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_default_is_dockers() {
        let mut keys = DetachKeys::parse(None).unwrap();
        assert_eq!(keys.pass(b"ab\x10"), (b"ab".to_vec(), false));
        assert_eq!(keys.pass(b"\x11cd"), (Vec::new(), true));
    }

    #[test]
    fn a_beginning_that_goes_on_otherwise_is_input() {
        let mut keys = DetachKeys::parse(Some("ctrl-a,x")).unwrap();
        assert_eq!(keys.pass(b"\x01"), (Vec::new(), false));
        assert_eq!(keys.pass(b"\x01y"), (b"\x01\x01y".to_vec(), false));
        assert_eq!(keys.pass(b"\x01x"), (Vec::new(), true));
    }

    #[test]
    fn wrong_keys_are_refused() {
        for text in ["ctrl-", "ctrl-1", "ab", "a,,b"] {
            assert!(DetachKeys::parse(Some(text)).is_err(), "{text}");
        }
    }
}
