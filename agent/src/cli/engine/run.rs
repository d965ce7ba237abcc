//! `plimsoll run` and `plimsoll create`

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use bollard::models::{ContainerCreateBody, ContainerCreateResponse};
use clap::{ArgAction, Args};

use super::super::failure::{Exit, Failure};
use super::super::note;
use super::super::output::Output;
use super::client::{Engine, refused, segment};
use super::detach::DetachKeys;
use super::foreground::{self, Foreground};
use super::options::{ContainerArgs, Stream};

const NO_SUCH_IMAGE: &str = "No such image";

/// Run a command in a new container
///
/// The exit status is the command's; 125 when it was not run, 126 when the command cannot be invoked, 127
/// when there is none of that name, 128 and the signal's number when one ended it.
#[derive(Debug, Args)]
#[command(
    disable_help_flag = true,
    override_usage = "plimsoll run [OPTIONS] IMAGE [COMMAND] [ARG...]\n       \
                      plimsoll run [OPTIONS] --rootfs DIR COMMAND [ARG...]"
)]
pub(crate) struct RunArgs {
    /// Leave it in the background and print its id
    #[arg(short, long)]
    detach: bool,
    /// Keys that leave it to itself [default: ctrl-p,ctrl-q]
    #[arg(long, value_name = "KEYS")]
    detach_keys: Option<DetachKeys>,
    /// Pass signals on to it
    #[arg(long, value_name = "BOOL", default_value_t = true, action = ArgAction::Set,
          num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    sig_proxy: bool,
    #[command(flatten)]
    container: ContainerArgs,
    /// Print help
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,
}

/// Make a container that is started later
#[derive(Debug, Args)]
#[command(
    disable_help_flag = true,
    override_usage = "plimsoll create [OPTIONS] IMAGE [COMMAND] [ARG...]\n       \
                      plimsoll create [OPTIONS] --rootfs DIR COMMAND [ARG...]"
)]
pub(crate) struct CreateArgs {
    #[command(flatten)]
    container: ContainerArgs,
    /// Print help
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,
}

pub(super) async fn create(
    args: CreateArgs,
    engine: &Engine,
    out: &mut Output,
) -> Result<(), Failure> {
    let named = Named::of(&args.container);
    let id_file = IdFile::open(args.container.life.cidfile.clone())?;
    let body = args.container.body()?;
    let id = make(engine, &named, &body, id_file).await;
    out.text(&format!(
        "{}\n",
        id.map_err(|failure| failure.with(Exit::Failed))?
    ))?;
    Ok(out.flush()?)
}

pub(super) async fn run(args: RunArgs, engine: &Engine, out: &mut Output) -> Result<(), Failure> {
    let RunArgs {
        detach,
        detach_keys,
        sig_proxy,
        container,
        help: _,
    } = args;
    let process = &container.process;
    let [stdin, stdout, stderr] =
        [Stream::Stdin, Stream::Stdout, Stream::Stderr].map(|stream| process.attaches(stream));
    let (tty, named) = (process.tty, Named::of(&container));
    if detach && !process.attach.is_empty() {
        return Err(Failure::new(Exit::Failed, "conflicting options: -a and -d"));
    }
    let removed = container.life.rm;
    if !detach && stdin && tty && !io::stdin().is_terminal() {
        return Err(Failure::new(Exit::Failed, "the input device is not a TTY"));
    }
    let id_file = IdFile::open(container.life.cidfile.clone())?;
    let mut body = container.body()?;
    if detach {
        body.attach_stdin = Some(false);
        body.attach_stdout = Some(false);
        body.attach_stderr = Some(false);
        body.stdin_once = Some(false);
    }
    let id = make(engine, &named, &body, id_file).await?;
    if detach {
        let path = format!("/containers/{}/start", segment(&id));
        engine
            .post(&path, &[])
            .await
            .map_err(foreground::not_started)?;
        out.text(&format!("{id}\n"))?;
        return Ok(out.flush()?);
    }
    let foreground = Foreground {
        stdin,
        stdout,
        stderr,
        tty,
        detach_keys: detach_keys.unwrap_or_default(),
        sig_proxy,
        condition: if removed { "removed" } else { "next-exit" },
    };
    foreground.start(engine, &id).await
}

/// What the engine is told beside a container's configuration.
#[derive(Debug)]
struct Named {
    name: Option<String>,
    platform: Option<String>,
}

impl Named {
    fn of(args: &ContainerArgs) -> Self {
        Self {
            name: args.process.name.clone(),
            platform: args.platform.clone(),
        }
    }

    fn query(&self) -> Vec<(&str, &str)> {
        let all = [("name", &self.name), ("platform", &self.platform)].into_iter();
        all.filter_map(|(key, value)| Some((key, value.as_deref()?)))
            .collect()
    }
}

/// Makes the container; its id.
async fn make(
    engine: &Engine,
    named: &Named,
    body: &ContainerCreateBody,
    id_file: Option<IdFile>,
) -> Result<String, Failure> {
    let query = named.query();
    let made = engine.post_json("/containers/create", &query, body).await;
    let ContainerCreateResponse { id, warnings } = made.map_err(|error| {
        let missing = error.to_string();
        if refused(&error) == Some(404) && missing.contains(NO_SUCH_IMAGE) {
            let help =
                "fetching images is not there yet: bring it with `plimsoll load` or `import`";
            return Failure::new(Exit::NotRun, format!("{missing}; {help}"));
        }
        Failure::from(error).with(Exit::NotRun)
    })?;
    for warning in warnings {
        note(&format!("warning: {warning}"));
    }
    if let Some(file) = id_file {
        file.write(&id)?;
    }
    Ok(id)
}

/// The file an id is written to. There must be none before, and stays none if there is no container.
#[derive(Debug)]
struct IdFile {
    path: PathBuf,
    file: File,
    written: bool,
}

impl IdFile {
    fn open(path: Option<PathBuf>) -> Result<Option<Self>, Failure> {
        let Some(path) = path else {
            return Ok(None);
        };
        let file = File::create_new(&path).map_err(|error| {
            let told = format!("container ID file {}: {error}", path.display());
            Failure::new(Exit::NotRun, told)
        })?;
        Ok(Some(Self {
            path,
            file,
            written: false,
        }))
    }

    fn write(mut self, id: &str) -> Result<(), Failure> {
        self.written = true;
        self.file.write_all(id.as_bytes()).map_err(|error| {
            let told = format!("container ID file {}: {error}", self.path.display());
            Failure::new(Exit::NotRun, told)
        })
    }
}

impl Drop for IdFile {
    fn drop(&mut self) {
        if !self.written {
            // It is empty; somebody may have removed it already.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
