//! Volumes: directories that outlive the containers that write in them.
//!
//! In: what the Docker Engine API calls a volume's configuration. Out: a directory to bind, filled once, from the image
//! of a container that is created with it. Only the `local` driver, without options: others are refused by name. Who uses
//! a volume, the caller knows.

mod error;
mod name;
mod populate;
mod record;
mod volumes;

pub use error::VolumeError;
pub use name::VolumeName;
pub use volumes::{ANONYMOUS, Volumes};
