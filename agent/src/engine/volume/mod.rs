//! Volumes: directories that outlive the containers that write in them.
//!
//! In: what the Docker Engine API calls a volume's configuration. Out: a directory to bind, filled from
//! the image at its first use. Only the `local` driver, without options: others are refused by name. Who
//! uses a volume, the caller knows.

mod error;
mod name;
mod populate;
mod record;
mod volumes;

pub use error::VolumeError;
pub use name::VolumeName;
pub use volumes::Volumes;
