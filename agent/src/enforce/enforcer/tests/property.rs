//! Any orders, in any sequence.

use super::*;

fn any_order() -> impl Strategy<Value = Order> {
    let claimant = prop_oneof![
        Just(Claimant::Operator),
        Just(policy("a", None)),
        Just(policy("a", Some("r"))),
        Just(policy("b", None)),
    ];
    let step = prop_oneof![
        (1u64..500).prop_map(|mib| set(max(mib))),
        (1u64..500).prop_map(|pids| set(Setting::PidsMax(Some(pids)))),
        (0.1f64..3.0).prop_map(|factor| {
            let amount = Amount::Change(crate::policy::Change::OfCurrent(factor));
            hold(Knob::PidsMax, amount, None)
        }),
        any::<bool>().prop_map(|bounded| freeze(bounded.then_some(Duration::from_secs(9)))),
        Just(Step::Release(Scope::All)),
        Just(Step::Release(Scope::Knob(Knob::PidsMax))),
        Just(Step::Once(Once::Restart)),
    ];
    let id = prop::sample::select(&[1u64, 2, 3, 8, 9][..]);
    (id, claimant, step, any::<bool>()).prop_map(|(id, claimant, step, monitor)| {
        let mut order = order(id, claimant, step);
        if monitor {
            order.mode = Mode::Monitor;
        }
        order
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever is ordered, of cgroups that are protected or do not exist too: each order has at least
    /// one record, numbers ascend, nothing protected changes, and in the end all is given back.
    #[test]
    fn every_order_has_a_record(orders in prop::collection::vec(any_order(), 1..20)) {
        let mut bench = Bench::new();
        bench.world.remove(8);
        let originals = bench.world.values();
        let mut last = 0;
        for order in orders {
            let (monitor, id) = (order.mode == Mode::Monitor, order.workload.identity.id.clone());
            let writes = bench.world.writes();
            let records = bench.all(order);
            prop_assert!(!records.is_empty());
            for record in records {
                prop_assert!(record.id > last);
                last = record.id;
            }
            if monitor || id == "/9" || id == "/8" {
                prop_assert_eq!(bench.world.writes(), writes);
            }
        }
        let all: Vec<_> = bench.enforcer.claims();
        for view in all {
            bench.enforcer.undo(view.action);
        }
        prop_assert_eq!(bench.world.values(), originals);
    }
}
