//! `plimsoll container …` and `plimsoll image …`: the same verbs under the name of what they are for.

use bollard::models::ContainerPruneResponse;
use clap::{Args, Subcommand};

use super::super::failure::Failure;
use super::super::output::Output;
use super::super::{Formatted, kill, stats};
use super::client::Engine;
use super::inspect::{self, InspectOneKindArgs, Kind};
use super::prune::{self, Pruning};
use super::{ContainerVerb, archive_verbs, images, ps, run_container};

/// Containers: the verbs without `container` do the same
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct ContainerArgs {
    #[command(subcommand)]
    verb: ContainerGroup,
}

#[derive(Debug, Subcommand)]
enum ContainerGroup {
    #[command(flatten)]
    Same(ContainerVerb),
    #[command(visible_aliases = ["list", "ps"])]
    Ls(ps::PsArgs),
    Kill(Formatted<kill::KillArgs>),
    Stats(stats::StatsArgs),
    /// Show everything about containers, as JSON
    Inspect(InspectOneKindArgs),
    /// Remove containers that do not run
    Prune(Pruning),
}

/// Images
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct ImageArgs {
    #[command(subcommand)]
    verb: ImageGroup,
}

#[derive(Debug, Subcommand)]
enum ImageGroup {
    #[command(visible_alias = "list")]
    Ls(images::ImagesArgs),
    /// Show everything about images, as JSON
    Inspect(InspectOneKindArgs),
    #[command(visible_alias = "remove")]
    Rm(archive_verbs::RmiArgs),
    History(images::HistoryArgs),
    Tag(archive_verbs::TagArgs),
    Prune(archive_verbs::PruneImagesArgs),
    Load(archive_verbs::LoadArgs),
    Import(archive_verbs::ImportArgs),
    Save(archive_verbs::SaveArgs),
}

pub(super) async fn container(
    args: ContainerArgs,
    engine: &Engine,
    out: &mut Output,
) -> Result<(), Failure> {
    match args.verb {
        ContainerGroup::Same(verb) => run_container(verb, engine, out).await,
        ContainerGroup::Ls(args) => ps::run(args, engine, out).await,
        ContainerGroup::Kill(Formatted { args, format }) => {
            kill::run(args, engine, format, out).await
        }
        ContainerGroup::Stats(args) => stats::run(args, engine, out).await,
        ContainerGroup::Inspect(args) => inspect::run(args.of(Kind::Container), engine, out).await,
        ContainerGroup::Prune(args) => prune(&args, engine, out).await,
    }
}

pub(super) async fn image(
    args: ImageArgs,
    engine: &Engine,
    out: &mut Output,
) -> Result<(), Failure> {
    match args.verb {
        ImageGroup::Ls(args) => images::list(args, engine, out).await,
        ImageGroup::Inspect(args) => inspect::run(args.of(Kind::Image), engine, out).await,
        ImageGroup::Rm(args) => archive_verbs::rmi(args, engine, out).await,
        ImageGroup::History(args) => images::history(args, engine, out).await,
        ImageGroup::Tag(args) => archive_verbs::tag(args, engine).await,
        ImageGroup::Prune(args) => archive_verbs::prune(args, engine, out).await,
        ImageGroup::Load(args) => archive_verbs::load(args, engine, out).await,
        ImageGroup::Import(args) => archive_verbs::import(args, engine, out).await,
        ImageGroup::Save(args) => archive_verbs::save(args, engine).await,
    }
}

async fn prune(args: &Pruning, engine: &Engine, out: &mut Output) -> Result<(), Failure> {
    let what = "all containers that do not run";
    let pruned: ContainerPruneResponse = args.carry_out(what, "/containers/prune", engine).await?;
    let ids = pruned.containers_deleted.unwrap_or_default();
    prune::print_removed("Deleted Containers", &ids, out)?;
    prune::print_freed(pruned.space_reclaimed, out)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::super::super::Cli;

    #[test]
    fn containers_have_all_of_dockers_verbs() {
        let cli = Cli::command();
        let group = cli.find_subcommand("container").map(|group| {
            let verbs = group.get_subcommands();
            verbs.flat_map(|verb| {
                let own = std::iter::once(verb.get_name());
                own.chain(verb.get_all_aliases())
            })
        });
        let group: Vec<&str> = group.into_iter().flatten().collect();
        for verb in [
            "attach", "cp", "create", "diff", "exec", "inspect", "kill", "list", "logs", "ls",
            "pause", "port", "prune", "ps", "rename", "restart", "rm", "run", "start", "stats",
            "stop", "top", "unpause", "update", "wait",
        ] {
            assert!(group.contains(&verb), "{verb}");
        }
    }
}
