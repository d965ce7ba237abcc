//! `plimsoll load`, `import`, `save`, `rmi`, `tag`, `image prune`: images come, go, and get names.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use bollard::models::{ImageDeleteResponseItem, ImagePruneResponse};
use clap::Args;
use http_body_util::BodyExt;
use hyper::Method;
use serde::Deserialize;

use super::super::failure::{Exit, Failure};
use super::super::note;
use super::super::output::Output;
use super::client::{Engine, nothing, segment, streamed};
use super::images::split;
use super::lines::Values;
use super::prune::{self, Pruning};
use super::{chunks, copy, copy_in, listing};
use crate::api::ClientError;

/// What tells that a directory is in the OCI layout.
const LAYOUT: &str = "oci-layout";

/// Bring images from an archive: of `save`, of `docker save`, or in the OCI layout
#[derive(Debug, Args)]
pub(crate) struct LoadArgs {
    /// Archive, or directory in the OCI layout [default: standard input]
    #[arg(short, long, value_name = "FILE|DIR")]
    input: Option<PathBuf>,
    /// Say nothing of how far it is
    #[arg(short, long)]
    quiet: bool,
}

/// Make an image of the files in an archive
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// Instruction to apply, such as `CMD ["sh"]`
    #[arg(short, long, value_name = "INSTRUCTION")]
    change: Vec<String>,
    /// Text for its history
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
    /// Archive, or - for standard input
    #[arg(value_name = "FILE|-")]
    source: PathBuf,
    /// Name for it
    #[arg(value_name = "REPOSITORY[:TAG]")]
    name: Option<String>,
}

/// Write images to an archive
#[derive(Debug, Args)]
pub(crate) struct SaveArgs {
    /// File [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Names or ids
    #[arg(value_name = "IMAGE", required = true)]
    names: Vec<String>,
}

/// Remove names of images, and images without a name
#[derive(Debug, Args)]
pub(crate) struct RmiArgs {
    /// Those too that have several names, or whose containers have ended
    #[arg(short, long)]
    force: bool,
    /// Leave the images it was made from
    #[arg(long)]
    no_prune: bool,
    /// Names or ids
    #[arg(value_name = "IMAGE", required = true)]
    names: Vec<String>,
}

/// Give an image a further name
#[derive(Debug, Args)]
pub(crate) struct TagArgs {
    /// Name or id
    #[arg(value_name = "IMAGE")]
    source: String,
    /// New name
    #[arg(value_name = "NAME[:TAG]")]
    target: String,
}

/// Remove images without a name that no container uses
#[derive(Debug, Args)]
pub(crate) struct PruneImagesArgs {
    /// Those too that have a name
    #[arg(short, long)]
    all: bool,
    #[command(flatten)]
    prune: Pruning,
}

/// A line of progress.
#[derive(Debug, Deserialize)]
struct Progress {
    stream: Option<String>,
    status: Option<String>,
    error: Option<String>,
}

pub(super) async fn load(args: LoadArgs, engine: &Engine, out: &mut Output) -> Result<(), Failure> {
    let body = match &args.input {
        Some(path) if path.is_dir() => {
            if !path.join(LAYOUT).is_file() {
                let told = format!("{} is no OCI layout: it has no {LAYOUT}", path.display());
                return Err(Failure::new(Exit::Failed, told));
            }
            copy_in::packed(path.clone(), PathBuf::from("."), true)?
        }
        Some(path) => streamed(chunks::of(open(path)?)?),
        None if io::stdin().is_terminal() => {
            let told = "requested load from stdin, but stdin is empty";
            return Err(Failure::new(Exit::Failed, told));
        }
        None => streamed(chunks::of(io::stdin())?),
    };
    let query = [("quiet", if args.quiet { "1" } else { "0" })];
    let answer = engine
        .request(Method::POST, "/images/load", &query, body)
        .await?;
    let mut lines = Values::<Progress>::of(answer);
    while let Some(line) = lines.next().await? {
        if let Some(error) = line.error {
            return Err(Failure::new(Exit::Failed, error));
        }
        if let Some(text) = line.stream {
            out.text(&text)?;
            out.flush()?;
        }
    }
    Ok(())
}

