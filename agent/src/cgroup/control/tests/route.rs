//! Which file of which hierarchy a knob is.

use std::path::Path;

use super::*;
use crate::cgroup::DeviceNumber;

const DISK: DeviceNumber = DeviceNumber { major: 8, minor: 0 };

const ALL: [Knob; 16] = [
    Knob::CpuMax,
    Knob::CpuMaxBurst,
    Knob::CpuWeight,
    Knob::CpuIdle,
    Knob::CpusetCpus,
    Knob::CpusetMems,
    Knob::MemoryMax,
    Knob::MemoryHigh,
    Knob::MemoryLow,
    Knob::MemoryMin,
    Knob::MemorySwapMax,
    Knob::MemoryOomGroup,
    Knob::PidsMax,
    Knob::IoMax(DISK),
    Knob::IoWeight,
    Knob::Freeze,
];

const V2_ONLY: [Knob; 4] = [
    Knob::MemoryHigh,
    Knob::MemoryLow,
    Knob::MemoryMin,
    Knob::MemoryOomGroup,
];

fn names(tree: &Tree, knob: Knob) -> Vec<String> {
    let files = tree.control().files(knob);
    let relative = files
        .iter()
        .map(|file| file.strip_prefix(tree.root.path()).unwrap());
    relative
        .map(|file| file.to_str().unwrap().to_owned())
        .collect()
}

fn reason(tree: &Tree, knob: Knob) -> String {
    tree.control().enforceable(knob).unwrap_err().to_string()
}

#[test]
fn on_v2_every_knob_is_its_file() {
    let tree = Tree::v2();
    for knob in ALL {
        assert_eq!(tree.control().enforceable(knob), Ok(()), "{knob}");
        assert_eq!(
            names(&tree, knob),
            [format!("unified/slice/w/{}", knob.name())]
        );
        assert_eq!(enforceable_on(&tree.layout(), knob), Ok(()));
        assert_eq!(tree.control().read(knob).unwrap().knob(), knob);
    }
}

#[test]
fn on_v1_and_hybrid_each_controller_is_in_its_hierarchy() {
    for tree in [Tree::v1(), Tree::hybrid()] {
        for knob in ALL {
            let possible = !V2_ONLY.contains(&knob);
            assert_eq!(tree.control().enforceable(knob).is_ok(), possible, "{knob}");
            assert_eq!(enforceable_on(&tree.layout(), knob).is_ok(), possible);
            assert_eq!(tree.control().read(knob).is_ok(), possible, "{knob}");
            assert_eq!(names(&tree, knob).is_empty(), !possible);
        }
        assert_eq!(
            names(&tree, Knob::CpuMax),
            [
                "cpu/slice/w/cpu.cfs_quota_us",
                "cpu/slice/w/cpu.cfs_period_us"
            ]
        );
        assert_eq!(names(&tree, Knob::IoMax(DISK)).len(), 4);
        assert_eq!(
            names(&tree, Knob::Freeze),
            ["freezer/slice/w/freezer.state"]
        );
        assert_eq!(
            reason(&tree, Knob::MemoryHigh),
            "memory.high is not enforceable: cgroup v1 has no memory.high; its soft limit acts \
             only when the whole host is short"
        );
    }
}

#[test]
fn one_controller_may_be_on_v2_beside_the_others() {
    let mut tree = Tree::hybrid();
    let pids = tree
        .hierarchies
        .iter()
        .position(|h| h.id == HierarchyId(5))
        .unwrap();
    tree.hierarchies.remove(pids);
    tree.hierarchies
        .last_mut()
        .unwrap()
        .controllers
        .push(Controller::Pids);
    tree.put("unified", "pids.max", "7");
    assert_eq!(names(&tree, Knob::PidsMax), ["unified/slice/w/pids.max"]);
    assert_eq!(
        tree.control().read(Knob::PidsMax).unwrap(),
        Setting::PidsMax(Some(7))
    );
    assert_eq!(names(&tree, Knob::CpuIdle), ["cpu/slice/w/cpu.idle"]);
}

#[test]
fn a_workload_outside_v1s_freezer_has_v2s() {
    let mut tree = Tree::hybrid();
    tree.placement.paths.insert(HierarchyId(7), "/".to_owned());
    assert_eq!(
        names(&tree, Knob::Freeze),
        ["unified/slice/w/cgroup.freeze"]
    );
}

