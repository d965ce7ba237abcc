//! CPUs and memory nodes.

use plimsoll::cgroup::{Knob, Setting};

use super::World;

#[test]
fn processes_run_where_they_are_put() {
    let Some(mut world) = World::make("processes_run_where_they_are_put", &["cpuset"]) else {
        return;
    };
    let control = world.control();
    if World::is_v1("cpuset") {
        let told = control
            .write(&Setting::CpusetCpus("4000".to_owned()))
            .unwrap_err();
        assert!(told.to_string().contains("cpuset"), "{told}");
        // v1 takes no process before both are set.
        control.write(&Setting::CpusetMems("0".to_owned())).unwrap();
    }
    let one = Setting::CpusetCpus("0,0".to_owned());
    let found = control.write(&one).unwrap();
    assert_eq!(found, Setting::CpusetCpus("0".to_owned()));
    let process = world.own.spawn("sleep", &["60"]).id();
    let allowed = || {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let mut lines = status.lines();
        lines
            .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))
            .map(|list| list.trim().to_owned())
    };
    crate::support::poll("one CPU", || (allowed()? == "0").then_some(()));
    assert_eq!(control.read(Knob::CpusetCpus).unwrap(), found);
}

#[test]
fn the_list_above_is_named() {
    let test = "the_list_above_is_named";
    let Some(world) = World::make(test, &["cpuset"]) else {
        return;
    };
    if !World::is_v1("cpuset") {
        return crate::support::skip(
            test,
            "v2 takes any list, and uses what the cgroup above has",
        );
    }
    let nested = world.nested(&["cpuset"]);
    let (control, below) = (world.control(), world.control_of(&nested));
    control.write(&Setting::CpusetCpus("0".to_owned())).unwrap();
    let error = below
        .write(&Setting::CpusetCpus("0-1".to_owned()))
        .unwrap_err();
    let list = world.directory("cpuset").join("cpuset.cpus");
    let told = format!("not all of it is in {}, which is \"0\"", list.display());
    assert!(error.to_string().ends_with(&told), "{error}");
}
