//! What a container will not have as it was asked for, told when it is created.

use bollard::models::{HostConfig, ResourcesUlimits};
use plimsoll::engine::ErrorKind;

use super::harbour::{Harbour, Manned};

const CAP_SYS_RESOURCE: u64 = 24;

async fn warnings(
    harbour: &Harbour,
    manned: &Manned,
    change: impl FnOnce(&mut HostConfig),
) -> Vec<String> {
    let mut body = harbour.body("true");
    change(body.host_config.as_mut().unwrap());
    manned.engine.create(None, body).await.unwrap().warnings
}

#[tokio::test(flavor = "multi_thread")]
async fn what_this_host_cannot_give_is_told_at_once() {
    let Some(harbour) = Harbour::new("what_this_host_cannot_give_is_told_at_once") else {
        return;
    };
    let manned = harbour.man().await;
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        u64::from_str_radix(line.unwrap().trim(), 16).unwrap()
    };
    let held = (field("CapPrm:") & field("CapBnd:")) >> CAP_SYS_RESOURCE & 1 == 1;
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let files = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"));
    let hard: i64 = files
        .unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();

    assert!(warnings(&harbour, &manned, |_| {}).await.is_empty());
    let told = warnings(&harbour, &manned, |host| {
        host.cap_add = Some(vec!["SYS_RESOURCE".to_owned()]);
        host.ulimits = Some(vec![ResourcesUlimits {
            name: Some("nofile".to_owned()),
            soft: Some(1024),
            hard: Some(hard + 1),
        }]);
        host.oom_score_adj = Some(-999);
        host.ipc_mode = Some("host".to_owned());
    })
    .await;
    let all = told.join("\n");
    if held {
        assert!(told.is_empty(), "{all}");
    } else {
        assert_eq!(told.len(), 3, "{all}");
        assert!(all.contains("CAP_SYS_RESOURCE"), "{all}");
        assert!(
            all.contains(&format!("RLIMIT_NOFILE is {hard} instead of {}", hard + 1)),
            "{all}"
        );
        assert!(all.contains("instead of -999"), "{all}");
    }
    manned.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn links_are_refused_by_name() {
    let Some(harbour) = Harbour::new("links_are_refused_by_name") else {
        return;
    };
    let manned = harbour.man().await;
    let mut body = harbour.body("true");
    body.host_config.as_mut().unwrap().links = Some(vec!["one:alias".to_owned()]);
    let refused = manned.engine.create(None, body).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::BadParameter);
    assert!(
        refused.to_string().contains("--link is not supported"),
        "{refused}"
    );
    manned.clear().await;
}
