//! What containers need that are being created: they are in no list yet, and it is nobody's to remove.

use std::collections::BTreeMap;
use std::sync::Mutex as Lock;

use super::cell::held;
use crate::engine::image::ImageId;
use crate::launch::Id;

/// By the containers.
#[derive(Debug, Default)]
pub(super) struct Claims(Lock<BTreeMap<Id, Claimed>>);

#[derive(Debug, Default)]
struct Claimed {
    image: Option<ImageId>,
    volumes: Vec<String>,
}

/// One container's, given up when it is dropped: by then the container is in the list, or will never be.
///
/// What is claimed is looked up after that: it may have been removed just before.
#[derive(Debug)]
pub(super) struct Claim<'a> {
    claims: &'a Claims,
    id: Id,
}

impl Claims {
    pub(super) fn begin(&self, id: &Id) -> Claim<'_> {
        held(&self.0).insert(id.clone(), Claimed::default());
        Claim {
            claims: self,
            id: id.clone(),
        }
    }

    pub(super) fn of_volume(&self, name: &str) -> Vec<Id> {
        self.of(|claimed| claimed.volumes.iter().any(|own| own == name))
    }

    pub(super) fn of_image(&self, image: &ImageId) -> Vec<Id> {
        self.of(|claimed| claimed.image.as_ref() == Some(image))
    }

    fn of(&self, is_meant: impl Fn(&Claimed) -> bool) -> Vec<Id> {
        let claims = held(&self.0);
        let meant = claims.iter().filter(|(_, claimed)| is_meant(claimed));
        meant.map(|(id, _)| id.clone()).collect()
    }
}

impl Claim<'_> {
    pub(super) const fn id(&self) -> &Id {
        &self.id
    }

    pub(super) fn image(&self, image: &ImageId) {
        self.add(|claimed| claimed.image = Some(*image));
    }

    pub(super) fn volume(&self, name: &str) {
        self.add(|claimed| claimed.volumes.push(name.to_owned()));
    }

    fn add(&self, what: impl FnOnce(&mut Claimed)) {
        what(held(&self.claims.0).entry(self.id.clone()).or_default());
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        held(&self.claims.0).remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_is_claimed_is_so_until_the_claim_goes() {
        let claims = Claims::default();
        let id: Id = "abc".parse().unwrap();
        let image = ImageId::of(b"image");
        let claim = claims.begin(&id);
        claim.volume("data");
        claim.image(&image);
        assert_eq!(claims.of_volume("data"), std::slice::from_ref(&id));
        assert_eq!(claims.of_volume("other"), []);
        assert_eq!(claims.of_image(&image), [id]);
        drop(claim);
        assert_eq!(claims.of_volume("data"), []);
        assert_eq!(claims.of_image(&image), []);
    }
}
