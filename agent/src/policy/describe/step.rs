//! Steps in words.

use std::fmt;

use nix::sys::signal::Signal;

use super::limit::threshold_value;
use crate::policy::ladder::{
    Action, Freeze, Hold, LadderStep, Revert, Scale, Throttle, ThrottleTarget,
};
use crate::policy::metric::Unit;
use crate::policy::order::{Once, Process};
use crate::policy::units::{ByteSize, Percent, TimeSpan};

/// `after 5s: reclaim 64MiB`.
impl fmt::Display for LadderStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.after.is_zero() {
            write!(f, "after {}: ", TimeSpan(self.after))?;
        }
        match &self.action {
            Action::Hold(hold) => hold.fmt(f),
            Action::Scale(scale) => scale.fmt(f),
            Action::Throttle(throttle) => throttle.fmt(f),
            Action::Freeze(Freeze { max }) => {
                write!(f, "freeze until it is over, {} at the most", TimeSpan(*max))
            }
            Action::Once(once) => once.fmt(f),
        }
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limits: Vec<String> = self.limits.iter().map(ToString::to_string).collect();
        write!(f, "set {}", limits.join("; "))?;
        match self.revert {
            Revert::OnClear => f.write_str(", until it is over")?,
            Revert::Keep => f.write_str(", and keep it")?,
        }
        match self.at_most {
            Some(time) => write!(f, ", {} at the most", TimeSpan(time)),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Scale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            target,
            up,
            down,
            every,
            ceiling,
            floor,
            budget,
        } = self;
        let every = TimeSpan(*every);
        write!(
            f,
            "scale {target} every {every} by {up} up to {ceiling}, and when it is over by {down} down \
             to {floor}"
        )?;
        match budget {
            Some(budget) => write!(f, ", {} in all", TimeSpan(*budget)),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Throttle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            target,
            to_percent,
            every,
            floor,
            at_most,
        } = self;
        let unit = match target {
            ThrottleTarget::Cpu => Unit::Cores,
            ThrottleTarget::Io => Unit::BytesPerSecond,
            ThrottleTarget::NetEgress | ThrottleTarget::NetIngress => Unit::BitsPerSecond,
        };
        let (target, share) = (target.name(), Percent(*to_percent));
        let (every, floor) = (TimeSpan(*every), threshold_value(*floor, unit));
        write!(
            f,
            "throttle {target} to {share} of what it uses, further every {every}, down to {floor}"
        )?;
        match at_most {
            Some(time) => write!(f, ", {} at the most", TimeSpan(*time)),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Notify {
                webhook, command, ..
            } => {
                f.write_str("notify")?;
                if let Some(webhook) = webhook {
                    write!(f, " {webhook}")?;
                }
                match command {
                    Some(command) => write!(f, " by {}", command.join(" ")),
                    None => Ok(()),
                }
            }
            Self::Reclaim { bytes } => write!(f, "reclaim {:#}", ByteSize(*bytes)),
            Self::Kill {
                scope,
                signal,
                grace,
                escalate,
            } => {
                let whom = match scope {
                    Process::Cgroup => "all its processes",
                    Process::Largest => "its largest process",
                    Process::Main => "its main process",
                };
                write!(f, "send {} to {whom}", signal_name(*signal))?;
                match escalate {
                    Some(escalate) => {
                        let (grace, escalate) = (TimeSpan(*grace), signal_name(*escalate));
                        write!(f, ", after {grace} {escalate}")
                    }
                    None => Ok(()),
                }
            }
            Self::Restart => f.write_str("restart"),
        }
    }
}

/// `TERM`; the number, where it has no name.
fn signal_name(number: i32) -> String {
    match Signal::try_from(number) {
        Ok(signal) => signal.as_str().trim_start_matches("SIG").to_owned(),
        Err(_) => number.to_string(),
    }
}
