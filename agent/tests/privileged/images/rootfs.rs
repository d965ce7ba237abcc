//! Overlays of images' layers: mounted, changed, compared, and gone.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use plimsoll::engine::rootfs::{Inside, Mounts, Overlay, Writing, unmount_at};

use super::archive::{files, honest, store};

/// A directory of mounts that is unmounted when a test ends, however.
struct Private {
    dir: tempfile::TempDir,
    mounts: Mounts,
}

impl Private {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mounts = Mounts::open(&dir.path().join("mounts")).unwrap();
        Self { dir, mounts }
    }

    fn overlay(&self, lower: Vec<PathBuf>) -> Overlay {
        Overlay {
            lower,
            upper: self.dir.path().join("upper"),
            work: self.dir.path().join("work"),
            volatile: false,
        }
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        self.mounts.reap(&|_| false).unwrap();
        unmount_at(&self.dir.path().join("mounts")).unwrap();
    }
}

fn mountinfo(of: &Path) -> Vec<String> {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let of = format!(" {} ", of.display());
    let lines = table.lines().filter(|line| line.contains(&of));
    lines.map(str::to_owned).collect()
}

#[test]
fn a_volatile_overlay_can_be_mounted_again() {
    if !nix::unistd::geteuid().is_root() {
        return crate::support::skip("a_volatile_overlay_can_be_mounted_again", "not root");
    }
    let private = Private::new();
    let lower = private.dir.path().join("lower");
    fs::create_dir(&lower).unwrap();
    let overlay = Overlay {
        volatile: true,
        ..private.overlay(vec![lower])
    };
    let target = private.mounts.mount("one", &overlay, None).unwrap();
    let [line] = &mountinfo(&target)[..] else {
        panic!("one mount");
    };
    // overlayfs says so; then unmounting it syncs nothing.
    assert!(line.contains("volatile"), "{line}");
    fs::write(target.join("file"), "kept").unwrap();
    private.mounts.unmount("one").unwrap();
    let target = private.mounts.mount("one", &overlay, None).unwrap();
    assert_eq!(fs::read(target.join("file")).unwrap(), b"kept");
}

#[test]
fn an_overlay_is_private_and_gone_when_unmounted() {
    if !nix::unistd::geteuid().is_root() {
        return crate::support::skip("an_overlay_is_private_and_gone_when_unmounted", "not root");
    }
    let private = Private::new();
    let lower = private.dir.path().join("lower");
    fs::create_dir(&lower).unwrap();
    fs::set_permissions(&lower, fs::Permissions::from_mode(0o1711)).unwrap();
    fs::write(lower.join("file"), "lower").unwrap();
    let overlay = private.overlay(vec![lower.clone()]);
    let target = private.mounts.mount("one", &overlay, None).unwrap();
    let [line] = &mountinfo(&target)[..] else {
        panic!("one mount");
    };
    assert!(!line.contains("shared:"), "{line}");
    assert!(line.contains(" overlay "), "{line}");
    assert_eq!(fs::metadata(&target).unwrap().mode() & 0o7777, 0o1711);
    fs::write(target.join("file"), "changed").unwrap();
    assert_eq!(fs::read(lower.join("file")).unwrap(), b"lower");
    // Somebody is in it, and another agent comes: it finds what is left, and is not held up.
    let inside = fs::File::open(target.join("file")).unwrap();
    let again = Mounts::open(&private.dir.path().join("mounts")).unwrap();
    assert_eq!(again.mounted().unwrap(), ["one"]);
    assert_eq!(again.reap(&|name| name == "one").unwrap(), [""; 0]);
    assert_eq!(again.reap(&|_| false).unwrap(), ["one"]);
    assert_eq!(mountinfo(&target), [""; 0]);
    assert!(!target.exists());
    drop(inside);
    let spare = private.dir.path().join("spare");
    fs::create_dir(&spare).unwrap();
    let detached = overlay.detached(&spare).unwrap();
    assert_eq!(mountinfo(&spare), [""; 0]);
    let mut archive = Vec::new();
    Inside::new(detached)
        .read("c", "/file", &mut archive)
        .unwrap();
    assert!(archive.windows(7).any(|bytes| bytes == b"changed"));
}

