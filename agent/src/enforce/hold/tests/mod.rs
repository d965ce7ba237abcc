//! Claims over a made-up kernel.
#![allow(clippy::unwrap_used)]

mod claims;
mod foreign;
mod originals;
mod property;
mod time;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::SystemTime;

use proptest::prelude::*;

use super::world::{Killed, UNLIMITED, World};
use super::*;
use crate::cgroup::{HierarchyId, Knob, Placement, Quota, Setting};
use crate::enforce::claims::Thing;
use crate::policy::{Claimant, OnConflict, Restore};

const MIB: u64 = 1 << 20;

fn hold(world: &World, directory: &Path) -> Hold<World> {
    Hold::new(world.clone(), directory.to_owned())
}

fn owner(world: &World, id: u64) -> Arc<Owner> {
    let placement = Placement {
        paths: [(HierarchyId::V2, format!("/{id}"))].into(),
    };
    let mut hands = world.clone();
    Arc::new(hands.owner(&format!("/{id}").into(), &"web".into(), &placement))
}

/// In memory: what is tested is not the disk.
fn directory() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let below = if memory.is_dir() {
        memory.to_owned()
    } else {
        std::env::temp_dir()
    };
    tempfile::tempdir_in(below).unwrap()
}

fn policy(name: &str, priority: i32) -> Claimant {
    Claimant::Policy {
        policy: name.into(),
        rule: None,
        priority,
    }
}

fn claimed(claimant: Claimant, setting: Setting, action: u64) -> Claimed {
    Claimed {
        claimant,
        value: Value::Setting(setting),
        action,
        since: SystemTime::UNIX_EPOCH,
        until: None,
        on_conflict: OnConflict::Yield,
        restore: Restore::OnExit,
    }
}

fn claim(
    hold: &mut Hold<World>,
    id: u64,
    claimant: Claimant,
    setting: Setting,
) -> Result<Effect, HoldError> {
    let owner = owner(&hold.hands, id);
    let slot = hold.hands.slot(&owner, Thing::Knob(setting.knob()))?;
    let action = hold.number();
    hold.claim(&owner, slot, claimed(claimant, setting, action))
}

fn let_go(hold: &mut Hold<World>, name: &str) -> Vec<GivenBack> {
    hold.release(
        |_, claim| matches!(&claim.claimant, Claimant::Policy { policy, .. } if &**policy == name),
    )
}

fn max(bytes: u64) -> Setting {
    Setting::MemoryMax(Some(bytes))
}

fn cpu(quota_us: u64) -> Setting {
    Setting::CpuMax(Quota {
        quota_us: Some(quota_us),
        period_us: 100_000,
    })
}

fn value(setting: Setting) -> Value {
    Value::Setting(setting)
}
