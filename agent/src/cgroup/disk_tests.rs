//! Paths over mount tables of real hosts and a made-up sysfs.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;

use super::*;

/// `sda` with `sda1`, a volume `dm-0`, a loop device, and a btrfs on two disks.
struct World {
    sys: tempfile::TempDir,
    paths: BTreeMap<PathBuf, Seen>,
    mountinfo: String,
}

fn number(major: u32, minor: u32) -> DeviceNumber {
    DeviceNumber { major, minor }
}

impl World {
    fn new() -> Self {
        let sys = tempfile::tempdir().unwrap();
        let block = sys.path().join("devices/block");
        fs::create_dir_all(sys.path().join("dev/block")).unwrap();
        let disks = [
            ("sda", "8:0"),
            ("sdb", "8:16"),
            ("dm-0", "253:0"),
            ("loop3", "7:3"),
        ];
        for (name, number) in disks {
            fs::create_dir_all(block.join(name)).unwrap();
            fs::write(block.join(name).join("dev"), format!("{number}\n")).unwrap();
            symlink(block.join(name), sys.path().join("dev/block").join(number)).unwrap();
        }
        let partition = block.join("sda/sda1");
        fs::create_dir(&partition).unwrap();
        fs::write(partition.join("dev"), "8:1\n").unwrap();
        fs::write(partition.join("partition"), "1\n").unwrap();
        symlink(&partition, sys.path().join("dev/block/8:1")).unwrap();
        for (filesystem, device) in [("one", "sda1"), ("two", "sda"), ("two", "sdb")] {
            let device = sys
                .path()
                .join("fs/btrfs")
                .join(filesystem)
                .join("devices")
                .join(device);
            fs::create_dir_all(device).unwrap();
        }
        Self {
            sys,
            paths: BTreeMap::new(),
            mountinfo: String::new(),
        }
    }

    fn path(mut self, path: &str, device: (u32, u32), mount: i32) -> Self {
        let seen = Seen {
            device: number(device.0, device.1),
            special: None,
            mount,
        };
        self.paths.insert(path.into(), seen);
        self
    }

    fn special(mut self, path: &str, device: (u32, u32)) -> Self {
        let seen = Seen {
            device: number(0, 6),
            special: Some(number(device.0, device.1)),
            mount: 24,
        };
        self.paths.insert(path.into(), seen);
        self
    }

    fn mount(mut self, line: &str) -> Self {
        self.mountinfo.push_str(line);
        self.mountinfo.push('\n');
        self
    }

    fn disk_of(&self, path: &str) -> Result<DeviceNumber, DiskError> {
        let look = |path: &Path| {
            let seen = self.paths.get(path).copied();
            seen.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
        };
        let host = Host {
            mounts: mounts(&self.mountinfo),
            sys: self.sys.path(),
            look,
        };
        host.disk_of(Path::new(path))
    }
}

#[test]
fn a_partition_is_its_disk() {
    let world = World::new()
        .path("/data", (8, 1), 30)
        .special("/dev/sda1", (8, 1));
    assert_eq!(world.disk_of("/data").unwrap(), number(8, 0));
    assert_eq!(world.disk_of("/dev/sda1").unwrap(), number(8, 0));
}

#[test]
fn volumes_and_loop_devices_are_disks_themselves() {
    let world = World::new()
        .path("/vol", (253, 0), 30)
        .special("/dev/loop3", (7, 3));
    assert_eq!(world.disk_of("/vol").unwrap(), number(253, 0));
    assert_eq!(world.disk_of("/dev/loop3").unwrap(), number(7, 3));
}

#[test]
fn an_overlay_is_the_disk_of_its_upper_layer() {
    let world = World::new()
        .mount(
            "95 27 0:50 / /merged rw,relatime shared:5 - overlay overlay \
             rw,lowerdir=/l/A:/l/B,upperdir=/var/lib/docker/overlay2/x\\040y/diff,\
             workdir=/var/lib/docker/overlay2/x\\040y/work",
        )
        .path("/merged/etc", (0, 50), 95)
        .path("/var/lib/docker/overlay2/x y/diff", (8, 1), 27);
    assert_eq!(world.disk_of("/merged/etc").unwrap(), number(8, 0));
}

#[test]
fn an_overlay_without_an_upper_layer_is_the_disk_of_its_lower() {
    let world = World::new()
        .mount("95 27 0:50 / /merged ro,relatime - overlay overlay ro,lowerdir=/l/A:/l/B")
        .path("/merged", (0, 50), 95)
        .path("/l/A", (253, 0), 27);
    assert_eq!(world.disk_of("/merged").unwrap(), number(253, 0));
}

#[test]
fn an_overlay_of_itself_is_too_deep() {
    let world = World::new()
        .mount("95 27 0:50 / /m rw - overlay overlay rw,lowerdir=/l,upperdir=/m,workdir=/w")
        .path("/m", (0, 50), 95);
    assert!(matches!(
        world.disk_of("/m"),
        Err(DiskError::TooDeep { .. })
    ));
}

#[test]
fn btrfs_is_the_disk_that_was_mounted_unless_there_are_more() {
    let world = World::new()
        .mount("40 1 0:33 /@ / rw,relatime - btrfs /dev/sda1 rw,space_cache=v2,subvol=/@")
        .mount("41 1 0:34 / /two rw,relatime - btrfs /dev/sda rw")
        // A subvolume shows a number that the mount table does not have.
        .path("/home", (0, 61), 40)
        .path("/two", (0, 34), 41)
        .special("/dev/sda1", (8, 1));
    assert_eq!(world.disk_of("/home").unwrap(), number(8, 0));
    let several = world.disk_of("/two").unwrap_err();
    assert_eq!(
        several.to_string(),
        "/two is on several disks, sda and sdb: name one by its device file"
    );
}

#[test]
fn what_is_no_disk_is_named() {
    let world = World::new()
        .mount("50 1 0:40 / /run rw - tmpfs tmpfs rw,size=1k")
        .mount("51 1 0:41 / /net rw - nfs4 server:/export rw,vers=4.2")
        .path("/run/x", (0, 40), 50)
        .path("/net", (0, 41), 51)
        .path("/gone", (9, 9), 52);
    let told = |path: &str| world.disk_of(path).unwrap_err().to_string();
    assert_eq!(
        told("/run/x"),
        "/run/x has no disk: it is on tmpfs, which is in memory"
    );
    assert_eq!(
        told("/net"),
        "/net has no disk: it is on nfs4, which another machine keeps: limit its network instead"
    );
    assert_eq!(
        told("/gone"),
        "/gone is on device 9:9, which sysfs does not know"
    );
    assert_eq!(told("/missing"), "cannot look at /missing");
}

#[test]
fn this_hosts_file_systems_are_looked_at() {
    let own = disk_of(Path::new("/proc")).unwrap_err();
    assert!(
        matches!(own, DiskError::NoDisk { ref kind, .. } if kind == "proc"),
        "{own}"
    );
}
