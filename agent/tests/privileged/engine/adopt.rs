//! The next agent: it takes over what runs, and finds out what ended.

use std::fs;

use bollard::models::NetworkCreateRequest;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use plimsoll::engine::{AttachQuery, Input, WaitCondition};
use serde_json::{Value, json};

use super::harbour::Harbour;
use super::wired::on_host;

fn end(pid: i64) {
    kill(Pid::from_raw(i32::try_from(pid).unwrap()), Signal::SIGKILL).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_one_goes_on_and_its_exit_is_seen() {
    let Some(harbour) = Harbour::new("a_running_one_goes_on_and_its_exit_is_seen") else {
        return;
    };
    let manned = harbour.man().await;
    let mut body = harbour.body("echo first; read x; echo $x; exit 8");
    body.open_stdin = Some(true);
    let id = manned.run(body).await;
    let before = manned.inspect(&id).await.state.unwrap();
    manned.leave().await;

    let manned = harbour.man().await;
    let after = manned.inspect(&id).await.state.unwrap();
    assert_eq!(
        (after.pid, after.started_at),
        (before.pid, before.started_at)
    );
    assert_eq!(after.running, Some(true));
    let query = AttachQuery {
        stdin: true,
        stdout: true,
        stderr: true,
        stream: true,
        logs: true,
    };
    let mut client = manned.engine.attach(&id, query).await.unwrap();
    let exit = manned.engine.wait(&id, WaitCondition::NotRunning).unwrap();
    client
        .input
        .send(Input::Bytes("second\n".into()))
        .await
        .unwrap();
    let (output, _) = super::attach::read(&mut client).await;
    assert_eq!(output, "first\nsecond\n");
    assert_eq!(exit.await.unwrap().status_code, 8);
    manned.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_ended_meanwhile_has_its_exit_code() {
    let Some(harbour) = Harbour::new("one_that_ended_meanwhile_has_its_exit_code") else {
        return;
    };
    let manned = harbour.man().await;
    let id = manned.run(harbour.body("sleep 0.3; exit 6")).await;
    let mut removed = harbour.body("sleep 0.3");
    removed.host_config.as_mut().unwrap().auto_remove = Some(true);
    let gone = manned.run(removed).await;
    let pid = manned.inspect(&id).await.state.unwrap().pid.unwrap();
    manned.leave().await;
    crate::support::poll("their ends", || {
        (!std::path::Path::new(&format!("/proc/{pid}")).exists() && harbour.shims() == 0)
            .then_some(())
    });
    let manned = harbour.man().await;
    manned
        .until(&id, "its end", |now| {
            now.state.as_ref().unwrap().running == Some(false)
        })
        .await;
    assert_eq!(manned.inspect(&id).await.state.unwrap().exit_code, Some(6));
    super::eventually("the removal", async || {
        manned.engine.resolve(&gone).is_err().then_some(())
    })
    .await;
    manned.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_shim_ends_its_container_and_leaves_nothing() {
    let Some(harbour) = Harbour::new("a_killed_shim_ends_its_container_and_leaves_nothing") else {
        return;
    };
    let manned = harbour.man().await;
    let id = manned.run(harbour.body("sleep 1000")).await;
    let pid = manned.inspect(&id).await.state.unwrap().pid.unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let shim = stat
        .rsplit_once(") ")
        .unwrap()
        .1
        .split(' ')
        .nth(1)
        .unwrap()
        .to_owned();
    let exit = manned.engine.wait(&id, WaitCondition::NextExit).unwrap();
    end(shim.parse().unwrap());
    // It is ended with the shim; how, nobody saw.
    let code = exit.await.unwrap().status_code;
    assert!(matches!(code, 137 | 255), "{code}");
    let left = harbour.processes();
    assert!(left.is_empty(), "{left:?}");
    assert!(harbour.cgroups(&id).is_empty());
    // It can be started again.
    manned.engine.start(&id).await.unwrap();
    assert_eq!(manned.status(&id).await, "running");
    manned.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_agents_do_not_share_a_directory() {
    let Some(harbour) = Harbour::new("two_agents_do_not_share_a_directory") else {
        return;
    };
    let manned = harbour.man().await;
    let second = harbour.try_man().await;
    assert!(second.is_err_and(|error| error.to_string().contains("used by another agent")));
    manned.leave().await;
    harbour.man().await.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_does_not_end_the_containers_of_another() {
    let Some(harbour) = Harbour::new("an_agent_does_not_end_the_containers_of_another") else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let other = Harbour::of(directory.path(), &harbour.parent);
    let idle = other.man().await;
    let manned = harbour.man().await;
    let id = manned.run(harbour.body("sleep 60")).await;
    // It was there before; and it comes after, with the first at work or gone.
    let created = idle
        .engine
        .create(None, harbour.body("true"))
        .await
        .unwrap();
    let refused = idle.engine.start(&created.id).await.unwrap_err();
    let owner = harbour.directory.join("data").display().to_string();
    assert!(refused.to_string().contains(&owner), "{refused}");
    idle.leave().await;
    assert!(other.try_man().await.is_err());
    manned.leave().await;
    let refused = other.try_man().await.err().unwrap();
    assert!(refused.to_string().contains(&owner), "{refused}");

    let manned = harbour.man().await;
    assert_eq!(manned.status(&id).await, "running");
    manned.clear().await;
    other.man().await.leave().await;
}

/// Earlier agents kept what a client had called a network.
#[test]
fn networks_that_were_kept_by_their_ids_are_named() {
    let test = "networks_that_were_kept_by_their_ids_are_named";
    on_host(test, async |harbour| {
        let manned = harbour.man().await;
        let request = NetworkCreateRequest {
            name: "net".to_owned(),
            ..NetworkCreateRequest::default()
        };
        let network = manned.engine.networks().create(&request).unwrap().id;
        let mut body = harbour.body("true");
        body.host_config.as_mut().unwrap().network_mode = Some("net".to_owned());
        let id = manned.engine.create(None, body).await.unwrap().id;
        manned.leave().await;
        let record = harbour.directory.join("data/containers").join(&id);
        let record = record.join("config.json");
        // The beginning of an id may be the name of a network that is gone.
        let cases = [(network.as_str(), "net"), (&network[..12], &network[..12])];
        for (kept, named) in cases {
            let mut settings: Value = serde_json::from_slice(&fs::read(&record).unwrap()).unwrap();
            let mode = &settings["body"]["HostConfig"]["NetworkMode"];
            assert!(mode.is_string(), "{settings}");
            settings["body"]["HostConfig"]["NetworkMode"] = json!(kept);
            fs::write(&record, settings.to_string()).unwrap();
            let manned = harbour.man().await;
            let host = manned.inspect(&id).await.host_config.unwrap();
            assert_eq!(host.network_mode.as_deref(), Some(named), "{kept}");
            manned.leave().await;
        }
        harbour.man().await.clear().await;
    });
}
