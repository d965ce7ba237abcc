//! The two text formats: Prometheus text 0.0.4 and OpenMetrics 1.0, byte by byte.
//!
//! In: families and values. Out: chunks of text. Knows no workload and no source.

mod escape;
mod number;
mod writer;

pub(crate) use escape::{push_label, sanitise_label_name};
pub(crate) use number::Value;
pub(crate) use writer::{Exposition, Format, Head};
