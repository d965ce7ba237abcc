//! Mounts that everything else depends on.

use std::fs;
use std::path::{Component, Path, PathBuf};

use libcontainer::oci_spec::runtime::{Mount, MountBuilder, Spec};

use super::SpecError;

/// Where `libcontainer` makes links and files by path, or the kernel's file systems are mounted.
/// As a link, such a directory leads out of the root file system: with `dev -> /x`, runtimes made
/// device links in the host's `/x` (CVE-2026-41579).
const TRAPS: [&str; 3] = ["dev", "proc", "sys"];

const DEV_OPTIONS: [&str; 4] = ["nosuid", "strictatime", "mode=755", "size=65536k"];

/// Refuses a root file system whose `/dev`, `/proc` or `/sys` is not what it should be.
pub(super) fn refuse_traps(rootfs: &Path) -> Result<(), SpecError> {
    for name in TRAPS {
        let path = rootfs.join(name);
        let Ok(metadata) = fs::symlink_metadata(&path) else {
            continue;
        };
        let found = if metadata.is_symlink() {
            "a symbolic link"
        } else if !metadata.is_dir() {
            "not a directory"
        } else {
            continue;
        };
        let path = PathBuf::from("/").join(name);
        return Err(SpecError::Trap { path, found });
    }
    Ok(())
}

/// Refuses a mount over the root file system: what was looked at there would not be what is used.
pub(super) fn refuse_another_root(spec: &Spec) -> Result<(), SpecError> {
    let mut mounts = spec.mounts().iter().flatten();
    match mounts.any(|mount| place(mount) == Path::new("/")) {
        true => Err(SpecError::RootMount),
        false => Ok(()),
    }
}

/// A mount's destination, as far as its words say.
fn place(mount: &Mount) -> PathBuf {
    let mut place = PathBuf::from("/");
    for component in mount.destination().components() {
        match component {
            Component::Normal(name) => place.push(name),
            Component::ParentDir => drop(place.pop()),
            Component::Prefix(_) | Component::RootDir | Component::CurDir => {}
        }
    }
    place
}

/// `/dev` is always a tmpfs of the workload's own: `libcontainer` makes links and devices there, and
/// removes `ptmx`, in whatever is mounted.
pub(super) fn ensure_dev(spec: &mut Spec) -> Result<(), SpecError> {
    let mounts = spec.mounts_mut().get_or_insert_default();
    let is_dev = |mount: &&Mount| place(mount) == Path::new("/dev");
    let mut found = false;
    for mount in mounts.iter().filter(is_dev) {
        let kind = mount.typ().as_deref().unwrap_or_default();
        let options = mount.options().iter().flatten();
        let binds = options.into_iter().any(|option| option.ends_with("bind"));
        if kind != "tmpfs" || binds {
            let kind = if binds { "bind" } else { kind }.to_owned();
            return Err(SpecError::DevMount { kind });
        }
        found = true;
    }
    if !found {
        let dev = MountBuilder::default()
            .destination("/dev")
            .typ("tmpfs")
            .source("tmpfs")
            .options(DEV_OPTIONS.map(str::to_owned).to_vec())
            .build();
        // Nothing that the builder asks for is missing.
        mounts.splice(0..0, dev.ok());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_link_or_file_in_the_place_of_dev_is_refused() {
        let rootfs = tempfile::tempdir().unwrap();
        refuse_traps(rootfs.path()).unwrap();
        fs::create_dir(rootfs.path().join("dev")).unwrap();
        refuse_traps(rootfs.path()).unwrap();
        std::os::unix::fs::symlink("/tmp", rootfs.path().join("sys")).unwrap();
        let error = refuse_traps(rootfs.path()).unwrap_err();
        assert!(error.to_string().contains("/sys"), "{error}");
        fs::remove_file(rootfs.path().join("sys")).unwrap();
        fs::write(rootfs.path().join("proc"), "").unwrap();
        let error = refuse_traps(rootfs.path()).unwrap_err();
        assert!(error.to_string().contains("not a directory"), "{error}");
    }

    fn spec(mounts: &str) -> Spec {
        let text = format!(r#"{{"ociVersion":"1.0.2","mounts":{mounts}}}"#);
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn dev_is_added_where_it_is_missing_and_kept_where_it_is_a_tmpfs() {
        let mut without = spec("[]");
        ensure_dev(&mut without).unwrap();
        let added = without.mounts().as_ref().unwrap();
        assert_eq!(added.len(), 1);
        assert_eq!(added[0].destination(), Path::new("/dev"));
        let mut with = spec(r#"[{"destination":"/dev/","type":"tmpfs","options":["size=1m"]}]"#);
        ensure_dev(&mut with).unwrap();
        let kept = with.mounts().as_ref().unwrap();
        assert_eq!(kept.len(), 1);
        assert_eq!(
            kept[0].options().as_deref(),
            Some(&["size=1m".to_owned()][..])
        );
    }

    #[test]
    fn the_hosts_dev_is_refused() {
        let mut bind = spec(r#"[{"destination":"/dev","source":"/dev","options":["rbind"]}]"#);
        let error = ensure_dev(&mut bind).unwrap_err();
        assert!(error.to_string().contains("bind mount at /dev"), "{error}");
        let mut devtmpfs = spec(r#"[{"destination":"/dev","type":"devtmpfs"}]"#);
        assert!(ensure_dev(&mut devtmpfs).is_err());
        let mut around =
            spec(r#"[{"destination":"/tmp/../dev","source":"/dev","options":["bind"]}]"#);
        assert!(ensure_dev(&mut around).is_err());
    }

    #[test]
    fn a_mount_over_the_root_is_refused() {
        for place in ["/", "/.", "/tmp/..", ""] {
            let mount =
                format!(r#"[{{"destination":"{place}","source":"/x","options":["bind"]}}]"#);
            let error = refuse_another_root(&spec(&mount)).unwrap_err();
            assert!(matches!(error, SpecError::RootMount), "{place}");
        }
        refuse_another_root(&spec(r#"[{"destination":"/tmp"}]"#)).unwrap();
    }
}
