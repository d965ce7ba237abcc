//! Verbs of images: the store's, with what containers need of it, and events.

use std::io::{Read, Write};
use std::time::SystemTime;

use bollard::models::{
    EventMessageTypeEnum, ImageDeleteResponseItem, ImageHistoryResponseItem, ImageInspect,
    ImagePruneResponse, ImageSummary,
};

use super::EngineError;
use super::filter::Filters;
use super::handle::{Engine, Shared};
use super::name::instant;
use super::part_filter::{
    PRUNES, has_labels, is_old, lets_go, matches_reference, refuse_unknown, truth, until,
};
use crate::engine::image::{ImageId, Name};

impl Engine {
    /// Images by the filters `reference`, `label`, `dangling`, `before`, `since`, `until`; without `all` those that
    /// have a name.
    ///
    /// # Errors
    /// A filter is unknown, names an image that is or no time, or the store cannot be read.
    pub async fn image_list(
        &self,
        filters: Filters,
        all: bool,
    ) -> Result<Vec<ImageSummary>, EngineError> {
        let known = ["reference", "label", "dangling", "before", "since", "until"];
        refuse_unknown(&filters, &known)?;
        let until = until(&filters)?;
        self.blocking(move |shared| {
            let images = shared.parts.images.list()?;
            let span = Span {
                since: shared.creation_named_by(&filters, "since")?,
                before: shared.creation_named_by(&filters, "before")?,
                until,
            };
            let wanted = |image: &ImageSummary| {
                let in_span = span == Span::default() || span.has(shared.image_created(&image.id));
                in_span && is_wanted(image, &filters, all)
            };
            let mut images: Vec<_> = images.into_iter().filter(wanted).collect();
            for image in &mut images {
                if let Some(patterns) = filters.get("reference").filter(|all| !all.is_empty()) {
                    let meant = |tag: &String| {
                        patterns
                            .iter()
                            .any(|pattern| matches_reference(tag, pattern))
                    };
                    image.repo_tags.retain(meant);
                }
                let users = shared.users_of_image(&image.id);
                image.containers = i64::try_from(users).unwrap_or(i64::MAX);
            }
            Ok(images)
        })
        .await
    }

    /// # Errors
    /// There is no such image.
    pub async fn image_inspect(&self, name: &str) -> Result<ImageInspect, EngineError> {
        let name = name.to_owned();
        self.blocking(move |shared| {
            let images = &shared.parts.images;
            Ok(images.inspect(&images.resolve(&name)?)?)
        })
        .await
    }

    /// # Errors
    /// There is no such image.
    pub async fn image_history(
        &self,
        name: &str,
    ) -> Result<Vec<ImageHistoryResponseItem>, EngineError> {
        let name = name.to_owned();
        self.blocking(move |shared| {
            let images = &shared.parts.images;
            Ok(images.history(&images.resolve(&name)?)?)
        })
        .await
    }

    /// Gives an image another name.
    ///
    /// # Errors
    /// There is no such image, or the name is none.
    pub async fn image_tag(&self, source: &str, target: &str) -> Result<(), EngineError> {
        let (source, target) = (source.to_owned(), target.to_owned());
        self.blocking(move |shared| {
            let images = &shared.parts.images;
            let id = images.resolve(&source)?;
            images.tag(&source, &target)?;
            let name = target.parse::<Name>()?;
            shared.tell_image("tag", &id, &name.to_string());
            Ok(())
        })
        .await
    }

    /// Removes a name, and with its last an image.
    ///
    /// # Errors
    /// There is no such image, or a container needs it.
    pub async fn image_remove(
        &self,
        name: &str,
        force: bool,
    ) -> Result<Vec<ImageDeleteResponseItem>, EngineError> {
        let name = name.to_owned();
        self.blocking(move |shared| shared.remove_image(&name, force))
            .await
    }

