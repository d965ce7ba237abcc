//! The keys that leave a process to itself.

use std::str::FromStr;

/// A sequence of keys, as Docker writes it: `ctrl-p,ctrl-q`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DetachKeys {
    /// As the engine is told: keys that it looks for and this process does not would leave nobody to it.
    text: String,
    keys: Vec<u8>,
}

/// Looks for the sequence in what is typed.
#[derive(Debug)]
pub(super) struct Detector {
    keys: DetachKeys,
    /// How many of the keys were typed.
    typed: usize,
}

/// What was typed, without the keys of the sequence.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Typed {
    pub(super) bytes: Vec<u8>,
    pub(super) detach: bool,
}

impl DetachKeys {
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }
}

impl Default for DetachKeys {
    fn default() -> Self {
        const CTRL_P: u8 = 0x10;
        const CTRL_Q: u8 = 0x11;
        Self {
            text: "ctrl-p,ctrl-q".to_owned(),
            keys: vec![CTRL_P, CTRL_Q],
        }
    }
}

impl FromStr for DetachKeys {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let keys = text.split(',').map(|key| match key.as_bytes() {
            [byte] if byte.is_ascii() => Ok(*byte),
            [b'c', b't', b'r', b'l', b'-', control] => control_key(*control).ok_or_else(|| {
                format!("`{key}` is no key: ctrl- goes with a-z, @, [, \\, ], ^ and _")
            }),
            _ => Err(format!(
                "`{key}` is no key; for example `ctrl-p,ctrl-q` or `a`"
            )),
        });
        Ok(Self {
            keys: keys.collect::<Result<_, _>>()?,
            text: text.to_owned(),
        })
    }
}

fn control_key(key: u8) -> Option<u8> {
    match key {
        b'a'..=b'z' => Some(key - b'a' + 1),
        b'@' | b'['..=b'_' => Some(key - b'@'),
        _ => None,
    }
}

impl Detector {
    pub(super) fn new(keys: DetachKeys) -> Self {
        Self { keys, typed: 0 }
    }

    /// The beginning of a sequence is held back until the next key tells what it was.
    pub(super) fn filter(&mut self, input: &[u8]) -> Typed {
        let DetachKeys { keys, .. } = &self.keys;
        let mut bytes = Vec::with_capacity(input.len());
        for &byte in input {
            if keys.get(self.typed) == Some(&byte) {
                self.typed += 1;
                if self.typed == keys.len() {
                    return Typed {
                        bytes,
                        detach: true,
                    };
                }
                continue;
            }
            bytes.extend(keys.iter().take(self.typed));
            self.typed = 0;
            if keys.first() == Some(&byte) {
                self.typed = 1;
            } else {
                bytes.push(byte);
            }
        }
        Typed {
            bytes,
            detach: false,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn keys_as_docker_writes_them() {
        assert_eq!("ctrl-p,ctrl-q".parse(), Ok(DetachKeys::default()));
        let text = "a,ctrl-@,ctrl-[,ctrl-_";
        let several: DetachKeys = text.parse().unwrap();
        assert_eq!(several.keys, [b'a', 0, 27, 31]);
        assert_eq!(several.as_str(), text);
        assert!("ctrl-1".parse::<DetachKeys>().is_err());
        assert!("".parse::<DetachKeys>().is_err());
    }

    #[test]
    fn only_the_whole_sequence_detaches() {
        let typed = |bytes: &[u8], detach| Typed {
            bytes: bytes.to_vec(),
            detach,
        };
        let mut detector = Detector::new("ctrl-p,ctrl-q".parse().unwrap());
        assert_eq!(detector.filter(b"ls\x10"), typed(b"ls", false));
        assert_eq!(detector.filter(b"x"), typed(b"\x10x", false));
        assert_eq!(detector.filter(b"\x10\x10"), typed(b"\x10", false));
        assert_eq!(detector.filter(b"\x11lost"), typed(b"", true));
    }
}
