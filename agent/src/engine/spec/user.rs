//! Who a process runs as: names looked up in the container's own files.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::Path;

use libcontainer::oci_spec::runtime::{User, UserBuilder};
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, open, openat2};

use super::SpecError;
use super::error::refuse;

/// Of a longer file, no more is read.
const LONGEST: u64 = 1 << 20;
/// As runc and Docker have it.
const HIGHEST_ID: u32 = i32::MAX.unsigned_abs();

/// Finds `user[:group]`, by name or number, and the further groups of `--group-add`.
///
/// Without a group it is the user's, and those that list the user come with it. A number needs no
/// entry. Files are opened in the root filesystem, wherever links in it point.
pub(super) fn look_up(
    words: &str,
    added_groups: &[String],
    rootfs: &Path,
) -> Result<User, SpecError> {
    let (user, group) = words.split_once(':').unwrap_or((words, ""));
    let accounts = Accounts::read(rootfs)?;
    let number = number_of(user)?;
    let wanted = if user.is_empty() { Some(0) } else { number };
    let entry = accounts
        .users
        .iter()
        .find(|entry| (!user.is_empty() && entry.name == user) || Some(entry.id) == wanted);
    let (uid, mut gid) = match (entry, wanted) {
        (Some(entry), _) => (entry.id, entry.group),
        (None, Some(number)) => (number, 0),
        (None, None) => return Err(SpecError::NoSuchUser(user.to_owned())),
    };
    let mut further = Vec::new();
    if group.is_empty() {
        let of_user = |members: &[String]| entry.is_some_and(|user| members.contains(&user.name));
        let groups = accounts.groups.iter();
        further.extend(
            groups
                .filter(|group| of_user(&group.members))
                .map(|group| group.id),
        );
    } else {
        gid = accounts.group(group)?;
    }
    for added in added_groups {
        let unknown = |error| match error {
            SpecError::NoSuchGroup(name) => {
                SpecError::Refused(format!("Unable to find group {name}"))
            }
            other => other,
        };
        further.push(accounts.group(added).map_err(unknown)?);
    }
    Ok(UserBuilder::default()
        .uid(uid)
        .gid(gid)
        .additional_gids(with_primary(gid, further))
        .build()?)
}

/// The primary group is among the further ones, once each: a process could shed it otherwise, and with
/// it what is forbidden to that group (CVE-2022-36109).
fn with_primary(gid: u32, further: Vec<u32>) -> Vec<u32> {
    let mut groups = vec![gid];
    for group in further {
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    groups
}

fn number_of(text: &str) -> Result<Option<u32>, SpecError> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(None);
    }
    match text.parse() {
        Ok(number) if number <= HIGHEST_ID => Ok(Some(number)),
        Ok(_) | Err(_) => refuse(format!("uids and gids must be in range 0-{HIGHEST_ID}")),
    }
}

struct Accounts {
    users: Vec<Account>,
    groups: Vec<Group>,
}

struct Account {
    name: String,
    id: u32,
    group: u32,
}

struct Group {
    name: String,
    id: u32,
    members: Vec<String>,
}

impl Accounts {
    fn read(rootfs: &Path) -> Result<Self, SpecError> {
        let read = |file: &str| {
            read_beneath(rootfs, file).map_err(|source| SpecError::Read {
                path: Path::new("/").join(file),
                source,
            })
        };
        let (passwd, group) = (read("etc/passwd")?, read("etc/group")?);
        Ok(Self {
            users: passwd.lines().filter_map(account).collect(),
            groups: group.lines().filter_map(parse_group).collect(),
        })
    }

    fn group(&self, words: &str) -> Result<u32, SpecError> {
        let number = number_of(words)?;
        let mut groups = self.groups.iter();
        let found = groups.find(|group| group.name == words || Some(group.id) == number);
        let found = found.map(|group| group.id).or(number);
        found.ok_or_else(|| SpecError::NoSuchGroup(words.to_owned()))
    }
}

fn account(line: &str) -> Option<Account> {
    let fields: Vec<_> = line.split(':').collect();
    let [name, _, id, group, ..] = fields.as_slice() else {
        return None;
    };
    Some(Account {
        name: (*name).to_owned(),
        id: id.parse().ok()?,
        group: group.parse().ok()?,
    })
}

fn parse_group(line: &str) -> Option<Group> {
    let fields: Vec<_> = line.split(':').collect();
    let [name, _, id, rest @ ..] = fields.as_slice() else {
        return None;
    };
    let members = rest.first().copied().unwrap_or_default().split(',');
    Some(Group {
        name: (*name).to_owned(),
        id: id.parse().ok()?,
        members: members
            .filter(|one| !one.is_empty())
            .map(str::to_owned)
            .collect(),
    })
}

/// A file in that root, whatever links lead to it; empty where there is none.
fn read_beneath(root: &Path, path: &str) -> io::Result<String> {
    let file = match open_beneath(root, path) {
        Ok(file) => file,
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => return Ok(String::new()),
        Err(error) => return Err(error.into()),
    };
    // A pipe would be waited for, a device would do what it does.
    if FileType::from_raw_mode(fstat(&file)?.st_mode) != FileType::RegularFile {
        return Ok(String::new());
    }
    let mut text = Vec::new();
    File::from(file).take(LONGEST).read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn open_beneath(root: &Path, path: &str) -> rustix::io::Result<OwnedFd> {
    let root = open(root, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    openat2(&root, path, flags, Mode::empty(), resolve)
}

#[cfg(test)]
#[path = "user_tests.rs"]
mod tests;
