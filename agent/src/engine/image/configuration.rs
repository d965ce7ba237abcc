//! An image's configuration: read from the bytes that its id is the digest of.

use std::collections::BTreeMap;

use bollard::models::ImageConfig;
use oci_spec::image::ImageConfiguration;
use serde::Deserialize;

use super::{DiffId, Digest, ImageError, ImageId};

/// One image.
#[derive(Clone, Debug)]
pub struct Image {
    id: ImageId,
    configuration: ImageConfiguration,
    config: ImageConfig,
    comment: String,
    layers: Vec<DiffId>,
}

/// What Docker has in a configuration and the OCI specification does not.
#[derive(Deserialize)]
struct Dockers {
    #[serde(default)]
    config: Option<ImageConfig>,
    #[serde(default)]
    comment: Option<String>,
}

impl Image {
    pub(super) fn parse(text: &[u8]) -> Result<Self, ImageError> {
        let malformed = |source| ImageError::Malformed {
            what: "the configuration of the image".to_owned(),
            source,
        };
        let configuration: ImageConfiguration = serde_json::from_slice(text).map_err(malformed)?;
        let dockers: Dockers = serde_json::from_slice(text).map_err(malformed)?;
        let os = configuration.os().to_string();
        if os != "linux" {
            return Err(ImageError::Platform { os });
        }
        let layers = configuration.rootfs().diff_ids().iter();
        let layers = layers.map(|layer| {
            layer.parse().map_err(|_| ImageError::Missing {
                what: format!("a layer with a digest that is supported, not {layer},"),
            })
        });
        let layers = layers.collect::<Result<_, _>>()?;
        Ok(Self {
            id: Digest::of(text),
            config: dockers.config.unwrap_or_default(),
            comment: dockers.comment.unwrap_or_default(),
            configuration,
            layers,
        })
    }

    /// The digest of its configuration.
    #[must_use]
    pub const fn id(&self) -> ImageId {
        self.id
    }

    /// As the OCI specification has it.
    #[must_use]
    pub const fn configuration(&self) -> &ImageConfiguration {
        &self.configuration
    }

    /// What containers of it start with, as the Docker Engine API has it; with health checks.
    #[must_use]
    pub const fn config(&self) -> &ImageConfig {
        &self.config
    }

    /// Lowest first.
    #[must_use]
    pub fn layers(&self) -> &[DiffId] {
        &self.layers
    }

    pub(super) fn comment(&self) -> &str {
        &self.comment
    }

    /// When it was made, in seconds since 1970; 0 for what does not say so.
    pub(super) fn created(&self) -> i64 {
        self.configuration.created().as_deref().map_or(0, seconds)
    }

    /// Docker's names of layers, each for all up to it: `sha256(CHAIN DIFF)`; lowest first.
    pub(super) fn chain(&self) -> Vec<Digest> {
        let mut chain: Vec<Digest> = Vec::new();
        for layer in &self.layers {
            chain.push(match chain.last() {
                None => *layer,
                Some(below) => Digest::of(format!("{below} {layer}").as_bytes()),
            });
        }
        chain
    }

    pub(super) fn labels(&self) -> BTreeMap<String, String> {
        self.config
            .labels
            .clone()
            .unwrap_or_default()
            .into_iter()
            .collect()
    }
}

/// RFC 3339 to seconds since 1970; 0 for what is none, or before.
pub(super) fn seconds(time: &str) -> i64 {
    utc(time).unwrap_or(0)
}

fn utc(time: &str) -> Option<i64> {
    let (local, east) = match time
        .len()
        .checked_sub(6)
        .and_then(|at| time.split_at_checked(at))
    {
        Some((local, offset)) if offset.starts_with(['+', '-']) => {
            let (hours, minutes) = offset.get(1..)?.split_once(':')?;
            let minutes = hours.parse::<i64>().ok()? * 60 + minutes.parse::<i64>().ok()?;
            let sign = if offset.starts_with('-') { -1 } else { 1 };
            (local, sign * minutes * 60)
        }
        _ => (time, 0),
    };
    let time = humantime::parse_rfc3339_weak(local).ok()?;
    let since = time.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(i64::try_from(since.as_secs()).ok()? - east)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_all_zones() {
        // `date -d 2024-02-29T12:00:00+01:00 +%s`
        for time in [
            "2024-02-29T11:00:00Z",
            "2024-02-29T11:00:00.999999999Z",
            "2024-02-29T12:00:00+01:00",
            "2024-02-29T05:30:00.5-05:30",
        ] {
            assert_eq!(seconds(time), 1_709_204_400, "{time}");
        }
        assert_eq!(seconds("0001-01-01T00:00:00Z"), 0);
        assert_eq!(seconds("yesterday"), 0);
    }

    #[test]
    fn a_chain_is_dockers() {
        let digit = |digit: &str| format!("sha256:{}", digit.repeat(64));
        let text = serde_json::json!({
            "architecture": "amd64", "os": "linux",
            "config": {"Cmd": null, "Healthcheck": {"Test": ["CMD", "true"]}, "Volumes": null},
            "rootfs": {"type": "layers", "diff_ids": [digit("1"), digit("2")]},
        });
        let text = text.to_string();
        let Ok(image) = Image::parse(text.as_bytes()) else {
            panic!("{text}");
        };
        assert!(image.config().healthcheck.is_some());
        // `printf 'sha256:1…1 sha256:2…2' | sha256sum`
        let chain = image.chain();
        let both = format!("{} {}", digit("1"), digit("2"));
        assert_eq!(chain, [image.layers()[0], Digest::of(both.as_bytes())]);
    }
}
