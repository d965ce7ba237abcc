//! `plimsoll top`, `port`, `diff`

use bollard::models::{ChangeType, ContainerTopResponse, FilesystemChange, PortBinding};
use clap::Args;

use super::super::failure::{Exit, Failure};
use super::super::output::Output;
use super::client::{Engine, segment};
use super::foreign;
use super::life::inspect;
use super::listing::{align, print_lines};

/// Docker's narrowest column of processes.
const NARROWEST: usize = 20;

/// Show the processes of a container, as `ps` with these options does
#[derive(Debug, Args)]
#[command(override_usage = "plimsoll top CONTAINER [PS OPTIONS]")]
pub(crate) struct TopArgs {
    #[arg(
        value_name = "CONTAINER",
        required = true,
        trailing_var_arg = true,
        hide = true
    )]
    positional: Vec<String>,
}

/// Show the ports under which a container is reached
#[derive(Debug, Args)]
pub(crate) struct PortArgs {
    /// Name or id
    #[arg(value_name = "CONTAINER")]
    name: String,
    /// Of this port of the container only
    #[arg(value_name = "PORT[/PROTOCOL]")]
    port: Option<String>,
}

/// Show what has changed in a container's file system
///
/// A: added, C: changed, D: deleted.
#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// Name or id
    #[arg(value_name = "CONTAINER")]
    name: String,
}

pub(super) async fn top(args: TopArgs, engine: &Engine, out: &mut Output) -> Result<(), Failure> {
    let mut positional = args.positional.into_iter();
    let name = positional.next().unwrap_or_default();
    let options = positional.collect::<Vec<_>>().join(" ");
    let query = [("ps_args", options.as_str())];
    let query = if options.is_empty() {
        &[][..]
    } else {
        &query[..]
    };
    let path = format!("/containers/{}/top", segment(&name));
    let top: ContainerTopResponse = match engine.get(&path, query).await {
        Ok(top) => top,
        Err(error) => return Err(foreign::explain(error, &name, "top", engine).await),
    };
    let rows = top
        .titles
        .into_iter()
        .chain(top.processes.into_iter().flatten());
    let lines: Vec<_> = rows
        .map(|cells| format!("{}\n", cells.join("\t")))
        .collect();
    out.text(&align(&lines, NARROWEST))?;
    Ok(out.flush()?)
}

pub(super) async fn port(args: PortArgs, engine: &Engine, out: &mut Output) -> Result<(), Failure> {
    let container = inspect(engine, &args.name, "port").await?;
    let ports = container
        .network_settings
        .and_then(|settings| settings.ports);
    let ports = ports.unwrap_or_default();
    let of = |bindings: &Option<Vec<PortBinding>>| -> Vec<String> {
        bindings.iter().flatten().map(address).collect()
    };
    let lines = match args.port {
        None => {
            let pairs = ports.iter().map(|(port, bindings)| (port, of(bindings)));
            let lines = pairs.flat_map(|(port, addresses)| {
                addresses
                    .into_iter()
                    .map(move |address| format!("{port} -> {address}"))
            });
            let mut lines: Vec<_> = lines.collect();
            lines.sort_by_cached_key(|line| (number(line), line.clone()));
            lines
        }
        Some(port) => {
            let port = if port.contains('/') {
                port
            } else {
                format!("{port}/tcp")
            };
            let bindings = ports.get(&port).filter(|bindings| bindings.is_some());
            let bindings = bindings.ok_or_else(|| {
                let told = format!("no public port '{port}' published for {}", args.name);
                Failure::new(Exit::Failed, told)
            })?;
            of(bindings)
        }
    };
    print_lines(lines, out)
}

fn address(binding: &PortBinding) -> String {
    let ip = binding.host_ip.as_deref().unwrap_or_default();
    let port = binding.host_port.as_deref().unwrap_or_default();
    if ip.contains(':') {
        format!("[{ip}]:{port}")
    } else {
        format!("{ip}:{port}")
    }
}

/// The port at the beginning of a line.
fn number(line: &str) -> u16 {
    let digits = line.split('/').next().unwrap_or_default();
    digits.parse().unwrap_or_default()
}

pub(super) async fn diff(args: DiffArgs, engine: &Engine, out: &mut Output) -> Result<(), Failure> {
    let path = format!("/containers/{}/changes", segment(&args.name));
    let changes: Option<Vec<FilesystemChange>> = match engine.get(&path, &[]).await {
        Ok(changes) => changes,
        Err(error) => return Err(foreign::explain(error, &args.name, "diff", engine).await),
    };
    let lines = changes.into_iter().flatten();
    print_lines(
        lines.map(|change| format!("{} {}", letter(change.kind), change.path)),
        out,
    )
}

fn letter(kind: ChangeType) -> char {
    match kind {
        ChangeType::_0 => 'C',
        ChangeType::_1 => 'A',
        ChangeType::_2 => 'D',
    }
}