pub(super) async fn import(
    args: ImportArgs,
    engine: &Engine,
    out: &mut Output,
) -> Result<(), Failure> {
    let source: Box<dyn Read + Send> = match args.source.to_str() {
        Some("-") => Box::new(io::stdin()),
        _ => Box::new(open(&args.source)?),
    };
    let name = args.name.unwrap_or_default();
    let (repository, tag) = split(&name);
    let mut query = vec![("fromSrc", "-"), ("repo", repository), ("tag", tag)];
    query.extend(args.message.as_deref().map(|message| ("message", message)));
    query.extend(
        args.change
            .iter()
            .map(|change| ("changes", change.as_str())),
    );
    query.retain(|(_, value)| !value.is_empty());
    let body = streamed(chunks::of(source)?);
    let answer = engine
        .request(Method::POST, "/images/create", &query, body)
        .await?;
    let mut lines = Values::<Progress>::of(answer);
    while let Some(line) = lines.next().await? {
        if let Some(error) = line.error {
            return Err(Failure::new(Exit::Failed, error));
        }
        if let Some(status) = line.status {
            out.text(&format!("{status}\n"))?;
        }
    }
    Ok(out.flush()?)
}

fn open(path: &Path) -> Result<File, Failure> {
    File::open(path).map_err(|error| failed(path, &error))
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Exit::Failed, format!("{}: {error}", path.display()))
}

pub(super) async fn save(args: SaveArgs, engine: &Engine) -> Result<(), Failure> {
    if args.output.is_none() && io::stdout().is_terminal() {
        let told = "an archive is nothing for a terminal: use -o FILE or redirect";
        return Err(Failure::new(Exit::Failed, told));
    }
    let output = args.output.as_deref().map(copy::output).transpose()?;
    let query: Vec<_> = args
        .names
        .iter()
        .map(|name| ("names", name.as_str()))
        .collect();
    let answer = engine
        .request(Method::GET, "/images/get", &query, nothing())
        .await?;
    let mut body = answer.into_body();
    let Some(path) = output else {
        let mut stdout = io::stdout().lock();
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame.map_err(ClientError::Broken)?.into_data() {
                stdout.write_all(&data)?;
            }
        }
        return Ok(stdout.flush()?);
    };
    // What was there is replaced by a whole archive only.
    let mut part = path.clone().into_os_string();
    part.push(".part");
    let part = PathBuf::from(part);
    let mut file = File::create(&part).map_err(|error| failed(&part, &error))?;
    let written = async {
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame.map_err(ClientError::Broken)?.into_data() {
                file.write_all(&data)
                    .map_err(|error| failed(&part, &error))?;
            }
        }
        file.sync_all().map_err(|error| failed(&part, &error))?;
        std::fs::rename(&part, &path).map_err(|error| failed(&path, &error))
    };
    let written: Result<(), Failure> = written.await;
    if written.is_err() {
        // It may not even have been made; the reason is told already.
        let _ = std::fs::remove_file(&part);
    }
    written
}

pub(super) async fn rmi(args: RmiArgs, engine: &Engine, out: &mut Output) -> Result<(), Failure> {
    let flag = |set: bool| if set { "1" } else { "0" };
    let query = [
        ("force", flag(args.force)),
        ("noprune", flag(args.no_prune)),
    ];
    let mut failed = false;
    for name in &args.names {
        let path = format!("/images/{}", segment(name));
        match engine.delete(&path, &query).await {
            Ok(answer) => {
                let removed: Vec<ImageDeleteResponseItem> =
                    serde_json::from_slice(&answer).map_err(ClientError::NotUnderstood)?;
                listing::print_lines(lines(removed), out)?;
            }
            Err(error) => {
                failed = true;
                Failure::from(error)
                    .lines()
                    .iter()
                    .for_each(|line| note(line));
            }
        }
    }
    out.flush()?;
    if failed { Err(Failure::told()) } else { Ok(()) }
}

fn lines(removed: Vec<ImageDeleteResponseItem>) -> Vec<String> {
    let lines = removed.into_iter().flat_map(|item| {
        let deleted = item.deleted.map(|id| format!("Deleted: {id}"));
        let untagged = item.untagged.map(|name| format!("Untagged: {name}"));
        deleted.into_iter().chain(untagged)
    });
    lines.collect()
}

pub(super) async fn tag(args: TagArgs, engine: &Engine) -> Result<(), Failure> {
    let (repository, tag) = split(&args.target);
    let tag = if tag.is_empty() { "latest" } else { tag };
    let path = format!("/images/{}/tag", segment(&args.source));
    Ok(engine
        .post(&path, &[("repo", repository), ("tag", tag)])
        .await?)
}

pub(super) async fn prune(
    args: PruneImagesArgs,
    engine: &Engine,
    out: &mut Output,
) -> Result<(), Failure> {
    let PruneImagesArgs { all, mut prune } = args;
    let what = match all {
        true => "all images without a container that uses them",
        false => "all images without a name that no container uses",
    };
    prune.add("dangling", !all);
    let pruned: ImagePruneResponse = prune.carry_out(what, "/images/prune", engine).await?;
    let removed = lines(pruned.images_deleted.unwrap_or_default());
    prune::print_removed("Deleted Images", &removed, out)?;
    prune::print_freed(pruned.space_reclaimed, out)
}
