//! `plimsoll network`

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bollard::models::{
    EndpointIpamConfig, EndpointSettings, Ipam, IpamConfig, Network, NetworkConnectRequest,
    NetworkCreateRequest, NetworkCreateResponse, NetworkDisconnectRequest, NetworkPruneResponse,
};
use clap::{Args, Subcommand};
use serde_json::Value;

use super::super::failure::{Exit, Failure};
use super::super::note;
use super::super::output::Output;
use super::client::{Engine, refused, segment};
use super::filters::{self, Filter};
use super::inspect::{InspectOneKindArgs, Kind};
use super::listing::{self, Column};
use super::names::each;
use super::options::pair;
use super::prune::{self, Pruning};
use super::template::Form;
use super::{human, inspect};

/// Networks that containers are connected to
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct NetworkArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Create(CreateArgs),
    #[command(visible_alias = "list")]
    Ls(ListArgs),
    /// Show everything about networks, as JSON
    Inspect(InspectOneKindArgs),
    /// Remove networks
    #[command(visible_alias = "remove")]
    Rm {
        /// Pass over those that are not there
        #[arg(short, long)]
        force: bool,
        /// Names or ids
        #[arg(value_name = "NETWORK", required = true)]
        names: Vec<String>,
    },
    Connect(ConnectArgs),
    /// Take a container out of a network
    Disconnect {
        /// One too that does not run
        #[arg(short, long)]
        force: bool,
        network: String,
        container: String,
    },
    /// Remove networks that no container is in
    Prune(Pruning),
}

/// Make a network
#[derive(Debug, Args)]
struct CreateArgs {
    /// How it is made
    #[arg(short, long, value_name = "DRIVER", default_value = "bridge")]
    driver: String,
    /// Its addresses, such as 10.5.0.0/16 [default: chosen]
    #[arg(long, value_name = "CIDR")]
    subnet: Vec<String>,
    /// Address of the host in it
    #[arg(long, value_name = "ADDRESS")]
    gateway: Vec<IpAddr>,
    /// Addresses that containers get
    #[arg(long, value_name = "CIDR")]
    ip_range: Vec<String>,
    /// Without a way out
    #[arg(long)]
    internal: bool,
    /// Let containers of other hosts in, where the driver can
    #[arg(long)]
    attachable: bool,
    /// With IPv6
    #[arg(long)]
    ipv6: bool,
    /// Label
    #[arg(long, value_name = "NAME[=VALUE]", value_parser = pair)]
    label: Vec<(String, String)>,
    /// Option of the driver
    #[arg(short, long, value_name = "NAME=VALUE", value_parser = pair)]
    opt: Vec<(String, String)>,
    /// Its name
    name: String,
}

/// List networks
#[derive(Debug, Args)]
struct ListArgs {
    /// Ids only
    #[arg(short, long)]
    quiet: bool,
    /// Whole ids
    #[arg(long)]
    no_trunc: bool,
    /// Only those that match, such as name=web, driver=bridge, dangling=true
    #[arg(short, long, value_name = "NAME=VALUE")]
    filter: Vec<Filter>,
    /// table, json, or a Go template of ID, Name, Driver, Scope, …
    #[arg(long, value_name = "FORM")]
    format: Option<Form>,
}

/// Connect a container to a further network
#[derive(Debug, Args)]
struct ConnectArgs {
    /// Address in the network
    #[arg(long, value_name = "ADDRESS")]
    ip: Option<Ipv4Addr>,
    /// IPv6 address in the network
    #[arg(long, value_name = "ADDRESS")]
    ip6: Option<Ipv6Addr>,
    /// Further name in the network
    #[arg(long, value_name = "NAME")]
    alias: Vec<String>,
    network: String,
    container: String,
}

pub(super) async fn run(
    args: NetworkArgs,
    engine: &Engine,
    out: &mut Output,
) -> Result<(), Failure> {
    match args.verb {
        Verb::Create(args) => create(args, engine, out).await,
        Verb::Ls(args) => list(args, engine, out).await,
        Verb::Inspect(args) => inspect::run(args.of(Kind::Network), engine, out).await,
        Verb::Rm { force, names } => {
            each(&names, "network rm", engine, out, async |name| {
                let path = format!("/networks/{}", segment(name));
                match engine.delete(&path, &[]).await {
                    Err(error) if force && refused(&error) == Some(404) => Ok(String::new()),
                    removed => removed.map(|_| name.to_owned()),
                }
            })
            .await
        }
        Verb::Connect(args) => connect(args, engine).await,
        Verb::Disconnect {
            force,
            network,
            container,
        } => {
            let request = NetworkDisconnectRequest {
                container,
                force: Some(force),
            };
            let path = format!("/networks/{}/disconnect", segment(&network));
            Ok(engine.tell(&path, &[], &request).await?)
        }
        Verb::Prune(args) => prune(&args, engine, out).await,
    }
}

