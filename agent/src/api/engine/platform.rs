//! What this host runs: one operating system on one architecture, in Go's words.

use super::refusal::Refused;

const OS: &str = "linux";

pub(super) fn architecture() -> &'static str {
    of_go(std::env::consts::ARCH)
}

fn of_go(architecture: &str) -> &str {
    match architecture {
        "x86_64" | "x86-64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// `linux`, `amd64`, `linux/amd64`, `linux/arm64/v8`, if they are this host's.
///
/// # Errors
/// They are another's: what is loaded is of this one, and nothing is emulated.
pub(super) fn require_own(platform: &str) -> Result<(), Refused> {
    if is_own(&platform.to_ascii_lowercase(), architecture()) {
        return Ok(());
    }
    Err(Refused::bad_request(format!(
        "platform {platform}: containers are of this host's only, {OS}/{}",
        architecture()
    )))
}

fn is_own(platform: &str, own: &str) -> bool {
    let mut parts = platform.split('/');
    let first = parts.next().unwrap_or_default();
    let architecture = match first {
        OS => parts.next(),
        other => Some(other),
    };
    // The variant that all of this architecture are.
    let variant = parts.next().is_none_or(|variant| {
        (own, variant) == ("arm64", "v8") || (own, variant) == ("amd64", "v1")
    });
    architecture.is_none_or(|one| of_go(one) == own) && variant && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_are_this_hosts() {
        for own in [
            "linux",
            "amd64",
            "linux/amd64",
            "linux/x86_64",
            "linux/amd64/v1",
        ] {
            assert!(is_own(own, "amd64"), "{own}");
        }
        for other in [
            "windows/amd64",
            "linux/arm64",
            "arm",
            "linux/amd64/v3",
            "linux/",
            "",
        ] {
            assert!(!is_own(other, "amd64"), "{other}");
        }
        assert!(is_own("linux/aarch64/v8", "arm64"));
        assert!(require_own("linux").is_ok() && require_own("plan9/mips").is_err());
    }
}
