//! `plimsoll start`, `stop`, `restart`, `pause`, `unpause`, `rm`, `rename`

use bollard::models::ContainerInspectResponse;
use clap::Args;

use super::super::failure::{Exit, Failure};
use super::super::note;
use super::super::output::Output;
use super::client::{Engine, refused, segment};
use super::detach::DetachKeys;
use super::foreground::Foreground;
use super::foreign;
use super::names::each;

const NOT_FOUND: u16 = 404;

/// Start containers
#[derive(Debug, Args)]
pub(crate) struct StartArgs {
    /// Stay with its output, and pass signals on
    #[arg(short, long)]
    attach: bool,
    /// Stay with its input too
    #[arg(short, long)]
    interactive: bool,
    /// Keys that leave it to itself [default: ctrl-p,ctrl-q]
    #[arg(long, value_name = "KEYS")]
    detach_keys: Option<DetachKeys>,
    /// Names or ids
    #[arg(value_name = "CONTAINER", required = true)]
    names: Vec<String>,
}

/// Stop containers: a signal, and after a while another that cannot be ignored
#[derive(Debug, Args)]
pub(crate) struct StopArgs {
    /// Signal to send [default: the container's, else TERM]
    #[arg(short, long, value_name = "SIGNAL")]
    signal: Option<String>,
    /// Seconds to wait before it is killed; -1: for ever [default: the container's, else 10]
    #[arg(
        short = 't',
        long,
        alias = "timeout",
        value_name = "SECONDS",
        allow_hyphen_values = true
    )]
    time: Option<i64>,
    /// Names or ids
    #[arg(value_name = "CONTAINER", required = true)]
    names: Vec<String>,
}

/// Freeze all processes of containers
#[derive(Debug, Args)]
pub(crate) struct NamesArgs {
    /// Names or ids
    #[arg(value_name = "CONTAINER", required = true)]
    names: Vec<String>,
}

/// Remove containers
#[derive(Debug, Args)]
pub(crate) struct RmArgs {
    /// Those that run too: they are killed
    #[arg(short, long)]
    force: bool,
    /// Their volumes too that have no name
    #[arg(short, long)]
    volumes: bool,
    /// Names or ids
    #[arg(value_name = "CONTAINER", required = true)]
    names: Vec<String>,
}

/// Give a container another name
#[derive(Debug, Args)]
pub(crate) struct RenameArgs {
    /// Name or id
    container: String,
    /// New name
    name: String,
}

pub(super) async fn start(
    args: StartArgs,
    engine: &Engine,
    out: &mut Output,
) -> Result<(), Failure> {
    if !args.attach && !args.interactive {
        return post_each(&args.names, "start", &[], engine, out).await;
    }
    let [name] = args.names.as_slice() else {
        let told = "one container at a time can be started and attached to";
        return Err(Failure::new(Exit::Failed, told));
    };
    let container = inspect(engine, name, "start").await?;
    let config = container.config.unwrap_or_default();
    let tty = config.tty == Some(true);
    let removed = container.host_config.and_then(|host| host.auto_remove) == Some(true);
    let foreground = Foreground {
        stdin: args.interactive && config.open_stdin == Some(true),
        stdout: true,
        stderr: true,
        tty,
        detach_keys: args.detach_keys.unwrap_or_default(),
        sig_proxy: !tty,
        condition: if removed { "removed" } else { "next-exit" },
    };
    let id = container.id.unwrap_or_else(|| name.clone());
    foreground.start(engine, &id).await
}

/// What the engine says of a container that a `verb` is for.
pub(super) async fn inspect(
    engine: &Engine,
    name: &str,
    verb: &str,
) -> Result<ContainerInspectResponse, Failure> {
    let path = format!("/containers/{}/json", segment(name));
    match engine.get(&path, &[]).await {
        Ok(container) => Ok(container),
        Err(error) => Err(foreign::explain(error, name, verb, engine).await),
    }
}

pub(super) async fn stop(args: StopArgs, engine: &Engine, out: &mut Output) -> Result<(), Failure> {
    stop_or(args, "stop", engine, out).await
}

pub(super) async fn restart(
    args: StopArgs,
    engine: &Engine,
    out: &mut Output,
) -> Result<(), Failure> {
    stop_or(args, "restart", engine, out).await
}

async fn stop_or(
    args: StopArgs,
    verb: &str,
    engine: &Engine,
    out: &mut Output,
) -> Result<(), Failure> {
    let time = args.time.map(|time| time.to_string());
    let time = time.as_deref().map(|time| ("t", time));
    let signal = args.signal.as_deref().map(|signal| ("signal", signal));
    let query: Vec<_> = time.into_iter().chain(signal).collect();
    post_each(&args.names, verb, &query, engine, out).await
}

pub(super) async fn pause(
    args: NamesArgs,
    engine: &Engine,
    out: &mut Output,
) -> Result<(), Failure> {
    post_each(&args.names, "pause", &[], engine, out).await
}

pub(super) async fn unpause(
    args: NamesArgs,
    engine: &Engine,
    out: &mut Output,
) -> Result<(), Failure> {
    post_each(&args.names, "unpause", &[], engine, out).await
}

pub(super) async fn rm(args: RmArgs, engine: &Engine, out: &mut Output) -> Result<(), Failure> {
    let flag = |set: bool| if set { "1" } else { "0" };
    let query = [("force", flag(args.force)), ("v", flag(args.volumes))];
    each(&args.names, "rm", engine, out, async |name| {
        let path = format!("/containers/{}", segment(name));
        match engine.delete(&path, &query).await {
            Ok(_) => Ok(name.to_owned()),
            // Nobody's: what was asked for is so, which is told, but is no failure.
            Err(error)
                if args.force
                    && refused(&error) == Some(NOT_FOUND)
                    && engine.agent.workload(name).await.is_err() =>
            {
                note(&error.to_string());
                Ok(String::new())
            }
            Err(error) => Err(error),
        }
    })
    .await
}

pub(super) async fn rename(args: RenameArgs, engine: &Engine) -> Result<(), Failure> {
    let path = format!("/containers/{}/rename", segment(&args.container));
    match engine.post(&path, &[("name", &args.name)]).await {
        Ok(()) => Ok(()),
        Err(error) => Err(foreign::explain(error, &args.container, "rename", engine).await),
    }
}

async fn post_each(
    names: &[String],
    verb: &str,
    query: &[(&str, &str)],
    engine: &Engine,
    out: &mut Output,
) -> Result<(), Failure> {
    each(names, verb, engine, out, async |name| {
        let path = format!("/containers/{}/{verb}", segment(name));
        engine.post(&path, query).await.map(|()| name.to_owned())
    })
    .await
}
