//! All images, as `docker images` shows them.

use bollard::models::ImageSummary;

use super::configuration::Image;
use super::name::Name;
use super::store::Store;
use super::{ImageError, ImageId};

impl Store {
    /// All, the youngest first. Those without a name are dangling.
    ///
    /// # Errors
    /// What is recorded of a layer cannot be read.
    pub fn list(&self) -> Result<Vec<ImageSummary>, ImageError> {
        let images: Vec<_> = {
            let state = self.state();
            let images = state.images.iter();
            images
                .map(|(id, image)| (image.clone(), state.names_of(id)))
                .collect()
        };
        let mut summaries = Vec::new();
        for (image, names) in images {
            summaries.push(ImageSummary {
                id: image.id().to_string(),
                repo_tags: names.iter().map(Name::to_string).collect(),
                created: image.created(),
                size: self.size(&image).unwrap_or_else(|error| {
                    tracing::warn!(image = %image.id(), %error, "its size is not known");
                    0
                }),
                // Not computed unless asked for, says the API.
                shared_size: -1,
                containers: -1,
                labels: image.labels().into_iter().collect(),
                ..ImageSummary::default()
            });
        }
        summaries.sort_by(|a, b| (b.created, &a.id).cmp(&(a.created, &b.id)));
        Ok(summaries)
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.state().images.len() as u64
    }

    /// An image's names, in order.
    #[must_use]
    pub fn names(&self, id: &ImageId) -> Vec<Name> {
        self.state().names_of(id)
    }

    /// Bytes of all files in each layer, with the name that a layer has when it is removed.
    ///
    /// # Errors
    /// There is no such image, or what is recorded of a layer cannot be read.
    pub fn layer_sizes(&self, id: &ImageId) -> Result<Vec<(String, i64)>, ImageError> {
        let image = self.image(id)?;
        let chain = image.chain();
        let layers = chain.iter().zip(image.layers());
        let sizes = layers.map(|(chain, layer)| {
            let size = self.layers.layer(layer)?.map_or(0, |layer| layer.size);
            Ok((chain.to_string(), i64::try_from(size).unwrap_or(i64::MAX)))
        });
        sizes.collect()
    }

    /// Bytes of all files in all layers. One that was removed meanwhile has none.
    pub(super) fn size(&self, image: &Image) -> Result<i64, ImageError> {
        let mut size = 0_u64;
        for layer in image.layers() {
            let layer = self.layers.layer(layer)?;
            size = size.saturating_add(layer.map_or(0, |layer| layer.size));
        }
        Ok(i64::try_from(size).unwrap_or(i64::MAX))
    }
}
