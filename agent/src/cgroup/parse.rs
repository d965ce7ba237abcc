//! The text formats of cgroup files, without allocation.
//!
//! Anything may come in; what does not have the expected shape is left out.

use super::{DeviceNumber, Pressure, PressureReading};

/// Digits at the start, after blanks. `None` for `max`, a negative number, or one past 64 bits.
pub(super) fn number(text: &[u8]) -> Option<u64> {
    let text = text.trim_ascii_start();
    let length = text
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(text.len());
    let digits = text.get(..length).filter(|digits| !digits.is_empty())?;
    digits.iter().try_fold(0u64, |value, digit| {
        value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
    })
}

/// Lines of `key value`, those whose value is a number.
pub(super) fn fields(text: &[u8]) -> impl Iterator<Item = (&[u8], u64)> {
    lines(text).filter_map(|line| {
        let (key, value) = cut(line, b' ')?;
        Some((key, number(value)?))
    })
}

/// The value of one key among [`fields`].
pub(super) fn field(text: &[u8], wanted: &[u8]) -> Option<u64> {
    fields(text).find_map(|(key, value)| (key == wanted).then_some(value))
}

/// `cpu.max`: quota (`None` for `max`) and period.
pub(super) fn quota_and_period(text: &[u8]) -> (Option<u64>, Option<u64>) {
    match cut(text, b' ') {
        Some((quota, period)) => (number(quota), number(period)),
        None => (number(text), None),
    }
}

/// A pressure file. `None` without a `some` line.
pub(super) fn pressure(text: &[u8]) -> Option<PressureReading> {
    let mut some = None;
    let mut full = None;
    for line in lines(text) {
        match cut(line, b' ') {
            Some((b"some", values)) => some = stall(values),
            Some((b"full", values)) => full = stall(values),
            _ => {}
        }
    }
    Some(PressureReading { some: some?, full })
}

fn stall(values: &[u8]) -> Option<Pressure> {
    let mut avg10 = None;
    let mut total_us = None;
    for pair in words(values) {
        match cut(pair, b'=') {
            Some((b"avg10", value)) => avg10 = percent(value),
            Some((b"total", value)) => total_us = number(value),
            _ => {}
        }
    }
    Some(Pressure {
        avg10: avg10?,
        total_us: total_us?,
    })
}

/// `14.12`, always two decimals (kernel/sched/psi.c psi_show(), v6.12).
fn percent(text: &[u8]) -> Option<f64> {
    let (whole, decimals) = cut(text, b'.')?;
    let hundredths = number(whole)?
        .checked_mul(100)?
        .checked_add(number(decimals)?)?;
    // Percentages are far below 2^53.
    Some(hundredths as f64 / 100.0)
}

/// `major:minor`.
pub(super) fn device(text: &[u8]) -> Option<DeviceNumber> {
    let (major, minor) = cut(text, b':')?;
    Some(DeviceNumber {
        major: whole_u32(major)?,
        minor: whole_u32(minor)?,
    })
}

/// All of it digits, unlike [`number`].
fn whole_u32(text: &[u8]) -> Option<u32> {
    text.iter()
        .all(u8::is_ascii_digit)
        .then(|| number(text))?
        .and_then(|n| u32::try_from(n).ok())
}

pub(super) fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n')
}

pub(super) fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
}

pub(super) fn cut(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|byte| *byte == separator)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
