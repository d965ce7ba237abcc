//! Restart policies, as Docker has them.

use std::time::Duration;

use super::model::{Life, Restart, Settings};
use crate::launch::Exit;

const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(60);
/// One that ran so long begins anew with the first delay.
const WELL_AFTER: Duration = Duration::from_secs(10);

/// What follows a container's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Rest,
    Restart(Duration),
    /// `--rm`.
    Remove,
}

/// After a run that ended so; `life` is as it was while it ran.
pub(super) fn after_exit(settings: &Settings, life: &Life, exit: &Exit) -> Decision {
    let policy = settings.restart();
    if !life.stopped_by_user && wants(policy, i64::from(exit.code), life.restart_count) {
        return Decision::Restart(delay(life));
    }
    if settings.is_removed_at_exit() {
        return Decision::Remove;
    }
    Decision::Rest
}

/// Is one that does not run to be started now that the agent is?
pub(super) fn at_agents_start(settings: &Settings, life: &Life) -> bool {
    if life.exits == 0 {
        return false;
    }
    match settings.restart() {
        Restart::No => false,
        // Also one that was stopped: until the next agent, Docker says.
        Restart::Always => true,
        policy @ (Restart::UnlessStopped | Restart::OnFailure(_)) => {
            !life.stopped_by_user && wants(policy, life.exit_code, life.restart_count)
        }
    }
}

fn wants(policy: Restart, exit_code: i64, restarts: u32) -> bool {
    match policy {
        Restart::No => false,
        Restart::Always | Restart::UnlessStopped => true,
        Restart::OnFailure(most) => exit_code != 0 && (most == 0 || restarts < most),
    }
}

fn delay(life: &Life) -> Duration {
    let last = Duration::from_millis(life.restart_delay_ms);
    if last.is_zero() || life.ran_for() >= WELL_AFTER {
        FIRST_DELAY
    } else {
        (last * 2).min(LONGEST_DELAY)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use bollard::models::{HostConfig, RestartPolicy, RestartPolicyNameEnum};

    use super::super::name::now;
    use super::*;

    fn settings(name: RestartPolicyNameEnum, most: i64) -> Settings {
        let mut settings = Settings::of("abc".parse().unwrap(), "abc".to_owned());
        settings.body.host_config = Some(HostConfig {
            restart_policy: Some(RestartPolicy {
                name: Some(name),
                maximum_retry_count: Some(most),
            }),
            ..HostConfig::default()
        });
        settings
    }

    fn exit(code: u8) -> Exit {
        Exit {
            code,
            signal: None,
            oom_killed: false,
            unseen: false,
            log_lines_lost: 0,
            at: now(),
        }
    }

    fn running(delay_ms: u64) -> Life {
        let process = crate::launch::Process::myself().unwrap();
        let mut life = Life::default();
        life.start(process);
        life.restart_delay_ms = delay_ms;
        life
    }

    #[test]
    fn delays_double_up_to_a_minute() {
        let always = settings(RestartPolicyNameEnum::ALWAYS, 0);
        let mut delays = Vec::new();
        let mut life = running(0);
        for _ in 0..12 {
            let Decision::Restart(delay) = after_exit(&always, &life, &exit(0)) else {
                panic!("always");
            };
            delays.push(delay.as_millis());
            life.restart_delay_ms = u64::try_from(delay.as_millis()).unwrap();
        }
        assert_eq!(delays[..4], [100, 200, 400, 800]);
        assert_eq!(delays[10..], [60_000, 60_000]);
    }

    #[test]
    fn one_that_ran_well_begins_anew() {
        let always = settings(RestartPolicyNameEnum::ALWAYS, 0);
        let mut life = running(6_400);
        let before = std::time::SystemTime::now() - Duration::from_secs(11);
        life.started_at = Some(humantime::format_rfc3339_nanos(before).to_string());
        assert_eq!(
            after_exit(&always, &life, &exit(1)),
            Decision::Restart(FIRST_DELAY)
        );
    }

    #[test]
    fn failures_are_counted() {
        let policy = settings(RestartPolicyNameEnum::ON_FAILURE, 2);
        let mut life = running(0);
        assert_eq!(after_exit(&policy, &life, &exit(0)), Decision::Rest);
        life.restart_count = 1;
        assert!(matches!(
            after_exit(&policy, &life, &exit(1)),
            Decision::Restart(_)
        ));
        life.restart_count = 2;
        assert_eq!(after_exit(&policy, &life, &exit(1)), Decision::Rest);
    }

    #[test]
    fn one_that_was_stopped_rests_until_the_next_agent() {
        let mut life = running(0);
        life.stopped_by_user = true;
        for name in [
            RestartPolicyNameEnum::ALWAYS,
            RestartPolicyNameEnum::UNLESS_STOPPED,
        ] {
            let settings = settings(name, 0);
            assert_eq!(after_exit(&settings, &life, &exit(0)), Decision::Rest);
            let mut ended = life.clone();
            ended.end(&exit(0));
            let again = at_agents_start(&settings, &ended);
            assert_eq!(again, name == RestartPolicyNameEnum::ALWAYS);
        }
    }
}
