//! All containers, by id and by name.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::EngineError;
use super::cell::Cell;
use super::name;
use crate::launch::Id;

/// Who exists.
#[derive(Debug, Default)]
pub(super) struct Registry(RwLock<Tables>);

#[derive(Debug, Default)]
struct Tables {
    cells: BTreeMap<Id, Arc<Cell>>,
    names: HashMap<String, Id>,
}

impl Registry {
    /// All, by id.
    pub(super) fn all(&self) -> Vec<Arc<Cell>> {
        self.read().cells.values().cloned().collect()
    }

    pub(super) fn get(&self, id: &Id) -> Option<Arc<Cell>> {
        self.read().cells.get(id).cloned()
    }

    /// By whole id, name, or the beginning of an id, in this order, as Docker has it.
    pub(super) fn resolve(&self, wanted: &str) -> Result<Arc<Cell>, EngineError> {
        let tables = self.read();
        let unknown = || EngineError::NoSuchContainer(wanted.to_owned());
        let name = wanted.strip_prefix('/').unwrap_or(wanted);
        let id: Option<Id> = name.parse().ok();
        if let Some(cell) = id.as_ref().and_then(|id| tables.cells.get(id)) {
            return Ok(Arc::clone(cell));
        }
        if let Some(cell) = tables.names.get(name).and_then(|id| tables.cells.get(id)) {
            return Ok(Arc::clone(cell));
        }
        let id = id.ok_or_else(unknown)?;
        let from = (Bound::Included(&id), Bound::Unbounded);
        let mut found = tables
            .cells
            .range::<Id, _>(from)
            .take_while(|(other, _)| other.as_str().starts_with(id.as_str()));
        match (found.next(), found.next()) {
            (None, _) => Err(unknown()),
            (Some((_, cell)), None) => Ok(Arc::clone(cell)),
            (Some(_), Some(_)) => Err(EngineError::Ambiguous(wanted.to_owned())),
        }
    }

    /// Keeps a name for a container; one is made up if none is given.
    pub(super) fn reserve(&self, wanted: Option<&str>, id: &Id) -> Result<String, EngineError> {
        let given = wanted.filter(|name| !name.is_empty());
        let given = given.map(name::parse).transpose()?;
        let mut attempt = 0;
        loop {
            let name = match &given {
                Some(name) => name.clone(),
                None => name::generated(attempt)?,
            };
            let mut tables = self.write();
            match tables.names.get(&name) {
                None => {
                    tables.names.insert(name.clone(), id.clone());
                    return Ok(name);
                }
                Some(holder) if given.is_some() => {
                    let holder = holder.clone();
                    return Err(EngineError::NameInUse { name, holder });
                }
                Some(_) => attempt += 1,
            }
        }
    }

    pub(super) fn release(&self, name: &str) {
        self.write().names.remove(name);
    }

    /// Adds one whose name is reserved.
    pub(super) fn add(&self, cell: Arc<Cell>) {
        self.write().cells.insert(cell.id.clone(), cell);
    }

    pub(super) fn remove(&self, cell: &Cell) {
        let name = cell.settings().name.clone();
        let mut tables = self.write();
        tables.cells.remove(&cell.id);
        tables.names.remove(&name);
    }

    fn read(&self) -> RwLockReadGuard<'_, Tables> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Tables> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::model::{ContainerDir, Life, Settings};
    use super::*;

    fn registry(ids: &[(&str, &str)]) -> Registry {
        let registry = Registry::default();
        for (id, name) in ids {
            let id: Id = id.parse().unwrap();
            registry.reserve(Some(name), &id).unwrap();
            let dir = ContainerDir::new("/nonexistent".as_ref(), "/nonexistent".as_ref(), &id);
            let settings = Settings::of(id, (*name).to_owned());
            registry.add(Arc::new(Cell::new(dir, settings, Life::default())));
        }
        registry
    }

    #[test]
    fn ids_names_and_prefixes_are_found_in_dockers_order() {
        // One's name is the beginning of another's id, another's whole id is a prefix.
        let registry = registry(&[("abc1", "web"), ("abc2", "ab"), ("ff", "x1"), ("ff0", "x2")]);
        let found = |wanted: &str| registry.resolve(wanted).map(|cell| cell.id.to_string());
        assert_eq!(found("abc1").unwrap(), "abc1");
        assert_eq!(found("/web").unwrap(), "abc1");
        assert_eq!(found("ab").unwrap(), "abc2");
        assert_eq!(found("ff").unwrap(), "ff");
        assert!(matches!(found("abc"), Err(EngineError::Ambiguous(_))));
        for unknown in ["", "b", "abc11", "../x"] {
            assert!(
                matches!(found(unknown), Err(EngineError::NoSuchContainer(_))),
                "{unknown:?}"
            );
        }
    }

    #[test]
    fn a_name_is_one_containers() {
        let registry = registry(&[("abc1", "web")]);
        let id: Id = "def".parse().unwrap();
        let error = registry.reserve(Some("/web"), &id).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("already in use by container \"abc1\"")
        );
        let generated = registry.reserve(None, &id).unwrap();
        assert!(generated.contains('_'));
        registry.release("web");
        registry.reserve(Some("web"), &id).unwrap();
    }
}
