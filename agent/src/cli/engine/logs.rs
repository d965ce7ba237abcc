//! `plimsoll logs`

use bytes::Bytes;
use clap::Args;
use http_body_util::BodyExt;
use hyper::Method;

use super::super::failure::Failure;
use super::client::{Engine, nothing, segment};
use super::foreign;
use super::life::inspect;
use super::output_frames::{Demultiplexer, Sink, write};
use crate::api::{ClientError, seconds_of_moment};

/// Show what a container has written
///
/// What it wrote to standard error goes to standard error.
#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// Wait for more, until it ends
    #[arg(short, long)]
    follow: bool,
    /// The last so many lines, or all
    #[arg(short = 'n', long, value_name = "LINES", default_value = "all")]
    tail: String,
    /// Not older than a time (of this host's zone, unless it says one) or a duration such as 10m
    #[arg(long, value_name = "TIME", value_parser = seconds_of_moment)]
    since: Option<String>,
    /// Not younger
    #[arg(long, value_name = "TIME", value_parser = seconds_of_moment)]
    until: Option<String>,
    /// With the time of each line
    #[arg(short, long)]
    timestamps: bool,
    /// Name or id
    #[arg(value_name = "CONTAINER")]
    name: String,
}

pub(super) async fn run(args: LogsArgs, engine: &Engine) -> Result<(), Failure> {
    let container = inspect(engine, &args.name, "logs").await?;
    let tty = container.config.and_then(|config| config.tty) == Some(true);
    let flag = |set: bool| if set { "1" } else { "0" };
    let query = [
        ("stdout", "1"),
        ("stderr", "1"),
        ("follow", flag(args.follow)),
        ("timestamps", flag(args.timestamps)),
        ("tail", &args.tail),
        ("since", args.since.as_deref().unwrap_or_default()),
        ("until", args.until.as_deref().unwrap_or_default()),
    ];
    let query: Vec<_> = query
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .collect();
    let path = format!("/containers/{}/logs", segment(&args.name));
    let answer = match engine.request(Method::GET, &path, &query, nothing()).await {
        Ok(answer) => answer,
        Err(error) => return Err(foreign::explain(error, &args.name, "logs", engine).await),
    };
    let mut body = answer.into_body();
    let mut frames = Demultiplexer::default();
    while let Some(frame) = body.frame().await {
        let data: Bytes = match frame.map_err(ClientError::Broken)?.into_data() {
            Ok(data) => data,
            Err(_) => continue,
        };
        if tty {
            write(Sink::Stdout, data).await?;
            continue;
        }
        frames.push(&data);
        while let Some((sink, bytes)) = frames.next() {
            write(sink, bytes).await?;
        }
    }
    Ok(())
}
