//! What holds: the enforcer and the policies, and the file they come from.

use std::path::PathBuf;
use std::sync::Arc;

use crate::enforce;
use crate::policy::{self, HandleError, PolicyErrors, PolicySet};

/// The policies in force and who carries them out.
#[derive(Clone, Debug)]
pub struct Hold {
    pub enforce: enforce::Handle,
    pub policy: policy::Handle,
    /// The policy file; empty: there is none.
    pub file: PathBuf,
}

/// Why the policies were not reloaded.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    #[error(transparent)]
    File(#[from] PolicyErrors),
    #[error(transparent)]
    Enforce(#[from] enforce::Ended),
    #[error(transparent)]
    Policy(#[from] HandleError),
}

impl Hold {
    /// Reads the file again. One with problems changes nothing.
    ///
    /// # Errors
    /// See [`ReloadError`].
    pub async fn reload(&self) -> Result<(), ReloadError> {
        let set = policies_of(&self.file)?;
        // Protection first: nothing of the new policies is done under the old one.
        self.enforce.set_protect(set.protect.clone()).await?;
        self.policy.reload(Arc::new(set)).await?;
        Ok(())
    }
}

/// The policies of a file; none, when it is absent or its path empty.
///
/// # Errors
/// Every problem of the file.
pub fn policies_of(file: &std::path::Path) -> Result<PolicySet, PolicyErrors> {
    if file.as_os_str().is_empty() || !file.exists() {
        return Ok(PolicySet::default());
    }
    policy::load(file)
}
