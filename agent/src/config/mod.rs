//! The configuration: one TOML file, every key with a default. A leaf room.
//!
//! In: the file. Out: a [`Config`] that is valid as a whole, or every problem at once; what a reload
//! cannot change; the reference of all keys. Must not know who uses a value.

mod error;
mod keys;
mod limits;
mod load;
mod reference;
mod reload;
mod schema;

pub use error::{ConfigErrors, Problem};
pub(crate) use load::did_you_mean;
pub use load::{DEFAULT_PATH, Source, load, parse};
pub use reference::reference_markdown;
pub use reload::changes_needing_restart;
pub use schema::{
    AgentConfig, AttributionConfig, AuditConfig, Config, ContainersConfig, EnforceConfig,
    EnforceMode, EngineConfig, LogConfig, LogFormat, LogLevel, MetricsConfig, PolicyConfig,
    ProbesConfig,
};
