//! Names of images, as users write them and as they are kept.

use std::fmt;

use oci_spec::distribution::Reference;
use serde::{Deserialize, Serialize};

use super::ImageError;

const DEFAULT_DOMAIN: &str = "docker.io";
const OFFICIAL: &str = "library/";
const DEFAULT_TAG: &str = "latest";

/// A repository and a tag: `docker.io/library/busybox:latest` in full, `busybox:latest` for users.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name {
    repository: String,
    tag: String,
}

impl Name {
    /// With registry, repository and tag.
    #[must_use]
    pub fn full(&self) -> String {
        format!("{}:{}", self.repository, self.tag)
    }

    /// With registry, without tag.
    #[must_use]
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// As Docker shows it: without what goes without saying.
    #[must_use]
    pub fn familiar_repository(&self) -> &str {
        let rest = self.repository.strip_prefix(DEFAULT_DOMAIN);
        let Some(rest) = rest.and_then(|rest| rest.strip_prefix('/')) else {
            return &self.repository;
        };
        match rest.strip_prefix(OFFICIAL) {
            Some(official) if !official.contains('/') => official,
            _ => rest,
        }
    }

    /// The tag alone.
    #[must_use]
    pub fn tag(&self) -> &str {
        &self.tag
    }
}

/// A name as a user asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) name: Name,
    /// The user said which tag.
    pub(super) has_tag: bool,
    /// The user asked for content, besides or instead of a tag.
    pub(super) digest: Option<String>,
}

impl std::str::FromStr for Asked {
    type Err = ImageError;

    fn from_str(text: &str) -> Result<Self, ImageError> {
        let invalid = |reason: &str| ImageError::InvalidName {
            name: text.to_owned(),
            reason: reason.to_owned(),
        };
        if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(invalid(&format!(
                "invalid repository name ({text}), cannot specify 64-byte hexadecimal strings"
            )));
        }
        let reference: Reference = text.parse().map_err(|_| {
            let lower = text.to_lowercase();
            if lower != text && lower.parse::<Reference>().is_ok() {
                invalid(&format!(
                    "invalid reference format: repository name ({text}) must be lowercase"
                ))
            } else {
                invalid("invalid reference format")
            }
        })?;
        let has_tag = reference.digest().is_some() || {
            let last = text.rsplit('/').next().unwrap_or(text);
            last.contains(':')
        };
        Ok(Self {
            name: Name {
                repository: format!("{}/{}", reference.registry(), reference.repository()),
                tag: reference.tag().unwrap_or(DEFAULT_TAG).to_owned(),
            },
            has_tag,
            digest: reference.digest().map(str::to_owned),
        })
    }
}

impl std::str::FromStr for Name {
    type Err = ImageError;

    fn from_str(text: &str) -> Result<Self, ImageError> {
        let asked: Asked = text.parse()?;
        match asked.digest {
            None => Ok(asked.name),
            Some(_) => Err(ImageError::DigestAsName),
        }
    }
}

impl TryFrom<String> for Name {
    type Error = ImageError;

    fn try_from(text: String) -> Result<Self, ImageError> {
        text.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.full()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.familiar_repository(), self.tag)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_familiar_and_full() {
        for (text, full, familiar) in [
            (
                "busybox",
                "docker.io/library/busybox:latest",
                "busybox:latest",
            ),
            (
                "docker.io/busybox:1",
                "docker.io/library/busybox:1",
                "busybox:1",
            ),
            ("index.docker.io/a/b", "docker.io/a/b:latest", "a/b:latest"),
            ("localhost/x", "localhost/x:latest", "localhost/x:latest"),
            ("r:5000/x/y:z", "r:5000/x/y:z", "r:5000/x/y:z"),
            (
                "docker.io/library/a/b",
                "docker.io/library/a/b:latest",
                "library/a/b:latest",
            ),
        ] {
            let name: Name = text.parse().unwrap();
            assert_eq!(name.full(), full);
            assert_eq!(name.to_string(), familiar);
            assert_eq!(full.parse::<Name>().unwrap(), name);
        }
    }

    #[test]
    fn what_is_no_name_is_told_in_dockers_words() {
        let error = |text: &str| text.parse::<Asked>().unwrap_err().to_string();
        assert_eq!(error("a b"), "invalid reference format");
        assert_eq!(
            error("Busybox"),
            "invalid reference format: repository name (Busybox) must be lowercase"
        );
        assert!(error(&"a".repeat(64)).contains("64-byte hexadecimal"));
        assert!(!"busybox".parse::<Asked>().unwrap().has_tag);
        assert!(!"r:5000/x".parse::<Asked>().unwrap().has_tag);
        assert!("r:5000/x:y".parse::<Asked>().unwrap().has_tag);
    }

    proptest! {
        #[test]
        fn a_name_is_found_by_what_is_shown(text in "[a-z]{1,3}(\\.[a-z])?(/[a-z]{1,3}){0,2}(:[a-zA-Z0-9]{1,3})?") {
            if let Ok(name) = text.parse::<Name>() {
                prop_assert_eq!(name.to_string().parse::<Name>().unwrap(), name);
            }
        }
    }
}
