//! What `libcontainer` says while it works, kept for when it fails.
//!
//! Its errors often name only the step ("failed to prepare rootfs"); which mount it was, and why, it
//! tells in log events, from processes that are gone by then. They write into memory shared with us.

use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::Mutex;

use libcontainer::error::LibcontainerError;
use rustix::fs::{MemfdFlags, memfd_create};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use super::LaunchError;
use super::error::with_causes;

/// Crates whose words are kept.
const HEARD: [&str; 3] = ["libcontainer", "libcgroups", "plimsoll"];

/// What `libcontainer` puts before an error of a process that it started.
const WRAPPINGS: [&str; 2] = [
    "exec process failed with error ",
    "intermediate process error ",
];

/// What it puts after an error, before those of cleaning up (libcontainer 0.7.0, `error.rs`).
const CLEANUP: &str = ". error during cleanup: ";

/// An error of the program itself, see `executor`.
const PROGRAM: &str = "exec: ";

/// Keeps errors, and hands all that is asked for to `log`.
pub struct Trace {
    kept: &'static Kept,
    most: Level,
    log: Option<fn(Level, &str)>,
}

/// The errors since [`forget`].
#[derive(Debug)]
struct Kept(Mutex<Option<File>>);

static KEPT: Kept = Kept(Mutex::new(None));

impl Trace {
    /// Makes it the process's one: to be called once, before anything is logged. `log` gets lines of
    /// up to `most`.
    pub fn install(most: Level, log: Option<fn(Level, &str)>) {
        keep_apart();
        let kept = &KEPT;
        // There is one already, which then tells what there is to tell.
        let _ = tracing::subscriber::set_global_default(Self { kept, most, log });
    }
}

impl Kept {
    fn keep(&self, line: &str) {
        let Ok(kept) = self.0.lock() else { return };
        if let Some(mut memory) = kept.as_ref() {
            // All processes share the offset; a line is one write.
            let _ = memory.write_all(format!("{line}\n").as_bytes());
        }
    }
}

/// Has memory of this process's own from here on, not that of the one it was cloned from.
pub(super) fn keep_apart() {
    if let (Ok(mut kept), Ok(memory)) = (KEPT.0.lock(), memfd_create("trace", MemfdFlags::CLOEXEC))
    {
        *kept = Some(memory.into());
    }
}

/// Forgets what was said so far.
pub(super) fn forget() {
    if let Ok(kept) = KEPT.0.lock()
        && let Some(mut memory) = kept.as_ref()
    {
        // Old lines stay: then a message is longer, not wrong.
        let _ = memory.set_len(0);
        let _ = memory.seek(SeekFrom::Start(0));
    }
}

/// What `libcontainer` refused, with the cause that it told.
pub(super) fn refusal(error: &LibcontainerError) -> LaunchError {
    let mut text = with_causes(error);
    // That it cannot remove cgroups is as it should be: see `apart`.
    if let Some(position) = text.find(CLEANUP) {
        text.truncate(position);
    }
    for wrapping in WRAPPINGS {
        if let Some(position) = text.find(wrapping) {
            text.replace_range(..position + wrapping.len(), "");
        }
    }
    if let Some(position) = text.find(PROGRAM) {
        // Complete as it is.
        text.replace_range(..position, "");
    } else if let Some(cause) = first_error()
        && !text.contains(&cause)
    {
        text = format!("{text}: {cause}");
    }
    LaunchError::Runtime(text)
}

/// The first error that was told: the one nearest to the cause.
fn first_error() -> Option<String> {
    let kept = KEPT.0.lock().ok()?;
    let mut memory = kept.as_ref()?;
    memory.seek(SeekFrom::Start(0)).ok()?;
    let mut text = String::new();
    memory.read_to_string(&mut text).ok()?;
    text.lines().next().map(str::to_owned)
}

impl Subscriber for Trace {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let is_heard = HEARD.iter().any(|name| metadata.target().starts_with(name));
        let needed = self.log.map_or(Level::ERROR, |_| self.most);
        is_heard && metadata.is_event() && *metadata.level() <= needed.max(Level::ERROR)
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        let text = line.finish();
        let level = *event.metadata().level();
        if level == Level::ERROR {
            self.kept.keep(&text);
        }
        if let Some(log) = self.log
            && level <= self.most
        {
            log(level, &text);
        }
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

/// `message: error (field value …)`.
#[derive(Default)]
struct Line {
    message: String,
    errors: String,
    fields: String,
}

impl Line {
    fn finish(self) -> String {
        let mut text = self.message;
        for (rest, before, after) in [(self.errors, ": ", ""), (self.fields, " (", ")")] {
            if !rest.is_empty() {
                text.push_str(before);
                text.push_str(&rest);
                text.push_str(after);
            }
        }
        text.replace('\n', " ")
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string does not fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            "err" | "error" | "e" => write!(self.errors, "{value:?}"),
            name if self.fields.is_empty() => write!(self.fields, "{name} {value:?}"),
            name => write!(self.fields, ", {name} {value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_error_before_the_rest() {
        let line = Line {
            message: "failed to mount".to_owned(),
            errors: "EPERM".to_owned(),
            fields: "path \"/proc\"".to_owned(),
        };
        assert_eq!(line.finish(), "failed to mount: EPERM (path \"/proc\")");
        let bare = Line {
            message: "a\nb".to_owned(),
            ..Line::default()
        };
        assert_eq!(bare.finish(), "a b");
    }
}
