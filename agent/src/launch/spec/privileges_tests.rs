//! Clamping to what is held.
#![allow(clippy::unwrap_used)]

use libcontainer::oci_spec::runtime::Capability;

use super::*;

fn process(more: &str) -> Process {
    let text = format!(r#"{{"cwd":"/","user":{{"uid":0,"gid":0}}{more}}}"#);
    serde_json::from_str(&text).unwrap()
}

const CHOWN: u8 = 0;

#[test]
fn capabilities_that_are_not_held_are_left_out_by_name() {
    let sets = r#","capabilities":{"bounding":["CAP_CHOWN","CAP_SYS_RESOURCE"],
        "effective":["CAP_SYS_RESOURCE"],"permitted":["CAP_CHOWN"]}"#;
    let mut warnings = Vec::new();
    let mut clamped = process(sets);
    clamp(&mut clamped, &Held(1 << CHOWN), false, &mut warnings);
    let kept = clamped.capabilities().as_ref().unwrap();
    let only_chown: Capabilities = [Capability::Chown].into();
    assert_eq!(kept.bounding().as_ref(), Some(&only_chown));
    assert_eq!(kept.permitted().as_ref(), Some(&only_chown));
    assert_eq!(kept.effective().as_ref().map(|set| set.len()), Some(0));
    let left_out = vec!["CAP_SYS_RESOURCE".to_owned()];
    assert_eq!(warnings, [Warning::Capabilities { left_out }]);

    let mut in_user_namespace = process(sets);
    let mut warnings = Vec::new();
    clamp(&mut in_user_namespace, &Held(0), true, &mut warnings);
    assert_eq!(warnings, []);
    assert_eq!(in_user_namespace, process(sets));
}

#[test]
fn hard_limits_are_lowered_to_ones_own() {
    let Some(most) = getrlimit(Resource::Nofile).maximum else {
        return;
    };
    let asked = most + 1;
    let text = format!(r#","rlimits":[{{"type":"RLIMIT_NOFILE","hard":{asked},"soft":{asked}}}]"#);
    let mut clamped = process(&text);
    let mut warnings = Vec::new();
    clamp(&mut clamped, &Held(0), false, &mut warnings);
    let rlimits = clamped.rlimits().as_ref().unwrap();
    assert_eq!((rlimits[0].hard(), rlimits[0].soft()), (most, most));
    let name = "RLIMIT_NOFILE".to_owned();
    let given = most;
    assert_eq!(warnings, [Warning::Rlimit { name, asked, given }]);

    let mut allowed = process(&text);
    let mut warnings = Vec::new();
    let held = Held(1 << CAP_SYS_RESOURCE);
    clamp(&mut allowed, &held, false, &mut warnings);
    assert_eq!((warnings, allowed), (vec![], process(&text)));
}

#[test]
fn an_oom_score_that_can_be_set_is_kept_and_ones_own_stays() {
    let own = own_oom_score().unwrap();
    let mut raised = process(&format!(r#","oomScoreAdj":{}"#, own + 1));
    let mut warnings = Vec::new();
    clamp(&mut raised, &Held(0), false, &mut warnings);
    assert_eq!(raised.oom_score_adj(), Some(own + 1));
    assert_eq!(warnings, []);
    assert_eq!(own_oom_score(), Some(own));
}

#[test]
fn an_explicit_false_is_the_same_as_none() {
    let mut explicit = process(r#","noNewPrivileges":false"#);
    clamp(&mut explicit, &Held(u64::MAX), false, &mut Vec::new());
    assert_eq!(explicit.no_new_privileges(), None);
    let mut set = process(r#","noNewPrivileges":true"#);
    clamp(&mut set, &Held(u64::MAX), false, &mut Vec::new());
    assert_eq!(set.no_new_privileges(), Some(true));
}