#[test]
fn the_root_and_what_is_outside_are_refused() {
    let mut tree = Tree::v1();
    let memory = tree.root.path().join("memory").display().to_string();
    tree.placement.paths.insert(HierarchyId(3), "/".to_owned());
    assert_eq!(
        reason(&tree, Knob::MemoryMax),
        format!(
            "memory.max is not enforceable: the workload is in the root of {memory}, whose limits \
             would be the host's"
        )
    );
    tree.placement
        .paths
        .insert(HierarchyId(3), "/../slice".to_owned());
    assert!(reason(&tree, Knob::MemoryMax).ends_with(&format!("what is mounted at {memory}")));
    tree.placement.paths.remove(&HierarchyId(3));
    assert!(reason(&tree, Knob::MemoryMax).ends_with(&format!("has no cgroup in {memory}")));
    assert!(!tree.control().keys().contains_key(&HierarchyId(3)));
    assert_eq!(tree.control().keys().len(), 5);
}

#[test]
fn a_controller_that_is_not_handed_down_is_named_with_the_place() {
    let tree = Tree::v2();
    let mount = tree.root.path().join("unified");
    let control = |directory: &Path, list: &str| {
        fs::write(directory.join("cgroup.subtree_control"), list).unwrap();
    };
    fs::remove_file(tree.file("unified", "cpu.max")).unwrap();
    control(&mount.join("slice"), "memory pids");
    let slice = mount.join("slice/cgroup.subtree_control");
    assert_eq!(
        reason(&tree, Knob::CpuMax),
        format!(
            "cpu.max is not enforceable: controller cpu is not enabled in {}",
            slice.display()
        )
    );
    let error = tree.control().read(Knob::CpuMax).unwrap_err();
    assert!(matches!(error, ControlError::NotEnforceable(_)), "{error}");
    // Nearer to the root is the cause of what is below.
    control(&mount, "memory pids");
    let root = mount.join("cgroup.subtree_control");
    assert!(reason(&tree, Knob::CpuMax).ends_with(&root.display().to_string()));
    // Enabled, and yet no file: the kernel is older.
    fs::remove_file(tree.file("unified", "memory.swap.max")).unwrap();
    control(&mount, "memory cpu");
    assert_eq!(
        reason(&tree, Knob::MemorySwapMax),
        "memory.swap.max is not enforceable: this kernel does not account swap"
    );
}

#[test]
fn a_controller_that_is_nowhere_is_named() {
    let mut tree = Tree::v2();
    tree.hierarchies[0]
        .controllers
        .retain(|c| *c != Controller::Io);
    assert!(
        reason(&tree, Knob::IoMax(DISK)).contains("no cgroup hierarchy carries the io controller")
    );
    assert!(enforceable_on(&tree.layout(), Knob::IoWeight).is_err());
}

#[test]
fn a_cgroup_made_again_is_not_touched() {
    let tree = Tree::v2();
    let control = tree.control();
    let directory = tree.file("unified", "");
    let other = directory.with_file_name("other");
    fs::rename(&directory, &other).unwrap();
    let gone = control.read(Knob::PidsMax).unwrap_err();
    assert!(matches!(gone, ControlError::Vanished(_)), "{gone}");
    fs::create_dir(&directory).unwrap();
    tree.put("unified", "pids.max", "max");
    for attempt in [
        control.write(&Setting::PidsMax(Some(3))),
        control.read(Knob::PidsMax),
        control.write(&Setting::CpuMaxBurst(3)),
    ] {
        let gone = attempt.unwrap_err();
        assert!(matches!(gone, ControlError::Vanished(_)), "{gone}");
    }
    assert_eq!(tree.text("unified", "pids.max"), "max");
}

#[test]
fn what_is_promised_and_not_kept_is_said() {
    let (v1, v2) = (Tree::v1(), Tree::v2());
    let v1 = v1.control();
    let io = v1.caveat(Knob::IoMax(DISK)).unwrap();
    assert!(io.contains("does not see buffered writes"), "{io}");
    assert!(v1.caveat(Knob::MemorySwapMax).is_some());
    assert!(v1.caveat(Knob::IoWeight).unwrap().contains("bfq"));
    let v2 = v2.control();
    assert_eq!(v2.caveat(Knob::IoMax(DISK)), None);
    assert!(v2.caveat(Knob::IoWeight).unwrap().contains("io.cost"));
    assert_eq!(v2.caveat(Knob::MemoryMax), None);
    for tree in [Tree::v1(), Tree::v2(), Tree::hybrid()] {
        for knob in ALL {
            let (here, anywhere) = (tree.control().caveat(knob), caveat_on(&tree.layout(), knob));
            match knob {
                // Which file there is shows in the cgroup only.
                Knob::IoWeight => assert!(here.is_some() && anywhere.is_some()),
                _ => assert_eq!(here, anywhere, "{knob}"),
            }
        }
    }
}
