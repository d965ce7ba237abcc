//! All volumes: one directory each, `NAME/_data` for the files and `NAME/volume.json` beside.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use bollard::models::{
    Volume, VolumeCreateRequest, VolumePruneResponse, VolumeScopeEnum, VolumeUsageData,
};
use rustix::fs::{AtFlags, OFlags};

use super::populate::populate;
use super::record::Record;
use super::{VolumeError, VolumeName};
use crate::engine::rootfs::Inside;
use crate::engine::rootfs::tree::{self, Links, Tree};

const DRIVER: &str = "local";
const DATA: &str = "_data";
const RECORD: &str = "volume.json";
/// Docker's label of a volume that nobody named.
pub const ANONYMOUS: &str = "com.docker.volume.anonymous";
/// What is half made, or half gone, has a name that no volume can have.
const TEMPORARY: &str = "~";

/// The local volumes of a directory.
#[derive(Debug)]
pub struct Volumes {
    directory: PathBuf,
    /// Held while volumes come, go, or are filled.
    changing: Mutex<()>,
}

impl Volumes {
    /// Opens the directory, made if it is missing, and removes what is half made.
    ///
    /// # Errors
    /// It cannot be made, read or cleared.
    pub fn open(directory: &Path) -> Result<Self, VolumeError> {
        let volumes = Self {
            directory: directory.to_owned(),
            changing: Mutex::new(()),
        };
        let mut builder = fs::DirBuilder::new();
        let made = builder.recursive(true).mode(0o700).create(directory);
        // Containers have them mounted; to the host's users a volume's set-uid programs are out of reach.
        let closed = fs::Permissions::from_mode(0o700);
        made.and_then(|()| fs::set_permissions(directory, closed))
            .map_err(|source| io_error(directory, source))?;
        for name in volumes.entries()? {
            if name.starts_with(TEMPORARY)
                && let Err(error) = volumes.clear(&name)
            {
                tracing::warn!(name, %error, "what is half gone of a volume stays for now");
            }
        }
        Ok(volumes)
    }

    /// Makes one, or finds the one of that name with the same labels; without a name, an anonymous one.
    ///
    /// # Errors
    /// The name, driver or an option is refused, or the disk is.
    pub fn create(&self, request: &VolumeCreateRequest) -> Result<Volume, VolumeError> {
        let chosen = request.name.as_deref().filter(|name| !name.is_empty());
        let name = match chosen {
            Some(name) => name.parse()?,
            None => VolumeName::anonymous(),
        };
        let driver = request.driver.as_deref().unwrap_or_default();
        if !matches!(driver, "" | DRIVER) {
            return Err(VolumeError::Driver(driver.to_owned()));
        }
        let options = request.driver_opts.iter().flatten();
        if let Some((option, _)) = options.min() {
            return Err(VolumeError::Option {
                name: name.to_string(),
                option: option.clone(),
            });
        }
        let mut labels = request.labels.clone().unwrap_or_default();
        if chosen.is_none() {
            labels.insert(ANONYMOUS.to_owned(), String::new());
        }
        let record = Record {
            created: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            anonymous: labels.contains_key(ANONYMOUS),
            labels: labels.into_iter().collect(),
        };
        let _changing = self.lock();
        match self.record(&name)? {
            // Docker's answer to the second asking, unless it asks for something else.
            Some(old) if old.labels == record.labels || record.labels.is_empty() => {
                Ok(self.model(&name, &old))
            }
            Some(_) => Err(VolumeError::Exists {
                name: name.to_string(),
            }),
            None => {
                self.make(&name, &record)?;
                Ok(self.model(&name, &record))
            }
        }
    }

    fn make(&self, name: &VolumeName, record: &Record) -> Result<(), VolumeError> {
        let half_made = format!("{TEMPORARY}{name}");
        let path = self.directory.join(&half_made);
        let made = (|| {
            fs::DirBuilder::new().mode(0o701).create(&path)?;
            fs::create_dir(path.join(DATA))?;
            // Whatever the agent's umask is: the workload's user is to enter it.
            fs::set_permissions(path.join(DATA), fs::Permissions::from_mode(0o755))?;
            record.write(&path.join(RECORD))?;
            fs::rename(&path, self.directory.join(name.as_str()))?;
            fs::File::open(&self.directory)?.sync_all()
        })();
        made.map_err(|source| {
            // The first error says more than a second one would.
            let _ = self.clear(&half_made);
            io_error(&path, source)
        })
    }