#[test]
fn a_hundred_layers_with_long_names_are_one_tree() {
    let Some((_images, store)) = store("a_hundred_layers_with_long_names_are_one_tree") else {
        return;
    };
    let private = Private::new();
    let archives: Vec<_> = (0..100)
        .map(|number: u8| {
            let own = format!("own{number}");
            files(&[("common", &[number]), (&own, b"x")])
        })
        .collect();
    let archives: Vec<&[u8]> = archives.iter().map(Vec::as_slice).collect();
    let id = store.load(&honest("x", &archives)[..]).unwrap()[0].id;
    let mut overlay = private.overlay(store.layers(&id).unwrap());
    let odd = private
        .dir
        .path()
        .join(format!("odd, a:b\\{}", "o".repeat(220)));
    fs::create_dir(&odd).unwrap();
    fs::write(odd.join("odd"), "x").unwrap();
    overlay.lower.push(odd);
    let target = private.mounts.mount("x", &overlay, None).unwrap();
    assert_eq!(fs::read(target.join("common")).unwrap(), [99]);
    assert_eq!(fs::read_dir(&target).unwrap().count(), 102);
}

#[test]
fn changes_are_what_docker_diff_calls_them() {
    let Some((_images, store)) = store("changes_are_what_docker_diff_calls_them") else {
        return;
    };
    let private = Private::new();
    let base = files(&[
        ("etc/kept", b"1"),
        ("etc/changed", b"1"),
        ("etc/gone", b"1"),
        ("etc/below", b"1"),
        ("dir/old/file", b"1"),
        ("dir/old/sub/file", b"1"),
        ("untouched/file", b"1"),
        ("kind", b"1"),
    ]);
    let above = files(&[("etc/.wh.below", b"")]);
    let id = store.load(&honest("x", &[&base, &above])[..]).unwrap()[0].id;
    let overlay = private.overlay(store.layers(&id).unwrap());
    assert_eq!(overlay.changes().unwrap(), []);
    let target = private.mounts.mount("x", &overlay, None).unwrap();
    assert_eq!(overlay.changes().unwrap(), []);
    fs::write(target.join("etc/changed"), "2").unwrap();
    fs::remove_file(target.join("etc/gone")).unwrap();
    fs::write(target.join("etc/below"), "again").unwrap();
    fs::create_dir_all(target.join("new/deep")).unwrap();
    symlink("/etc", target.join("new/deep/link")).unwrap();
    fs::remove_dir_all(target.join("dir/old")).unwrap();
    fs::create_dir(target.join("dir/old")).unwrap();
    fs::write(target.join("dir/old/file"), "2").unwrap();
    fs::remove_file(target.join("kind")).unwrap();
    fs::create_dir(target.join("kind")).unwrap();
    let changes: Vec<_> = overlay
        .changes()
        .unwrap()
        .into_iter()
        .map(|change| {
            let letter = ["C", "A", "D"][change.kind as usize];
            format!("{letter} {}", change.path)
        })
        .collect();
    assert_eq!(
        changes,
        [
            "C /dir",
            "C /dir/old",
            "C /dir/old/file",
            "D /dir/old/sub",
            "C /etc",
            "A /etc/below",
            "C /etc/changed",
            "D /etc/gone",
            "C /kind",
            "A /new",
            "A /new/deep",
            "A /new/deep/link",
        ]
    );
}

#[test]
fn files_are_copied_in_and_out_with_what_they_have() {
    if !nix::unistd::geteuid().is_root() {
        return crate::support::skip(
            "files_are_copied_in_and_out_with_what_they_have",
            "not root",
        );
    }
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    fs::create_dir_all(from.join("srv/sub")).unwrap();
    fs::create_dir(&to).unwrap();
    super::archive::run(
        "sh",
        &[
            "-c",
            "cd $1/srv; echo x > f; chown 5:6 f; chmod 4750 f; ln f sub/twin; mkfifo p; \
             mknod n c 1 3; ln -s f l; setcap cap_dac_override,cap_fowner+ep sub/twin; \
             touch -d '2001-02-03 04:05:06.789' f; touch -d 2002-02-03 sub .; touch -h -d 2002-02-03 l",
            "sh",
            from.to_str().unwrap(),
        ],
    );
    let mut archive = Vec::new();
    Inside::open(&from)
        .unwrap()
        .read("c", "/srv", &mut archive)
        .unwrap();
    let inside = Inside::open(&to).unwrap();
    inside
        .write("c", "/", &archive[..], Writing::default())
        .unwrap();
    assert_eq!(super::archive::listing(&to), super::archive::listing(&from));
    let capabilities = super::archive::run("getcap", &[to.join("srv/f").to_str().unwrap()]);
    assert!(capabilities.contains("cap_fowner"), "{capabilities}");
    // GNU tar reads what we write.
    let out = dir.path().join("out");
    fs::create_dir(&out).unwrap();
    fs::write(dir.path().join("a.tar"), &archive).unwrap();
    let tar = dir.path().join("a.tar");
    super::archive::run(
        "tar",
        &[
            "-x",
            "--numeric-owner",
            "-p",
            "-f",
            tar.to_str().unwrap(),
            "-C",
            out.to_str().unwrap(),
        ],
    );
    assert_eq!(
        super::archive::listing(&out),
        super::archive::listing(&from)
    );
}
