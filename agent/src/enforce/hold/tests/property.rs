//! Any deeds, with a death at any write.

use super::*;

/// One thing that may happen to an agent.
#[derive(Clone, Debug)]
enum Deed {
    Claim(u64, Claimant, Setting),
    Release(&'static str),
    Step,
}

fn deed() -> impl Strategy<Value = Deed> {
    let setting = prop_oneof![
        (1u64..200).prop_map(|mib| max(mib * MIB + 5)),
        (2u64..90).prop_map(|ms| cpu(ms * 1_000)),
        (0u64..60).prop_map(|ms| Setting::CpuMaxBurst(ms * 1_000)),
        (1u64..500).prop_map(|pids| Setting::PidsMax(Some(pids))),
        Just(Setting::Freeze(true)),
    ];
    let claimant = prop_oneof![
        Just(policy("a", 1)),
        Just(policy("b", 2)),
        Just(Claimant::Operator),
    ];
    prop_oneof![
        6 => (1u64..4, claimant, setting).prop_map(|(id, by, setting)| Deed::Claim(id, by, setting)),
        2 => prop::sample::select(&["a", "b"][..]).prop_map(Deed::Release),
        1 => Just(Deed::Step),
    ]
}

fn live(hold: &mut Hold<World>, deeds: &[Deed]) {
    for deed in deeds {
        match deed.clone() {
            // The kernel may refuse: a burst above its quota.
            Deed::Claim(id, by, setting) => drop(claim(hold, id, by, setting)),
            Deed::Release(name) => drop(let_go(hold, name)),
            Deed::Step => drop(hold.step()),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Killed at any write, before or after it reached the kernel: the next process gives back all
    /// that does not stay, leaves what the operator holds, and what nobody holds is as it was.
    #[test]
    fn killed_at_any_write(
        deeds in prop::collection::vec(deed(), 1..25),
        fuel in 0u32..50,
        slow in 0u32..3,
    ) {
        let (world, directory) = (World::default(), directory());
        for id in 1..4 {
            world.cgroup(id);
            world.set(id, cpu(80_000));
            world.set(id, Setting::CpuMaxBurst(40_000));
        }
        let originals = world.values();
        world.slow(Knob::MemoryMax, slow);
        world.fuel(Some(fuel));
        let mut first = hold(&world, directory.path());
        let killed = catch_unwind(AssertUnwindSafe(|| live(&mut first, &deeds)));
        if let Err(cause) = killed {
            prop_assert!(cause.is::<Killed>());
        }
        drop(first);
        world.fuel(None);
        let mut next = hold(&world, directory.path());
        next.take_up(Duration::ZERO).unwrap();
        next.give_back_all(Duration::from_secs(1));
        prop_assert!(!next.is_owing() && !next.is_busy());
        for held in next.all() {
            let all_stay = held.claims().iter().all(Claimed::outlives_agent);
            prop_assert!(all_stay, "{:?}", held);
        }
        let held: BTreeMap<_, _> = next
            .all()
            .map(|held| ((held.slot.cgroup.id, held.slot.thing), held.clone()))
            .collect();
        for (at, found) in world.values() {
            match held.get(&at) {
                Some(held) => prop_assert_eq!(&held.in_force, &found),
                // The operator's quota may have taken the burst along.
                None if at.1 == Thing::Knob(Knob::CpuMaxBurst)
                    && held.contains_key(&(at.0, Thing::Knob(Knob::CpuMax))) => {}
                None => prop_assert_eq!(&originals[&at], &found, "{:?}", at),
            }
        }
        // And when the operator lets go as well, all is as it was before the first claim.
        next.release(|_, _| true);
        next.give_back_all(Duration::from_secs(1));
        prop_assert_eq!(world.values(), originals);
        prop_assert_eq!(next.all().count(), 0);
    }
}
