//! Messages, in runc's two forms: engines read the last error out of the file.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::OnceLock;
use std::time::SystemTime;

use tracing::Level;

use super::args::{Global, LogFormat};
use crate::launch::Trace;

struct Log {
    file: Option<File>,
    format: LogFormat,
}

static LOG: OnceLock<Log> = OnceLock::new();

/// Opens it, and lets warnings of what is called into it.
pub(super) fn open(global: &Global) {
    let file = global.log.as_ref().map(|path| {
        let mut options = File::options();
        options.append(true).create(true).mode(0o644).open(path)
    });
    let file = match file.transpose() {
        Ok(file) => file,
        Err(error) => {
            let path = global.log.as_deref().unwrap_or(std::path::Path::new(""));
            // Without standard error there is nobody to tell.
            let _ = writeln!(io::stderr(), "cannot open {}: {error}", path.display());
            None
        }
    };
    let format = global.log_format;
    // Set once, here.
    let _ = LOG.set(Log { file, format });
    let most = if global.debug {
        Level::DEBUG
    } else {
        Level::WARN
    };
    Trace::install(most, global.debug.then_some(write as fn(Level, &str)));
}

/// A warning.
pub(super) fn warn(text: &str) {
    write(Level::WARN, text);
}

/// Why the command fails: into the log, and to whoever looks.
pub(super) fn fatal(text: &str) {
    write(Level::ERROR, text);
    if LOG.get().is_some_and(|log| log.file.is_some()) {
        // Without standard error there is nobody to tell.
        let _ = writeln!(io::stderr(), "{text}");
    }
}

fn write(level: Level, text: &str) {
    let Some(log) = LOG.get() else { return };
    let line = line(log.format, level, text);
    // A full disk is no reason to fail what is being done.
    let _ = match &log.file {
        Some(file) => (&mut &*file).write_all(line.as_bytes()),
        None => io::stderr().write_all(line.as_bytes()),
    };
}

fn line(format: LogFormat, level: Level, text: &str) -> String {
    let time = humantime::format_rfc3339_seconds(SystemTime::now());
    let level = match level {
        Level::ERROR => "error",
        Level::WARN => "warning",
        Level::INFO => "info",
        _ => "debug",
    };
    let text = serde_json::Value::from(text);
    match format {
        LogFormat::Json => {
            format!("{{\"level\":\"{level}\",\"msg\":{text},\"time\":\"{time}\"}}\n")
        }
        LogFormat::Text => format!("time=\"{time}\" level={level} msg={text}\n"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_json_line_is_one_object() {
        let line = line(LogFormat::Json, Level::ERROR, "exec: \"x\"\nfailed");
        assert_eq!(line.matches('\n').count(), 1);
        let parsed: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(parsed["level"], "error");
        assert_eq!(parsed["msg"], "exec: \"x\"\nfailed");
    }
}
