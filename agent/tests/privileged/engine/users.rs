//! Containers with users of their own: what owners they see, and what owners that is on the host and on disk.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;
use std::sync::{Arc, Mutex};

use bollard::models::ContainerCreateBody;
use plimsoll::engine::WaitCondition;
use plimsoll::engine::rootfs::Writing;

use super::harbour::{Harbour, Manned};
use super::wired::{import, said};
use crate::support::skip;

/// On the files `/mine`, which is the root's, and `/theirs`, which is 5's and 6's. Says whose everything is,
/// then waits until it may go on.
const LINE: &str = "\
    stat -c '%u:%g %n' / /mine /theirs /bin/busybox /etc/hosts /volume /bound /bound/file /made/for; \
    cat /mine && echo more >> /mine && touch /new && mkdir -p /dir/sub && chown 7:8 /theirs && \
    mv /dir/sub /dir/moved && rm /gone && touch /volume/file && chown 9:10 /volume/file && \
    echo '127.0.0.9 x' >> /etc/hosts && rmdir /made/for/it && \
    stat -c '%u:%g %n' /mine /theirs /new /dir/moved /volume/file; \
    touch /bound/other 2>/dev/null || echo refused; \
    while [ ! -e /go ]; do sleep 0.1; done; stat -c '%u:%g %n' /copied /copied/in";
const SEEN: &str = "\
0:0 /
0:0 /mine
5:6 /theirs
0:0 /bin/busybox
0:0 /etc/hosts
0:0 /volume
65534:65534 /bound
65534:65534 /bound/file
0:0 /made/for
for the root
0:0 /mine
7:8 /theirs
0:0 /new
0:0 /dir/moved
9:10 /volume/file
refused
0:0 /copied
3:4 /copied/in
";

fn owners(path: &Path) -> (u32, u32) {
    let found = fs::symlink_metadata(path).unwrap();
    (found.uid(), found.gid())
}

/// An archive's names with their owners.
async fn listed(manned: &Manned, id: &str, path: &str) -> Vec<(String, u64, u64)> {
    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let sink = Sink::default();
    manned
        .engine
        .archive_get(id, path, sink.clone())
        .await
        .unwrap();
    let bytes = sink.0.lock().unwrap().clone();
    let mut archive = tar::Archive::new(bytes.as_slice());
    let entries = archive.entries().unwrap().map(|entry| {
        let entry = entry.unwrap();
        let header = entry.header();
        let name = entry.path().unwrap().display().to_string();
        (name, header.uid().unwrap(), header.gid().unwrap())
    });
    entries.collect()
}

/// A directory and a file in it, whose owners are 3 and 4.
fn archive() -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(tar::EntryType::Regular);
    header.set_mode(0o600);
    header.set_uid(3);
    header.set_gid(4);
    header.set_size(2);
    // The directory it is in is not in the archive.
    builder
        .append_data(&mut header, "copied/in", b"x\n".as_slice())
        .unwrap();
    builder.into_inner().unwrap()
}

