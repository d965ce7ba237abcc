//! Health checks: a command in the container, again and again.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bollard::models::{ExecConfig, Health, HealthConfig, HealthStatusEnum, HealthcheckResult};
use tokio::io::AsyncReadExt;
use tokio::time::{sleep, timeout};

use super::EngineError;
use super::cell::Cell;
use super::handle::Engine;
use super::model::{Phase, Settings};
use super::name::{instant, new_id, now};
use crate::launch::Signal;
use crate::launch::shim::{Kind, Line};

const INTERVAL: Duration = Duration::from_secs(30);
const TIMEOUT: Duration = Duration::from_secs(30);
const START_INTERVAL: Duration = Duration::from_secs(5);
const RETRIES: i64 = 3;
/// As users may say (`validate`).
const SHORTEST: Duration = Duration::from_millis(1);
/// Results kept.
const KEPT: usize = 5;
/// Of each result's output.
const LONGEST_OUTPUT: usize = 4096;
/// The code of a check that did not come to its end.
const NO_END: i64 = -1;

/// A container's check.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Check {
    command: Vec<String>,
    interval: Duration,
    timeout: Duration,
    start_period: Duration,
    start_interval: Duration,
    retries: i64,
}

impl Check {
    fn of(settings: &Settings) -> Option<Self> {
        Self::parse(settings.body.healthcheck.as_ref()?, settings)
    }

    fn parse(config: &HealthConfig, settings: &Settings) -> Option<Self> {
        let words = config.test.as_deref().unwrap_or_default();
        let command = match words.split_first()? {
            (kind, _) if kind == "NONE" => return None,
            (kind, line) if kind == "CMD-SHELL" => {
                let shell = settings.body.shell.clone();
                let default = || vec!["/bin/sh".to_owned(), "-c".to_owned()];
                let mut command = shell
                    .filter(|shell| !shell.is_empty())
                    .unwrap_or_else(default);
                command.extend(line.first().cloned());
                command
            }
            (kind, command) if kind == "CMD" => command.to_vec(),
            _ => words.to_vec(),
        };
        let or = |nanoseconds: Option<i64>, default| {
            let given = nanoseconds.and_then(|number| u64::try_from(number).ok());
            // An image may say less than its users may.
            given
                .filter(|&number| number > 0)
                .map_or(default, |number| Duration::from_nanos(number).max(SHORTEST))
        };
        Some(Self {
            command,
            interval: or(config.interval, INTERVAL),
            timeout: or(config.timeout, TIMEOUT),
            start_period: or(config.start_period, Duration::ZERO),
            start_interval: or(config.start_interval, START_INTERVAL),
            retries: config
                .retries
                .filter(|&number| number > 0)
                .unwrap_or(RETRIES),
        })
    }

    /// Before the next run.
    fn pause(&self, status: HealthStatusEnum, ran_for: Duration) -> Duration {
        if status == HealthStatusEnum::STARTING && ran_for < self.start_period {
            self.start_interval
        } else {
            self.interval
        }
    }

    /// Takes a result into account; failures while it starts are not held against it.
    fn judge(&self, health: &mut Health, result: HealthcheckResult, ran_for: Duration) {
        let status = health.status.unwrap_or(HealthStatusEnum::STARTING);
        if result.exit_code == Some(0) {
            health.failing_streak = Some(0);
            health.status = Some(HealthStatusEnum::HEALTHY);
        } else if status != HealthStatusEnum::STARTING || ran_for >= self.start_period {
            let streak = health.failing_streak.unwrap_or(0) + 1;
            health.failing_streak = Some(streak);
            if streak >= self.retries {
                health.status = Some(HealthStatusEnum::UNHEALTHY);
            }
        }
        let log = health.log.get_or_insert_default();
        log.push(result);
        let surplus = log.len().saturating_sub(KEPT);
        log.drain(..surplus);
    }
}

