//! Names and images are taken away, by Docker's rules of what is in whose way.

use bollard::models::ImageDeleteResponseItem;

use super::name::{Asked, Name};
use super::store::{State, Store};
use super::{ImageError, ImageId};

/// A container that needs an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its id, as shown.
    pub container: String,
    pub running: bool,
}

impl Store {
    /// Takes a name away, and with the last one the image; by its id the image with its name,
    /// or with `force` all its names. `user` is a container that needs an image, a running
    /// one first.
    ///
    /// An image that a stopped container needs stays, without a name, when that is forced: the container
    /// cannot start without its layers.
    ///
    /// # Errors
    /// There is no such image, or Docker's conflicts.
    pub fn remove(
        &self,
        name_or_id: &str,
        force: bool,
        user: &dyn Fn(&ImageId) -> Option<User>,
    ) -> Result<Vec<ImageDeleteResponseItem>, ImageError> {
        let mut state = self.state();
        let id = state.resolve(name_or_id)?;
        let mut removal = Removal {
            store: self,
            state: &mut state,
            id,
            force,
            user: user(&id),
            items: Vec::new(),
        };
        removal.run(name_or_id)?;
        Ok(removal.items)
    }
}

struct Removal<'a> {
    store: &'a Store,
    state: &'a mut State,
    id: ImageId,
    force: bool,
    user: Option<User>,
    items: Vec<ImageDeleteResponseItem>,
}

impl Removal<'_> {
    fn run(&mut self, asked: &str) -> Result<(), ImageError> {
        let names = self.state.names_of(&self.id);
        let asked_name = asked.parse::<Asked>().ok().map(|asked| asked.name);
        let named = asked_name.filter(|name| names.contains(name));
        if let Some(name) = named {
            if let (false, [_], Some(user)) = (self.force, &names[..], &self.user) {
                return Err(ImageError::NameInUse {
                    name: asked.to_owned(),
                    container: user.container.clone(),
                    id: self.id,
                });
            }
            self.untag(&[name])?;
            return match (&names[..], &self.user) {
                // Forced: it stays for whoever has it.
                ([_], None) => self.delete(),
                _ => Ok(()),
            };
        }
        match &self.user {
            Some(user) if user.running => Err(ImageError::Running {
                id: self.id,
                container: user.container.clone(),
            }),
            // Docker's order: names are in the way first.
            _ if !self.force && names.len() > 1 => Err(ImageError::ManyNames { id: self.id }),
            Some(user) if !self.force => Err(ImageError::Stopped {
                id: self.id,
                container: user.container.clone(),
            }),
            Some(_) => self.untag(&names),
            None => {
                self.untag(&names)?;
                self.delete()
            }
        }
    }

    fn untag(&mut self, names: &[Name]) -> Result<(), ImageError> {
        let mut left = self.state.names.clone();
        left.retain(|name, _| !names.contains(name));
        self.store.set_names(self.state, left)?;
        let untagged = names.iter().map(|name| ImageDeleteResponseItem {
            untagged: Some(name.to_string()),
            deleted: None,
        });
        self.items.extend(untagged);
        Ok(())
    }

    fn delete(&mut self) -> Result<(), ImageError> {
        let image = self.state.image(&self.id)?;
        self.store.forget(self.state, &self.id)?;
        let deleted = |digest: &dyn std::fmt::Display| ImageDeleteResponseItem {
            untagged: None,
            deleted: Some(digest.to_string()),
        };
        self.items.push(deleted(&self.id));
        let layers = self.store.collect(self.state)?;
        // Docker calls a layer by all below it too; the topmost goes first.
        for (chain, layer) in image.chain().iter().zip(image.layers()).rev() {
            if layers.contains(layer) {
                self.items.push(deleted(chain));
            }
        }
        Ok(())
    }
}
