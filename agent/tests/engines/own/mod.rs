//! The agent as the engine: `docker`'s own command line drives it, beside a dockerd as the oracle.

mod alike;
mod copies;
mod endpoints;
mod events;
mod fields;
mod files;
mod held;
mod images;
mod isolation;
mod networks;
mod ours;
mod side;
mod stats;
mod survives;
mod terminal;

pub(crate) use side::Side;
