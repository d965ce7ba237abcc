//! `plimsoll volume`

use bollard::models::{Volume, VolumeCreateRequest, VolumeListResponse, VolumePruneResponse};
use clap::{Args, Subcommand};
use serde_json::Value;

use super::super::failure::Failure;
use super::super::note;
use super::super::output::Output;
use super::client::{Engine, segment};
use super::filters::{self, Filter};
use super::inspect::{InspectOneKindArgs, Kind};
use super::listing::{self, Column};
use super::names::each;
use super::options::pair;
use super::template::Form;
use super::{human, inspect, prune};

/// Volumes: directories that outlive containers
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct VolumeArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Create(CreateArgs),
    #[command(visible_alias = "list")]
    Ls(ListArgs),
    /// Show everything about volumes, as JSON
    Inspect(InspectOneKindArgs),
    /// Remove volumes
    #[command(visible_alias = "remove")]
    Rm {
        /// Do not mind if there is none
        #[arg(short, long)]
        force: bool,
        /// Names
        #[arg(value_name = "VOLUME", required = true)]
        names: Vec<String>,
    },
    Prune(PruneArgs),
}

/// Make a volume
#[derive(Debug, Args)]
struct CreateArgs {
    /// How it is made
    #[arg(short, long, value_name = "DRIVER", default_value = "local")]
    driver: String,
    /// Label
    #[arg(long, value_name = "NAME[=VALUE]", value_parser = pair)]
    label: Vec<(String, String)>,
    /// Option of the driver
    #[arg(short, long, value_name = "NAME=VALUE", value_parser = pair)]
    opt: Vec<(String, String)>,
    /// Its name [default: made up]
    name: Option<String>,
}

/// List volumes
#[derive(Debug, Args)]
struct ListArgs {
    /// Names only
    #[arg(short, long)]
    quiet: bool,
    /// Only those that match, such as dangling=true, name=data, label=a=b
    #[arg(short, long, value_name = "NAME=VALUE")]
    filter: Vec<Filter>,
    /// table, json, or a Go template of Name, Driver, Mountpoint, …
    #[arg(long, value_name = "FORM")]
    format: Option<Form>,
}

/// Remove volumes without a name that no container uses
#[derive(Debug, Args)]
// Docker does not ask how old a volume is.
#[command(mut_arg("filter", |filter| filter.help("Only those that match: label=a, label=a=b, label!=a")))]
struct PruneArgs {
    /// Those too that have a name
    #[arg(short, long)]
    all: bool,
    #[command(flatten)]
    prune: prune::Pruning,
}

pub(super) async fn run(
    args: VolumeArgs,
    engine: &Engine,
    out: &mut Output,
) -> Result<(), Failure> {
    match args.verb {
        Verb::Create(args) => create(args, engine, out).await,
        Verb::Ls(args) => list(args, engine, out).await,
        Verb::Inspect(args) => inspect::run(args.of(Kind::Volume), engine, out).await,
        Verb::Rm { force, names } => {
            let query = [("force", if force { "1" } else { "0" })];
            each(&names, "volume rm", engine, out, async |name| {
                let path = format!("/volumes/{}", segment(name));
                engine.delete(&path, &query).await.map(|_| name.to_owned())
            })
            .await
        }
        Verb::Prune(args) => prune(args, engine, out).await,
    }
}

async fn create(args: CreateArgs, engine: &Engine, out: &mut Output) -> Result<(), Failure> {
    let request = VolumeCreateRequest {
        name: args.name,
        driver: Some(args.driver),
        driver_opts: Some(args.opt.into_iter().collect()),
        labels: Some(args.label.into_iter().collect()),
        ..VolumeCreateRequest::default()
    };
    let made: Volume = engine.post_json("/volumes/create", &[], &request).await?;
    out.text(&format!("{}\n", made.name))?;
    Ok(out.flush()?)
}

async fn list(args: ListArgs, engine: &Engine, out: &mut Output) -> Result<(), Failure> {
    const TITLES: [Column; 5] = [
        ("Driver", "DRIVER"),
        ("Name", "VOLUME NAME"),
        ("Scope", "SCOPE"),
        ("Mountpoint", "MOUNTPOINT"),
        ("Labels", "LABELS"),
    ];
    let filters = filters::encoded(&args.filter);
    let query = [("filters", filters.as_str())];
    let query = if args.filter.is_empty() {
        &[][..]
    } else {
        &query[..]
    };
    let listed: VolumeListResponse = engine.get("/volumes", query).await?;
    for warning in listed.warnings.iter().flatten() {
        note(&format!("warning: {warning}"));
    }
    let mut volumes = listed.volumes.unwrap_or_default();
    volumes.sort_by(|a, b| a.name.cmp(&b.name));
    if args.quiet {
        return listing::print_lines(volumes.into_iter().map(|volume| volume.name), out);
    }
    let rows = volumes.into_iter().map(|volume| {
        let fields = [
            ("Driver", volume.driver),
            ("Name", volume.name),
            (
                "Scope",
                volume
                    .scope
                    .map(|scope| scope.to_string())
                    .unwrap_or_default(),
            ),
            ("Mountpoint", volume.mountpoint),
            ("Labels", human::labels(&volume.labels)),
        ];
        let pairs = fields
            .into_iter()
            .map(|(name, text)| (name.to_owned(), Value::String(text)));
        pairs.collect()
    });
    listing::print(
        rows.collect(),
        args.format.as_ref(),
        &TITLES,
        &["Driver", "Name"],
        out,
    )
}

async fn prune(args: PruneArgs, engine: &Engine, out: &mut Output) -> Result<(), Failure> {
    let what = "volumes that no container uses, with what is in them";
    let PruneArgs { all, mut prune } = args;
    if all {
        prune.add("all", true);
    }
    let pruned: VolumePruneResponse = prune.carry_out(what, "/volumes/prune", engine).await?;
    let names = pruned.volumes_deleted.unwrap_or_default();
    prune::print_removed("Deleted Volumes", &names, out)?;
    prune::print_freed(pruned.space_reclaimed, out)
}