async fn create(args: CreateArgs, engine: &Engine, out: &mut Output) -> Result<(), Failure> {
    if args.gateway.len().max(args.ip_range.len()) > args.subnet.len() {
        let told = "every --gateway and --ip-range needs a --subnet it is in";
        return Err(Failure::new(Exit::Failed, told));
    }
    let configs = args
        .subnet
        .iter()
        .enumerate()
        .map(|(index, subnet)| IpamConfig {
            subnet: Some(subnet.clone()),
            gateway: args.gateway.get(index).map(ToString::to_string),
            ip_range: args.ip_range.get(index).cloned(),
            ..IpamConfig::default()
        });
    let request = NetworkCreateRequest {
        name: args.name,
        driver: Some(args.driver),
        internal: Some(args.internal),
        attachable: Some(args.attachable),
        enable_ipv6: args.ipv6.then_some(true),
        ipam: Some(Ipam {
            driver: Some("default".into()),
            config: (!args.subnet.is_empty()).then(|| configs.collect()),
            ..Ipam::default()
        }),
        options: Some(args.opt.into_iter().collect::<HashMap<_, _>>()),
        labels: Some(args.label.into_iter().collect::<HashMap<_, _>>()),
        ..NetworkCreateRequest::default()
    };
    let made: NetworkCreateResponse = engine.post_json("/networks/create", &[], &request).await?;
    if !made.warning.is_empty() {
        note(&format!("warning: {}", made.warning));
    }
    out.text(&format!("{}\n", made.id))?;
    Ok(out.flush()?)
}

async fn list(args: ListArgs, engine: &Engine, out: &mut Output) -> Result<(), Failure> {
    const TITLES: [Column; 8] = [
        ("ID", "NETWORK ID"),
        ("Name", "NAME"),
        ("Driver", "DRIVER"),
        ("Scope", "SCOPE"),
        ("IPv6", "IPV6"),
        ("Internal", "INTERNAL"),
        ("Labels", "LABELS"),
        ("CreatedAt", "CREATED AT"),
    ];
    let filters = filters::encoded(&args.filter);
    let query = [("filters", filters.as_str())];
    let query = if args.filter.is_empty() {
        &[][..]
    } else {
        &query[..]
    };
    let mut networks: Vec<Network> = engine.get("/networks", query).await?;
    networks.sort_by(|a, b| a.name.cmp(&b.name));
    let id = |network: &Network| {
        let id = network.id.clone().unwrap_or_default();
        if args.no_trunc {
            id
        } else {
            human::short_id(&id).to_owned()
        }
    };
    if args.quiet {
        return listing::print_lines(networks.iter().map(id), out);
    }
    let rows = networks.iter().map(|network| {
        let fields = [
            ("ID", id(network)),
            ("Name", network.name.clone().unwrap_or_default()),
            ("Driver", network.driver.clone().unwrap_or_default()),
            ("Scope", network.scope.clone().unwrap_or_default()),
            ("IPv6", network.enable_ipv6.unwrap_or_default().to_string()),
            ("Internal", network.internal.unwrap_or_default().to_string()),
            ("Labels", human::labels(network.labels.iter().flatten())),
            ("CreatedAt", network.created.clone().unwrap_or_default()),
        ];
        let pairs = fields
            .into_iter()
            .map(|(name, text)| (name.to_owned(), Value::String(text)));
        pairs.collect()
    });
    let usual = ["ID", "Name", "Driver", "Scope"];
    listing::print(rows.collect(), args.format.as_ref(), &TITLES, &usual, out)
}

async fn connect(args: ConnectArgs, engine: &Engine) -> Result<(), Failure> {
    let addressed = args.ip.is_some() || args.ip6.is_some();
    let request = NetworkConnectRequest {
        container: args.container,
        endpoint_config: Some(EndpointSettings {
            aliases: (!args.alias.is_empty()).then_some(args.alias),
            ipam_config: addressed.then(|| EndpointIpamConfig {
                ipv4_address: args.ip.map(|ip| ip.to_string()),
                ipv6_address: args.ip6.map(|ip| ip.to_string()),
                ..EndpointIpamConfig::default()
            }),
            ..EndpointSettings::default()
        }),
    };
    let path = format!("/networks/{}/connect", segment(&args.network));
    Ok(engine.tell(&path, &[], &request).await?)
}

async fn prune(args: &Pruning, engine: &Engine, out: &mut Output) -> Result<(), Failure> {
    let what = "all networks that no container is in";
    let pruned: NetworkPruneResponse = args.carry_out(what, "/networks/prune", engine).await?;
    let names = pruned.networks_deleted.unwrap_or_default();
    prune::print_removed("Deleted Networks", &names, out)
}
