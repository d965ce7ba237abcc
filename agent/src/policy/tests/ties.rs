//! Policies that are no tie.

use super::*;

fn limits(name: &str, select: &str, limits: &str) -> String {
    format!("[[policy]]\nname = '{name}'\n{select}\n[policy.limits]\n{limits}\n")
}

fn problems(one: &str, other: &str) -> usize {
    let text = format!("version = 1\n{one}{other}");
    parse(&text).err().unwrap_or_default().len()
}

#[test]
fn a_tie_takes_equal_rank_one_workload_and_one_thing() {
    let pids = "'pids.max' = 5";
    let one = limits("a", "match = { image = '*/batch:*' }", pids);
    for (select, held, ties) in [
        ("match = { labels = { tier = 'batch' } }", pids, 1),
        (
            "match = { labels = { tier = 'batch' } }\npriority = 1",
            pids,
            0,
        ),
        (
            "match = { labels = { tier = 'batch' }, name = 'x' }",
            pids,
            0,
        ),
        (
            "match = { labels = { tier = 'batch' } }",
            "'cpu.weight' = 5",
            0,
        ),
        ("match = { image = '*/batch:*' }", pids, 1),
        ("match = { image = 'quay.io/batch:1' }", pids, 1),
        ("match = { image = 'quay.io/web:1' }", pids, 0),
        ("match = { kind = 'slice' }", pids, 0),
        ("match = { unit = 'x.service' }", pids, 0),
        (
            "match = { name = 'x' }\nexclude = { image = '*/batch:*' }",
            pids,
            0,
        ),
        (
            "match = { name = 'x' }\nexclude = { image = '*/batch:*', pod = 'y' }",
            pids,
            1,
        ),
    ] {
        let other = limits("b", select, held);
        assert_eq!(problems(&one, &other), ties, "{select}");
        assert_eq!(problems(&other, &one), ties, "{select}, turned");
    }
}

#[test]
fn the_same_label_with_another_value_is_another_workload() {
    let of = |name: &str, label: &str| {
        let select = format!("match = {{ labels = {{ size = {label} }} }}");
        limits(name, &select, "'pids.max' = 5")
    };
    assert_eq!(problems(&of("a", "'small'"), &of("b", "'large'")), 0);
    assert_eq!(
        problems(&of("a", "'small'"), &of("b", "['large', 'small']")),
        1
    );
    assert_eq!(problems(&of("a", "'s*'"), &of("b", "'l*'")), 0);
    assert_eq!(problems(&of("a", "'s*'"), &of("b", "'*l'")), 1);
}

#[test]
fn a_rule_goes_before_limits_of_equal_rank() {
    let scale = "[[policy]]\nname = 'b'\nmatch = { name = 'x' }\n[[policy.rule]]\nname = 'r'\n\
                 any = [{ metric = 'cpu.usage', above = '50%' }]\n\
                 then = [{ scale = { target = 'cpu.max', ceiling = '2x' } }]\n";
    let cpu = limits("a", "match = { name = 'x' }", "'cpu.max' = '1 core'");
    assert_eq!(problems(&cpu, scale), 0);
    assert_eq!(problems(scale, &scale.replace("'b'", "'c'")), 1);
}