    /// Removes images that no container needs: those without a name, or with `dangling=false` all.
    ///
    /// # Errors
    /// A filter is unknown, or the store cannot be read.
    pub async fn image_prune(&self, filters: &Filters) -> Result<ImagePruneResponse, EngineError> {
        refuse_unknown(filters, &[&["dangling"], &PRUNES[..]].concat())?;
        let until = until(filters)?;
        let named_too = truth(filters, "dangling") == Some(false);
        let filters = filters.clone();
        self.blocking(move |shared| {
            let images = shared.parts.images.list()?;
            let mut response = ImagePruneResponse::default();
            let (mut deleted, mut reclaimed) = (Vec::new(), 0);
            for image in images {
                let is_meant = named_too || image.repo_tags.is_empty();
                let id = image.id.parse();
                let unused = id.is_ok_and(|id| shared.user_of_image(&id).is_none());
                let is_meant = is_meant
                    && lets_go(&image.labels, &filters)
                    && (until.is_none() || is_old(shared.image_created(&image.id), until));
                if !(is_meant && unused) {
                    continue;
                }
                let layers = shared.layers_of(&image.id);
                let is_gone = |item: &ImageDeleteResponseItem, chain: &String| {
                    item.deleted.as_ref() == Some(chain)
                };
                // Nothing is forced: somebody may have become a user meanwhile.
                let names = match image.repo_tags.is_empty() {
                    true => vec![image.id],
                    false => image.repo_tags,
                };
                for name in names {
                    match shared.remove_image(&name, false) {
                        Ok(items) => {
                            // Others may have some of its layers.
                            let gone = layers
                                .iter()
                                .filter(|(chain, _)| items.iter().any(|item| is_gone(item, chain)));
                            reclaimed += gone.map(|(_, size)| size).sum::<i64>();
                            deleted.extend(items);
                        }
                        Err(error) => tracing::warn!(image = name, %error, "not pruned"),
                    }
                }
            }
            let events = &shared.events;
            events.pruned(EventMessageTypeEnum::IMAGE, Some(reclaimed));
            response.images_deleted = Some(deleted);
            response.space_reclaimed = Some(reclaimed);
            Ok(response)
        })
        .await
    }

    /// Takes images in from an archive; what is said of them, line by line.
    ///
    /// # Errors
    /// The archive is none, or something in it is refused.
    pub async fn image_load(
        &self,
        archive: impl Read + Send + 'static,
    ) -> Result<Vec<String>, EngineError> {
        self.at_clients_pace(move |shared| shared.load_images(archive))
            .await
    }

    /// Makes an image of a root file system; its id.
    ///
    /// # Errors
    /// The archive is none, or a change is not understood.
    pub async fn image_import(
        &self,
        archive: impl Read + Send + 'static,
        name: Option<String>,
        changes: Vec<String>,
        message: String,
    ) -> Result<String, EngineError> {
        self.at_clients_pace(move |shared| {
            let changes: Vec<&str> = changes.iter().map(String::as_str).collect();
            let images = &shared.parts.images;
            let id = images.import(archive, name.as_deref(), &message, &changes)?;
            shared.tell_image("import", &id, &name.unwrap_or_default());
            Ok(id.to_string())
        })
        .await
    }

    /// Whether all of these are here, before an archive of them is begun.
    ///
    /// # Errors
    /// There is no such image.
    pub async fn image_save_foreseen(&self, names: Vec<String>) -> Result<(), EngineError> {
        self.blocking(move |shared| {
            for name in names {
                shared.parts.images.meant_to_be_saved(&name)?;
            }
            Ok(())
        })
        .await
    }

    /// Writes images as an archive.
    ///
    /// # Errors
    /// There is no such image, or the archive cannot be written.
    pub async fn image_save(
        &self,
        names: Vec<String>,
        out: impl Write + Send + 'static,
    ) -> Result<(), EngineError> {
        self.at_clients_pace(move |shared| {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let images = &shared.parts.images;
            let mut saved = Vec::new();
            for name in &names {
                saved.extend(images.meant_to_be_saved(name)?);
            }
            images.save(&names, out)?;
            for id in saved {
                shared.tell_image("save", &id, &id.to_string());
            }
            Ok(())
        })
        .await
    }
}

/// Of times of creation, without its ends.
#[derive(Debug, Default, PartialEq, Eq)]
struct Span {
    since: Option<SystemTime>,
    before: Option<SystemTime>,
    until: Option<SystemTime>,
}

