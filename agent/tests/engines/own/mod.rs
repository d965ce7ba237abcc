//! The agent as the engine: `docker`'s own command line drives it, beside a dockerd as the oracle.

mod alike;
mod files;
mod networks;
mod side;
mod stats;
mod survives;
