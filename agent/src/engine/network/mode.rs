//! `--network`: what a container is connected to.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

/// `HostConfig.NetworkMode`, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetworkMode {
    /// A namespace of its own with nothing but `lo`.
    None,
    /// The host's namespace.
    Host,
    /// The namespace of another container, by name or id, which the engine resolves.
    Container(String),
    /// A network by name or id; `bridge` is one.
    Named(String),
}

impl FromStr for NetworkMode {
    type Err = Infallible;

    fn from_str(mode: &str) -> Result<Self, Infallible> {
        Ok(match mode {
            "none" => Self::None,
            "host" => Self::Host,
            "" | "default" => Self::Named(super::DEFAULT_NETWORK.to_owned()),
            _ => match mode.strip_prefix("container:") {
                Some(container) => Self::Container(container.to_owned()),
                None => Self::Named(mode.to_owned()),
            },
        })
    }
}

impl fmt::Display for NetworkMode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => out.write_str("none"),
            Self::Host => out.write_str("host"),
            Self::Container(container) => write!(out, "container:{container}"),
            Self::Named(name) => out.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_what_they_say() {
        for (text, mode) in [
            ("none", NetworkMode::None),
            ("host", NetworkMode::Host),
            ("container:web", NetworkMode::Container("web".into())),
            ("bridge", NetworkMode::Named("bridge".into())),
            ("back", NetworkMode::Named("back".into())),
        ] {
            let Ok(parsed) = text.parse::<NetworkMode>();
            assert_eq!(parsed, mode);
            assert_eq!(mode.to_string(), text);
        }
        let Ok(default) = "default".parse::<NetworkMode>();
        assert_eq!(default, NetworkMode::Named("bridge".into()));
    }
}