fn body(harbour: &Harbour, root: &str) -> ContainerCreateBody {
    let mut body = harbour.body(LINE);
    body.working_dir = Some("/made/for/it".to_owned());
    let host = body.host_config.as_mut().unwrap();
    host.userns_mode = Some("private".to_owned());
    host.binds = Some(vec![
        format!("volume-{root}:/volume"),
        format!("{}:/bound", harbour.directory.join("bound").display()),
    ]);
    let annotations = host.annotations.as_mut().unwrap();
    match root {
        "image" => {
            host.annotations = None;
            body.image = Some("box".to_owned());
        }
        mode => {
            annotations.insert("plimsoll.rootfs-mode".to_owned(), mode.to_owned());
        }
    }
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn users_of_its_own_have_the_files_of_the_root_filesystem() {
    let test = "users_of_its_own_have_the_files_of_the_root_filesystem";
    let Some(harbour) = Harbour::new(test) else {
        return;
    };
    // They have to come through.
    let mode = |mode| std::os::unix::fs::PermissionsExt::from_mode(mode);
    fs::set_permissions(&harbour.directory, mode(0o711)).unwrap();
    let rootfs = harbour.directory.join("rootfs");
    let fresh = || {
        fs::write(rootfs.join("mine"), "for the root\n").unwrap();
        fs::write(rootfs.join("theirs"), "").unwrap();
        fs::write(rootfs.join("gone"), "").unwrap();
        chown(rootfs.join("theirs"), Some(5), Some(6)).unwrap();
        fs::set_permissions(rootfs.join("mine"), mode(0o600)).unwrap();
    };
    fresh();
    let bound = harbour.directory.join("bound");
    fs::create_dir(&bound).unwrap();
    fs::write(bound.join("file"), "").unwrap();
    let manned = harbour.man().await;
    import(&harbour, &manned);
    for root in ["image", "overlay", "direct"] {
        let created = manned.engine.create(None, body(&harbour, root)).await;
        let id = created.unwrap().id;
        if let Err(error) = manned.engine.start(&id).await {
            let reason = error.with_causes();
            assert!(reason.contains("owners of the container's own"), "{reason}");
            skip(test, &reason);
            return manned.clear().await;
        }
        let pid = manned.inspect(&id).await.state.unwrap().pid.unwrap();
        let map = fs::read_to_string(format!("/proc/{pid}/uid_map")).unwrap();
        let first: u32 = map.split_whitespace().nth(1).unwrap().parse().unwrap();
        assert!(first >= 65_536, "{map}");
        let outside = Path::new("/proc").join(pid.to_string()).join("root");
        super::eventually("what it changes", async || {
            let there = owners(&outside.join("volume")).0 == first;
            (there && fs::exists(outside.join("volume/file")).unwrap()).then_some(())
        })
        .await;

        // To the host they are nobody; on disk they are who they are inside.
        super::eventually("the owners that it gives", async || {
            let given = owners(&outside.join("volume/file"));
            (given == (first + 9, first + 10)).then_some(())
        })
        .await;
        assert_eq!(owners(&outside.join("theirs")), (first + 7, first + 8));
        let volume = manned.engine.volumes().path(&format!("volume-{root}"));
        assert_eq!(owners(&volume.unwrap().join("file")), (9, 10));
        let upper = harbour.directory.join("data/containers").join(&id);
        let disk = if root == "direct" {
            rootfs.clone()
        } else {
            upper.join("upper")
        };
        assert_eq!(owners(&disk.join("theirs")), (7, 8), "{root}");

        // In and out, while it runs and when it does not.
        let theirs = [("theirs".to_owned(), 7, 8)];
        assert_eq!(listed(&manned, &id, "/theirs").await, theirs);
        let writing = Writing::default();
        let archive = std::io::Cursor::new(archive());
        let put = manned.engine.archive_put(&id, "/", archive, writing).await;
        put.unwrap();
        let go = manned.engine.archive_put(&id, "/", go(), writing).await;
        go.unwrap();
        let exit = manned.engine.wait(&id, WaitCondition::NotRunning).unwrap();
        assert_eq!(exit.await.unwrap().status_code, 0);
        assert_eq!(said(&manned, &id).await, (SEEN.to_owned(), 0), "{root}");
        assert_eq!(listed(&manned, &id, "/theirs").await, theirs);
        assert_eq!(owners(&disk.join("copied/in")), (3, 4));
        // Once more, on what is there already.
        let exit = manned.engine.wait(&id, WaitCondition::NextExit).unwrap();
        manned.engine.start(&id).await.unwrap();
        assert_eq!(exit.await.unwrap().status_code, 0);
        fresh();
        fs::remove_dir_all(rootfs.join("copied")).unwrap_or_default();
    }
    manned.clear().await;
}

/// What the container waits for.
fn go() -> impl Read + Send + 'static {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(0);
    builder
        .append_data(&mut header, "go", std::io::empty())
        .unwrap();
    std::io::Cursor::new(builder.into_inner().unwrap())
}
