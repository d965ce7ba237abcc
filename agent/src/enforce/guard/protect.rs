//! What the operator protects.

use globset::{Glob, GlobBuilder, GlobMatcher};

use crate::identity::Identity;

/// The label that protects a container without any list.
const LABEL: (&str, &str) = ("agent.protect", "true");

/// A list of what is never touched: `[protect]` of the policy file. The default protects what has
/// the label `agent.protect="true"`.
#[derive(Clone, Debug)]
pub struct Protect {
    cgroups: Vec<GlobMatcher>,
    names: Vec<GlobMatcher>,
    labels: Vec<(String, String)>,
}

/// A pattern that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("`{pattern}` is no pattern")]
pub struct PatternError {
    pub pattern: String,
    pub source: globset::Error,
}

impl Default for Protect {
    fn default() -> Self {
        let (key, value) = LABEL;
        Self {
            cgroups: Vec::new(),
            names: Vec::new(),
            labels: vec![(key.to_owned(), value.to_owned())],
        }
    }
}

impl Protect {
    /// From patterns and labels, beside the default. A pattern that begins with `/` is for cgroup
    /// paths (`*` stays within a name, `**` does not), any other for names of units and containers.
    /// `self` and `ancestors-of-self` are always protected; as patterns they are nothing.
    ///
    /// # Errors
    /// The first pattern that cannot be read.
    pub fn new<'a>(
        patterns: impl IntoIterator<Item = &'a str>,
        labels: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, PatternError> {
        let mut protect = Self::default();
        for pattern in patterns {
            match pattern {
                "self" | "ancestors-of-self" => {}
                path if path.starts_with('/') => protect.cgroups.push(glob(path)?),
                name => protect.names.push(glob(name)?),
            }
        }
        protect.labels.extend(labels);
        Ok(protect)
    }

    /// The pattern or label that protects this cgroup, if one does.
    #[must_use]
    pub fn lists(&self, path: &str, identity: &Identity) -> Option<String> {
        let last = path.rsplit('/').next().unwrap_or_default();
        let names = [Some(last), identity.name.as_deref(), identity.pod.as_deref()];
        let by_path = self.cgroups.iter().find(|glob| glob.is_match(path));
        let by_name = || {
            let mut globs = self.names.iter();
            globs.find(|glob| names.iter().flatten().any(|name| glob.is_match(name)))
        };
        let by_label = || {
            let mut labels = self.labels.iter();
            labels.find(|(key, value)| identity.labels.get(key) == Some(value))
        };
        by_path
            .or_else(by_name)
            .map(|glob| glob.glob().glob().to_owned())
            .or_else(|| by_label().map(|(key, value)| format!("{key}={value}")))
    }
}

fn glob(pattern: &str) -> Result<GlobMatcher, PatternError> {
    GlobBuilder::new(pattern)
        .literal_separator(true)
        .build()
        .map(|glob: Glob| glob.compile_matcher())
        .map_err(|source| PatternError {
            pattern: pattern.to_owned(),
            source,
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn lists(protect: &Protect, path: &str, name: Option<&str>) -> Option<String> {
        let identity = Identity {
            name: name.map(str::to_owned),
            ..Identity::default()
        };
        protect.lists(path, &identity)
    }

    #[test]
    fn patterns_are_for_paths_or_names() {
        let protect = Protect::new(["/batch/**", "/top/*", "db-?", "self"], []).unwrap();
        let by = |path: &str, name| lists(&protect, path, name);
        assert_eq!(by("/batch/a/b", None).as_deref(), Some("/batch/**"));
        assert_eq!(by("/batch", None), None);
        assert_eq!(by("/top/a", None).as_deref(), Some("/top/*"));
        assert_eq!(by("/top/a/b", None), None);
        assert_eq!(by("/docker/1", Some("db-1")).as_deref(), Some("db-?"));
        assert_eq!(by("/slice/db-2", None).as_deref(), Some("db-?"));
        assert_eq!(by("/self", None), None);
    }

    #[test]
    fn the_label_protects_without_a_list() {
        let mut identity = Identity::default();
        let protect = Protect::default();
        assert_eq!(protect.lists("/x", &identity), None);
        identity
            .labels
            .insert("agent.protect".into(), "true".into());
        let by = protect.lists("/x", &identity);
        assert_eq!(by.as_deref(), Some("agent.protect=true"));
    }

    #[test]
    fn a_bad_pattern_is_named() {
        let error = Protect::new(["a[", "b"], []).unwrap_err();
        assert_eq!(error.pattern, "a[");
    }
}
