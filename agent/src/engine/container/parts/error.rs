//! Errors of the other parts, by what they are to whoever asked.

use std::error::Error;

use crate::engine::container::{EngineError, ErrorKind};
use crate::engine::image::ImageError;
use crate::engine::network::NetworkError;
use crate::engine::rootfs::RootfsError;
use crate::engine::spec::SpecError;
use crate::engine::volume::VolumeError;

fn part(kind: ErrorKind, error: &dyn Error) -> EngineError {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    EngineError::Part { kind, text }
}

impl From<ImageError> for EngineError {
    fn from(error: ImageError) -> Self {
        let kind = match &error {
            ImageError::NotFound(_) => ErrorKind::NotFound,
            ImageError::InvalidName { .. } | ImageError::DigestAsName => ErrorKind::BadParameter,
            ImageError::NameInUse { .. }
            | ImageError::Running { .. }
            | ImageError::Stopped { .. }
            | ImageError::ManyNames { .. } => ErrorKind::Conflict,
            _ => ErrorKind::System,
        };
        part(kind, &error)
    }
}

impl From<NetworkError> for EngineError {
    fn from(error: NetworkError) -> Self {
        let kind = match &error {
            NetworkError::NotFound(_) => ErrorKind::NotFound,
            NetworkError::NameTaken(_)
            | NetworkError::InUse { .. }
            | NetworkError::AlreadyAttached { .. } => ErrorKind::Conflict,
            NetworkError::Ambiguous { .. }
            | NetworkError::Config(_)
            | NetworkError::AddressOutside { .. }
            | NetworkError::PortSyntax(..) => ErrorKind::BadParameter,
            _ => ErrorKind::System,
        };
        part(kind, &error)
    }
}

impl From<VolumeError> for EngineError {
    fn from(error: VolumeError) -> Self {
        let kind = match &error {
            VolumeError::NotFound(_) => ErrorKind::NotFound,
            VolumeError::InUse { .. } | VolumeError::Exists { .. } => ErrorKind::Conflict,
            VolumeError::InvalidName(_)
            | VolumeError::ShortName(_)
            | VolumeError::Driver(_)
            | VolumeError::Option { .. } => ErrorKind::BadParameter,
            VolumeError::Io { .. } | VolumeError::Populate { .. } => ErrorKind::System,
        };
        part(kind, &error)
    }
}

impl From<RootfsError> for EngineError {
    fn from(error: RootfsError) -> Self {
        let kind = match &error {
            RootfsError::NoSuchFile { .. } => ErrorKind::NotFound,
            RootfsError::NotADirectory => ErrorKind::BadParameter,
            _ => ErrorKind::System,
        };
        part(kind, &error)
    }
}

impl From<SpecError> for EngineError {
    fn from(error: SpecError) -> Self {
        let kind = if error.is_refusal() {
            ErrorKind::BadParameter
        } else {
            ErrorKind::System
        };
        part(kind, &error)
    }
}
