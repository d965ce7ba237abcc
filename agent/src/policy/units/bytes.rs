//! Amounts of memory and of data.

use std::fmt;
use std::str::FromStr;

use super::quantity::{Scale, UnitError};

pub(super) const BYTES: &[(&str, u64)] = &[
    ("B", 1),
    ("kB", 1_000),
    ("KiB", 1 << 10),
    ("MB", 1_000_000),
    ("MiB", 1 << 20),
    ("GB", 1_000_000_000),
    ("GiB", 1 << 30),
    ("TB", 1_000_000_000_000),
    ("TiB", 1 << 40),
];

/// One letter is 1,000 to some programs and 1,024 to others.
pub(super) const MISTAKEN: &[(&str, &str)] = &[
    ("k", "write `KiB` (1,024) or `kB` (1,000)"),
    ("K", "write `KiB` (1,024) or `kB` (1,000)"),
    ("Ki", "write `KiB`"),
    ("m", "write `MiB` (1,024 KiB) or `MB` (1,000 kB)"),
    ("M", "write `MiB` (1,024 KiB) or `MB` (1,000 kB)"),
    ("Mi", "write `MiB`"),
    ("g", "write `GiB` (1,024 MiB) or `GB` (1,000 MB)"),
    ("G", "write `GiB` (1,024 MiB) or `GB` (1,000 MB)"),
    ("Gi", "write `GiB`"),
    ("t", "write `TiB` (1,024 GiB) or `TB` (1,000 GB)"),
    ("T", "write `TiB` (1,024 GiB) or `TB` (1,000 GB)"),
    ("Ti", "write `TiB`"),
    ("bytes", "write `B`"),
    ("byte", "write `B`"),
    ("%", "a share needs to say of what: `80% of memory.max`"),
];

const SCALE: Scale = Scale {
    what: "a size",
    example: "512MiB",
    usual: "MiB",
    units: BYTES,
    mistaken: MISTAKEN,
};

/// Bytes: `64MiB`, `1.5GiB`, `10GB`, `4096B`. `{}` is exact, `{:#}` rounded for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(pub u64);

impl FromStr for ByteSize {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        SCALE.parse(text).map(Self)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = if f.alternate() {
            SCALE.rounded(self.0)
        } else {
            SCALE.shown(self.0)
        };
        f.pad(&shown)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_unit_counts() {
        for (text, bytes) in [
            ("0B", 0),
            ("4096B", 4_096),
            ("1kB", 1_000),
            ("1KiB", 1_024),
            ("64MiB", 64 << 20),
            (" 64 MiB ", 64 << 20),
            ("1.5GiB", 3 << 29),
            ("0.5KiB", 512),
            ("10GB", 10_000_000_000),
            ("2TiB", 2 << 40),
            ("18446744073709551615B", u64::MAX),
        ] {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
    }

    #[test]
    fn errors_say_what_to_write() {
        for (text, error) in [
            ("512", "`512` has no unit; a size is written like `512MiB`"),
            (
                "512M",
                "`M` is no unit of a size; write `MiB` (1,024 KiB) or `MB` (1,000 kB)",
            ),
            ("512mib", "`mib` is no unit of a size; write `512MiB`"),
            (
                "80%",
                "`%` is no unit of a size; \
                 a share needs to say of what: `80% of memory.max`",
            ),
            (
                "5 apples",
                "`apples` is no unit of a size; known are \
                 `B`, `kB`, `KiB`, `MB`, `MiB`, `GB`, `GiB`, `TB`, `TiB`",
            ),
            ("much", "expected a size such as `512MiB`, not `much`"),
            ("-1MiB", "expected a size such as `512MiB`, not `-1MiB`"),
            (
                "1.2.3MiB",
                "expected a size such as `512MiB`, not `1.2.3MiB`",
            ),
            ("", "expected a size such as `512MiB`, not ``"),
            (
                "99999999999TiB",
                "`99999999999TiB` is out of range: too large",
            ),
            (
                "1e9B",
                "`e9B` is no unit of a size; known are \
                 `B`, `kB`, `KiB`, `MB`, `MiB`, `GB`, `GiB`, `TB`, `TiB`",
            ),
        ] {
            let found = text.parse::<ByteSize>().map_err(|e| e.to_string());
            assert_eq!(found, Err(error.to_owned()), "{text}");
        }
    }

    #[test]
    fn shown_in_the_largest_unit_that_is_exact() {
        for (bytes, text) in [
            (0, "0B"),
            (1, "1B"),
            (1_024, "1KiB"),
            (512 << 20, "512MiB"),
            (3 << 29, "1536MiB"),
            (1_500_000, "1500kB"),
            (1 << 40, "1TiB"),
        ] {
            assert_eq!(ByteSize(bytes).to_string(), text);
        }
    }

    #[test]
    fn rounded_only_where_it_is_long() {
        for (bytes, text) in [
            (0, "0B"),
            (512 << 20, "512MiB"),
            (3 << 29, "1536MiB"),
            (429_494_272, "409.6MiB"),
            (12_345, "12.1KiB"),
        ] {
            assert_eq!(format!("{:#}", ByteSize(bytes)), text);
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(bytes: u64) {
            prop_assert_eq!(ByteSize(bytes).to_string().parse(), Ok(ByteSize(bytes)));
        }

        #[test]
        fn no_text_panics(text: String) {
            let _any_answer_will_do = text.parse::<ByteSize>();
        }
    }
}
