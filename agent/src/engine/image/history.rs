//! How an image came to be, as `docker history` shows it.

use bollard::models::ImageHistoryResponseItem;

use super::configuration::seconds;
use super::name::Name;
use super::store::Store;
use super::{ImageError, ImageId};

/// Steps whose images are not kept have no id.
const MISSING: &str = "<missing>";

impl Store {
    /// All steps, the last first.
    ///
    /// # Errors
    /// The image is not there any more, or what is recorded of a layer cannot be read.
    pub fn history(&self, id: &ImageId) -> Result<Vec<ImageHistoryResponseItem>, ImageError> {
        let image = self.image(id)?;
        let mut layers = image.layers().iter();
        let mut steps = Vec::new();
        for step in image.configuration().history().iter().flatten() {
            let layer = match step.empty_layer() {
                Some(true) => None,
                _ => layers.next(),
            };
            let layer = layer.map(|layer| self.layers.layer(layer)).transpose()?;
            let size = layer.flatten().map_or(0, |layer| layer.size);
            steps.push(ImageHistoryResponseItem {
                id: MISSING.to_owned(),
                created: step.created().as_deref().map_or(0, seconds),
                created_by: step.created_by().clone().unwrap_or_default(),
                tags: Vec::new(),
                size: i64::try_from(size).unwrap_or(i64::MAX),
                comment: step.comment().clone().unwrap_or_default(),
            });
        }
        steps.reverse();
        if let Some(last) = steps.first_mut() {
            last.id = id.to_string();
            last.tags = self.names(id).iter().map(Name::to_string).collect();
        }
        Ok(steps)
    }
}
