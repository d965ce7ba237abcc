//! What an outcome is called.

use crate::enforce::Outcome;

impl Outcome {
    /// Every name, as in JSON's `outcome` and in filters.
    pub const NAMES: [&str; 7] = [
        "done", "dry_run", "refused", "failed", "deferred", "yielded", "restored",
    ];

    /// The name of this one.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::DryRun => "dry_run",
            Self::Refused(_) => "refused",
            Self::Failed(_) => "failed",
            Self::Deferred(_) => "deferred",
            Self::Yielded(_) => "yielded",
            Self::Restored => "restored",
        }
    }

    /// Why, where there is something to explain.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Refused(reason)
            | Self::Failed(reason)
            | Self::Deferred(reason)
            | Self::Yielded(reason) => Some(reason),
            Self::Done | Self::DryRun | Self::Restored => None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn names_are_those_of_json() {
        let reason = || String::from("x");
        let all = [
            Outcome::Done,
            Outcome::DryRun,
            Outcome::Refused(reason()),
            Outcome::Failed(reason()),
            Outcome::Deferred(reason()),
            Outcome::Yielded(reason()),
            Outcome::Restored,
        ];
        assert_eq!(all.len(), Outcome::NAMES.len());
        for (outcome, name) in all.iter().zip(Outcome::NAMES) {
            let json = serde_json::to_value(outcome).unwrap();
            assert_eq!(outcome.name(), name);
            assert_eq!(json["outcome"], name);
            assert_eq!(json["reason"].as_str(), outcome.reason());
        }
    }
}
