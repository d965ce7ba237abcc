//! Extended headers, as they come before their entries.
#![allow(clippy::unwrap_used)]

use super::*;

/// Names and attributes of all entries.
fn all(archive: &[u8]) -> Result<Vec<(String, Attributes)>, ArchiveError> {
    let mut all = Vec::new();
    read(archive, |entry| {
        all.push((entry.name(), entry.attributes.clone()));
        Ok::<_, ArchiveError>(())
    })?;
    Ok(all)
}

fn header(size: u64) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    header.set_path("short").unwrap();
    header.set_mode(0o4755);
    header.set_uid(1);
    header.set_gid(2);
    header.set_mtime(3);
    header.set_size(size);
    header.set_cksum();
    header
}

#[test]
fn what_is_no_archive_is_told_so() {
    let text = "root:x:0:0:root:/root:/bin/bash\n".repeat(100);
    let error = all(text.as_bytes()).unwrap_err();
    assert!(matches!(error, ArchiveError::NoHeader), "{error:?}");
    let mut damaged = header(0);
    damaged.set_cksum();
    damaged.as_mut_bytes()[0] ^= 1;
    let error = all(damaged.as_bytes()).unwrap_err();
    assert!(matches!(error, ArchiveError::NoHeader), "{error:?}");
}

#[test]
fn extended_headers_win_and_may_have_line_feeds() {
    let mut builder = tar::Builder::new(Vec::new());
    // The file before is no whole block.
    builder.append(&header(5), &b"12345"[..]).unwrap();
    let long = "d/".repeat(300);
    let capability = b"\x01\0\0\x02\n\x0a\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let extended: [(&str, &[u8]); 6] = [
        ("SCHILY.xattr.security.capability", capability),
        ("path", long.as_bytes()),
        ("uid", b"4000000000"),
        ("gid", b"0"),
        ("mtime", b"7.5"),
        ("size", b"3"),
    ];
    builder.append_pax_extensions(extended).unwrap();
    builder.append(&header(3), &b"123"[..]).unwrap();
    builder.append(&header(0), &b""[..]).unwrap();
    let all = all(&builder.into_inner().unwrap()).unwrap();
    assert_eq!(all.len(), 3);
    let (name, attributes) = &all[1];
    assert_eq!(*name, long);
    assert_eq!((attributes.uid, attributes.gid), (4_000_000_000, 0));
    assert_eq!(attributes.mode, 0o4755);
    assert_eq!(
        (attributes.mtime.tv_sec, attributes.mtime.tv_nsec),
        (7, 500_000_000)
    );
    let xattr = ("security.capability".to_owned(), capability.to_vec());
    assert_eq!(attributes.xattrs, [xattr]);
    assert_eq!(all[2].0, "short", "they are of one entry");
    assert_eq!((all[0].1.uid, all[2].1.uid), (1, 1));
}

#[test]
fn two_sizes_are_refused() {
    let mut builder = tar::Builder::new(Vec::new());
    // `tar` loses the size behind the line feed.
    let extended: [(&str, &[u8]); 2] = [("comment", b"a\nb"), ("size", b"512")];
    builder.append_pax_extensions(extended).unwrap();
    builder.append(&header(0), &b""[..]).unwrap();
    let error = all(&builder.into_inner().unwrap()).unwrap_err();
    assert!(error.to_string().contains("two sizes"), "{error}");
}

#[test]
fn owners_that_cannot_be_are_refused() {
    for id in ["4294967295", "4294967296", "-1", "x"] {
        let mut builder = tar::Builder::new(Vec::new());
        builder
            .append_pax_extensions([("uid", id.as_bytes())])
            .unwrap();
        builder.append(&header(0), &b""[..]).unwrap();
        let error = all(&builder.into_inner().unwrap()).unwrap_err();
        assert!(matches!(error, ArchiveError::Refused { name, .. } if name == "short"));
    }
}

#[test]
fn what_writers_leave_out_is_nothing() {
    let mut empty = tar::Header::new_ustar();
    empty.set_path("empty").unwrap();
    empty.set_size(3);
    empty.set_cksum();
    let mut archive = empty.as_bytes().to_vec();
    // Neither padding nor an end.
    archive.extend(b"123");
    let all = all(&archive).unwrap();
    assert_eq!(all.len(), 1);
    let Attributes { mode, uid, gid, .. } = all[0].1;
    assert_eq!((mode, uid, gid), (0, 0, 0));
    assert_eq!(all[0].1.mtime.tv_sec, 0);
}
