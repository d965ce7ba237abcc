//! `plimsoll cp`

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use clap::Args;
use hyper::Method;
use hyper::header::HeaderMap;
use serde::Deserialize;

use super::super::failure::{Exit, Failure};
use super::client::{Engine, nothing, refused, segment};
use super::{copy_in, copy_out, foreign};
use crate::api::ClientError;

/// The header in which an engine tells what is at a path.
const STAT: &str = "X-Docker-Container-Path-Stat";
/// Bits of a mode as Go writes it.
const IS_DIR: u32 = 1 << 31;
const IS_SYMLINK: u32 = 1 << 27;
const NOT_FOUND: u16 = 404;

/// Copy files into a container or out of it, whether it runs or not
///
/// `-` is an archive (tar) from standard input or to standard output. A directory that ends in `/.` is its
/// content.
#[derive(Debug, Args)]
#[command(
    override_usage = "plimsoll cp [OPTIONS] CONTAINER:SOURCE TARGET|-\n       \
                            plimsoll cp [OPTIONS] SOURCE|- CONTAINER:TARGET"
)]
pub(crate) struct CopyArgs {
    /// Coming out, keep whose the files are; going in they are kept anyway
    #[arg(short, long)]
    archive: bool,
    /// What a symbolic link leads to, not the link
    #[arg(short = 'L', long)]
    follow_link: bool,
    /// Say nothing of how far it is
    #[arg(short, long)]
    quiet: bool,
    source: String,
    target: String,
}

/// Files of a container.
#[derive(Debug)]
pub(super) struct Place<'a> {
    pub(super) engine: &'a Engine,
    pub(super) container: String,
    pub(super) path: String,
}

/// What is at a path in a container.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Stat {
    mode: u32,
    #[serde(default)]
    link_target: String,
}

pub(super) async fn run(args: CopyArgs, engine: &Engine) -> Result<(), Failure> {
    let place = |(container, path): (String, String)| Place {
        engine,
        container,
        path,
    };
    let (from, to) = (in_container(&args.source), in_container(&args.target));
    let failed = |text: &str| Err(Failure::new(Exit::Failed, text.to_owned()));
    match (from, to) {
        (Some(_), Some(_)) => failed("copying between containers is not supported"),
        (None, None) => failed("must specify at least one container source"),
        (Some(from), None) => {
            let from = place(from);
            copy_out::run(&from, &args.target, args.follow_link, args.archive).await
        }
        (None, Some(to)) => {
            let to = place(to);
            copy_in::run(&args.source, &to, args.follow_link, args.archive).await
        }
    }
}

/// Container and path; a path that begins with `/` or `.` is of the host.
fn in_container(text: &str) -> Option<(String, String)> {
    let (container, path) = text.split_once(':')?;
    let is_path = container.starts_with(['/', '.']) || container.is_empty();
    (!is_path).then(|| (container.to_owned(), path.to_owned()))
}

impl Place<'_> {
    pub(super) fn archive(&self) -> String {
        format!("/containers/{}/archive", segment(&self.container))
    }

    /// `None`: nothing is there.
    pub(super) async fn stat(&self, path: &str) -> Result<Option<Stat>, Failure> {
        let query = [("path", path)];
        match self
            .engine
            .request(Method::HEAD, &self.archive(), &query, nothing())
            .await
        {
            Ok(answer) => Ok(Some(stat_of(answer.headers())?)),
            Err(error) if refused(&error) == Some(NOT_FOUND) => {
                // An answer to HEAD has no words: the container itself may not be there.
                let path = format!("/containers/{}/json", segment(&self.container));
                self.engine
                    .get_bytes(&path, &[])
                    .await
                    .map(|_| None)
                    .map_err(Failure::from)
            }
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn explain(&self, error: ClientError) -> Failure {
        foreign::explain(error, &self.container, "cp", self.engine).await
    }
}

impl Stat {
    pub(super) fn is_dir(&self) -> bool {
        self.mode & IS_DIR != 0
    }

    /// Where it leads, from a link at `path`.
    pub(super) fn target(&self, path: &str) -> Option<String> {
        if self.mode & IS_SYMLINK == 0 {
            return None;
        }
        let parent = Path::new(path).parent().unwrap_or(Path::new("/"));
        Some(
            parent
                .join(&self.link_target)
                .to_string_lossy()
                .into_owned(),
        )
    }
}

pub(super) fn stat_of(headers: &HeaderMap) -> Result<Stat, Failure> {
    let header = headers.get(STAT).and_then(|value| value.to_str().ok());
    let json = header.and_then(|value| BASE64_STANDARD.decode(value).ok());
    let stat = serde_json::from_slice(&json.unwrap_or_default());
    stat.map_err(|error| ClientError::NotUnderstood(error).into())
}

/// Whether the content of a directory is meant.
pub(super) fn is_content(path: &str) -> bool {
    path == "." || path.ends_with("/.")
}

/// The last name in a path.
pub(super) fn base(path: &str) -> PathBuf {
    let name = Path::new(path).file_name();
    name.map(PathBuf::from).unwrap_or_default()
}

/// Of the host's file; `None` when there is none.
pub(super) fn metadata(path: &Path, follow: bool) -> Result<Option<Metadata>, Failure> {
    let found = if follow {
        fs::metadata(path)
    } else {
        fs::symlink_metadata(path)
    };
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(at(path, &error)),
    }
}

/// Where a file is to be written that replaces what is at `path`: behind a link if that is one. Devices and pipes
/// are refused, for nobody means to replace those.
pub(super) fn output(path: &Path) -> Result<PathBuf, Failure> {
    match metadata(path, true)? {
        Some(there) if !there.is_dir() && !there.is_file() => {
            let told = format!(
                "invalid output path: \"{}\" must be a directory or a regular file",
                path.display()
            );
            Err(Failure::new(Exit::Failed, told))
        }
        Some(_) => path.canonicalize().map_err(|error| at(path, &error)),
        None => Ok(path.to_owned()),
    }
}

/// A failure at a path of the host.
pub(super) fn at(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(Exit::Failed, format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn links_are_followed_and_devices_are_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().canonicalize().unwrap().join("file");
        assert_eq!(output(&file).unwrap(), file);
        fs::write(&file, "").unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink("file", &link).unwrap();
        assert_eq!(output(&link).unwrap(), file);
        let refused = output(Path::new("/dev/null")).unwrap_err().lines().join("");
        assert!(
            refused.contains("must be a directory or a regular file"),
            "{refused}"
        );
    }

    #[test]
    fn containers_and_paths() {
        let of = |text| in_container(text).map(|(name, path)| format!("{name} {path}"));
        assert_eq!(of("web:/etc").as_deref(), Some("web /etc"));
        assert_eq!(of("web:etc:x").as_deref(), Some("web etc:x"));
        assert_eq!(of("./web:1"), None);
        assert_eq!(of("/a:b"), None);
        assert_eq!(of("file"), None);
    }
}
