//! `plimsoll ps`

use bollard::models::ContainerSummary;
use clap::Args;
use serde_json::Value;

use super::super::failure::Failure;
use super::super::output::Output;
use super::super::units;
use super::client::{Engine, refused};
use super::filters::{self, Filter};
use super::listing::{self, Column, Row};
use super::template::Form;
use super::{foreign_rows, human, ports};
use crate::api::ClientError;

const TITLES: [Column; 15] = [
    ("ID", "CONTAINER ID"),
    ("Image", "IMAGE"),
    ("Command", "COMMAND"),
    ("CreatedAt", "CREATED AT"),
    ("RunningFor", "CREATED"),
    ("Ports", "PORTS"),
    ("State", "STATE"),
    ("Status", "STATUS"),
    ("Size", "SIZE"),
    ("Names", "NAMES"),
    ("Labels", "LABELS"),
    ("Mounts", "MOUNTS"),
    ("LocalVolumes", "LOCAL VOLUMES"),
    ("Networks", "NETWORKS"),
    ("Engine", "ENGINE"),
];
const USUAL: [&str; 8] = [
    "ID",
    "Image",
    "Command",
    "RunningFor",
    "Status",
    "Ports",
    "Engine",
    "Names",
];
const WITH_SIZE: [&str; 9] = [
    "ID",
    "Image",
    "Command",
    "RunningFor",
    "Status",
    "Ports",
    "Engine",
    "Names",
    "Size",
];
const COMMAND: usize = 20;
const NETWORK: usize = 15;
const NOT_FOUND: u16 = 404;

/// List containers: ours, and those of other engines
///
/// `plimsoll workloads` has what each one uses, and units and machines too.
#[derive(Debug, Args)]
pub(crate) struct PsArgs {
    /// Those too that do not run
    #[arg(short, long)]
    all: bool,
    /// Ids only; of those that `plimsoll stop` and the like apply to
    #[arg(short, long)]
    quiet: bool,
    /// The last so many that were created, whether they run or not
    #[arg(short = 'n', long, value_name = "NUMBER", allow_hyphen_values = true)]
    last: Option<i64>,
    /// The last one that was created
    #[arg(short, long)]
    latest: bool,
    /// How much they have written
    #[arg(short, long)]
    size: bool,
    /// Whole ids and commands
    #[arg(long)]
    no_trunc: bool,
    /// Only those that match, such as name=web, status=exited, label=a=b; several times
    #[arg(short, long, value_name = "NAME=VALUE")]
    filter: Vec<Filter>,
    /// table, json, or a Go template of ID, Image, Command, Names, Status, …
    #[arg(long, value_name = "FORM")]
    format: Option<Form>,
}

pub(super) async fn run(args: PsArgs, engine: &Engine, out: &mut Output) -> Result<(), Failure> {
    let last = if args.latest {
        Some(1)
    } else {
        args.last.filter(|last| *last > 0)
    };
    let filters = filters::encoded(&args.filter);
    let limit = last.map(|last| last.to_string());
    let mut query = vec![("all", if args.all { "1" } else { "0" })];
    query.extend(args.size.then_some(("size", "1")));
    query.extend(limit.as_deref().map(|limit| ("limit", limit)));
    query.extend((!args.filter.is_empty()).then_some(("filters", filters.as_str())));
    let ours: Result<Vec<ContainerSummary>, _> = engine.get("/containers/json", &query).await;
    // The others are asked for when they can be among what was asked.
    let others = if args.quiet || last.is_some() {
        Ok(Vec::new())
    } else {
        foreign_rows::fetch(engine, &args.filter).await
    };
    let (ours, others) = either(ours, others)?;
    let names = Names {
        short: !args.no_trunc,
    };
    if args.quiet {
        let ids = ours.iter().map(|container| names.id(container));
        return listing::print_lines(ids, out);
    }
    let known: Vec<_> = ours
        .iter()
        .filter_map(|container| container.id.clone())
        .collect();
    let mut rows: Vec<_> = ours.iter().map(|container| names.row(container)).collect();
    let others = others
        .into_iter()
        .filter(|other| !known.contains(&other.container_id));
    rows.extend(others.map(|other| other.row(names.short)));
    let usual = if args.size {
        &WITH_SIZE[..]
    } else {
        &USUAL[..]
    };
    listing::print(rows, args.format.as_ref(), &TITLES, usual, out)
}

