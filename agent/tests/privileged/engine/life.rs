//! From create to remove.

use std::sync::Arc;

use bollard::models::{ContainerUpdateBody, RestartPolicy, RestartPolicyNameEnum};
use plimsoll::engine::{EngineError, ErrorKind, ListQuery, OnMade, RemoveOptions, WaitCondition};

use super::harbour::Harbour;

#[tokio::test(flavor = "multi_thread")]
async fn exit_codes_come_out_and_nothing_is_left() {
    let Some(harbour) = Harbour::new("exit_codes_come_out_and_nothing_is_left") else {
        return;
    };
    let manned = harbour.man().await;
    let engine = &manned.engine;
    for (line, code) in [("true", 0), ("exit 42", 42), ("exit 255", 255)] {
        let id = engine.create(None, harbour.body(line)).await.unwrap().id;
        let exit = engine.wait(&id, WaitCondition::NextExit).unwrap();
        engine.start(&id).await.unwrap();
        assert_eq!(exit.await.unwrap().status_code, code, "{line}");
        let state = manned.inspect(&id).await.state.unwrap();
        assert_eq!(state.exit_code, Some(code));
        assert_eq!(state.oom_killed, Some(false));
        assert_eq!(state.running, Some(false));
        // Its end is told first.
        crate::support::poll("its cgroups' end", || {
            harbour.cgroups(&id).is_empty().then_some(())
        });
        // A second time, as a new run of the same container.
        let exit = engine.wait(&id, WaitCondition::NextExit).unwrap();
        engine.start(&id).await.unwrap();
        assert_eq!(exit.await.unwrap().status_code, code, "{line}, again");
        engine.remove(&id, RemoveOptions::default()).await.unwrap();
        let error = engine.inspect(&id, false).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
    manned.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_held_does_not_start() {
    let Some(harbour) = Harbour::new("what_cannot_be_held_does_not_start") else {
        return;
    };
    let refusal: OnMade = Arc::new(|_, _| Err("net.egress: not on this kernel".to_owned()));
    let manned = harbour.try_man_with(refusal).await.unwrap();
    let engine = &manned.engine;
    let id = engine.create(None, harbour.body("true")).await.unwrap().id;
    let error = engine.start(&id).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::System);
    assert!(
        error
            .to_string()
            .ends_with("net.egress: not on this kernel"),
        "{error}"
    );
    let state = manned.inspect(&id).await.state.unwrap();
    assert_eq!(state.running, Some(false));
    assert!(state.error.unwrap().contains("net.egress"));
    let left = harbour.leftovers();
    assert!(left.iter().all(|left| !left.contains(&id)), "{left:?}");
    manned.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_mounted_in_every_container_is_no_change_of_it() {
    let Some(harbour) = Harbour::new("what_is_mounted_in_every_container_is_no_change_of_it")
    else {
        return;
    };
    // Like an image of one program.
    for name in ["dev", "etc", "proc", "sys"] {
        let path = harbour.directory.join("rootfs").join(name);
        if path.exists() {
            std::fs::remove_dir_all(path).unwrap();
        }
    }
    let manned = harbour.man().await;
    let engine = &manned.engine;
    let line = "grep -q localhost /etc/hosts && test -s /etc/hostname && test -e /etc/resolv.conf && \
                test -c /dev/null && test -d /proc/self && test -d /sys/kernel";
    let id = engine.create(None, harbour.body(line)).await.unwrap().id;
    let exit = engine.wait(&id, WaitCondition::NextExit).unwrap();
    engine.start(&id).await.unwrap();
    assert_eq!(exit.await.unwrap().status_code, 0);
    assert_eq!(engine.diff(&id).await.unwrap(), []);
    let upper = format!("data/containers/{id}/upper");
    let upper = std::fs::read_dir(harbour.directory.join(upper)).unwrap();
    assert_eq!(upper.count(), 0);
    manned.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_cannot_be_started_is_told_apart() {
    let Some(harbour) = Harbour::new("a_program_that_cannot_be_started_is_told_apart") else {
        return;
    };
    let manned = harbour.man().await;
    for (program, code) in [("nonesuch", 127), ("/bin/nonesuch", 127), ("/tmp", 126)] {
        let mut body = harbour.body("");
        body.cmd = Some(vec![program.to_owned()]);
        let id = manned.engine.create(None, body).await.unwrap().id;
        let error = manned.engine.start(&id).await.unwrap_err();
        assert_eq!(error.exit_code(), code, "{error}");
        assert_eq!(error.kind(), ErrorKind::BadParameter);
        let state = manned.inspect(&id).await.state.unwrap();
        assert_eq!(state.exit_code, Some(code));
        assert!(
            state
                .error
                .unwrap()
                .contains("unable to start container process")
        );
        assert_eq!(manned.status(&id).await, "created");
    }
    manned.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_kept_changed_and_given_free() {
    let Some(harbour) = Harbour::new("names_are_kept_changed_and_given_free") else {
        return;
    };
    let manned = harbour.man().await;
    let engine = &manned.engine;
    let create = async |name: &str| {
        let made = engine
            .create(Some(name.to_owned()), harbour.body("true"))
            .await;
        made.map(|made| made.id)
    };
    let id = create("web").await.unwrap();
    let error = create("web").await.unwrap_err();
    assert!(matches!(error, EngineError::NameInUse { .. }), "{error}");
    engine.rename("web", "shop").await.unwrap();
    assert_eq!(engine.resolve("shop").unwrap().as_str(), id);
    assert_eq!(engine.resolve(&id[..12]).unwrap().as_str(), id);
    assert!(engine.resolve("web").is_err());
    let second = create("web").await.unwrap();
    assert!(engine.rename("web", "shop").await.is_err());
    engine
        .remove(&second, RemoveOptions::default())
        .await
        .unwrap();
    manned.leave().await;
    // As the next agent reads it.
    let manned = harbour.man().await;
    assert_eq!(manned.engine.resolve("shop").unwrap().as_str(), id);
    assert!(manned.engine.resolve("web").is_err());
    manned.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_one_is_removed_by_force_alone() {
    let Some(harbour) = Harbour::new("a_running_one_is_removed_by_force_alone") else {
        return;
    };
    let manned = harbour.man().await;
    let id = manned.run(harbour.body("sleep 1000")).await;
    let error = manned
        .engine
        .remove(&id, RemoveOptions::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(
        error
            .to_string()
            .contains("You cannot remove a running container")
    );
    let removed = manned.engine.wait(&id, WaitCondition::Removed).unwrap();
    let force = RemoveOptions {
        force: true,
        ..RemoveOptions::default()
    };
    manned.engine.remove(&id, force).await.unwrap();
    assert_eq!(removed.await.unwrap().status_code, 137);
    assert!(harbour.cgroups(&id).is_empty());
    manned.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_goes_with_its_exit_goes() {
    let Some(harbour) = Harbour::new("one_that_goes_with_its_exit_goes") else {
        return;
    };
    let manned = harbour.man().await;
    let mut body = harbour.body("exit 3");
    body.host_config.as_mut().unwrap().auto_remove = Some(true);
    let id = manned.engine.create(None, body).await.unwrap().id;
    let removed = manned.engine.wait(&id, WaitCondition::Removed).unwrap();
    manned.engine.start(&id).await.unwrap();
    assert_eq!(removed.await.unwrap().status_code, 3);
    assert!(manned.engine.resolve(&id).is_err());
    manned.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_one_stands_still() {
    let Some(harbour) = Harbour::new("a_paused_one_stands_still") else {
        return;
    };
    let manned = harbour.man().await;
    let engine = &manned.engine;
    let id = manned.run(harbour.body("while :; do :; done")).await;
    engine.pause(&id).await.unwrap();
    assert_eq!(manned.status(&id).await, "paused");
    let pid = manned.inspect(&id).await.state.unwrap().pid.unwrap();
    let ticks = || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let rest = stat.rsplit_once(") ").unwrap().1.to_owned();
        rest.split(' ').nth(11).unwrap().parse::<u64>().unwrap()
    };
    let before = ticks();
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert_eq!(ticks(), before);
    assert_eq!(
        engine.pause(&id).await.unwrap_err().kind(),
        ErrorKind::Conflict
    );
    engine.unpause(&id).await.unwrap();
    assert_eq!(
        engine.unpause(&id).await.unwrap_err().kind(),
        ErrorKind::Conflict
    );
    assert_eq!(manned.status(&id).await, "running");
    // Stopping thaws it.
    engine.pause(&id).await.unwrap();
    engine
        .stop(&id, Some("KILL".to_owned()), None)
        .await
        .unwrap();
    manned.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_are_listed_as_ps_has_them() {
    let Some(harbour) = Harbour::new("processes_are_listed_as_ps_has_them") else {
        return;
    };
    let manned = harbour.man().await;
    let id = manned
        .run(harbour.body("sleep 1000 & exec sleep 2000"))
        .await;
    let pid = manned
        .inspect(&id)
        .await
        .state
        .unwrap()
        .pid
        .unwrap()
        .to_string();
    let top = crate::engine::eventually("two processes", async || {
        let top = manned.engine.top(&id, "-o pid,ppid,args").await.unwrap();
        let rows = top.processes.unwrap();
        (rows.len() == 2 && rows.iter().all(|row| row[2].starts_with("sleep"))).then_some(rows)
    })
    .await;
    let first = top.iter().find(|row| row[0] == pid).unwrap();
    assert_eq!(first[2], "sleep 2000");
    let second = top.iter().find(|row| row[0] != pid).unwrap();
    assert_eq!(
        (second[1].as_str(), second[2].as_str()),
        (pid.as_str(), "sleep 1000")
    );
    manned.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_restart_policy_can_be_changed_and_lists_are_filtered() {
    let Some(harbour) = Harbour::new("the_restart_policy_can_be_changed_and_lists_are_filtered")
    else {
        return;
    };
    let manned = harbour.man().await;
    let engine = &manned.engine;
    let running = manned.run(harbour.body("sleep 1000")).await;
    let ended = manned.run(harbour.body("exit 7")).await;
    manned
        .until(&ended, "exit", |now| {
            now.state.as_ref().unwrap().exit_code == Some(7)
        })
        .await;
    let list = async |all: bool, filter: Option<(&str, &str)>| {
        let filters = filter.map(|(name, value)| (name.to_owned(), vec![value.to_owned()]));
        let query = ListQuery {
            all,
            filters: filters.into_iter().collect(),
            ..ListQuery::default()
        };
        let found = engine.list(query).await.unwrap();
        found
            .into_iter()
            .map(|one| one.id.unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(list(false, None).await, std::slice::from_ref(&running));
    assert_eq!(list(true, None).await, [ended.clone(), running.clone()]);
    assert_eq!(
        list(false, Some(("exited", "7"))).await,
        std::slice::from_ref(&ended)
    );
    let change = ContainerUpdateBody {
        restart_policy: Some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::UNLESS_STOPPED),
            maximum_retry_count: None,
        }),
        ..ContainerUpdateBody::default()
    };
    engine.update(&running, change).await.unwrap();
    let pid = manned.inspect(&running).await.state.unwrap().pid.unwrap();
    // Not by the engine: so it is started again.
    let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
    manned
        .until(&running, "a restart", |now| {
            now.restart_count == Some(1) && now.state.as_ref().unwrap().running == Some(true)
        })
        .await;
    let pruned = engine.prune(&Default::default()).await.unwrap();
    assert_eq!(pruned.containers_deleted.unwrap(), [ended]);
    manned.clear().await;
}
