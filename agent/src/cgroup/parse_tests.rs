//! Tests of the text formats: what the kernel prints, and anything else.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::cgroup::v2;

#[test]
fn numbers_end_at_the_first_other_byte() {
    assert_eq!(number(b"42\n"), Some(42));
    assert_eq!(number(b" 7"), Some(7));
    assert_eq!(number(b"18446744073709551615"), Some(u64::MAX));
    assert_eq!(number(b"18446744073709551616"), None);
    assert_eq!(number(b"-1\n"), None);
    assert_eq!(number(b"max\n"), None);
    assert_eq!(number(b""), None);
}

#[test]
fn fields_leave_out_what_is_not_a_number() {
    let text = b"a 1\nb max\nc\n\nd 4\n";
    let found: Vec<_> = fields(text).collect();
    assert_eq!(found, [(&b"a"[..], 1), (&b"d"[..], 4)]);
    assert_eq!(field(text, b"d"), Some(4));
    assert_eq!(field(text, b"b"), None);
}

#[test]
fn quota_may_be_max() {
    assert_eq!(quota_and_period(b"max 100000\n"), (None, Some(100_000)));
    assert_eq!(
        quota_and_period(b"20000 50000\n"),
        (Some(20_000), Some(50_000))
    );
}

#[test]
fn pressure_has_two_lines_or_one() {
    let text = b"some avg10=13.22 avg60=2.38 avg300=0.49 total=1475561\n\
                 full avg10=0.05 avg60=2.38 avg300=0.49 total=1475559\n";
    let both = pressure(text).unwrap();
    assert_eq!(
        both.some,
        Pressure {
            avg10: 13.22,
            total_us: 1_475_561
        }
    );
    assert_eq!(
        both.full,
        Some(Pressure {
            avg10: 0.05,
            total_us: 1_475_559
        })
    );
    // 5.10 has no `full` for cpu.
    let one = pressure(b"some avg10=0.00 avg60=0.00 avg300=0.00 total=7\n").unwrap();
    assert_eq!(
        one,
        PressureReading {
            some: Pressure {
                avg10: 0.0,
                total_us: 7
            },
            full: None
        }
    );
    assert_eq!(pressure(b"full avg10=0.00 total=7\n"), None);
}

#[test]
fn devices_are_two_whole_numbers() {
    assert_eq!(
        device(b"254:16"),
        Some(DeviceNumber {
            major: 254,
            minor: 16
        })
    );
    assert_eq!(device(b"(unknown)"), None);
    assert_eq!(device(b"8:0x"), None);
    assert_eq!(device(b":"), None);
    assert_eq!(device(b"4294967296:0"), None);
}

/// Bytes that are often almost what the kernel prints.
fn near_text() -> impl Strategy<Value = Vec<u8>> {
    let pieces = [
        "some",
        "full",
        "avg10",
        "total",
        "usage_usec",
        "rbytes",
        "Read",
        "max",
        "254:0",
        "=",
        ":",
        " ",
        "\n",
        ".",
        "-",
        "0",
        "9",
        "18446744073709551615",
    ];
    let piece = prop_oneof![
        prop::sample::select(pieces.to_vec()).prop_map(|piece| piece.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..4),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_bytes_are_survived(text in near_text()) {
        let _ = number(&text);
        let _ = fields(&text).count();
        let _ = quota_and_period(&text);
        let _ = pressure(&text);
        let _ = device(&text);
        let _ = v2::parse_cpu(&text);
        let _ = v2::parse_io(&text);
        let _ = crate::cgroup::v1::parse_blkio(&text).count();
    }

    #[test]
    fn printed_numbers_come_back(value: u64, rest in "[^0-9]*") {
        prop_assert_eq!(number(format!("{value}{rest}").as_bytes()), Some(value));
    }

    #[test]
    fn printed_percentages_come_back(whole in 0u64..=100, hundredths in 0u64..100, total: u64) {
        let line = format!("some avg10={whole}.{hundredths:02} avg60=0.00 avg300=0.00 total={total}");
        let read = pressure(line.as_bytes()).unwrap().some;
        prop_assert_eq!(read.total_us, total);
        prop_assert!((read.avg10 - (whole as f64 + hundredths as f64 / 100.0)).abs() < 1e-9);
    }
}