impl Span {
    fn has(&self, created: Option<SystemTime>) -> bool {
        created.is_some_and(|created| {
            self.since.is_none_or(|since| created > since)
                && self.before.is_none_or(|before| created < before)
                && self.until.is_none_or(|until| created < until)
        })
    }
}

impl Shared {
    /// `None`: its configuration does not say.
    fn image_created(&self, id: &str) -> Option<SystemTime> {
        let images = &self.parts.images;
        let image = images.inspect(&images.resolve(id).ok()?).ok()?;
        instant(image.created.as_deref()?).ok()
    }

    /// When the image was created that a filter names.
    fn creation_named_by(
        &self,
        filters: &Filters,
        name: &str,
    ) -> Result<Option<SystemTime>, EngineError> {
        let Some(value) = filters.get(name).and_then(|values| values.first()) else {
            return Ok(None);
        };
        let id = self.parts.images.resolve(value)?;
        Ok(self.image_created(&id.to_string()))
    }

    /// An image's layers, as they are called when they go, with their sizes.
    fn layers_of(&self, id: &str) -> Vec<(String, i64)> {
        let images = &self.parts.images;
        let sizes = images.resolve(id).and_then(|id| images.layer_sizes(&id));
        sizes.unwrap_or_default()
    }

    /// Containers that need an image.
    fn users_of_image(&self, image: &str) -> usize {
        let cells = self.registry.all();
        let users = cells
            .iter()
            .filter(|cell| cell.settings().image.as_deref() == Some(image));
        users.count()
    }

    fn load_images(&self, archive: impl Read) -> Result<Vec<String>, EngineError> {
        let mut said = Vec::new();
        for image in self.parts.images.load(archive)? {
            for (name, before) in &image.names {
                self.tell_image("load", &image.id, &name.to_string());
                said.extend(before.map(|before| {
                    format!(
                        "The image {name} already exists, renaming the old one with ID {before} to empty string"
                    )
                }));
                said.push(format!("Loaded image: {name}"));
            }
            if image.names.is_empty() {
                self.tell_image("load", &image.id, "");
                said.push(format!("Loaded image ID: {}", image.id));
            }
        }
        Ok(said)
    }

    fn remove_image(
        &self,
        name: &str,
        force: bool,
    ) -> Result<Vec<ImageDeleteResponseItem>, EngineError> {
        let user = |id: &ImageId| self.user_of_image(id);
        let id = self.parts.images.resolve(name)?;
        let items = self.parts.images.remove(name, force, &user)?;
        let own = id.to_string();
        for item in &items {
            match (&item.untagged, &item.deleted) {
                (Some(_), _) => self.tell_image("untag", &id, &own),
                // Layers go without being told of.
                (None, Some(deleted)) if *deleted == own => self.tell_image("delete", &id, &own),
                (None, _) => {}
            }
        }
        Ok(items)
    }

    fn tell_image(&self, action: &str, id: &ImageId, name: &str) {
        let attributes = [("name".to_owned(), name.to_owned())].into();
        let kind = EventMessageTypeEnum::IMAGE;
        self.events.tell(kind, action, &id.to_string(), attributes);
    }
}

fn is_wanted(image: &ImageSummary, filters: &Filters, all: bool) -> bool {
    let is_dangling = image.repo_tags.is_empty();
    let by_dangling = match truth(filters, "dangling") {
        Some(wanted) => wanted == is_dangling,
        // Layers of a build are not kept as images: what has no name was renamed or imported without.
        None => all || !is_dangling || image.parent_id.is_empty(),
    };
    let by_reference = filters.get("reference").is_none_or(|patterns| {
        patterns.is_empty()
            || patterns.iter().any(|pattern| {
                let mut tags = image.repo_tags.iter();
                tags.any(|tag| matches_reference(tag, pattern))
            })
    });
    by_dangling && by_reference && has_labels(&image.labels, filters)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn images_of_a_span_were_created_between() {
        let at = |seconds| Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        let span = Span {
            since: at(10),
            before: at(20),
            until: at(18),
        };
        let kept = [10, 11, 17, 18, 19].map(|seconds| span.has(at(seconds)));
        assert_eq!(kept, [false, true, true, false, false]);
        assert!(!span.has(None));
    }
}
