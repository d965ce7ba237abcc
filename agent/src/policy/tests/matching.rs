//! Which policies match a workload, and in which order.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::identity::{Identity, Kind, Runtime};
use crate::policy::check::overlap::{matches_nothing, may_overlap};
use crate::policy::{Mode, OnConflict, Pattern, Policy, Restore, Selector, Terms};

fn container(name: &str) -> Identity {
    Identity {
        id: format!("/kubepods.slice/burstable/{name}"),
        runtime: Runtime::Containerd,
        kind: Kind::Container,
        container_id: Some("0123".into()),
        name: Some(name.into()),
        image: Some("registry.example/team/batch:1".into()),
        labels: BTreeMap::from([("tier".into(), "batch".into())]),
        namespace: Some("shop".into()),
        pod: Some("web-1".into()),
        container: Some("app".into()),
        ..Identity::default()
    }
}

fn matches(terms: &str, identity: &Identity) -> bool {
    let text = format!(
        "version = 1\n[[policy]]\nname = 'p'\n{terms}\n[policy.limits]\n\"pids.max\" = 5\n"
    );
    read(&text).matching(identity).len() == 1
}

#[test]
fn every_term_must_match_and_no_exclude() {
    let job = container("job");
    for (terms, expected) in [
        ("match = {}", true),
        ("match = { runtime = 'containerd' }", true),
        ("match = { runtime = ['docker', 'podman'] }", false),
        ("match = { kind = 'container' }", true),
        ("match = { kind = ['pod', 'slice'] }", false),
        ("match = { labels = { tier = 'batch' } }", true),
        ("match = { labels = { tier = ['web', 'b*'] } }", true),
        ("match = { labels = { tier = '*' } }", true),
        ("match = { labels = { tier = 'batch', team = '*' } }", false),
        ("match = { cgroup = '/kubepods.slice/**' }", true),
        ("match = { cgroup = '/kubepods.slice/*' }", false),
        ("match = { cgroup = '/kubepods.slice/*/job' }", true),
        ("match = { cgroup = '/**/job' }", true),
        ("match = { cgroup = '/kubepods.slice' }", false),
        ("match = { image = '*/batch:*' }", true),
        ("match = { image = 'batch:*' }", false),
        ("match = { name = 'j?b' }", true),
        ("match = { name = '{job,task}' }", true),
        ("match = { name = 'jo' }", false),
        ("match = { unit = 'job' }", false),
        (
            "match = { namespace = 'shop', pod = 'web-*', container = 'app' }",
            true,
        ),
        ("match = { namespace = 'shop', pod = 'db-*' }", false),
        ("match = {}\nexclude = { namespace = 'shop' }", false),
        (
            "match = {}\nexclude = { namespace = 'shop', pod = 'db-*' }",
            true,
        ),
        (
            "match = {}\nexclude = [{ pod = 'db-*' }, { name = 'job' }]",
            false,
        ),
        ("match = {}\nexclude = { kind = 'host' }", true),
        ("match = {}\nenabled = false", false),
    ] {
        assert_eq!(matches(terms, &job), expected, "{terms}");
    }
}

#[test]
fn without_a_kind_only_what_runs_on_its_own_is_meant() {
    let of = |path: &str| crate::identity::classify(path);
    let id = "2353c701b8486f5c197310118403c348055ac36405c1ce8b678eae84fa4b5585";
    for (path, expected) in [
        ("/".to_owned(), false),
        ("/system.slice".to_owned(), false),
        ("/system.slice/nginx.service".to_owned(), true),
        (format!("/docker/{id}"), true),
        ("/docker".to_owned(), false),
        (format!("/docker/{id}/init.scope"), false),
        ("/build/job".to_owned(), true),
        (
            "/kubepods/pod0d1c7a9e-52f4-4b6e-9a55-6f0f2e0f9b11".to_owned(),
            false,
        ),
    ] {
        let identity = of(&path);
        assert_eq!(
            matches("match = {}", &identity),
            expected,
            "{path} {:?}",
            identity.kind
        );
        let kind = format!("match = {{ kind = '{}' }}", identity.kind.name());
        assert!(matches(&kind, &identity), "{path}");
    }
    let unit = of("/system.slice/nginx.service");
    assert!(matches("match = { unit = 'nginx.*' }", &unit));
}

#[test]
fn a_backslash_is_a_backslash() {
    let unit = crate::identity::classify(r"/system.slice/dev\x2dsda.swap");
    assert!(matches(r"match = { unit = 'dev\x2dsda.swap' }", &unit));
    assert!(matches(
        r"match = { cgroup = '/system.slice/dev\x2d*' }",
        &unit
    ));
}

#[test]
fn more_terms_go_first_then_more_priority() {
    let text = "version = 1\n\
        [[policy]]\nname = 'any'\npriority = 1000\nmatch = {}\n[policy.limits]\n'pids.max' = 1\n\
        [[policy]]\nname = 'low'\npriority = -5\nmatch = { name = 'job' }\n[policy.limits]\n'pids.max' = 1\n\
        [[policy]]\nname = 'high'\npriority = 5\nmatch = { name = 'j*' }\n[policy.limits]\n'pids.max' = 1\n\
        [[policy]]\nname = 'two'\npriority = -1000\nmatch = { labels = { tier = '*' }, name = 'job' }\n\
        [policy.limits]\n'pids.max' = 1\n";
    let set = read(text);
    let names: Vec<&str> = set
        .matching(&container("job"))
        .iter()
        .map(|policy| policy.name.as_ref())
        .collect();
    assert_eq!(names, ["two", "high", "low", "any"]);
}

