//! The floor, over random trees, against a model that is written the other way round: it marks what
//! must be protected from each cause upwards, where the floor looks from the target downwards.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::*;
use crate::cgroup::{HierarchyId, Placement};
use crate::identity::classify;
use crate::policy::{Protect, ProtectPattern};

const ID: &str = "2353c701b8486f5c197310118403c348055ac36405c1ce8b678eae84fa4b5585";
const CPU: HierarchyId = HierarchyId(4);

/// Names at one level; with what is below, all that the host may and may not lose.
const TOP: [&str; 9] = [
    "init.scope",
    "system.slice",
    "user.slice",
    "docker",
    "kubepods.slice",
    "machine.slice",
    "batch",
    "sshd.service",
    "web",
];
const LOWER: [&str; 14] = [
    ID,
    "init.scope",
    "sshd.service",
    "ssh@0.service",
    "containerd.service",
    "systemd-journald.service",
    "systemd-nspawn@box.service",
    "libpod-conmon-1.scope",
    "user-1000.slice",
    "machine-qemu\\x2d1\\x2dvm.scope",
    "job",
    "db-1",
    "nginx.service",
    "a",
];

/// A host as a test makes it up.
#[derive(Debug)]
struct Host {
    paths: Vec<(HierarchyId, String)>,
    labelled: Vec<bool>,
    anchors: Vec<Placement>,
    residents: Vec<Placement>,
    patterns: Vec<&'static str>,
}

fn path() -> impl Strategy<Value = String> {
    let lower = prop::collection::vec(prop::sample::select(&LOWER[..]), 0..4);
    (prop::sample::select(&TOP[..]), lower).prop_map(|(top, lower)| {
        let names = std::iter::once(top).chain(lower);
        names.map(|name| format!("/{name}")).collect()
    })
}

fn placed(paths: &[(HierarchyId, String)], picks: &[prop::sample::Index]) -> Placement {
    let mut placement = Placement::default();
    for pick in picks {
        let (hierarchy, path) = pick.get(paths);
        placement.paths.insert(*hierarchy, path.clone());
    }
    placement
}

fn host() -> impl Strategy<Value = Host> {
    let hierarchy = prop::sample::select(&[HierarchyId::V2, CPU][..]);
    let pick = || prop::collection::vec(any::<prop::sample::Index>(), 1..3);
    let picks = || prop::collection::vec(pick(), 0..3);
    let pattern = prop::sample::select(&["/batch/**", "db-*", "nginx.service", "/web"][..]);
    (
        prop::collection::vec((hierarchy, path()), 1..10),
        prop::collection::vec(prop::bool::weighted(0.1), 60),
        picks(),
        picks(),
        prop::collection::vec(pattern, 0..2),
    )
        .prop_map(|(leaves, labelled, anchors, residents, patterns)| {
            let mut paths = Vec::new();
            for (hierarchy, leaf) in leaves {
                let ends = leaf.match_indices('/').map(|(at, _)| at).skip(1);
                let above = ends.map(|end| leaf[..end].to_owned());
                for path in ["/".to_owned()]
                    .into_iter()
                    .chain(above)
                    .chain([leaf.clone()])
                {
                    if !paths.contains(&(hierarchy, path.clone())) {
                        paths.push((hierarchy, path));
                    }
                }
            }
            Host {
                anchors: anchors.iter().map(|one| placed(&paths, one)).collect(),
                residents: residents.iter().map(|one| placed(&paths, one)).collect(),
                paths,
                labelled,
                patterns,
            }
        })
}

impl Host {
    fn has_label(&self, at: usize) -> bool {
        self.labelled.get(at).copied().unwrap_or_default()
    }

    fn protect(&self) -> Protect {
        Protect {
            never: self.patterns.iter().map(|text| compiled(text)).collect(),
            ..Protect::default()
        }
    }

    fn tree(&self) -> Tree {
        let cgroups = self
            .paths
            .iter()
            .enumerate()
            .map(|(at, (hierarchy, path))| {
                let mut identity = classify(path);
                if self.has_label(at) {
                    identity
                        .labels
                        .insert("agent.protect".into(), "true".into());
                }
                Cgroup {
                    site: site(*hierarchy, path),
                    identity: Arc::new(identity),
                }
            });
        let anchors = self.anchors.iter().map(|placement| Anchor {
            what: "the agent",
            placement: placement.clone(),
        });
        let residents = self.residents.iter().map(|placement| Resident {
            pid: 7,
            program: "dockerd".into(),
            placement: placement.clone(),
        });
        Tree {
            anchors: anchors.collect(),
            cgroups: cgroups.collect(),
            residents: residents.collect(),
        }
    }

    /// Every cgroup that must be refused.
    fn forbidden(&self) -> BTreeMap<(HierarchyId, String), ()> {
        let mut causes: Vec<(HierarchyId, &str)> = Vec::new();
        for placement in self.anchors.iter().chain(&self.residents) {
            causes.extend(placement.paths.iter().map(|(h, path)| (*h, path.as_str())));
        }
        for (at, (hierarchy, path)) in self.paths.iter().enumerate() {
            if self.has_label(at) || self.is_listed(path) || is_systems(path) {
                causes.push((*hierarchy, path));
            }
        }
        let mut forbidden = BTreeMap::new();
        for hierarchy in [HierarchyId::V2, CPU] {
            forbidden.insert((hierarchy, "/".to_owned()), ());
        }
        for (hierarchy, cause) in causes {
            let mut path = String::new();
            for name in cause.split('/').skip(1) {
                path = format!("{path}/{name}");
                forbidden.insert((hierarchy, path.clone()), ());
            }
        }
        forbidden
    }

