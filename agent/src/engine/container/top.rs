//! The processes of a container, as `ps` prints them: from `/proc`, since the host may have no `ps`.

use std::collections::HashMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

use bollard::models::ContainerTopResponse;
use procfs::process::{Process, Stat};

use super::EngineError;
use super::handle::Engine;
use crate::launch::Container;

/// What `ps -ef` prints, `docker top`'s default.
const FULL: [&str; 8] = ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"];
/// What `ps aux` prints.
const USER: [&str; 11] = [
    "USER", "PID", "%CPU", "%MEM", "VSZ", "RSS", "TTY", "STAT", "START", "TIME", "COMMAND",
];

impl Engine {
    /// Lists its processes; `arguments`: `-ef`, `aux` or `-o COLUMN,…`.
    ///
    /// # Errors
    /// It does not run, or a column is unknown.
    pub async fn top(
        &self,
        wanted: &str,
        arguments: &str,
    ) -> Result<ContainerTopResponse, EngineError> {
        let cell = self.cell(wanted)?;
        let titles = columns(arguments)?;
        let record = cell.record();
        if !record.life.runs() {
            return Err(EngineError::NotRunning(cell.id.clone()));
        }
        self.shared.events.container(&cell, "top", &[]);
        let id = cell.id.clone();
        self.blocking(move |shared| {
            let container = Container::open(&shared.workloads(), &id)?;
            let users = users();
            let rows = container.cgroups().processes().into_iter();
            let rows = rows.filter_map(|pid| row(pid, &titles, &users));
            Ok(ContainerTopResponse {
                processes: Some(rows.collect()),
                titles: Some(titles),
            })
        })
        .await
    }
}

fn columns(arguments: &str) -> Result<Vec<String>, EngineError> {
    let all = |titles: &[&str]| titles.iter().map(|&title| title.to_owned()).collect();
    let words: Vec<&str> = arguments.split_whitespace().collect();
    let named = match words[..] {
        [] | ["-ef"] => return Ok(all(&FULL)),
        ["aux" | "-aux" | "u"] => return Ok(all(&USER)),
        ["-o" | "-eo" | "o", named] => named,
        [one] if one.starts_with("-o") => one.trim_start_matches("-o"),
        _ => {
            let text = format!("ps arguments {arguments:?} are not supported: -ef, aux or -o LIST");
            return Err(EngineError::Invalid(text));
        }
    };
    named
        .split(',')
        .map(|name| {
            let title = match name.to_ascii_lowercase().as_str() {
                "args" | "command" => "COMMAND".to_owned(),
                "comm" | "ucmd" => "COMM".to_owned(),
                "pcpu" => "%CPU".to_owned(),
                "pmem" => "%MEM".to_owned(),
                "s" | "state" => "STAT".to_owned(),
                "start" => "START".to_owned(),
                "tt" | "tname" => "TTY".to_owned(),
                "cputime" => "TIME".to_owned(),
                other => other.to_ascii_uppercase(),
            };
            let known = FULL.iter().chain(&USER).chain(&["COMM"]);
            let mut known = known.copied();
            match known.any(|one| one == title) {
                true => Ok(title),
                false => Err(EngineError::Invalid(format!("unknown column {name:?}"))),
            }
        })
        .collect()
}

/// `None`: it has ended.
fn row(pid: u32, titles: &[String], users: &HashMap<u32, String>) -> Option<Vec<String>> {
    let process = Process::new(i32::try_from(pid).ok()?).ok()?;
    let stat = process.stat().ok()?;
    let uid = fs::metadata(format!("/proc/{pid}")).ok()?.uid();
    let user = users.get(&uid).cloned().unwrap_or_else(|| uid.to_string());
    let titles = titles.iter();
    Some(
        titles
            .map(|title| cell(title, &process, &stat, &user))
            .collect(),
    )
}

fn cell(title: &str, process: &Process, stat: &Stat, user: &str) -> String {
    let ticks = procfs::ticks_per_second().max(1);
    let cpu = Duration::from_secs((stat.utime + stat.stime) / ticks);
    let age = age(stat, ticks);
    let percent = |part: f64, whole: f64| {
        if whole > 0.0 {
            100.0 * part / whole
        } else {
            0.0
        }
    };
    let page = procfs::page_size();
    match title {
        "UID" | "USER" => user.to_owned(),
        "PID" => stat.pid.to_string(),
        "PPID" => stat.ppid.to_string(),
        "C" => format!("{:.0}", percent(cpu.as_secs_f64(), age.as_secs_f64())),
        "%CPU" => format!("{:.1}", percent(cpu.as_secs_f64(), age.as_secs_f64())),
        "%MEM" => format!("{:.1}", percent((stat.rss * page) as f64, memory() as f64)),
        "VSZ" => (stat.vsize / 1024).to_string(),
        "RSS" => (stat.rss * page / 1024).to_string(),
        "STIME" | "START" => started(age),
        "TTY" => terminal(stat.tty_nr),
        "STAT" => stat.state.to_string(),
        "TIME" => {
            let seconds = cpu.as_secs();
            format!(
                "{:02}:{:02}:{:02}",
                seconds / 3600,
                seconds / 60 % 60,
                seconds % 60
            )
        }
        "COMM" => shown(&stat.comm, '?'),
        _ => command(process, stat),
    }
}

