//! Amounts as Docker writes them: bytes with units, parts of processors, durations, pairs.

use bollard::models::{ResourcesUlimits, ThrottleDevice};

const NANOS: u32 = 9;

/// `64m`, `1.5g`, `64MiB`, `100000000b`, in units of 1024.
pub(in super::super) fn bytes(text: &str) -> Result<i64, String> {
    let wrong = || format!("invalid size: '{text}'; for example `64m` or `1.5g`");
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.');
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    let shift = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        "p" | "pb" | "pib" => 50,
        _ => return Err(wrong()),
    };
    if let Ok(whole) = number.parse::<i64>() {
        return whole.checked_mul(1 << shift).ok_or_else(wrong);
    }
    let number: f64 = number.parse().map_err(|_| wrong())?;
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
    let bytes = (number * (1_i64 << shift) as f64) as i64;
    Ok(bytes)
}

/// [`bytes`], or -1 for no limit.
pub(in super::super) fn bytes_or_unlimited(text: &str) -> Result<i64, String> {
    if text == "-1" { Ok(-1) } else { bytes(text) }
}

/// `1.5` processors in billionths of one.
pub(in super::super) fn nano_cpus(text: &str) -> Result<i64, String> {
    let wrong = || format!("`{text}` is no number of CPUs; for example `1.5`");
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return Err(wrong());
    }
    let places = u32::try_from(fraction.len()).map_err(|_| wrong())?;
    let Some(missing) = NANOS.checked_sub(places) else {
        return Err("value is too precise".into());
    };
    let number = |text: &str| {
        if text.is_empty() {
            Ok(0)
        } else {
            text.parse::<i64>()
        }
    };
    let whole = number(whole).map_err(|_| wrong())?;
    let fraction = number(fraction).map_err(|_| wrong())? * 10_i64.pow(missing);
    let nanos = whole.checked_mul(10_i64.pow(NANOS));
    nanos
        .and_then(|nanos| nanos.checked_add(fraction))
        .ok_or_else(wrong)
}

/// `nofile=1024:2048`, `nproc=5`.
pub(in super::super) fn ulimit(text: &str) -> Result<ResourcesUlimits, String> {
    let wrong = || format!("invalid ulimit argument: {text}; for example `nofile=1024:2048`");
    let (name, limits) = text.split_once('=').ok_or_else(wrong)?;
    let (soft, hard) = limits.split_once(':').unwrap_or((limits, limits));
    let (soft, hard): (i64, i64) = (
        soft.parse().map_err(|_| wrong())?,
        hard.parse().map_err(|_| wrong())?,
    );
    if hard != -1 && (soft > hard || soft == -1) {
        return Err(format!(
            "ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}"
        ));
    }
    Ok(ResourcesUlimits {
        name: Some(name.to_owned()),
        soft: Some(soft),
        hard: Some(hard),
    })
}

/// `/dev/vda:1mb` a second.
pub(in super::super) fn device_bytes(text: &str) -> Result<ThrottleDevice, String> {
    throttle(text, bytes)
}

/// `/dev/vda:100` operations a second.
pub(in super::super) fn device_operations(text: &str) -> Result<ThrottleDevice, String> {
    throttle(text, |rate| {
        rate.parse().map_err(|_| format!("`{rate}` is no number"))
    })
}

fn throttle(
    text: &str,
    rate: impl Fn(&str) -> Result<i64, String>,
) -> Result<ThrottleDevice, String> {
    let device = text
        .split_once(':')
        .filter(|(path, _)| path.starts_with("/dev/"));
    let (path, value) =
        device.ok_or_else(|| format!("bad format: {text}; for example `/dev/vda:10`"))?;
    Ok(ThrottleDevice {
        path: Some(path.to_owned()),
        rate: Some(rate(value)?),
    })
}

/// `name=value`, or `name` alone.
pub(in super::super) fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    if name.is_empty() {
        return Err(format!("`{text}` has no name before the `=`"));
    }
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts() {
        assert_eq!(bytes("1.5G"), Ok(3 << 29));
        assert_eq!(bytes("64MiB"), Ok(64 << 20));
        assert_eq!(bytes("100"), Ok(100));
        assert!(bytes("m").is_err() && bytes("-1").is_err() && bytes("9999999999g").is_err());
        assert_eq!(bytes_or_unlimited("-1"), Ok(-1));
        assert_eq!(nano_cpus(".25"), Ok(250_000_000));
        assert_eq!(nano_cpus("2"), Ok(2_000_000_000));
        assert!(nano_cpus(".").is_err() && nano_cpus("-1").is_err());
        assert!(nano_cpus("0.0000000001").is_err());
        assert!(ulimit("nofile=2:1").is_err() && ulimit("x").is_err());
        assert!(device_bytes("vda:1m").is_err());
    }
}
