//! So much in a second.

use std::fmt;
use std::str::FromStr;

use super::bytes;
use super::quantity::{Scale, UnitError};

const BITS: Scale = Scale {
    what: "a network rate",
    example: "100Mbit",
    usual: "Mbit",
    units: &[
        ("bit", 1),
        ("kbit", 1_000),
        ("Mbit", 1_000_000),
        ("Gbit", 1_000_000_000),
        ("Tbit", 1_000_000_000_000),
    ],
    mistaken: &[
        ("k", "write `kbit`"),
        ("K", "write `kbit`"),
        ("m", "write `Mbit`"),
        ("M", "write `Mbit`"),
        ("G", "write `Gbit`"),
        ("kbps", "write `kbit`"),
        ("Kbps", "write `kbit`"),
        ("mbps", "write `Mbit`"),
        ("Mbps", "write `Mbit`"),
        ("Gbps", "write `Gbit`"),
        ("Mb", "write `Mbit`"),
        ("Gb", "write `Gbit`"),
        ("kB", "network rates are in bits: 1kB a second is `8kbit`"),
        ("KB", "network rates are in bits: 1kB a second is `8kbit`"),
        ("KiB", "network rates are in bits: 1kB a second is `8kbit`"),
        ("MB", "network rates are in bits: 1MB a second is `8Mbit`"),
        ("MiB", "network rates are in bits: 1MB a second is `8Mbit`"),
        ("GB", "network rates are in bits: 1GB a second is `8Gbit`"),
        ("GiB", "network rates are in bits: 1GB a second is `8Gbit`"),
    ],
};

const BYTES: Scale = Scale {
    what: "a data rate",
    example: "50MiB",
    usual: "MiB",
    units: bytes::BYTES,
    mistaken: bytes::MISTAKEN,
};

const OPERATIONS: Scale = Scale {
    what: "a rate of operations",
    example: "500",
    usual: "",
    units: &[("", 1)],
    mistaken: &[],
};

/// Bits a second, thousands of them as network people count: `100Mbit`, `1.5Gbit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BitRate(pub u64);

/// Bytes a second: `50MiB`, `50MiB/s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteRate(pub u64);

/// Operations a second: `500`, `500/s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperationRate(pub u64);

impl FromStr for BitRate {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        BITS.parse(less_per_second(text)).map(Self)
    }
}

impl FromStr for ByteRate {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        BYTES.parse(less_per_second(text)).map(Self)
    }
}

impl FromStr for OperationRate {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        OPERATIONS.parse(less_per_second(text)).map(Self)
    }
}

impl fmt::Display for BitRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&BITS.shown(self.0))
    }
}

impl fmt::Display for ByteRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/s", BYTES.shown(self.0)))
    }
}

impl fmt::Display for OperationRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/s", self.0))
    }
}

fn less_per_second(text: &str) -> &str {
    let text = text.trim();
    text.strip_suffix("/s").unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rates_are_read() {
        assert_eq!("100Mbit".parse(), Ok(BitRate(100_000_000)));
        assert_eq!("1.5 Gbit/s".parse(), Ok(BitRate(1_500_000_000)));
        assert_eq!("50MiB".parse(), Ok(ByteRate(50 << 20)));
        assert_eq!("50MiB/s".parse(), Ok(ByteRate(50 << 20)));
        assert_eq!("500".parse(), Ok(OperationRate(500)));
        assert_eq!("500/s".parse(), Ok(OperationRate(500)));
    }

    #[test]
    fn bits_and_bytes_are_told_apart() {
        for (text, error) in [
            (
                "12MB",
                "`MB` is no unit of a network rate; \
                 network rates are in bits: 1MB a second is `8Mbit`",
            ),
            (
                "100Mbps",
                "`Mbps` is no unit of a network rate; write `Mbit`",
            ),
            (
                "100mbit",
                "`mbit` is no unit of a network rate; write `100Mbit`",
            ),
            (
                "100",
                "`100` has no unit; a network rate is written like `100Mbit`",
            ),
            (
                "fast",
                "expected a network rate such as `100Mbit`, not `fast`",
            ),
        ] {
            let found = text.parse::<BitRate>().map_err(|e| e.to_string());
            assert_eq!(found, Err(error.to_owned()), "{text}");
        }
        assert_eq!(
            "5 iops".parse::<OperationRate>().map_err(|e| e.to_string()),
            Err("`iops` is no unit of a rate of operations; write the number alone".to_owned())
        );
        assert_eq!(
            "100Mbit".parse::<ByteRate>().map_err(|e| e.to_string()),
            Err("`Mbit` is no unit of a data rate; known are \
                 `B`, `kB`, `KiB`, `MB`, `MiB`, `GB`, `GiB`, `TB`, `TiB`"
                .to_owned())
        );
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(value: u64) {
            prop_assert_eq!(BitRate(value).to_string().parse(), Ok(BitRate(value)));
            prop_assert_eq!(ByteRate(value).to_string().parse(), Ok(ByteRate(value)));
            let operations = OperationRate(value);
            prop_assert_eq!(operations.to_string().parse(), Ok(operations));
        }
    }
}
