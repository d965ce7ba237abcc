//! One image in full, as `docker image inspect` shows it.

use std::collections::HashMap;

use bollard::models::{DriverData, ImageInspect, ImageInspectRootFs};

use super::name::Name;
use super::store::Store;
use super::{ImageError, ImageId};

/// What holds the layers, in the Engine API's words.
const DRIVER: &str = "overlay2";

impl Store {
    /// One image.
    ///
    /// # Errors
    /// It is not there any more, or what is recorded of a layer cannot be read.
    pub fn inspect(&self, id: &ImageId) -> Result<ImageInspect, ImageError> {
        let image = self.image(id)?;
        let configuration = image.configuration();
        let trees = image.layers().iter().rev();
        let mut trees = trees.map(|layer| self.layers.tree(layer).display().to_string());
        let mut data = HashMap::new();
        if let Some(top) = trees.next() {
            data.insert("UpperDir".to_owned(), top);
        }
        let lower: Vec<_> = trees.collect();
        if !lower.is_empty() {
            data.insert("LowerDir".to_owned(), lower.join(":"));
        }
        let layers = image.layers().iter().map(ToString::to_string);
        Ok(ImageInspect {
            id: Some(id.to_string()),
            repo_tags: Some(self.names(id).iter().map(Name::to_string).collect()),
            repo_digests: Some(Vec::new()),
            comment: Some(image.comment().to_owned()),
            created: configuration.created().clone(),
            author: Some(configuration.author().clone().unwrap_or_default()),
            config: Some(image.config().clone()),
            architecture: Some(configuration.architecture().to_string()),
            variant: configuration.variant().clone(),
            os: Some(configuration.os().to_string()),
            os_version: configuration.os_version().clone(),
            size: Some(self.size(&image)?),
            graph_driver: Some(DriverData {
                name: DRIVER.to_owned(),
                data,
            }),
            root_fs: Some(ImageInspectRootFs {
                typ: "layers".to_owned(),
                layers: Some(layers.collect()),
            }),
            ..ImageInspect::default()
        })
    }
}
