//! An image of one layer, from the archive of a root filesystem.

use std::io::Read;
use std::time::SystemTime;

use bollard::models::ImageConfig;
use serde::Serialize;

use super::changes::apply;
use super::configuration::Image;
use super::layers::Pins;
use super::manifest::architecture;
use super::name::Name;
use super::store::Store;
use super::{DiffId, ImageError, ImageId};

/// A configuration as docker writes it for an import.
#[derive(Serialize)]
struct Configuration<'a> {
    architecture: &'static str,
    os: &'static str,
    config: ImageConfig,
    created: &'a str,
    comment: &'a str,
    history: [Step<'a>; 1],
    rootfs: RootFs,
}

#[derive(Serialize)]
struct Step<'a> {
    created: &'a str,
    comment: &'a str,
}

#[derive(Serialize)]
struct RootFs {
    #[serde(rename = "type")]
    kind: &'static str,
    diff_ids: [DiffId; 1],
}

impl Store {
    /// Makes an image of an archive, compressed or not; `changes` are instructions of a Dockerfile.
    ///
    /// # Errors
    /// The archive or a change is refused, or the disk is full. Then nothing is left of it.
    pub fn import(
        &self,
        archive: impl Read,
        name: Option<&str>,
        message: &str,
        changes: &[&str],
    ) -> Result<ImageId, ImageError> {
        let name: Option<Name> = name.map(str::parse).transpose()?;
        let config = apply(ImageConfig::default(), changes)?;
        let mut pins = self.layers.pins();
        let imported = self.import_with(archive, name, message, config, &mut pins);
        drop(pins);
        if imported.is_err() {
            self.collect_after_failure();
        }
        imported
    }

    fn import_with(
        &self,
        archive: impl Read,
        name: Option<Name>,
        message: &str,
        config: ImageConfig,
        pins: &mut Pins<'_>,
    ) -> Result<ImageId, ImageError> {
        let staged = self.layers.stage(archive, "the archive")?;
        pins.keep(&staged)?;
        self.sync()?;
        let created = humantime::format_rfc3339_nanos(SystemTime::now()).to_string();
        let comment = match message {
            "" => "Imported from -",
            message => message,
        };
        let configuration = Configuration {
            architecture: architecture(),
            os: "linux",
            config,
            created: &created,
            comment,
            history: [Step {
                created: &created,
                comment,
            }],
            rootfs: RootFs {
                kind: "layers",
                diff_ids: [staged.layer.diff_id],
            },
        };
        let text = serde_json::to_vec(&configuration).map_err(|source| ImageError::Malformed {
            what: "the configuration of the image".to_owned(),
            source,
        })?;
        let image = Image::parse(&text)?;
        let id = image.id();
        let names: Vec<_> = name.into_iter().collect();
        self.record(&text, image, &names, pins)?;
        Ok(id)
    }
}