/// A server may have one half only: docker's knows nothing of workloads, an agent may run no containers.
fn either<A: Default, B: Default>(
    one: Result<A, ClientError>,
    other: Result<B, ClientError>,
) -> Result<(A, B), Failure> {
    match (one, other) {
        (Ok(one), Ok(other)) => Ok((one, other)),
        (Ok(one), Err(_)) => Ok((one, B::default())),
        (Err(error), Ok(other)) if refused(&error) == Some(NOT_FOUND) => Ok((A::default(), other)),
        (Err(error), _) => Err(error.into()),
    }
}

/// How ids, commands and names are written.
struct Names {
    short: bool,
}

impl Names {
    fn id(&self, container: &ContainerSummary) -> String {
        let id = container.id.as_deref().unwrap_or_default();
        if self.short {
            human::short_id(id).to_owned()
        } else {
            id.to_owned()
        }
    }

    fn row(&self, container: &ContainerSummary) -> Row {
        let created = container.created.unwrap_or_default();
        let state = container.state.map(|state| state.to_string());
        let fields = [
            ("ID", self.id(container)),
            ("Image", self.image(container)),
            (
                "Command",
                self.command(container.command.as_deref().unwrap_or_default()),
            ),
            ("CreatedAt", human::date(created)),
            ("RunningFor", human::ago(created)),
            (
                "Ports",
                ports::cell(container.ports.as_deref().unwrap_or_default()),
            ),
            ("State", state.unwrap_or_default()),
            ("Status", container.status.clone().unwrap_or_default()),
            ("Size", size(container)),
            ("Names", self.names(container)),
            ("Labels", human::labels(container.labels.iter().flatten())),
            ("Mounts", self.mounts(container)),
            ("LocalVolumes", local_volumes(container).to_string()),
            ("Networks", networks(container)),
            ("Engine", "plimsoll".into()),
        ];
        let pairs = fields
            .into_iter()
            .map(|(name, text)| (name.to_owned(), Value::String(text)));
        pairs.collect()
    }

    fn image(&self, container: &ContainerSummary) -> String {
        let image = container.image.as_deref().unwrap_or_default();
        let id = container.image_id.as_deref().unwrap_or_default();
        // An image without a name is its id.
        match image {
            "" => "<no image>".into(),
            image if self.short && image == id => human::short_id(image).into(),
            image => image.into(),
        }
    }

    fn command(&self, command: &str) -> String {
        match self.short {
            true => human::quote(&human::ellipsis(command, COMMAND)),
            false => human::quote(command),
        }
    }

    /// Without the slash; links to it have two, and are left out of the short form.
    fn names(&self, container: &ContainerSummary) -> String {
        let names = container.names.iter().flatten();
        let names = names.map(|name| name.strip_prefix('/').unwrap_or(name));
        let names = names.filter(|name| !self.short || !name.contains('/'));
        names.collect::<Vec<_>>().join(",")
    }

    fn mounts(&self, container: &ContainerSummary) -> String {
        let mounts = container.mounts.iter().flatten().map(|mount| {
            let name = mount.name.clone().filter(|name| !name.is_empty());
            let name = name.or(mount.source.clone()).unwrap_or_default();
            if self.short {
                human::ellipsis(&name, NETWORK)
            } else {
                name
            }
        });
        mounts.collect::<Vec<_>>().join(",")
    }
}

fn size(container: &ContainerSummary) -> String {
    let bytes = |size: Option<i64>| u64::try_from(size.unwrap_or_default()).unwrap_or(0);
    let written = units::traffic(bytes(container.size_rw));
    match bytes(container.size_root_fs) {
        0 => written,
        whole => format!("{written} (virtual {})", units::traffic(whole)),
    }
}

fn local_volumes(container: &ContainerSummary) -> usize {
    let mounts = container.mounts.iter().flatten();
    let volumes = mounts.filter(|mount| mount.typ.as_deref() == Some("volume"));
    volumes
        .filter(|mount| mount.driver.as_deref() == Some("local"))
        .count()
}

fn networks(container: &ContainerSummary) -> String {
    let networks = container
        .network_settings
        .as_ref()
        .and_then(|settings| settings.networks.as_ref());
    let mut networks: Vec<_> = networks
        .into_iter()
        .flat_map(|networks| networks.keys())
        .collect();
    networks.sort();
    networks.into_iter().cloned().collect::<Vec<_>>().join(",")
}
