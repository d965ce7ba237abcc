//! The verbs of containers, images, networks and volumes: Docker's, with its flags, words and exit codes.
//!
//! In: arguments, and the answers of the Engine API on the agent's socket, or any other's. Out: requests to it,
//! and what Docker's command line would print. What Docker has no word for goes along as annotations.

mod archive_verbs;
mod chunks;
mod client;
mod copy;
mod copy_in;
mod copy_out;
mod detach;
pub(super) mod docker_events;
pub(super) mod docker_stats;
mod exec;
mod filters;
mod foreground;
mod foreign;
mod foreign_rows;
mod group;
mod human;
mod images;
mod inspect;
mod json;
mod life;
mod lines;
mod listing;
mod logs;
mod look;
mod names;
mod network;
mod options;
mod output_frames;
mod ports;
mod proxy;
mod prune;
mod ps;
mod run;
mod session;
mod template;
mod terminal;
mod update;
mod volume;
mod wait;

use clap::Subcommand;

use super::failure::Failure;
use super::output::Output;
pub(super) use client::{Engine, refused, segment};
pub(super) use run::RunArgs;

pub(super) use template::Form;

/// Verbs whose exit status is a container's, so that a wrong option must not look like one: 125 as Docker's.
pub(super) const WITH_STATUS: [&str; 5] = ["run", "create", "start", "exec", "attach"];

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    #[command(flatten)]
    Container(ContainerVerb),
    Ps(ps::PsArgs),
    Inspect(inspect::InspectArgs),
    Images(images::ImagesArgs),
    Load(archive_verbs::LoadArgs),
    Import(archive_verbs::ImportArgs),
    Save(archive_verbs::SaveArgs),
    Rmi(archive_verbs::RmiArgs),
    Tag(archive_verbs::TagArgs),
    History(images::HistoryArgs),
    #[command(name = "container")]
    ContainerGroup(group::ContainerArgs),
    Image(group::ImageArgs),
    Network(network::NetworkArgs),
    Volume(volume::VolumeArgs),
}

#[derive(Debug, Subcommand)]
pub(super) enum ContainerVerb {
    Run(Box<run::RunArgs>),
    Create(Box<run::CreateArgs>),
    Start(life::StartArgs),
    Stop(life::StopArgs),
    /// Stop containers, and start them again
    Restart(life::StopArgs),
    Pause(life::NamesArgs),
    /// Let paused containers go on
    Unpause(life::NamesArgs),
    Rm(life::RmArgs),
    Rename(life::RenameArgs),
    Wait(wait::WaitArgs),
    Logs(logs::LogsArgs),
    Exec(exec::ExecArgs),
    Attach(exec::AttachArgs),
    Top(look::TopArgs),
    Port(look::PortArgs),
    Diff(look::DiffArgs),
    Update(Box<update::UpdateArgs>),
    Cp(copy::CopyArgs),
}

/// Does what was asked.
pub(super) async fn run(verb: Verb, engine: &Engine, out: &mut Output) -> Result<(), Failure> {
    match verb {
        Verb::Container(verb) => run_container(verb, engine, out).await,
        Verb::Ps(args) => ps::run(args, engine, out).await,
        Verb::Inspect(args) => inspect::run(args, engine, out).await,
        Verb::Images(args) => images::list(args, engine, out).await,
        Verb::Load(args) => archive_verbs::load(args, engine, out).await,
        Verb::Import(args) => archive_verbs::import(args, engine, out).await,
        Verb::Save(args) => archive_verbs::save(args, engine).await,
        Verb::Rmi(args) => archive_verbs::rmi(args, engine, out).await,
        Verb::Tag(args) => archive_verbs::tag(args, engine).await,
        Verb::History(args) => images::history(args, engine, out).await,
        Verb::ContainerGroup(args) => group::container(args, engine, out).await,
        Verb::Image(args) => group::image(args, engine, out).await,
        Verb::Network(args) => network::run(args, engine, out).await,
        Verb::Volume(args) => volume::run(args, engine, out).await,
    }
}

async fn run_container(
    verb: ContainerVerb,
    engine: &Engine,
    out: &mut Output,
) -> Result<(), Failure> {
    match verb {
        ContainerVerb::Run(args) => run::run(*args, engine, out).await,
        ContainerVerb::Create(args) => run::create(*args, engine, out).await,
        ContainerVerb::Start(args) => life::start(args, engine, out).await,
        ContainerVerb::Stop(args) => life::stop(args, engine, out).await,
        ContainerVerb::Restart(args) => life::restart(args, engine, out).await,
        ContainerVerb::Pause(args) => life::pause(args, engine, out).await,
        ContainerVerb::Unpause(args) => life::unpause(args, engine, out).await,
        ContainerVerb::Rm(args) => life::rm(args, engine, out).await,
        ContainerVerb::Rename(args) => life::rename(args, engine).await,
        ContainerVerb::Wait(args) => wait::run(args, engine, out).await,
        ContainerVerb::Logs(args) => logs::run(args, engine).await,
        ContainerVerb::Exec(args) => exec::exec(args, engine).await,
        ContainerVerb::Attach(args) => exec::attach(args, engine).await,
        ContainerVerb::Top(args) => look::top(args, engine, out).await,
        ContainerVerb::Port(args) => look::port(args, engine, out).await,
        ContainerVerb::Diff(args) => look::diff(args, engine, out).await,
        ContainerVerb::Update(args) => update::run(*args, engine, out).await,
        ContainerVerb::Cp(args) => copy::run(args, engine).await,
    }
}