    fn is_listed(&self, path: &str) -> bool {
        let last = path.rsplit('/').next().unwrap();
        self.patterns.iter().any(|pattern| match *pattern {
            "/batch/**" => path.starts_with("/batch/"),
            "db-*" => last.starts_with("db-"),
            "/web" => path == "/web",
            unit => last == unit,
        })
    }
}

/// Compiling one takes longer than all else in a case.
fn compiled(text: &'static str) -> ProtectPattern {
    static COMPILED: Mutex<BTreeMap<&str, ProtectPattern>> = Mutex::new(BTreeMap::new());
    let mut compiled = COMPILED.lock().unwrap();
    let pattern = compiled.entry(text).or_insert_with(|| {
        let pattern = text.parse().unwrap();
        if text.starts_with('/') {
            ProtectPattern::Cgroup(pattern)
        } else {
            ProtectPattern::Name(pattern)
        }
    });
    pattern.clone()
}

/// Of the names above, those of units that the host needs.
fn is_systems(path: &str) -> bool {
    let mut names: Vec<&str> = path.split('/').skip(1).collect();
    let last = names.pop().unwrap();
    let needed = [
        "init.scope",
        "sshd.service",
        "ssh@0.service",
        "containerd.service",
        "systemd-journald.service",
        "libpod-conmon-1.scope",
    ];
    // In a user's or a container's own tree a name means nothing.
    let foreign = [
        ID,
        "systemd-nspawn@box.service",
        "machine-qemu\\x2d1\\x2dvm.scope",
    ];
    needed.contains(&last)
        && names.first() != Some(&"user.slice")
        && !names.iter().any(|name| foreign.contains(name))
}

fn site(hierarchy: HierarchyId, path: &str) -> Site {
    Site {
        hierarchy,
        path: path.to_owned(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    /// What must not be touched is refused, and nothing else is; a tree cut down to what is below the
    /// target says the same as the whole.
    #[test]
    fn the_floor_holds(host in host()) {
        let protect = host.protect();
        let (tree, forbidden) = (host.tree(), host.forbidden());
        for (hierarchy, path) in &host.paths {
            let target = site(*hierarchy, path);
            let said = floor(&tree, &protect, std::slice::from_ref(&target));
            let expected = forbidden.contains_key(&(*hierarchy, path.clone()));
            prop_assert_eq!(said.is_err(), expected, "{:?} of {}: {:?}", hierarchy, path, said);

            let below = |at: &Site| target.holds(at.hierarchy, &at.path);
            let part = Tree {
                cgroups: tree.cgroups.iter().filter(|c| below(&c.site)).cloned().collect(),
                ..tree.clone()
            };
            prop_assert_eq!(floor(&part, &protect, &[target]).is_err(), expected);
        }
    }
}

proptest! {
    /// Of several cgroups, one that is protected protects all.
    #[test]
    fn one_refusal_refuses_all(host in host()) {
        let (protect, tree) = (host.protect(), host.tree());
        let sites: Vec<Site> = host.paths.iter().map(|(h, path)| site(*h, path)).collect();
        let one_by_one = sites.iter().any(|one| floor(&tree, &protect, std::slice::from_ref(one)).is_err());
        prop_assert_eq!(floor(&tree, &protect, &sites).is_err(), one_by_one);
    }
}

#[test]
fn reasons_name_their_cause() {
    let tree = Tree {
        anchors: vec![Anchor {
            what: "pid 1",
            placement: Placement {
                paths: [(CPU, "/boot".to_owned())].into(),
            },
        }],
        cgroups: vec![Cgroup {
            site: site(HierarchyId::V2, "/system.slice/docker.service"),
            identity: Arc::default(),
        }],
        residents: vec![Resident {
            pid: 42,
            program: "sshd".into(),
            placement: Placement {
                paths: [(HierarchyId::V2, "/user.slice/session-1.scope".to_owned())].into(),
            },
        }],
    };
    let say = |hierarchy, path: &str| {
        let said = floor(&tree, &Protect::default(), &[site(hierarchy, path)]);
        said.map_err(|reason| reason.to_string())
    };
    let refused = |text: &str| Err(text.to_owned());
    assert_eq!(say(CPU, "/boot"), refused("/boot holds pid 1"));
    assert_eq!(say(HierarchyId::V2, "/boot"), Ok(()));
    assert_eq!(
        say(HierarchyId::V2, "/user.slice"),
        refused("/user.slice/session-1.scope holds sshd (pid 42)")
    );
    assert_eq!(
        say(HierarchyId::V2, "/system.slice"),
        refused("/system.slice/docker.service is protected: the system needs it")
    );
    assert_eq!(say(CPU, "/"), refused("the root cgroup is never touched"));
}
