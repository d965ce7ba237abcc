//! `plimsoll workloads`

use std::cmp::Ordering;
use std::sync::Arc;

use clap::Args;

use super::cells;
use super::failure::Failure;
use super::output::Output;
use super::table::{Cell, Column, Cut, Style, Table};
use super::{Format, units};
use crate::api::{
    Client, Life, Term, Workload, WorkloadList, WorkloadQuery, display_name, short_id,
};

/// List workloads, the busiest first
///
/// Shows alive containers, pods, machines and units. Columns that do not fit the terminal are left
/// out: widen it, or ask for `--format json`, which has everything.
#[derive(Debug, Args)]
#[command(after_help = FILTERS)]
pub(super) struct WorkloadsArgs {
    /// Slices, sandboxes, bare cgroups, the host and the dead too
    #[arg(short, long)]
    all: bool,
    /// Only those that match; may be given several times
    #[arg(short, long, value_name = "KEY=VALUE")]
    filter: Vec<Term<Workload>>,
}

pub(super) const FILTERS: &str = "\
Filters:
  runtime=docker|containerd|podman|cri-o|kubernetes|systemd|lxc|nspawn|libvirt|plimsoll|cgroup
  kind=container|pod|machine|unit|slice|sandbox|cgroup|host
  state=alive|frozen|dead
  name=NAME  image=IMAGE  label=NAME[=VALUE]  pod=POD  namespace=NAMESPACE
The same key several times: any of them. Different keys: all of them.";

pub(super) const NOTHING_HERE: &str = "no container, pod, machine or unit is alive; `plimsoll workloads --all` lists bare cgroups too";

pub(super) async fn run(
    args: WorkloadsArgs,
    client: &Client,
    format: Format,
    out: &mut Output,
) -> Result<(), Failure> {
    let filtered = !args.filter.is_empty();
    let query = WorkloadQuery {
        all: args.all,
        filter: args.filter.into_iter().collect(),
    };
    let mut list = client.workloads(&query).await?;
    list.workloads.sort_by(busiest_first);
    match format {
        Format::Json => out.json_pretty(&list)?,
        Format::Table => {
            out.table(&table(&list, args.all))?;
            if list.workloads.is_empty() && !args.all && !filtered {
                super::note(NOTHING_HERE);
            }
            warn_of_folded(&list);
        }
    }
    Ok(out.flush()?)
}

/// By CPU, then memory, then name, so that the order does not jump.
pub(super) fn busiest_first(a: &Arc<Workload>, b: &Arc<Workload>) -> Ordering {
    let cpu = b.cpu_cores.total_cmp(&a.cpu_cores);
    let memory = || cells::memory_bytes(b).cmp(&cells::memory_bytes(a));
    let name = || display_name(&a.identity).cmp(&display_name(&b.identity));
    cpu.then_with(memory).then_with(name)
}

pub(super) fn warn_of_folded(list: &WorkloadList) {
    if list.folded_workloads > 0 {
        super::note(&format!(
            "{} more workloads are summed into `other`: see containers.max_workloads",
            list.folded_workloads
        ));
    }
}

fn table(list: &WorkloadList, all: bool) -> Table {
    // Among the dead it matters most who is.
    let status = if all { 2 } else { 6 };
    let mut table = Table::new(vec![
        Column::left("NAME", 0).shrink_to(16, Cut::Middle),
        Column::left("RUNTIME", 3),
        Column::left("KIND", 7),
        Column::left("STATUS", status),
        Column::right("CPU %", 1),
        Column::right("MEM USAGE", 1),
        Column::right("NET I/O", 4),
        Column::right("BLOCK I/O", 5),
        Column::right("PIDS", 8),
        Column::left("IMAGE", 10).shrink_to(16, Cut::End),
        Column::left("ID", 9),
    ]);
    for workload in &list.workloads {
        let identity = &workload.identity;
        let dead = matches!(workload.life, Life::Dead { .. });
        let name_style = if dead { Style::Dim } else { Style::Plain };
        let memory = cells::memory_bytes(workload).map(units::memory);
        table.row(vec![
            Cell::styled(display_name(identity), name_style),
            identity.runtime.name().into(),
            identity.kind.name().into(),
            cells::status(workload, list.taken),
            units::percent(cells::cpu_percent(workload)).into(),
            memory.unwrap_or_else(|| units::NONE.into()).into(),
            units::traffic_pair(cells::network_bytes(workload)).into(),
            units::traffic_pair(cells::block_bytes(workload)).into(),
            cells::number(workload.reading.pids.map(|pids| pids.current)),
            identity.image.as_deref().unwrap_or_default().into(),
            short_id(identity).unwrap_or_default().into(),
        ]);
    }
    table
}