fn policy(name: usize, terms: Terms, exclude: Vec<Terms>, priority: i32) -> Policy {
    Policy {
        name: format!("p{name}").into(),
        priority,
        mode: Some(Mode::Enforce),
        enabled: true,
        select: Selector {
            matching: terms,
            exclude,
        },
        on_conflict: OnConflict::Yield,
        restore: Restore::OnExit,
        limits: Vec::new(),
        rules: Vec::new(),
    }
}

/// Short texts of few letters, so that they meet often.
fn some_text() -> impl Strategy<Value = String> {
    "[ab]{1,3}"
}

fn some_pattern() -> impl Strategy<Value = Pattern> {
    "[ab*?]{1,3}".prop_map(|text| text.parse().unwrap())
}

fn some_path_pattern() -> impl Strategy<Value = Pattern> {
    "(/([ab*]{1,2}|\\*\\*)){1,3}".prop_map(|text| text.parse().unwrap())
}

fn some_terms() -> impl Strategy<Value = Terms> {
    let runtimes = prop::sample::subsequence(vec![Runtime::Docker, Runtime::Systemd], 0..=2);
    let kinds = prop::sample::subsequence(vec![Kind::Container, Kind::Unit, Kind::Slice], 0..=2);
    let patterns = || prop::collection::vec(some_pattern(), 0..=2);
    let paths = prop::collection::vec(some_path_pattern(), 0..=1);
    let labels = prop::collection::btree_map("[xy]", some_pattern(), 0..=2);
    (runtimes, kinds, patterns(), patterns(), paths, labels).prop_map(
        |(runtime, kind, name, unit, cgroup, labels)| Terms {
            runtime,
            kind,
            name,
            unit,
            cgroup,
            labels: labels
                .into_iter()
                .map(|(key, value)| crate::policy::LabelTerm {
                    key,
                    values: vec![value],
                })
                .collect(),
            ..Terms::default()
        },
    )
}

fn some_identity() -> impl Strategy<Value = Identity> {
    let runtimes = prop::sample::select(vec![Runtime::Docker, Runtime::Systemd]);
    let kinds = prop::sample::select(vec![Kind::Container, Kind::Unit, Kind::Slice]);
    let labels = prop::collection::btree_map("[xy]", some_text(), 0..=2);
    let path = "(/[ab]{1,2}){1,3}";
    (runtimes, kinds, prop::option::of(some_text()), labels, path).prop_map(
        |(runtime, kind, name, labels, id)| Identity {
            id,
            runtime,
            kind,
            name,
            // Nothing else has any.
            labels: if kind == Kind::Container {
                labels
            } else {
                BTreeMap::new()
            },
            ..Identity::default()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_two_patterns_match_they_may_overlap_in(
        one in some_pattern(), other in some_pattern(), text in some_text(),
    ) {
        let both = one.matches(&text) && other.matches(&text);
        prop_assert!(!both || (one.may_overlap(&other) && other.may_overlap(&one)));
    }

    #[test]
    fn what_two_selectors_match_they_may_overlap_in(
        one in some_terms(), other in some_terms(), but in some_terms(), identity in some_identity(),
    ) {
        // An `exclude` of nothing is refused.
        let exclude = if but.count() == 0 { Vec::new() } else { vec![but] };
        let one = Selector { matching: one, exclude: exclude.clone() };
        let other = Selector { matching: other, exclude: Vec::new() };
        let both = one.matches(&identity) && other.matches(&identity);
        prop_assert!(!both || may_overlap(&one, &other));
        prop_assert!(!both || may_overlap(&other, &one));
        prop_assert!(!one.matches(&identity) || matches_nothing(&one).is_none());
    }

    #[test]
    fn the_order_is_total_and_does_not_depend_on_the_file(
        policies in prop::collection::vec((some_terms(), -3..=3), 1..8),
        identity in some_identity(),
        turn in 0_usize..8,
    ) {
        let policies: Vec<Policy> = policies
            .into_iter()
            .enumerate()
            .map(|(index, (terms, priority))| policy(index, terms, Vec::new(), priority))
            .collect();
        let mut turned = policies.clone();
        turned.rotate_left(turn % policies.len());
        let set = PolicySet { policies, ..PolicySet::default() };
        let turned = PolicySet { policies: turned, ..PolicySet::default() };
        let matched = set.matching(&identity);
        prop_assert!(matched.iter().all(|policy| policy.select.matches(&identity)));
        let sorted = matched.is_sorted_by(|a, b| {
            let of = |policy: &Policy| (policy.select.specificity(), policy.priority);
            of(a) >= of(b) && a.rank() >= b.rank() && (of(a) == of(b)) == (a.rank() == b.rank())
        });
        prop_assert!(sorted);
        let ranks: Vec<i32> = matched.iter().map(|policy| policy.rank()).collect();
        let again: Vec<i32> = turned.matching(&identity).iter().map(|p| p.rank()).collect();
        prop_assert_eq!(&ranks, &again);
        let distinct: BTreeSet<i32> = ranks.iter().copied().collect();
        if distinct.len() == ranks.len() {
            let names = |set: &PolicySet| -> Vec<String> {
                set.matching(&identity).iter().map(|p| p.name.to_string()).collect()
            };
            prop_assert_eq!(names(&set), names(&turned));
        }
    }

    #[test]
    fn a_term_outweighs_every_priority(
        one in (0_usize..6, -1_000..=1_000), other in (0_usize..6, -1_000..=1_000),
    ) {
        let with = |(terms, priority): (usize, i32)| {
            let labels = (0..terms).map(|index| crate::policy::LabelTerm {
                key: index.to_string(),
                values: Vec::new(),
            });
            let terms = Terms { labels: labels.collect(), ..Terms::default() };
            policy(0, terms, Vec::new(), priority)
        };
        prop_assert_eq!(with(one).rank().cmp(&with(other).rank()), one.cmp(&other));
    }
}
