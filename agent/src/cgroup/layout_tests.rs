//! Layouts from mount tables of real hosts.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::cgroup::mount;

const HYBRID_MOUNTS: &str = include_str!("../../tests/fixtures/cgroup/hosts/hybrid-mountinfo");
const HYBRID_OWN: &[u8] = include_bytes!("../../tests/fixtures/cgroup/hosts/hybrid-cgroup");

fn layout(mountinfo: &str, own: &[u8], v2: &[Controller]) -> Layout {
    Layout::assemble(mount::parse(mountinfo), own, |_| v2.to_vec()).unwrap()
}

#[test]
fn hybrid_host_is_read_controller_by_controller() {
    let layout = layout(HYBRID_MOUNTS, HYBRID_OWN, &[Controller::Hugetlb]);
    assert_eq!(layout.mode(), Mode::Hybrid);
    assert_eq!(layout.hierarchies().len(), 10);
    assert_eq!(layout.degradation(), None);
    let mount = |controller| {
        layout
            .controller(controller)
            .map(|h| h.mount.to_str().unwrap())
    };
    assert_eq!(mount(Controller::Memory), Some("/sys/fs/cgroup/memory"));
    assert_eq!(mount(Controller::Io), Some("/sys/fs/cgroup/blkio"));
    assert_eq!(mount(Controller::Hugetlb), Some("/sys/fs/cgroup/unified"));
    assert_eq!(mount(Controller::NetCls), None);
    assert_eq!(
        layout.controller(Controller::Memory).unwrap().id,
        HierarchyId(4)
    );
    let systemd = layout.hierarchy(HierarchyId(9)).unwrap();
    assert_eq!(
        (systemd.name.as_deref(), systemd.controllers.len()),
        (Some("systemd"), 0)
    );
}

#[test]
fn controllers_may_share_a_v1_hierarchy() {
    let mountinfo = "\
33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid - cgroup cgroup rw,cpu,cpuacct
34 31 0:31 / /sys/fs/cgroup/systemd rw,nosuid - cgroup cgroup rw,xattr,name=systemd
";
    let layout = layout(
        mountinfo,
        b"5:cpu,cpuacct:/user.slice\n1:name=systemd:/\n",
        &[],
    );
    assert_eq!(layout.mode(), Mode::Legacy);
    assert_eq!(layout.degradation(), Some(Degradation::NoCgroup2));
    assert_eq!(layout.unified(), None);
    let cpu = layout.controller(Controller::Cpu).unwrap();
    assert_eq!(cpu.id, HierarchyId(5));
    assert_eq!(cpu.controllers, [Controller::Cpu, Controller::Cpuacct]);
    assert_eq!(layout.controller(Controller::Freezer), None);
}

#[test]
fn unified_host_has_accounting_and_freezer_without_controllers() {
    let mountinfo = "28 23 0:25 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n";
    let layout = layout(
        mountinfo,
        b"0::/init.scope\n",
        &[Controller::Cpu, Controller::Memory],
    );
    assert_eq!(layout.mode(), Mode::Unified);
    for controller in [Controller::Cpu, Controller::Cpuacct, Controller::Freezer] {
        assert_eq!(layout.controller(controller), layout.unified());
    }
    assert_eq!(layout.controller(Controller::Pids), None);
}

#[test]
fn the_whole_of_a_hierarchy_is_preferred_to_a_part() {
    let part = "40 31 0:38 /docker/abc /mnt/part rw - cgroup2 cgroup2 rw\n";
    let whole = "41 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
    let both = layout(&format!("{part}{whole}"), b"0::/\n", &[]);
    assert_eq!(both.unified().unwrap().mount, Path::new("/sys/fs/cgroup"));
    let only_part = layout(part, b"0::/\n", &[]);
    let unified = only_part.unified().unwrap();
    let directory = |path| {
        unified
            .directory(path)
            .map(|d| d.to_str().unwrap().to_owned())
    };
    assert_eq!(directory("/docker/abc").as_deref(), Some("/mnt/part"));
    assert_eq!(directory("/docker/abc/d").as_deref(), Some("/mnt/part/d"));
    assert_eq!(directory("/docker/abcd"), None);
    assert_eq!(directory("/"), None);
}

#[test]
fn no_cgroup_at_all_is_an_error() {
    let none = layout("23 1 254:0 / / rw - ext4 /dev/vda rw\n", b"0::/\n", &[]);
    assert!(matches!(none.known(), Err(LayoutError::NoCgroup)));
}

#[test]
fn this_host_has_a_layout() {
    let layout = Layout::detect().unwrap();
    for hierarchy in layout.hierarchies() {
        assert!(hierarchy.mount.join("cgroup.procs").exists());
    }
}