impl Engine {
    /// Checks a container that began to run, until it ends.
    pub(super) fn check_health(&self, cell: &Arc<Cell>) {
        let record = cell.record();
        let Some(check) = Check::of(&record.settings) else {
            return;
        };
        // An adopted one goes on with what is known of it.
        let known = record.life.health.is_some_and(|health| {
            let last = health.log.as_ref().and_then(|log| log.last()?.end.clone());
            let last = last.and_then(|text| instant(&text).ok());
            let started = record
                .life
                .started_at
                .as_deref()
                .and_then(|text| instant(text).ok());
            last > started
        });
        if !known {
            cell.live(|life| {
                life.health = Some(Health {
                    status: Some(HealthStatusEnum::STARTING),
                    failing_streak: Some(0),
                    log: Some(Vec::new()),
                });
            });
        }
        let (engine, cell) = (self.clone(), Arc::clone(cell));
        let run = record.life.exits;
        self.shared.tasks.spawn(async move {
            let token = engine.shared.token.clone();
            tokio::select! {
                () = token.cancelled() => {}
                () = engine.keep_checking(&cell, &check, run) => {}
            }
        });
    }

    /// As long as the run lasts. A check that is under way is seen to its end, which is the container's.
    async fn keep_checking(&self, cell: &Arc<Cell>, check: &Check, run: u64) {
        let mut watch = cell.watch();
        loop {
            let life = cell.record().life;
            let status = life.health.as_ref().and_then(|health| health.status);
            let status = status.unwrap_or(HealthStatusEnum::STARTING);
            tokio::select! {
                () = sleep(check.pause(status, life.ran_for())) => {}
                _ = watch.wait_for(|now| now.life.exits != run) => return,
            }
            let life = cell.record().life;
            if life.phase != Phase::Running || life.paused {
                continue;
            }
            let result = self.check(cell, check).await;
            let failed = result.exit_code != Some(0);
            self.shared.counters.health_checks.add(1);
            let failures = &self.shared.counters.failed_health_checks;
            failures.add(u64::from(failed));
            let mut now_is = None;
            cell.live(|life| {
                if life.exits != run {
                    return;
                }
                if let (Phase::Running, Some(mut health)) = (life.phase, life.health.take()) {
                    check.judge(&mut health, result, life.ran_for());
                    now_is = health.status;
                    life.health = Some(health);
                }
            });
            if let Some(now_is) = now_is.filter(|&now_is| now_is != status) {
                let action = format!("health_status: {now_is}");
                self.shared.events.container(cell, &action, &[]);
            }
        }
    }

    async fn check(&self, cell: &Arc<Cell>, check: &Check) -> HealthcheckResult {
        let start = now();
        let (exit_code, output) = match self.run_check(cell, check).await {
            Ok((code, output)) => (code, output),
            Err(error) => (NO_END, error.with_causes()),
        };
        HealthcheckResult {
            start: Some(start),
            end: Some(now()),
            exit_code: Some(exit_code),
            output: Some(output),
        }
    }

    async fn run_check(
        &self,
        cell: &Arc<Cell>,
        check: &Check,
    ) -> Result<(i64, String), EngineError> {
        let config = ExecConfig {
            cmd: Some(check.command.clone()),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            ..ExecConfig::default()
        };
        let id = new_id()?;
        let events = &self.shared.events;
        for action in ["exec_create", "exec_start"] {
            events.exec(cell, action, &check.command, id.as_str());
        }
        let (own, exec) = (Arc::clone(cell), id.clone());
        let (process, line) = self
            .blocking(move |shared| shared.join(&own, &exec, &config, true, None))
            .await?;
        let killed = process.made.process;
        let mut output = Vec::new();
        let heard = match line {
            Some(Ok(line)) => Ok(timeout(check.timeout, collect(line, &mut output))
                .await
                .is_ok()),
            Some(Err(error)) => Err(error),
            None => Ok(true),
        };
        if !matches!(heard, Ok(true)) {
            // It may have ended at this moment.
            let _ = killed.signal(Signal::KILL);
        }
        let code = self.exit_of_exec(&cell.id, &id, process).await;
        events.exec_die(cell, code, &id);
        let container = cell.id.clone();
        self.blocking(move |shared| {
            shared.forget_exec(&container, &id);
            Ok(())
        })
        .await?;
        if !heard? {
            let text = format!(
                "Health check exceeded timeout ({})",
                humantime::format_duration(check.timeout)
            );
            return Ok((NO_END, text));
        }
        Ok((code, String::from_utf8_lossy(&output).into_owned()))
    }
}

