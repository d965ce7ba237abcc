//! Signals by number and by name, real-time ones too: systemd in a workload is stopped by one.

pub use rustix::process::Signal;

/// By number; `None`: there is none, or the C library keeps it to itself.
#[must_use]
pub fn signal_of_number(number: i32) -> Option<Signal> {
    if (nix::libc::SIGRTMIN()..=nix::libc::SIGRTMAX()).contains(&number) {
        // SAFETY: not zero, and none that the C library uses itself.
        return Some(unsafe { Signal::from_raw_unchecked(number) });
    }
    Signal::from_named_raw(number)
}

/// By number or name: `9`, `KILL`, `SIGKILL`, `RTMIN+3`.
#[must_use]
pub fn signal_of_name(text: &str) -> Option<Signal> {
    if let Ok(number) = text.parse() {
        return signal_of_number(number);
    }
    let name = text.to_uppercase();
    let name = name.strip_prefix("SIG").unwrap_or(&name);
    let real_time = |from: &str, base: i32| {
        let offset = name.strip_prefix(from)?;
        let offset = if offset.is_empty() {
            Ok(0)
        } else {
            offset.parse::<i32>()
        };
        signal_of_number(base + offset.ok()?)
    };
    real_time("RTMIN", nix::libc::SIGRTMIN())
        .or_else(|| real_time("RTMAX", nix::libc::SIGRTMAX()))
        .or_else(|| {
            let signal: nix::sys::signal::Signal = format!("SIG{name}").parse().ok()?;
            signal_of_number(signal as i32)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_numbers_and_names() {
        for text in ["9", "KILL", "SIGKILL", "sigkill"] {
            assert_eq!(signal_of_name(text), Some(Signal::KILL), "{text}");
        }
        let stop_systemd = signal_of_number(nix::libc::SIGRTMIN() + 3);
        assert!(stop_systemd.is_some());
        assert_eq!(signal_of_name("SIGRTMIN+3"), stop_systemd);
        for text in ["SIGNONE", "0", "32", "65", "RTMIN+99", ""] {
            assert_eq!(signal_of_name(text), None, "{text}");
        }
    }
}
