//! A container's state in words.

use std::time::{Duration, SystemTime};

use bollard::models::{ContainerStateStatusEnum, ContainerSummaryStateEnum, HealthStatusEnum};

use super::model::{Life, Phase};
use super::name::instant;

/// Docker's words, each of which [`word`] may be.
pub(super) const WORDS: [&str; 6] = [
    "created",
    "running",
    "paused",
    "restarting",
    "exited",
    "removing",
];

/// While it is being started it is what it was.
pub(super) fn shown(life: &Life) -> Phase {
    match life.phase {
        Phase::Starting if life.restart_count > 0 => Phase::Restarting,
        Phase::Starting if life.exits > 0 => Phase::Exited,
        Phase::Starting => Phase::Created,
        phase => phase,
    }
}

/// Docker's word for it.
pub(super) fn word(life: &Life) -> &'static str {
    match shown(life) {
        Phase::Created | Phase::Starting => "created",
        Phase::Running if life.paused => "paused",
        Phase::Running => "running",
        Phase::Restarting => "restarting",
        Phase::Exited => "exited",
        Phase::Removing => "removing",
    }
}

pub(super) fn state(life: &Life) -> ContainerStateStatusEnum {
    match word(life) {
        "created" => ContainerStateStatusEnum::CREATED,
        "paused" => ContainerStateStatusEnum::PAUSED,
        "running" => ContainerStateStatusEnum::RUNNING,
        "restarting" => ContainerStateStatusEnum::RESTARTING,
        "exited" => ContainerStateStatusEnum::EXITED,
        _ => ContainerStateStatusEnum::REMOVING,
    }
}

pub(super) fn summary(life: &Life) -> ContainerSummaryStateEnum {
    match word(life) {
        "created" => ContainerSummaryStateEnum::CREATED,
        "paused" => ContainerSummaryStateEnum::PAUSED,
        "running" => ContainerSummaryStateEnum::RUNNING,
        "restarting" => ContainerSummaryStateEnum::RESTARTING,
        "exited" => ContainerSummaryStateEnum::EXITED,
        _ => ContainerSummaryStateEnum::REMOVING,
    }
}

/// The sentence of `ps`: `Up 3 minutes (healthy)`.
pub(super) fn sentence(life: &Life) -> String {
    let since = |text: &Option<String>| {
        let at = text.as_deref().and_then(|text| instant(text).ok());
        let passed = at.and_then(|at| SystemTime::now().duration_since(at).ok());
        human(passed.unwrap_or_default())
    };
    match shown(life) {
        Phase::Created | Phase::Starting => "Created".to_owned(),
        Phase::Removing => "Removal In Progress".to_owned(),
        Phase::Running if life.paused => format!("Up {} (Paused)", since(&life.started_at)),
        Phase::Running => match health(life) {
            None => format!("Up {}", since(&life.started_at)),
            Some(words) => format!("Up {} ({words})", since(&life.started_at)),
        },
        Phase::Restarting => format!(
            "Restarting ({}) {} ago",
            life.exit_code,
            since(&life.finished_at)
        ),
        Phase::Exited => format!(
            "Exited ({}) {} ago",
            life.exit_code,
            since(&life.finished_at)
        ),
    }
}

fn health(life: &Life) -> Option<&'static str> {
    match life.health.as_ref()?.status? {
        HealthStatusEnum::STARTING => Some("health: starting"),
        HealthStatusEnum::HEALTHY => Some("healthy"),
        HealthStatusEnum::UNHEALTHY => Some("unhealthy"),
        HealthStatusEnum::NONE | HealthStatusEnum::EMPTY => None,
    }
}

/// As Docker rounds it.
fn human(passed: Duration) -> String {
    const HOUR: u64 = 3_600;
    const DAY: u64 = 24 * HOUR;
    let seconds = passed.as_secs();
    let minutes = seconds / 60;
    let hours = (seconds + HOUR / 2) / HOUR;
    match seconds {
        0 => "Less than a second".to_owned(),
        1 => "1 second".to_owned(),
        2..60 => format!("{seconds} seconds"),
        60..120 => "About a minute".to_owned(),
        120..HOUR => format!("{minutes} minutes"),
        _ if hours == 1 => "About an hour".to_owned(),
        _ if hours < 48 => format!("{hours} hours"),
        _ if hours < 24 * 7 * 2 => format!("{} days", hours / 24),
        _ if hours < 24 * 30 * 2 => format!("{} weeks", hours / 24 / 7),
        _ if hours < 24 * 365 * 2 => format!("{} months", hours / 24 / 30),
        _ => format!("{} years", seconds / DAY / 365),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rounded_as_docker_rounds_them() {
        for (seconds, text) in [
            (0, "Less than a second"),
            (1, "1 second"),
            (59, "59 seconds"),
            (61, "About a minute"),
            (121, "2 minutes"),
            (3_600, "About an hour"),
            (2 * 3_600, "2 hours"),
            (47 * 3_600, "47 hours"),
            (49 * 3_600, "2 days"),
            (15 * 86_400, "2 weeks"),
            (61 * 86_400, "2 months"),
            (800 * 86_400, "2 years"),
        ] {
            assert_eq!(human(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn a_container_that_never_ran_is_created() {
        assert_eq!(sentence(&Life::default()), "Created");
        assert_eq!(word(&Life::default()), "created");
    }

    #[test]
    fn while_it_is_started_it_is_what_it_was() {
        let mut life = Life {
            phase: Phase::Starting,
            ..Life::default()
        };
        assert_eq!(word(&life), "created");
        life.exits = 1;
        assert_eq!(word(&life), "exited");
        life.restart_count = 1;
        assert_eq!(word(&life), "restarting");
    }
}
