//! Why an order was not carried out.

use super::Outcome;
use super::guard::{NoGain, Protected, Spent};
use super::hands::{HandError, in_one_line};
use super::hold::HoldError;

/// The reason, and its class for the counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) class: Class,
    pub(crate) reason: String,
}

/// Classes of reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Protected,
    Budget,
    NoGain,
    NotEnforceable,
    /// The kernel would refuse it, or kill for it.
    Harmful,
    Journal,
    Guardian,
    /// The order makes no sense.
    Invalid,
    /// No refusal: it was tried, or could not be.
    Failed,
}

impl Class {
    /// As in metrics.
    pub(crate) const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::Protected => "protected",
            Self::Budget => "budget",
            Self::NoGain => "no_gain",
            Self::NotEnforceable => "not_enforceable",
            Self::Harmful => "harmful",
            Self::Journal => "journal",
            Self::Guardian => "guardian",
            Self::Invalid => "invalid",
            Self::Failed => return None,
        })
    }

    /// May the same order be carried out a little later?
    pub(crate) const fn may_pass(self) -> bool {
        match self {
            Self::Budget | Self::NoGain | Self::Journal | Self::Guardian => true,
            Self::Protected
            | Self::NotEnforceable
            | Self::Harmful
            | Self::Invalid
            | Self::Failed => false,
        }
    }
}

impl Refusal {
    #[allow(clippy::needless_pass_by_value)] // Texts and errors alike, owned or not.
    pub(crate) fn new(class: Class, reason: impl ToString) -> Self {
        Self {
            class,
            reason: reason.to_string(),
        }
    }

    pub(crate) fn outcome(&self) -> Outcome {
        match self.class {
            Class::Failed => Outcome::Failed(self.reason.clone()),
            _ => Outcome::Refused(self.reason.clone()),
        }
    }
}

impl From<Protected> for Refusal {
    fn from(protected: Protected) -> Self {
        Self::new(Class::Protected, protected)
    }
}

impl From<Spent> for Refusal {
    fn from(spent: Spent) -> Self {
        Self::new(Class::Budget, spent)
    }
}

impl From<NoGain> for Refusal {
    fn from(no_gain: NoGain) -> Self {
        Self::new(Class::NoGain, no_gain)
    }
}

impl From<HandError> for Refusal {
    fn from(error: HandError) -> Self {
        let class = match &error {
            HandError::NotEnforceable(_) => Class::NotEnforceable,
            HandError::Refused(_) => Class::Harmful,
            HandError::Gone | HandError::Foreign(_) | HandError::Failed(_) => Class::Failed,
        };
        Self::new(class, error)
    }
}

impl From<HoldError> for Refusal {
    fn from(error: HoldError) -> Self {
        match error {
            HoldError::Hand(error) => error.into(),
            HoldError::Journal(_) => Self::new(Class::Journal, in_one_line(&error)),
        }
    }
}