/// Its output, as far as it is kept, until its end.
async fn collect(line: Line, output: &mut Vec<u8>) -> io::Result<()> {
    let (stream, mut frames) = line.into_stream();
    stream.set_nonblocking(true)?;
    let mut stream = tokio::net::UnixStream::from_std(stream)?;
    let mut chunk = vec![0; LONGEST_OUTPUT];
    loop {
        while let Some(frame) = frames.next_frame().map_err(io::Error::other)? {
            match frame.kind {
                Kind::Exit => return Ok(()),
                Kind::Output | Kind::Error => {
                    let room = LONGEST_OUTPUT - output.len();
                    output.extend(frame.payload.into_iter().take(room));
                }
                _ => {}
            }
        }
        match stream.read(&mut chunk).await? {
            0 => return Ok(()),
            length => frames.push(chunk.get(..length).unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn check(config: &HealthConfig) -> Option<Check> {
        Check::parse(
            config,
            &Settings::of("abc".parse().unwrap(), "abc".to_owned()),
        )
    }

    fn config(test: &[&str]) -> HealthConfig {
        HealthConfig {
            test: Some(test.iter().map(|&word| word.to_owned()).collect()),
            interval: Some(1_000_000_000),
            start_period: Some(10_000_000_000),
            retries: Some(2),
            ..HealthConfig::default()
        }
    }

    fn result(code: i64) -> HealthcheckResult {
        HealthcheckResult {
            exit_code: Some(code),
            ..HealthcheckResult::default()
        }
    }

    #[test]
    fn commands_are_words_or_a_shells_line() {
        assert_eq!(check(&config(&["NONE"])), None);
        assert_eq!(check(&config(&[])), None);
        assert_eq!(
            check(&config(&["CMD", "a", "b"])).unwrap().command,
            ["a", "b"]
        );
        let shell = check(&config(&["CMD-SHELL", "a b"])).unwrap();
        assert_eq!(shell.command, ["/bin/sh", "-c", "a b"]);
        assert_eq!((shell.timeout, shell.retries), (TIMEOUT, 2));
    }

    #[test]
    fn failures_count_once_it_has_started() {
        let check = check(&config(&["CMD", "a"])).unwrap();
        let mut health = Health {
            status: Some(HealthStatusEnum::STARTING),
            ..Health::default()
        };
        let (early, late) = (Duration::from_secs(1), Duration::from_secs(11));
        for _ in 0..5 {
            check.judge(&mut health, result(1), early);
            assert_eq!(health.status, Some(HealthStatusEnum::STARTING));
        }
        assert_eq!(
            check.pause(HealthStatusEnum::STARTING, early),
            START_INTERVAL
        );
        assert_eq!(
            check.pause(HealthStatusEnum::STARTING, late),
            check.interval
        );
        check.judge(&mut health, result(0), early);
        assert_eq!(health.status, Some(HealthStatusEnum::HEALTHY));
        // From then on they count, in the start period too.
        check.judge(&mut health, result(1), early);
        assert_eq!(health.failing_streak, Some(1));
        check.judge(&mut health, result(1), late);
        assert_eq!(health.status, Some(HealthStatusEnum::UNHEALTHY));
        check.judge(&mut health, result(0), late);
        assert_eq!(health.status, Some(HealthStatusEnum::HEALTHY));
        assert_eq!(health.log.unwrap().len(), KEPT);
    }
}
