//! What had to give.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Something asked for that this host cannot give, and what is given instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "warning")]
pub enum Warning {
    /// Whoever starts the workload has not got them itself.
    Capabilities { left_out: Vec<String> },
    /// Raising a hard limit takes CAP_SYS_RESOURCE.
    Rlimit {
        name: String,
        asked: u64,
        given: u64,
    },
    /// Lowering the score takes CAP_SYS_RESOURCE.
    OomScore { asked: i32, given: i32 },
    /// Its cgroups are shown read-only.
    CgroupMount,
    /// cgroup v2 has no such switch.
    OomKillerStays,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Capabilities { left_out } => write!(
                f,
                "capabilities left out, because they are not held here: {}",
                left_out.join(" ")
            ),
            Self::Rlimit { name, asked, given } => write!(
                f,
                "{name} is {given} instead of {asked}: raising it takes CAP_SYS_RESOURCE, which is \
                 not held here"
            ),
            Self::OomScore { asked, given } => write!(
                f,
                "oom_score_adj is {given} instead of {asked}: lowering it takes CAP_SYS_RESOURCE, \
                 which is not held here"
            ),
            Self::CgroupMount => f.write_str(
                "the cgroup mount is read-only: on cgroup v1 a workload that can write it can lift \
                 its own limits",
            ),
            Self::OomKillerStays => {
                f.write_str("the OOM killer stays enabled: cgroup v2 cannot disable it")
            }
        }
    }
}
