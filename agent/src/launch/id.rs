//! Names of workloads on disk.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A file name is at most this long on all file systems that a state directory may be on.
const LONGEST: usize = 255;

/// A workload's id: the name of its state directory, so it cannot lead out of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Id(String);

/// Why a text is no id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid id {id:?}: {reason}")]
pub struct InvalidId {
    id: String,
    reason: &'static str,
}

impl Id {
    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The characters that runc allows.
fn is_allowed(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'+' | b'-' | b'.')
}

impl TryFrom<String> for Id {
    type Error = InvalidId;

    fn try_from(id: String) -> Result<Self, InvalidId> {
        let reason = if id.is_empty() {
            "it is empty"
        } else if id == "." || id == ".." {
            "it names a directory"
        } else if id.len() > LONGEST {
            "it is longer than a file name may be"
        } else if !id.bytes().all(is_allowed) {
            "only letters, digits and _ + - . may be in it"
        } else {
            return Ok(Self(id));
        };
        Err(InvalidId { id, reason })
    }
}

impl std::str::FromStr for Id {
    type Err = InvalidId;

    fn from_str(id: &str) -> Result<Self, InvalidId> {
        id.to_owned().try_into()
    }
}

impl From<Id> for String {
    fn from(id: Id) -> Self {
        id.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn engines_ids_are_ids() {
        for id in ["a", "web.1", "k8s_POD-x+1", &"f".repeat(64)] {
            assert_eq!(id.parse::<Id>().unwrap().as_str(), id);
        }
    }

    proptest! {
        #[test]
        fn an_id_stays_in_its_directory(text in "[./a-z\\x00 ]{0,6}") {
            if let Ok(id) = text.parse::<Id>() {
                let path = std::path::Path::new("/run/x").join(id.as_str());
                prop_assert_eq!(path.parent(), Some(std::path::Path::new("/run/x")));
                prop_assert_eq!(path.components().count(), 4);
            }
        }
    }
}
