//! The configuration: one TOML file, every key with a default. A leaf room.

mod schema;

pub use schema::{
    AgentConfig, AttributionConfig, Config, ContainersConfig, LogConfig, LogFormat, LogLevel,
    MetricsConfig, ProbesConfig,
};
