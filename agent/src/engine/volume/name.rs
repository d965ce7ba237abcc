//! Names of volumes: they are names of directories.

use std::fmt;

use super::VolumeError;

/// The longest file name of Linux's file systems.
const LONGEST: usize = 255;

/// A volume's name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VolumeName(String);

impl VolumeName {
    /// One that nobody chose: 32 random bytes, as Docker does.
    #[must_use]
    pub fn anonymous() -> Self {
        let mut bytes = [0; 32];
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let flags = rustix::rand::GetRandomFlags::empty();
            // Only a signal may interrupt it, and only before the pool is ready.
            filled += rustix::rand::getrandom(rest, flags).unwrap_or(0);
        }
        Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As anonymous ones are.
    #[must_use]
    pub fn is_hexadecimal(&self) -> bool {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        self.0.len() == 64 && self.0.bytes().all(is_digit)
    }
}

impl std::str::FromStr for VolumeName {
    type Err = VolumeError;

    fn from_str(name: &str) -> Result<Self, VolumeError> {
        if name.len() == 1 {
            return Err(VolumeError::ShortName(name.to_owned()));
        }
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        let starts = name
            .bytes()
            .next()
            .is_some_and(|b| b.is_ascii_alphanumeric());
        if starts && name.len() <= LONGEST && name.bytes().all(is_allowed) {
            Ok(Self(name.to_owned()))
        } else {
            Err(VolumeError::InvalidName(name.to_owned()))
        }
    }
}

impl fmt::Display for VolumeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn anonymous_names_are_names_and_differ() {
        let name = VolumeName::anonymous();
        assert!(name.is_hexadecimal());
        assert_eq!(name.as_str().parse::<VolumeName>().unwrap(), name);
        assert_ne!(name, VolumeName::anonymous());
    }

    proptest! {
        #[test]
        fn a_name_stays_in_its_directory(text in "[./a-z\\x00 ]{0,6}") {
            if let Ok(name) = text.parse::<VolumeName>() {
                let path = std::path::Path::new("/v").join(name.as_str());
                prop_assert_eq!(path.parent(), Some(std::path::Path::new("/v")));
                prop_assert_eq!(path.components().count(), 3);
            }
        }
    }
}
