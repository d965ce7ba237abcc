//! Files that hold what is held, watched for foreign writes.
//!
//! inotify reports every write to a cgroup file, whoever wrote it and whatever was written
//! (fs/read_write.c vfs_write() calls fsnotify_modify(), v6.12): ours too, so whoever asks compares
//! values.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};

use super::claims::Slot;

/// The files of all slots.
pub(crate) struct FileWatch {
    inotify: Inotify,
    slots: HashMap<WatchDescriptor, BTreeSet<Slot>>,
    watched: BTreeMap<Slot, Vec<WatchDescriptor>>,
}

/// What was written to.
#[derive(Debug, PartialEq)]
pub(crate) enum Written {
    Slots(BTreeSet<Slot>),
    /// More than the kernel keeps; any of them.
    Any,
}

impl FileWatch {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            inotify: Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?,
            slots: HashMap::new(),
            watched: BTreeMap::new(),
        })
    }

    /// Watches a slot's files from now on. What cannot be watched is looked at from time to time only.
    pub(crate) fn watch(&mut self, slot: Slot, files: impl FnOnce() -> Vec<PathBuf>) {
        if self.watched.contains_key(&slot) {
            return;
        }
        let mut descriptors = Vec::new();
        for file in files() {
            match self.inotify.add_watch(&file, AddWatchFlags::IN_MODIFY) {
                Ok(descriptor) => {
                    self.slots.entry(descriptor).or_default().insert(slot);
                    descriptors.push(descriptor);
                }
                Err(error) => {
                    tracing::debug!(file = %file.display(), %error, "not watched");
                }
            }
        }
        self.watched.insert(slot, descriptors);
    }

    /// No longer, as far as no other slot has the same files.
    pub(crate) fn forget(&mut self, slot: Slot) {
        for descriptor in self.watched.remove(&slot).unwrap_or_default() {
            let Some(slots) = self.slots.get_mut(&descriptor) else {
                continue;
            };
            slots.remove(&slot);
            if slots.is_empty() {
                self.slots.remove(&descriptor);
                // The kernel removed it already when the cgroup was.
                let _ = self.inotify.rm_watch(descriptor);
            }
        }
    }

    /// Those that are watched.
    pub(crate) fn watched(&self) -> Vec<Slot> {
        self.watched.keys().copied().collect()
    }

    /// What was written to since it was last asked; does not wait.
    pub(crate) fn written(&mut self) -> Written {
        let mut written = BTreeSet::new();
        loop {
            let events = match self.inotify.read_events() {
                Ok(events) => events,
                Err(Errno::EAGAIN) => return Written::Slots(written),
                Err(error) => {
                    tracing::warn!(%error, "foreign writes are not seen at once");
                    return Written::Any;
                }
            };
            for event in events {
                if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
                    return Written::Any;
                }
                written.extend(self.slots.get(&event.wd).into_iter().flatten());
            }
        }
    }
}

impl AsFd for FileWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::cgroup::{CgroupKey, HierarchyId, Knob};
    use crate::enforce::claims::Thing;

    fn slot(id: u64) -> Slot {
        Slot {
            cgroup: CgroupKey {
                hierarchy: HierarchyId::V2,
                id,
            },
            thing: Thing::Knob(Knob::PidsMax),
        }
    }

    #[test]
    fn writes_are_told_by_slot_also_of_a_shared_file() {
        let directory = tempfile::tempdir().unwrap();
        let (one, two) = (directory.path().join("one"), directory.path().join("two"));
        for file in [&one, &two] {
            std::fs::write(file, "1").unwrap();
        }
        let mut watch = FileWatch::new().unwrap();
        watch.watch(slot(1), || vec![one.clone()]);
        watch.watch(slot(2), || vec![one.clone(), two.clone()]);
        watch.watch(slot(2), || panic!("watched already"));
        assert_eq!(watch.written(), Written::Slots(BTreeSet::new()));
        std::fs::write(&one, "2").unwrap();
        let both = BTreeSet::from([slot(1), slot(2)]);
        assert_eq!(watch.written(), Written::Slots(both));
        watch.forget(slot(2));
        std::fs::write(&two, "2").unwrap();
        std::fs::write(&one, "3").unwrap();
        assert_eq!(watch.written(), Written::Slots(BTreeSet::from([slot(1)])));
        assert_eq!(watch.watched(), [slot(1)]);
    }
}
