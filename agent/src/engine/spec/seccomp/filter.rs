//! Whether a rule of a profile is for this container, on this host.

use libcontainer::oci_spec::runtime::Capabilities;
use serde::Deserialize;

/// What a container's filter depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Circumstances<'a> {
    pub(super) capabilities: &'a Capabilities,
    /// As `std::env::consts::ARCH` has it.
    pub(super) machine: &'a str,
    /// Major and minor.
    pub(super) kernel: (u32, u32),
}

/// What a rule is for, or not for, in Docker's form.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Filter {
    /// With Go's names.
    arches: Vec<String>,
    caps: Vec<String>,
    min_kernel: String,
}

impl Filter {
    /// All that it names is so.
    pub(super) fn includes(&self, circumstances: &Circumstances<'_>) -> bool {
        let has = |name: &String| circumstances.has(name);
        (self.arches.is_empty() || self.arches.iter().any(|arch| circumstances.is_on(arch)))
            && self.caps.iter().all(has)
            && (self.min_kernel.is_empty() || circumstances.is_since(&self.min_kernel))
    }

    /// Something that it names is so.
    pub(super) fn excludes(&self, circumstances: &Circumstances<'_>) -> bool {
        self.arches.iter().any(|arch| circumstances.is_on(arch))
            || self.caps.iter().any(|name| circumstances.has(name))
            || (!self.min_kernel.is_empty() && circumstances.is_since(&self.min_kernel))
    }
}

impl Circumstances<'_> {
    fn has(&self, name: &str) -> bool {
        let short = name.strip_prefix("CAP_").unwrap_or(name);
        short
            .parse()
            .is_ok_and(|capability| self.capabilities.contains(&capability))
    }

    fn is_on(&self, arch: &str) -> bool {
        let machine = match arch {
            "amd64" => "x86_64",
            "x86" | "386" => "x86",
            "arm64" => "aarch64",
            "ppc64le" | "ppc64" => "powerpc64",
            other => other,
        };
        self.machine == machine
    }

    fn is_since(&self, version: &str) -> bool {
        version_of(version).is_some_and(|least| self.kernel >= least)
    }
}

/// The first two numbers: `6.18` of `6.18.44-fc`.
pub(super) fn version_of(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.trim().split(['.', '-', '+']).map(str::parse::<u32>);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use libcontainer::oci_spec::runtime::Capability;

    use super::*;

    #[test]
    fn rules_are_for_capabilities_machines_and_kernels() {
        let capabilities = [Capability::SysAdmin].into();
        let here = Circumstances {
            capabilities: &capabilities,
            machine: "x86_64",
            kernel: (4, 8),
        };
        let filter = |text: &str| serde_json::from_str::<Filter>(text).unwrap();
        for is_so in [
            r#"{"caps":["CAP_SYS_ADMIN"]}"#,
            r#"{"arches":["arm64","amd64"]}"#,
            r#"{"minKernel":"4.8"}"#,
        ] {
            assert!(filter(is_so).includes(&here), "{is_so}");
            assert!(filter(is_so).excludes(&here), "{is_so}");
        }
        for is_not in [
            r#"{"caps":["CAP_NET_ADMIN"]}"#,
            r#"{"arches":["arm64"]}"#,
            r#"{"minKernel":"4.10"}"#,
            r#"{"minKernel":"new"}"#,
        ] {
            assert!(!filter(is_not).includes(&here), "{is_not}");
            assert!(!filter(is_not).excludes(&here), "{is_not}");
        }
        let both = r#"{"caps":["CAP_SYS_ADMIN","CAP_NET_ADMIN"]}"#;
        assert!(!filter(both).includes(&here), "all of them");
        assert!(filter(both).excludes(&here), "one of them");
        assert!(filter("{}").includes(&here));
        assert!(!filter("{}").excludes(&here));
        assert_eq!(version_of("6.18.44-fc-v657"), Some((6, 18)));
    }
}
