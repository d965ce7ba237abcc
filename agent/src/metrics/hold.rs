//! What holds, as metrics see it.

use std::sync::Arc;

use tokio::sync::watch;

use crate::enforce::audit::{self, Audit};
use crate::{enforce, policy};

/// Where to look.
#[derive(Clone, Debug)]
pub struct HoldSources {
    pub policy: watch::Receiver<Arc<policy::Status>>,
    pub enforce: watch::Receiver<Arc<enforce::Status>>,
    pub audit: Audit,
}

/// What was seen.
pub(crate) struct HoldReading {
    pub(crate) policy: Arc<policy::Status>,
    pub(crate) enforce: Arc<enforce::Status>,
    pub(crate) audit: audit::Status,
}

impl HoldSources {
    pub(crate) fn read(&self) -> HoldReading {
        HoldReading {
            policy: Arc::clone(&self.policy.borrow()),
            enforce: Arc::clone(&self.enforce.borrow()),
            audit: self.audit.status(),
        }
    }
}
