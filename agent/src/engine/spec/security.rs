//! `--security-opt`.

use std::path::Path;

use bollard::models::HostConfig;

use super::SpecError;
use super::error::{refuse, unsupported};

const APPARMOR: &str = "/sys/module/apparmor/parameters/enabled";
const SELINUX: &str = "/sys/fs/selinux/enforce";

/// What a configuration asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Security {
    pub(super) no_new_privileges: bool,
    pub(super) seccomp: Seccomp,
    pub(super) apparmor: Option<String>,
    pub(super) selinux: bool,
}

/// Which system calls are filtered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Seccomp {
    /// Docker's default; none for a privileged container.
    #[default]
    Default,
    Unconfined,
    /// A profile, as JSON.
    Profile(String),
}

impl Security {
    pub(super) fn of(host: &HostConfig) -> Result<Self, SpecError> {
        let mut security = Self::default();
        for option in host.security_opt.iter().flatten() {
            security.add(option)?;
        }
        if security.seccomp == Seccomp::Default && host.privileged == Some(true) {
            security.seccomp = Seccomp::Unconfined;
        }
        Ok(security)
    }

    fn add(&mut self, option: &str) -> Result<(), SpecError> {
        match option {
            "no-new-privileges" => {
                self.no_new_privileges = true;
                return Ok(());
            }
            "disable" => return Ok(()),
            _ => {}
        }
        // The colon is the old form.
        let Some((key, value)) = option.split_once('=').or_else(|| option.split_once(':')) else {
            return refuse(format!("invalid --security-opt 1: {option:?}"));
        };
        match key {
            "no-new-privileges" => {
                self.no_new_privileges = match value {
                    "true" | "1" | "t" | "T" | "TRUE" | "True" => true,
                    "false" | "0" | "f" | "F" | "FALSE" | "False" => false,
                    _ => return refuse(format!("invalid --security-opt 2: {option:?}")),
                };
            }
            "seccomp" => {
                self.seccomp = match value {
                    "unconfined" => Seccomp::Unconfined,
                    "builtin" => Seccomp::Default,
                    profile => Seccomp::Profile(profile.to_owned()),
                };
            }
            "apparmor" => self.apparmor = Some(value.to_owned()),
            "label" => self.selinux |= value != "disable",
            _ => return refuse(format!("invalid --security-opt 2: {option:?}")),
        }
        Ok(())
    }

    /// The profile to be entered, if this host has AppArmor at all. What was asked for to confine and
    /// cannot be had is refused, not left out.
    pub(super) fn apparmor_profile(&self) -> Result<Option<String>, SpecError> {
        let Some(name) = self.apparmor.as_deref() else {
            return Ok(None);
        };
        let enabled = std::fs::read_to_string(APPARMOR).is_ok_and(|text| text.starts_with('Y'));
        match name {
            "unconfined" if !enabled => Ok(None),
            _ if enabled => Ok(Some(name.to_owned())),
            _ => unsupported(
                format!("--security-opt apparmor={name}"),
                "AppArmor is not enabled in this kernel",
            ),
        }
    }

    /// What is not said in vain.
    pub(super) fn warn(&self, warnings: &mut Vec<String>) {
        if !self.selinux {
            return;
        }
        let why = if Path::new(SELINUX).exists() {
            "SELinux labels are not set"
        } else {
            "SELinux is not enabled in this kernel"
        };
        warnings.push(format!("--security-opt label= has no effect: {why}"));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn security(privileged: bool, options: &[&str]) -> Result<Security, String> {
        let host = HostConfig {
            privileged: Some(privileged),
            security_opt: Some(options.iter().map(|&one| one.to_owned()).collect()),
            ..Default::default()
        };
        Security::of(&host).map_err(|error| error.to_string())
    }

    #[test]
    fn options_have_both_of_dockers_forms() {
        for option in [
            "no-new-privileges",
            "no-new-privileges=true",
            "no-new-privileges:1",
        ] {
            assert!(
                security(false, &[option]).unwrap().no_new_privileges,
                "{option}"
            );
        }
        let off = ["no-new-privileges", "no-new-privileges=false"];
        assert!(!security(false, &off).unwrap().no_new_privileges);
        let unconfined = security(false, &["seccomp:unconfined"]).unwrap();
        assert_eq!(unconfined.seccomp, Seccomp::Unconfined);
        let profile = security(true, &["seccomp={\"a\":1}"]).unwrap();
        assert_eq!(profile.seccomp, Seccomp::Profile("{\"a\":1}".to_owned()));
        assert_eq!(security(true, &[]).unwrap().seccomp, Seccomp::Unconfined);
        assert_eq!(
            security(false, &["seccomp=builtin"]).unwrap().seccomp,
            Seccomp::Default
        );
    }

    #[test]
    fn unknown_ones_are_refused_in_dockers_words() {
        assert_eq!(
            security(false, &["odd"]).unwrap_err(),
            "invalid --security-opt 1: \"odd\""
        );
        assert_eq!(
            security(false, &["odd=1"]).unwrap_err(),
            "invalid --security-opt 2: \"odd=1\""
        );
        assert!(security(false, &["no-new-privileges=maybe"]).is_err());
    }

    #[test]
    fn labels_are_warned_of_unless_disabled() {
        let mut warnings = Vec::new();
        security(false, &["label=disable"])
            .unwrap()
            .warn(&mut warnings);
        assert!(warnings.is_empty());
        security(false, &["label=type:x"])
            .unwrap()
            .warn(&mut warnings);
        assert_eq!(warnings.len(), 1);
    }

    #[test]
    fn a_profile_that_cannot_be_had_is_refused() {
        let enabled = std::fs::read_to_string(APPARMOR).is_ok_and(|text| text.starts_with('Y'));
        let asked = security(false, &["apparmor=tight"])
            .unwrap()
            .apparmor_profile();
        match (enabled, asked) {
            (true, Ok(name)) => assert_eq!(name.as_deref(), Some("tight")),
            (false, Err(error)) => assert!(error.to_string().contains("apparmor=tight"), "{error}"),
            (_, other) => panic!("{other:?}"),
        }
        assert_eq!(
            security(false, &[]).unwrap().apparmor_profile().unwrap(),
            None
        );
    }
}
