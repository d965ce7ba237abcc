#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

fn quota(quota_us: u64, period_us: u64) -> CpuLimit {
    CpuLimit(Quota {
        quota_us: Some(quota_us),
        period_us,
    })
}

#[test]
fn cores_and_percent_are_the_same() {
    assert_eq!("1.5 cores".parse(), Ok(Cores(1.5)));
    assert_eq!("150%".parse(), Ok(Cores(1.5)));
    assert_eq!("1 core".parse(), Ok(Cores(1.0)));
    assert_eq!("2cores".parse(), Ok(Cores(2.0)));
}

#[test]
fn limits_become_quota_and_period() {
    assert_eq!("1.5 cores".parse(), Ok(quota(150_000, 100_000)));
    assert_eq!("80%".parse(), Ok(quota(80_000, 100_000)));
    assert_eq!("75ms/50ms".parse(), Ok(quota(75_000, 50_000)));
    assert_eq!("max".parse(), Ok(CpuLimit::MAX));
    // 0.5 ms of 100 ms is less than the kernel takes.
    assert_eq!("0.005 cores".parse(), Ok(quota(5_000, 1_000_000)));
    assert_eq!(CpuLimit::from_flag("1.5"), Ok(quota(150_000, 100_000)));
    assert_eq!(
        CpuLimit::from_flag("1.5 cores"),
        Ok(quota(150_000, 100_000))
    );
}

#[test]
fn errors_say_what_to_write() {
    for (text, error) in [
        (
            "1.5",
            "`1.5` has no unit; an amount of CPU time is written like `1.5 cores`",
        ),
        (
            "1500m",
            "`m` is no unit of an amount of CPU time; write `1.5 cores`",
        ),
        (
            "2 cpus",
            "`cpus` is no unit of an amount of CPU time; write `2 cores` or `200%`",
        ),
        (
            "some",
            "expected an amount of CPU time such as `1.5 cores`, not `some`",
        ),
        (
            "0.0001 cores",
            "`0.0001 cores` is out of range: from 0.001 to 65536 cores",
        ),
        (
            "70000 cores",
            "`70000 cores` is out of range: from 0.001 to 65536 cores",
        ),
        (
            "10ms/2s",
            "`10ms/2s` is out of range: the period is 1ms to 1s",
        ),
        (
            "100us/100ms",
            "`100us/100ms` is out of range: the quota is 1ms at least, 65536 periods at most",
        ),
        (
            "150000/100000",
            "`150000` has no unit; a time is written like `150000ms`",
        ),
    ] {
        let found = text.parse::<CpuLimit>().map_err(|e| e.to_string());
        assert_eq!(found, Err(error.to_owned()), "{text}");
    }
}

#[test]
fn shown_as_it_is_written() {
    assert_eq!(quota(150_000, 100_000).to_string(), "1.5 cores");
    assert_eq!(quota(100_000, 100_000).to_string(), "1 core");
    assert_eq!(quota(75_000, 50_000).to_string(), "75ms/50ms");
    assert_eq!(CpuLimit::MAX.to_string(), "max");
}

proptest! {
    #[test]
    fn what_is_shown_is_read_back(
        period_us in 1_000_u64..=1_000_000,
        quota_us in 1_000_u64..=10_000_000,
    ) {
        for period_us in [period_us, USUAL_PERIOD_US] {
            let limit = quota(quota_us, period_us);
            prop_assert_eq!(limit.to_string().parse(), Ok(limit));
        }
    }

    #[test]
    fn no_text_panics(text: String, number: f64) {
        let _any_answer_will_do = text.parse::<CpuLimit>();
        let _any_answer_will_do = CpuLimit::from_cores(number);
        let _any_answer_will_do = CpuLimit::from_flag(&text);
    }
}
