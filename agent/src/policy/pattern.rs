//! A glob that knows how it was written.

use std::fmt;
use std::str::FromStr;

use globset::{GlobBuilder, GlobMatcher};
use serde::{Deserialize, Serialize};

/// Bytes that mean something in a glob.
const SPECIAL: [char; 4] = ['*', '?', '[', '{'];

/// `*` any text, `?` one character, `[a-z]` one of them, `{a,b}` one of these; a backslash is a
/// backslash, for systemd has them in names. In paths `*` and `?` stay within a segment, and `**` is
/// any number of segments.
#[derive(Clone, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Pattern {
    text: String,
    matcher: GlobMatcher,
}

impl Pattern {
    /// Whether it is one name rather than many.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        !self.text.contains(SPECIAL)
    }

    /// As written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it matches.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.matcher.is_match(text)
    }

    /// Whether some text could match both. `false` is certain; two globs that differ only further on
    /// are taken to overlap.
    #[must_use]
    pub fn may_overlap(&self, other: &Self) -> bool {
        match (self.is_literal(), other.is_literal()) {
            (true, _) => other.matches(&self.text),
            (_, true) => self.matches(&other.text),
            (false, false) => {
                let (one, another) = (self.fixed_start(), other.fixed_start());
                one.starts_with(another) || another.starts_with(one)
            }
        }
    }

    fn fixed_start(&self) -> &str {
        let end = self.text.find(SPECIAL).unwrap_or(self.text.len());
        // `/a/**` has `/a` for a start too, but globset wants the separator.
        self.text.get(..end).unwrap_or_default()
    }
}

impl FromStr for Pattern {
    type Err = globset::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let glob = GlobBuilder::new(text)
            .literal_separator(text.starts_with('/'))
            .backslash_escape(false)
            .build()?;
        Ok(Self {
            text: text.to_owned(),
            matcher: glob.compile_matcher(),
        })
    }
}

impl TryFrom<String> for Pattern {
    type Error = globset::Error;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.text
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
