//! An event as one line for people: when, what, where, and the evidence.

use humantime::format_rfc3339_millis;
use nix::sys::signal::Signal;

use super::table::{Cut, Style, paint, shorten};
use crate::api::{Event, EventKind, NamespaceChange};
use crate::cgroup::{CgroupKey, HierarchyId};

/// Widths of the event's and the workload's column.
const EVENT: usize = 23;
const WORKLOAD: usize = 24;

/// For whom the line is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) color: bool,
    /// Shorten long names so that columns stay straight.
    pub(super) align: bool,
}

/// The line with its end.
pub(super) fn render(event: &Event, look: Look) -> String {
    let paint = |text: &str, style| {
        if look.color {
            paint(text, style)
        } else {
            text.to_owned()
        }
    };
    let time = format_rfc3339_millis(event.time).to_string();
    let kind = format!("{:<EVENT$}", event.kind.name());
    let workload = event
        .name
        .as_deref()
        .or(event.workload.as_deref())
        .unwrap_or("-");
    let workload = if look.align {
        shorten(workload, WORKLOAD, Cut::Middle)
    } else {
        workload.to_owned()
    };
    format!(
        "{}  {}  {workload:<WORKLOAD$}  {}\n",
        paint(&time, Style::Dim),
        paint(&kind, style(&event.kind)),
        evidence(&event.kind)
    )
}

fn style(kind: &EventKind) -> Style {
    match kind {
        EventKind::OomKill { .. } | EventKind::Lost { .. } => Style::Bad,
        EventKind::NamespaceForeignEnter { .. }
        | EventKind::Drift { .. }
        | EventKind::Action { .. }
        | EventKind::Exit {
            signal: Some(_), ..
        } => Style::Warning,
        EventKind::CgroupMkdir { .. } => Style::Good,
        _ => Style::Plain,
    }
}

fn evidence(kind: &EventKind) -> String {
    match kind {
        EventKind::CgroupMkdir { cgroup, path }
        | EventKind::CgroupRmdir { cgroup, path }
        | EventKind::CgroupRelease { cgroup, path }
        | EventKind::CgroupRename { cgroup, path }
        | EventKind::CgroupFreeze { cgroup, path }
        | EventKind::CgroupUnfreeze { cgroup, path } => place(*cgroup, path),
        EventKind::CgroupAttachTask {
            cgroup,
            path,
            tgid,
            tid,
        } => format!("{} enters {}", task(*tgid, *tid), place(*cgroup, path)),
        EventKind::CgroupPopulated {
            cgroup,
            path,
            populated,
        } => {
            let state = if *populated { "has tasks" } else { "is empty" };
            format!("{} {state}", place(*cgroup, path))
        }
        EventKind::CgroupFrozen {
            cgroup,
            path,
            frozen,
        } => {
            let state = if *frozen { "is frozen" } else { "runs again" };
            format!("{} {state}", place(*cgroup, path))
        }
        EventKind::Namespace {
            call,
            tgid,
            comm,
            changes,
            ..
        } => {
            let changes: Vec<String> = changes.iter().map(change).collect();
            format!("{comm}[{tgid}] {call}: {}", changes.join(", "))
        }
        EventKind::NamespaceForeignEnter {
            tgid,
            comm,
            kind,
            inode,
            owner,
            ..
        } => format!("{comm}[{tgid}] entered {kind}:[{inode}] of {owner}"),
        EventKind::Exec { tgid, comm } => format!("{comm}[{tgid}]"),
        EventKind::Exit {
            tgid,
            comm,
            code,
            signal,
        } => format!("{comm}[{tgid}] {}", ending(*code, *signal)),
        EventKind::OomKill { tgid, comm } => format!("{comm}[{tgid}] killed: out of memory"),
        EventKind::Decision { deed } | EventKind::Action { deed } => deed.summary.clone(),
        EventKind::Drift {
            what,
            ours,
            theirs,
            answer,
        } => format!("{what}: {ours} was overwritten with {theirs}: {answer}"),
        EventKind::Lost { ring, count } => format!("{count} events lost ({ring})"),
    }
}

fn place(cgroup: CgroupKey, path: &str) -> String {
    if cgroup.hierarchy == HierarchyId::V2 {
        path.to_owned()
    } else {
        format!("{path} (v1 hierarchy {})", cgroup.hierarchy.0)
    }
}

fn task(tgid: u32, tid: u32) -> String {
    if tgid == tid {
        format!("[{tgid}]")
    } else {
        format!("[{tgid}] thread {tid}")
    }
}

fn change(change: &NamespaceChange) -> String {
    let NamespaceChange {
        kind,
        before,
        after,
    } = change;
    format!("{kind}:[{before}→{after}]")
}

fn ending(code: Option<u32>, signal: Option<u32>) -> String {
    match (signal, code) {
        (Some(number), _) => {
            let signal = i32::try_from(number).ok();
            let signal = signal.and_then(|number| Signal::try_from(number).ok());
            let name = signal.map(|signal| format!(" ({})", signal.as_str()));
            format!("ended by signal {number}{}", name.unwrap_or_default())
        }
        (None, Some(code)) => format!("exit code {code}"),
        (None, None) => "ended".into(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    const PLAIN: Look = Look {
        color: false,
        align: false,
    };

    fn event(name: Option<&str>, kind: EventKind) -> Event {
        Event {
            sequence: 1,
            time: SystemTime::UNIX_EPOCH + Duration::from_millis(1_234),
            workload: Some("/docker/abc".into()),
            name: name.map(Into::into),
            kind,
        }
    }

    #[test]
    fn lines_say_when_what_where_and_the_evidence() {
        let kill = EventKind::OomKill {
            tgid: 42,
            comm: "hog".into(),
        };
        assert_eq!(
            render(&event(Some("web"), kill), PLAIN),
            "1970-01-01T00:00:01.234Z  oom_kill                 web                       \
             hog[42] killed: out of memory\n"
        );
        let mkdir = EventKind::CgroupMkdir {
            cgroup: CgroupKey {
                hierarchy: HierarchyId(4),
                id: 1,
            },
            path: "/docker/abc".into(),
        };
        assert_eq!(
            render(&event(None, mkdir), PLAIN),
            "1970-01-01T00:00:01.234Z  cgroup_mkdir             /docker/abc               \
             /docker/abc (v1 hierarchy 4)\n"
        );
    }

    #[test]
    fn ends_name_their_signal() {
        assert_eq!(ending(None, Some(9)), "ended by signal 9 (SIGKILL)");
        assert_eq!(ending(None, Some(40)), "ended by signal 40");
        assert_eq!(ending(Some(3), None), "exit code 3");
    }

    #[test]
    fn long_names_are_shortened_on_a_terminal_only() {
        let name = "kube-system/coredns-7c65d6cfc9-abcde/coredns";
        let exec = || EventKind::Exec {
            tgid: 1,
            comm: "sh".into(),
        };
        let aligned = Look {
            align: true,
            ..PLAIN
        };
        assert!(render(&event(Some(name), exec()), PLAIN).contains(name));
        let line = render(&event(Some(name), exec()), aligned);
        assert!(line.contains("kube-system/…cde/coredns  sh[1]"), "{line}");
    }
}
