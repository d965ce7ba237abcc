//! What runs in a container: command, environment, user, labels, how it is stopped.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use bollard::models::{ContainerCreateBody, HostConfig};
use clap::Args;

use super::super::super::failure::{Exit, Failure};
use super::amount;

/// One of a process's streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Stream {
    Stdin,
    Stdout,
    Stderr,
}

/// Of the process.
#[derive(Clone, Debug, Args)]
pub(in super::super) struct ProcessArgs {
    /// Keep standard input open
    #[arg(short, long)]
    pub(in super::super) interactive: bool,
    /// Give it a terminal
    #[arg(short, long)]
    pub(in super::super) tty: bool,
    /// Stay with these streams only: stdin, stdout, stderr
    #[arg(short, long, value_name = "STREAM", value_parser = stream)]
    pub(in super::super) attach: Vec<Stream>,
    /// Name of the container
    #[arg(long, value_name = "NAME")]
    pub(in super::super) name: Option<String>,
    /// Environment variable; without a value, that of this process
    #[arg(short, long, value_name = "NAME[=VALUE]", value_parser = variable)]
    env: Vec<String>,
    /// File of environment variables, one a line
    #[arg(long, value_name = "FILE")]
    env_file: Vec<PathBuf>,
    /// Working directory
    #[arg(short, long, value_name = "DIR")]
    workdir: Option<String>,
    /// User and group, by name or number
    #[arg(short, long, value_name = "USER[:GROUP]")]
    user: Option<String>,
    /// Further group
    #[arg(long, value_name = "GROUP")]
    group_add: Vec<String>,
    /// Program instead of the image's; the command is its arguments
    #[arg(long, value_name = "PROGRAM")]
    entrypoint: Option<String>,
    /// Host name
    #[arg(short = 'h', long, value_name = "NAME")]
    hostname: Option<String>,
    /// Domain name
    #[arg(long, value_name = "NAME")]
    domainname: Option<String>,
    /// Label
    #[arg(short, long, value_name = "NAME[=VALUE]", value_parser = amount::pair)]
    label: Vec<(String, String)>,
    /// File of labels, one a line
    #[arg(long, value_name = "FILE")]
    label_file: Vec<PathBuf>,
    /// Signal that `stop` sends
    #[arg(long, value_name = "SIGNAL")]
    stop_signal: Option<String>,
    /// Seconds that `stop` waits before it kills
    #[arg(long, value_name = "SECONDS", allow_hyphen_values = true)]
    stop_timeout: Option<i64>,
    /// Run a small init as first process, which reaps the others
    #[arg(long)]
    init: bool,
}

impl ProcessArgs {
    /// Whether whoever starts it stays with this stream.
    pub(in super::super) fn attaches(&self, stream: Stream) -> bool {
        match self.attach.as_slice() {
            [] => stream != Stream::Stdin || self.interactive,
            only => only.contains(&stream),
        }
    }

    pub(super) fn apply(
        self,
        body: &mut ContainerCreateBody,
        host: &mut HostConfig,
    ) -> Result<(), Failure> {
        body.attach_stdin = Some(self.attaches(Stream::Stdin));
        body.attach_stdout = Some(self.attaches(Stream::Stdout));
        body.attach_stderr = Some(self.attaches(Stream::Stderr));
        body.open_stdin = Some(self.interactive);
        body.stdin_once = Some(self.interactive);
        body.tty = Some(self.tty);
        let mut env = Vec::new();
        for file in &self.env_file {
            env.extend(lines(file)?.into_iter().filter_map(|line| inherited(&line)));
        }
        env.extend(self.env);
        body.env = (!env.is_empty()).then_some(env);
        body.working_dir = self.workdir;
        body.user = self.user;
        // An empty one means none at all, also not the image's.
        body.entrypoint = self.entrypoint.map(|program| vec![program]);
        body.hostname = self.hostname;
        body.domainname = self.domainname;
        let mut labels = HashMap::new();
        for file in &self.label_file {
            // Docker leaves out what has no value in a file.
            for line in lines(file)?.iter().filter(|line| line.contains('=')) {
                let wrong =
                    |error| Failure::new(Exit::NotRun, format!("{}: {error}", file.display()));
                labels.extend([amount::pair(line).map_err(wrong)?]);
            }
        }
        labels.extend(self.label);
        body.labels = (!labels.is_empty()).then_some(labels);
        body.stop_signal = self.stop_signal;
        body.stop_timeout = self.stop_timeout;
        host.group_add = (!self.group_add.is_empty()).then_some(self.group_add);
        host.init = self.init.then_some(true);
        Ok(())
    }
}

fn stream(text: &str) -> Result<Stream, String> {
    match text.to_ascii_lowercase().as_str() {
        "stdin" => Ok(Stream::Stdin),
        "stdout" => Ok(Stream::Stdout),
        "stderr" => Ok(Stream::Stderr),
        _ => Err("valid streams are STDIN, STDOUT and STDERR".to_owned()),
    }
}

/// A variable with its value; one that this process has not is passed as it is: the image's goes.
pub(in super::super) fn variable(text: &str) -> Result<String, String> {
    if text.is_empty() || text.starts_with('=') {
        return Err(format!("invalid environment variable: {text}"));
    }
    Ok(inherited(text).unwrap_or_else(|| text.to_owned()))
}

fn inherited(text: &str) -> Option<String> {
    if text.contains('=') {
        return Some(text.to_owned());
    }
    let value = std::env::var(text).ok()?;
    Some(format!("{text}={value}"))
}

/// Of a file of variables: without comments and empty lines.
///
/// # Errors
/// It cannot be read, or a name has a space in it.
pub(in super::super) fn variables(file: &Path) -> Result<Vec<String>, Failure> {
    let lines = lines(file)?;
    Ok(lines.iter().filter_map(|line| inherited(line)).collect())
}

fn lines(file: &Path) -> Result<Vec<String>, Failure> {
    let failure = |error: &dyn std::fmt::Display| {
        Failure::new(Exit::NotRun, format!("{}: {error}", file.display()))
    };
    let text = fs::read_to_string(file).map_err(|error| failure(&error))?;
    let lines = text.lines().map(str::trim_start);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let checked = lines.map(|line| {
        let name = line.split('=').next().unwrap_or_default();
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(failure(&format!("`{line}` begins with no name")));
        }
        Ok(line.to_owned())
    });
    checked.collect()
}
