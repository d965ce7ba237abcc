//! Ids and names.

use std::fs::File;
use std::io::{self, Read};

use super::EngineError;
use crate::launch::Id;

const RANDOM: &str = "/dev/urandom";
/// Digits of an id as it is shown.
pub(super) const SHORT: usize = 12;

const ADJECTIVES: [&str; 48] = [
    "able", "airy", "ample", "ardent", "astute", "azure", "bold", "breezy", "bright", "brisk",
    "calm", "candid", "cheerful", "clever", "cosy", "crisp", "deft", "eager", "early", "fair",
    "fearless", "fleet", "frank", "gentle", "glad", "hardy", "honest", "jolly", "keen", "lively",
    "lucid", "merry", "mild", "nimble", "patient", "plucky", "polite", "quick", "quiet", "ready",
    "serene", "sober", "steady", "sturdy", "sunny", "tidy", "trusty", "witty",
];
/// Of people who built, steered or made safer what floats, or who computed.
const SURNAMES: [&str; 48] = [
    "amundsen",
    "archimedes",
    "babbage",
    "barentsz",
    "baret",
    "beaufort",
    "bowditch",
    "brunel",
    "bruce",
    "cook",
    "coston",
    "cousteau",
    "darling",
    "drebbel",
    "earle",
    "ericsson",
    "euler",
    "fitzroy",
    "fresnel",
    "froude",
    "fulton",
    "gagarin",
    "halley",
    "harrison",
    "heyerdahl",
    "hooke",
    "hopper",
    "kuznetsova",
    "laeisz",
    "leavitt",
    "lovelace",
    "magellan",
    "marconi",
    "maury",
    "mercator",
    "nansen",
    "nightingale",
    "noether",
    "parsons",
    "plimsoll",
    "ross",
    "shackleton",
    "slocum",
    "sperry",
    "stevenson",
    "tasman",
    "tharp",
    "zheng",
];

/// A new container's id: 64 digits nobody has had.
pub(super) fn new_id() -> Result<Id, EngineError> {
    let text = random_hex()?;
    text.parse()
        .map_err(|error| EngineError::Launch(crate::launch::LaunchError::InvalidId(error)))
}

/// 64 hexadecimal digits; the first twelve are never a number, which commands could take for one.
pub(super) fn random_hex() -> Result<String, EngineError> {
    loop {
        let mut bytes = [0_u8; 32];
        random(&mut bytes)?;
        let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let short = text.get(..SHORT).unwrap_or_default();
        if short.bytes().any(|digit| !digit.is_ascii_digit()) {
            return Ok(text);
        }
    }
}

fn random(bytes: &mut [u8]) -> Result<(), EngineError> {
    let read = File::open(RANDOM).and_then(|mut file| file.read_exact(bytes));
    read.map_err(EngineError::io("read", RANDOM.as_ref()))
}

/// A name for a container that was given none; with a number once the plain ones are rare.
pub(super) fn generated(attempt: u32) -> Result<String, EngineError> {
    let mut bytes = [0_u8; 3];
    random(&mut bytes)?;
    let [a, b, c] = bytes.map(usize::from);
    let adjective = ADJECTIVES.get(a % ADJECTIVES.len()).unwrap_or(&"ready");
    let surname = SURNAMES.get(b % SURNAMES.len()).unwrap_or(&"plimsoll");
    Ok(if attempt < 6 {
        format!("{adjective}_{surname}")
    } else {
        format!("{adjective}_{surname}{c}")
    })
}

/// The name without its slash, if it is one.
pub(super) fn parse(name: &str) -> Result<String, EngineError> {
    let plain = name.strip_prefix('/').unwrap_or(name);
    let mut bytes = plain.bytes();
    let starts = bytes
        .next()
        .is_some_and(|byte| byte.is_ascii_alphanumeric());
    let goes_on = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    if !starts || plain.len() < 2 || !bytes.all(goes_on) {
        return Err(EngineError::InvalidName(name.to_owned()));
    }
    Ok(plain.to_owned())
}

/// This instant in RFC 3339, with nanoseconds.
pub(super) fn now() -> String {
    humantime::format_rfc3339_nanos(std::time::SystemTime::now()).to_string()
}

/// The instant that a text tells.
pub(super) fn instant(text: &str) -> io::Result<std::time::SystemTime> {
    humantime::parse_rfc3339_weak(text).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn ids_are_64_digits_and_never_a_number() {
        for _ in 0..50 {
            let id = new_id().unwrap();
            assert_eq!(id.as_str().len(), 64);
            assert!(id.as_str()[..SHORT].parse::<u64>().is_err());
        }
    }

    #[test]
    fn generated_names_are_names_and_words_are_listed_once() {
        for attempt in 0..10 {
            parse(&generated(attempt).unwrap()).unwrap();
        }
        for words in [ADJECTIVES, SURNAMES] {
            let set: std::collections::BTreeSet<_> = words.iter().collect();
            assert_eq!(set.len(), words.len());
        }
    }

    #[test]
    fn names_are_as_docker_allows_them() {
        assert_eq!(parse("/web.1").unwrap(), "web.1");
        for bad in ["", "a", "-a", "a b", "a/b", "ä1", "_x"] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