fn age(stat: &Stat, ticks: u64) -> Duration {
    let uptime = fs::read_to_string("/proc/uptime").unwrap_or_default();
    let uptime = uptime.split(' ').next().and_then(|text| text.parse().ok());
    let uptime = Duration::from_secs_f64(uptime.unwrap_or(0.0));
    uptime.saturating_sub(Duration::from_secs(stat.starttime / ticks))
}

/// Host's time of day in UTC, or the day when it is not today.
fn started(age: Duration) -> String {
    let at = SystemTime::now()
        .checked_sub(age)
        .unwrap_or(SystemTime::UNIX_EPOCH);
    let text = humantime::format_rfc3339_seconds(at).to_string();
    let part = |from, to| text.get(from..to).unwrap_or_default().to_owned();
    if age < Duration::from_secs(24 * 3_600) {
        part(11, 16)
    } else {
        part(5, 10)
    }
}

fn terminal(number: i32) -> String {
    // `new_encode_dev()`: include/linux/kdev_t.h, v6.12. Majors 136 to 143 are pseudo-terminals.
    let (major, minor) = (number >> 8 & 0xfff, number & 0xff | number >> 12 & 0xfff00);
    match (number, major) {
        (0, _) => "?".to_owned(),
        (_, 136..=143) => format!("pts/{}", minor + (major - 136) * 256),
        _ => format!("tty{minor}"),
    }
}

fn command(process: &Process, stat: &Stat) -> String {
    let mut line = Vec::new();
    let read = process.open_relative("cmdline");
    // One that has ended has none.
    let _ = read.map(|mut file| file.read_to_end(&mut line));
    let line = String::from_utf8_lossy(&line);
    match line.trim_end_matches('\0') {
        // Of a zombie, or a process that wrote over it.
        "" => format!("[{}]", shown(&stat.comm, '?')),
        line => shown(&line.replace('\0', " "), ' '),
    }
}

/// As `ps` prints it: what would break the table is replaced (procps 4.0, library/escape.c). `line_break`: for those of
/// a command line it has a space.
fn shown(text: &str, line_break: char) -> String {
    let letters = text.chars().map(|letter| match letter {
        '\n' => line_break,
        char::REPLACEMENT_CHARACTER => '?',
        letter if letter.is_control() => '?',
        letter => letter,
    });
    letters.collect()
}

fn memory() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kilobytes = total.and_then(|text| text.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

/// The host's names of users, which is what `ps` on the host shows.
fn users() -> HashMap<u32, String> {
    let text = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let lines = text.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?.to_owned();
        Some((fields.nth(1)?.parse().ok()?, name))
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn columns_are_those_of_ps() {
        assert_eq!(columns("").unwrap(), FULL);
        assert_eq!(columns("aux").unwrap(), USER);
        assert_eq!(columns("-o pid,comm").unwrap(), ["PID", "COMM"]);
        assert!(columns("-o nonsense").is_err());
        assert!(columns("--sort=x").is_err());
    }

    #[test]
    fn own_row_is_what_proc_says() {
        let titles = columns("-o pid,ppid,comm,tty").unwrap();
        let row = row(std::process::id(), &titles, &users()).unwrap();
        assert_eq!(row[0], std::process::id().to_string());
        assert_eq!(row[1], std::os::unix::process::parent_id().to_string());
        let comm = fs::read_to_string("/proc/self/comm").unwrap();
        assert_eq!(row[2], comm.trim());
    }

    #[test]
    fn what_breaks_a_table_is_printed_as_ps_does() {
        let script = "read x\nexit\t\u{1}\u{9f}\u{e9}";
        let mut child = std::process::Command::new("sh")
            .args(["-c", script, "", "end"])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let titles = columns("-o args").unwrap();
        let row = row(child.id(), &titles, &users());
        drop(child.stdin.take());
        child.wait().unwrap();
        assert_eq!(row.unwrap(), ["sh -c read x exit???\u{e9}  end"]);
        assert_eq!(shown("a\nb\u{fffd}", '?'), "a?b?");
    }

    #[test]
    fn terminals_have_the_kernels_numbers() {
        assert_eq!(terminal(0), "?");
        assert_eq!(terminal(0x8803), "pts/3");
        assert_eq!(terminal(0x0401), "tty1");
    }
}
