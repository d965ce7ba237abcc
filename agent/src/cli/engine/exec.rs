//! `plimsoll exec` and `plimsoll attach`

use std::io::{self, IsTerminal};
use std::path::PathBuf;

use bollard::models::{ExecConfig, ExecInspectResponse, ExecStartConfig, IdResponse};
use clap::{ArgAction, Args};

use super::super::failure::{Exit, Failure};
use super::client::{Engine, segment};
use super::detach::DetachKeys;
use super::foreground::{self, Foreground};
use super::foreign;
use super::life::inspect;
use super::options;
use super::session::{self, Ended, Streams};
use super::terminal::{self, Resizing};

/// Run a further command in a container
///
/// The exit status is the command's; 126 when it cannot be invoked, 127 when there is none of that name.
#[derive(Debug, Args)]
#[command(override_usage = "plimsoll exec [OPTIONS] CONTAINER COMMAND [ARG...]")]
pub(crate) struct ExecArgs {
    /// Leave it in the background
    #[arg(short, long)]
    detach: bool,
    /// Keep standard input open
    #[arg(short, long)]
    interactive: bool,
    /// Give it a terminal
    #[arg(short, long)]
    tty: bool,
    /// Keys that leave it to itself [default: ctrl-p,ctrl-q]
    #[arg(long, value_name = "KEYS")]
    detach_keys: Option<DetachKeys>,
    /// Environment variable; without a value, that of this process
    #[arg(short, long, value_name = "NAME[=VALUE]", value_parser = options::variable)]
    env: Vec<String>,
    /// File of environment variables, one a line
    #[arg(long, value_name = "FILE")]
    env_file: Vec<PathBuf>,
    /// Give it all capabilities
    #[arg(long)]
    privileged: bool,
    /// User and group, by name or number
    #[arg(short, long, value_name = "USER[:GROUP]")]
    user: Option<String>,
    /// Working directory
    #[arg(short, long, value_name = "DIR")]
    workdir: Option<String>,
    #[arg(value_name = "CONTAINER COMMAND", required = true, num_args = 2.., trailing_var_arg = true, hide = true)]
    positional: Vec<String>,
}

/// Join the streams of a running container
///
/// The exit status is the container's. Its keys leave it running: see --detach-keys.
#[derive(Debug, Args)]
pub(crate) struct AttachArgs {
    /// Keys that leave it to itself [default: ctrl-p,ctrl-q]
    #[arg(long, value_name = "KEYS")]
    detach_keys: Option<DetachKeys>,
    /// Do not join standard input
    #[arg(long)]
    no_stdin: bool,
    /// Pass signals on to it
    #[arg(long, value_name = "BOOL", default_value_t = true, action = ArgAction::Set,
          num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    sig_proxy: bool,
    /// Name or id
    #[arg(value_name = "CONTAINER")]
    name: String,
}

pub(super) async fn exec(args: ExecArgs, engine: &Engine) -> Result<(), Failure> {
    let ExecArgs {
        detach,
        interactive,
        tty,
        ..
    } = args;
    if !detach && interactive && tty && !io::stdin().is_terminal() {
        return Err(Failure::new(Exit::Failed, "the input device is not a TTY"));
    }
    let mut env = Vec::new();
    for file in &args.env_file {
        env.extend(options::variables(file)?);
    }
    env.extend(args.env);
    let mut positional = args.positional.into_iter();
    let name = positional.next().unwrap_or_default();
    let size = terminal::size().filter(|_| tty);
    let size = size.map(|size| vec![size.rows.into(), size.columns.into()]);
    let detach_keys = args.detach_keys.unwrap_or_default();
    let config = ExecConfig {
        detach_keys: Some(detach_keys.as_str().to_owned()),
        attach_stdin: Some(interactive && !detach),
        attach_stdout: Some(!detach),
        attach_stderr: Some(!detach),
        console_size: size.clone(),
        tty: Some(tty),
        env: (!env.is_empty()).then_some(env),
        cmd: Some(positional.collect()),
        privileged: Some(args.privileged),
        user: args.user,
        working_dir: args.workdir,
    };
    let path = format!("/containers/{}/exec", segment(&name));
    let IdResponse { id } = match engine.post_json(&path, &[], &config).await {
        Ok(made) => made,
        Err(error) => return Err(foreign::explain(error, &name, "exec", engine).await),
    };
    let path = format!("/exec/{}", segment(&id));
    let start = ExecStartConfig {
        detach: Some(detach),
        tty: Some(tty),
        console_size: size,
    };
    if detach {
        let started = engine.tell(&format!("{path}/start"), &[], &start).await;
        return started.map_err(foreground::not_started);
    }
    let hijacked = engine.hijack(&format!("{path}/start"), &[], &start).await;
    let hijacked = hijacked.map_err(foreground::not_started)?;
    let _resizing = match tty {
        true => Some(Resizing::start(engine, format!("{path}/resize")).await?),
        false => None,
    };
    let streams = Streams {
        stdin: interactive,
        output: true,
        tty,
        detach_keys,
        mortal: true,
    };
    let ended = session::join(hijacked, streams).await?;
    if ended == Ended::Detached {
        // Nobody will learn its exit status: with Docker too that is no success.
        return Err(Failure::new(Exit::Failed, "read escape sequence"));
    }
    foreground::ended(ended, async {
        let exec: ExecInspectResponse = engine.get(&format!("{path}/json"), &[]).await?;
        Ok(exec.exit_code.unwrap_or_default())
    })
    .await
}

pub(super) async fn attach(args: AttachArgs, engine: &Engine) -> Result<(), Failure> {
    let container = inspect(engine, &args.name, "attach").await?;
    let state = container.state.unwrap_or_default();
    let told = if state.running != Some(true) {
        Some("a stopped container cannot be attached to: start it first")
    } else if state.paused == Some(true) {
        Some("a paused container cannot be attached to: unpause it first")
    } else if state.restarting == Some(true) {
        Some("a restarting container cannot be attached to: wait until it runs")
    } else {
        None
    };
    if let Some(told) = told {
        return Err(Failure::new(Exit::Failed, told));
    }
    let config = container.config.unwrap_or_default();
    let tty = config.tty == Some(true);
    let stdin = !args.no_stdin && config.open_stdin == Some(true);
    if stdin && tty && !io::stdin().is_terminal() {
        return Err(Failure::new(Exit::Failed, "the input device is not a TTY"));
    }
    let foreground = Foreground {
        stdin,
        stdout: true,
        stderr: true,
        tty,
        detach_keys: args.detach_keys.unwrap_or_default(),
        sig_proxy: args.sig_proxy && !tty,
        condition: "not-running",
    };
    let id = container.id.unwrap_or(args.name);
    foreground.attach(engine, &id).await
}
