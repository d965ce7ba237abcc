//! Archives that somebody wrote to get out, and what honest ones become.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::MetadataExt;

use proptest::prelude::*;

use super::super::tree::Links;
use super::*;

const LAYER: Form = Form::Layer;

/// An archive of entries: kind, name, link, content.
fn tarball(entries: &[(tar::EntryType, &str, &str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (kind, name, link, content) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_mode(0o640);
        header.set_mtime(1_000_000_000);
        header.set_size(content.len() as u64);
        // As they are, however bad.
        let old = header.as_old_mut();
        old.name[..name.len()].copy_from_slice(name.as_bytes());
        old.linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_uid(rustix::process::getuid().as_raw().into());
        header.set_gid(rustix::process::getgid().as_raw().into());
        header.set_cksum();
        builder.append(&header, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

struct Fixture {
    /// Beside the tree lies what must not be touched.
    above: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        let above = tempfile::tempdir().unwrap();
        fs::create_dir(above.path().join("tree")).unwrap();
        fs::write(above.path().join("outside"), "untouched").unwrap();
        Self { above }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.above.path().join("tree").join(name)
    }

    fn unpack(&self, archive: &[u8], form: Form) -> Result<u64, ArchiveError> {
        let tree = Tree::open(&self.path(""), Links::Refuse).unwrap();
        unpack(archive, &tree, Path::new(""), form)
    }

    fn refuses(&self, entries: &[(tar::EntryType, &str, &str, &[u8])], named: &str) {
        let error = self.unpack(&tarball(entries), LAYER).unwrap_err();
        assert!(
            matches!(&error, ArchiveError::Refused { name, .. } if name == named),
            "{error:?}"
        );
        let outside = self.above.path().join("outside");
        assert_eq!(fs::read_to_string(outside).unwrap(), "untouched");
        let beside = fs::read_dir(self.above.path()).unwrap().count();
        assert_eq!(beside, 2, "nothing new beside the tree");
    }
}

use tar::EntryType as T;

#[test]
fn names_that_lead_out_are_refused() {
    for name in ["../new", "a/../../new", ".."] {
        Fixture::new().refuses(&[(T::Regular, name, "", b"x")], name);
    }
}

#[test]
fn an_absolute_name_is_below_the_root_of_the_tree() {
    // As distroless and ko images have them.
    let fixture = Fixture::new();
    let archive = tarball(&[(T::Regular, "/plimsoll-absolute", "", b"x")]);
    fixture.unpack(&archive, LAYER).unwrap();
    assert_eq!(fs::read(fixture.path("plimsoll-absolute")).unwrap(), b"x");
    assert!(!Path::new("/plimsoll-absolute").exists());
}

#[test]
fn nothing_is_written_through_a_link() {
    let link = (T::Symlink, "link", "..", &b""[..]);
    Fixture::new().refuses(&[link, (T::Regular, "link/new", "", b"x")], "link/new");
    let absolute = (T::Symlink, "link", "/tmp", &b""[..]);
    Fixture::new().refuses(
        &[absolute, (T::Regular, "link/sub/new", "", b"x")],
        "link/sub/new",
    );
    // The last name is no way through: it is replaced.
    let fixture = Fixture::new();
    let link = (T::Symlink, "link", "../outside", &b""[..]);
    let archive = tarball(&[link, (T::Regular, "link", "", b"x")]);
    fixture.unpack(&archive, LAYER).unwrap();
    assert_eq!(fs::read(fixture.path("link")).unwrap(), b"x");
    let outside = fs::read(fixture.above.path().join("outside")).unwrap();
    assert_eq!(outside, b"untouched");
}

#[test]
fn hard_links_stay_inside() {
    for target in ["../outside", "/etc/passwd", "absent"] {
        Fixture::new().refuses(&[(T::Link, "x", target, b"")], "x");
    }
    let link = (T::Symlink, "link", "..", &b""[..]);
    Fixture::new().refuses(&[link, (T::Link, "x", "link/outside", b"")], "x");
    Fixture::new().refuses(
        &[(T::Directory, "d", "", b""), (T::Link, "x", "d", b"")],
        "x",
    );
    let fixture = Fixture::new();
    let archive = tarball(&[(T::Regular, "a", "", b"x"), (T::Link, "b", "/a", b"")]);
    fixture.unpack(&archive, LAYER).unwrap();
    assert_eq!(fs::metadata(fixture.path("b")).unwrap().nlink(), 2);
}

#[test]
fn the_device_that_hides_files_is_refused() {
    Fixture::new().refuses(&[(T::Char, "x", "", b"")], "x");
}

#[test]
fn a_name_changes_its_kind_with_all_below_it() {
    let fixture = Fixture::new();
    let archive = tarball(&[
        (T::Regular, "a/b/c/d", "", b"x"),
        (T::Symlink, "a/b/l", "/nowhere", b""),
        (T::Regular, "a", "", b"now a file"),
        (T::Directory, "a", "", b""),
        (T::Regular, "a/e", "", b"y"),
    ]);
    fixture.unpack(&archive, LAYER).unwrap();
    let names: Vec<_> = fs::read_dir(fixture.path("a"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["e"]);
    let mtime = fs::metadata(fixture.path("a")).unwrap().mtime();
    assert_eq!(mtime, 1_000_000_000, "though something was made in it");
}

#[test]
fn a_whiteout_is_of_something() {
    for name in [".wh.", ".wh..", ".wh..."] {
        Fixture::new().refuses(&[(T::Regular, name, "", b"")], name);
    }
}

#[test]
fn a_short_file_is_refused() {
    let fixture = Fixture::new();
    let whole = tarball(&[(T::Regular, "a", "", &[1; 4000])]);
    let error = fixture.unpack(&whole[..2000], LAYER).unwrap_err();
    assert!(error.to_string().contains("\"a\""), "{error}");
}

#[test]
fn names_of_a_gigabyte_are_not_kept_in_memory() {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(T::GNULongName);
    header.set_size(1 << 30);
    header.set_cksum();
    let archive = io::Cursor::new(header.as_bytes()).chain(io::repeat(b'x').take(1 << 30));
    let fixture = Fixture::new();
    let tree = Tree::open(&fixture.path(""), Links::Refuse).unwrap();
    let error = unpack(archive, &tree, Path::new(""), LAYER).unwrap_err();
    let ArchiveError::Read { source } = error else {
        panic!("{error}");
    };
    assert!(source.to_string().contains("1 MiB"), "{source}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_bytes_get_out(
        changes in proptest::collection::vec((0_usize..8192, any::<u8>()), 1..8),
        cut in 0_usize..8192,
    ) {
        let mut archive = tarball(&[
            (T::Directory, "d", "", b""),
            (T::Regular, "d/f", "", b"content"),
            (T::Symlink, "l", "d", b""),
            (T::Link, "h", "d/f", b""),
            (T::Regular, "d/.wh.x", "", b""),
            (T::Fifo, "p", "", b""),
        ]);
        for (at, byte) in changes {
            let at = at % archive.len();
            archive[at] = byte;
        }
        // What changes a header needs a sum that is right again to get any further.
        for block in archive.chunks_exact_mut(512).filter(|block| block[0] != 0) {
            let mut header = tar::Header::from_byte_slice(block).clone();
            header.set_cksum();
            block.copy_from_slice(header.as_bytes());
        }
        archive.truncate(archive.len() - cut % 512);
        let fixture = Fixture::new();
        let _either = fixture.unpack(&archive, LAYER);
        let beside = fs::read_dir(fixture.above.path()).unwrap().count();
        prop_assert_eq!(beside, 2);
        prop_assert_eq!(fs::read(fixture.above.path().join("outside")).unwrap(), b"untouched");
    }
}