    /// All, by name.
    ///
    /// # Errors
    /// The directory or a record cannot be read.
    pub fn list(&self) -> Result<Vec<Volume>, VolumeError> {
        let mut volumes = Vec::new();
        for name in self.names()? {
            // It may be removed meanwhile.
            if let Some(record) = self.record(&name)? {
                volumes.push(self.model(&name, &record));
            }
        }
        Ok(volumes)
    }

    /// One.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn inspect(&self, name: &str) -> Result<Volume, VolumeError> {
        let (name, record) = self.find(name)?;
        Ok(self.model(&name, &record))
    }

    /// As [`inspect`](Self::inspect), when it is not being removed: whoever is a user by now keeps it.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn require(&self, name: &str) -> Result<(), VolumeError> {
        let _changing = self.lock();
        self.find(name).map(drop)
    }

    /// Whether there is no file in it.
    ///
    /// # Errors
    /// There is none of that name, or it cannot be read.
    pub fn is_empty(&self, name: &str) -> Result<bool, VolumeError> {
        let data = self.path(name)?;
        let mut entries = fs::read_dir(&data).map_err(|source| io_error(&data, source))?;
        Ok(entries.next().is_none())
    }

    /// Where its files are, to be bound.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn path(&self, name: &str) -> Result<PathBuf, VolumeError> {
        let (name, _) = self.find(name)?;
        Ok(self.data(&name))
    }

    /// Gives an empty volume what the image has at `at`, with owners and modes, those of the directory
    /// too. One that has files stays as it is.
    ///
    /// # Errors
    /// There is none of that name, or it cannot be copied.
    pub fn populate(&self, name: &str, image: &Inside, at: &Path) -> Result<(), VolumeError> {
        let (name, _) = self.find(name)?;
        let _changing = self.lock();
        let data = self.data(&name);
        populate(image.tree(), at, &data).map_err(|source| {
            // Half of it would look like a volume in use.
            if let Err(error) = empty(&data) {
                tracing::warn!(volume = %name, %error, "a half-filled volume cannot be emptied");
            }
            VolumeError::Populate {
                name: name.to_string(),
                source,
            }
        })
    }

    /// Removes one with its files. `users` are the containers that have it; `force` makes a missing one
    /// no error.
    ///
    /// # Errors
    /// There is none of that name, somebody uses it, or it cannot be removed.
    pub fn remove(
        &self,
        name: &str,
        force: bool,
        users: &dyn Fn(&str) -> Vec<String>,
    ) -> Result<(), VolumeError> {
        let _changing = self.lock();
        let name = match self.find(name) {
            Err(VolumeError::NotFound(_)) if force => return Ok(()),
            found => found?.0,
        };
        let users = users(name.as_str());
        if users.is_empty() {
            self.take_away(&name)
        } else {
            Err(VolumeError::InUse {
                name: name.to_string(),
                users,
            })
        }
    }

    /// Removes those that nobody uses: the anonymous ones, or `all`.
    ///
    /// # Errors
    /// The directory cannot be read, or the first that cannot be removed.
    pub fn prune(
        &self,
        all: bool,
        is_meant: &dyn Fn(&HashMap<String, String>) -> bool,
        users: &dyn Fn(&str) -> Vec<String>,
    ) -> Result<VolumePruneResponse, VolumeError> {
        let _changing = self.lock();
        let mut deleted = Vec::new();
        let mut reclaimed = 0_i64;
        for name in self.names()? {
            let Some(record) = self.record(&name)? else {
                continue;
            };
            // Earlier ones of containers were recorded as if somebody had named them.
            let anonymous = record.anonymous || name.is_hexadecimal();
            let is_meant = (all || anonymous) && is_meant(&record.labels.into_iter().collect());
            if is_meant && users(name.as_str()).is_empty() {
                reclaimed = reclaimed.saturating_add(self.size(&name)?);
                self.take_away(&name)?;
                deleted.push(name.to_string());
            }
        }
        Ok(VolumePruneResponse {
            volumes_deleted: Some(deleted),
            space_reclaimed: Some(reclaimed),
        })
    }

    /// How much is in it and who has it, for `system df`. Reads the whole tree.
    ///
    /// # Errors
    /// There is none of that name, or it cannot be read.
    pub fn usage(
        &self,
        name: &str,
        users: &dyn Fn(&str) -> Vec<String>,
    ) -> Result<VolumeUsageData, VolumeError> {
        let (name, _) = self.find(name)?;
        Ok(VolumeUsageData {
            size: self.size(&name)?,
            ref_count: i64::try_from(users(name.as_str()).len()).unwrap_or(i64::MAX),
        })
    }

    /// First out of sight, at once; then bit by bit.
    fn take_away(&self, name: &VolumeName) -> Result<(), VolumeError> {
        let path = self.directory.join(name.as_str());
        let half_gone = format!("{TEMPORARY}{name}");
        fs::rename(&path, self.directory.join(&half_gone))
            .map_err(|source| io_error(&path, source))?;
        self.clear(&half_gone)
    }

    fn clear(&self, name: &str) -> Result<(), VolumeError> {
        let cleared = tree::remove_in(&self.directory, name.as_ref());
        cleared.map_err(|source| io_error(&self.directory.join(name), source))
    }

    fn size(&self, name: &VolumeName) -> Result<i64, VolumeError> {
        let data = self.data(name);
        size(&data).map_err(|source| io_error(&data, source))
    }

    fn find(&self, name: &str) -> Result<(VolumeName, Record), VolumeError> {
        let absent = || VolumeError::NotFound(name.to_owned());
        // What can be no volume's name is none's.
        let parsed: VolumeName = name.parse().map_err(|_| absent())?;
        let record = self.record(&parsed)?.ok_or_else(absent)?;
        Ok((parsed, record))
    }

    fn names(&self) -> Result<Vec<VolumeName>, VolumeError> {
        let mut names: Vec<VolumeName> = self
            .entries()?
            .iter()
            .filter_map(|name| name.parse().ok())
            .collect();
        names.sort();
        Ok(names)
    }

    fn entries(&self) -> Result<Vec<String>, VolumeError> {
        let failed = |source| io_error(&self.directory, source);
        let entries = fs::read_dir(&self.directory).map_err(failed)?;
        let names = entries.map(|entry| entry.map(|entry| entry.file_name()));
        let names: io::Result<Vec<_>> = names.collect();
        let names = names.map_err(failed)?.into_iter();
        Ok(names.filter_map(|name| name.into_string().ok()).collect())
    }

    fn record(&self, name: &VolumeName) -> Result<Option<Record>, VolumeError> {
        let path = self.directory.join(name.as_str()).join(RECORD);
        Record::read(&path).map_err(|source| io_error(&path, source))
    }

    fn data(&self, name: &VolumeName) -> PathBuf {
        self.directory.join(name.as_str()).join(DATA)
    }

    fn model(&self, name: &VolumeName, record: &Record) -> Volume {
        let labels: &BTreeMap<String, String> = &record.labels;
        Volume {
            name: name.to_string(),
            driver: DRIVER.to_owned(),
            mountpoint: self.data(name).display().to_string(),
            created_at: Some(record.created.clone()),
            labels: labels.clone().into_iter().collect(),
            scope: Some(VolumeScopeEnum::LOCAL),
            options: HashMap::new(),
            ..Volume::default()
        }
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn io_error(path: &Path, source: io::Error) -> VolumeError {
    VolumeError::Io {
        path: path.to_owned(),
        source,
    }
}

/// Takes all out of a directory.
fn empty(directory: &Path) -> io::Result<()> {
    let tree = Tree::open(directory, Links::Refuse)?;
    for name in tree::names(tree.root())? {
        tree::remove(tree.root(), &name)?;
    }
    Ok(())
}

/// Bytes of all files in a tree, each once however many names it has; without those that are deeper than paths go.
fn size(directory: &Path) -> io::Result<i64> {
    let tree = Tree::open(directory, Links::Refuse)?;
    let mut seen = std::collections::HashSet::new();
    let mut total = 0_i64;
    let mut left = vec![PathBuf::new()];
    while let Some(path) = left.pop() {
        let inside = match tree.at(&path, OFlags::RDONLY | OFlags::DIRECTORY) {
            // Vanished meanwhile, or no path leads there.
            Err(_) if path != Path::new("") => continue,
            inside => inside?,
        };
        for name in tree::names(std::os::fd::AsFd::as_fd(&inside))? {
            let Ok(stat) = rustix::fs::statat(&inside, &name, AtFlags::SYMLINK_NOFOLLOW) else {
                continue;
            };
            if tree::kind(&stat) == rustix::fs::FileType::Directory {
                left.push(path.join(&name));
            } else if seen.insert((stat.st_dev, stat.st_ino)) {
                total = total.saturating_add(stat.st_size);
            }
        }
    }
    Ok(total)
}

#[cfg(test)]
#[path = "volumes_tests.rs"]
mod tests;
