//! The modules of a guest: those that are loaded as it starts, in the order to load them, and those
//! that its kernel loads by itself when a test asks for what is in them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::kernel::Kernel;
use super::protocol::World;

/// Disks for I/O, entropy, interfaces between network namespaces, layers of container images.
const WANTED: [&str; 6] = [
    "virtio_pci",
    "virtio_blk",
    "virtio_rng",
    "loop",
    "veth",
    "overlay",
];
/// Queueing, policing and filters of packets; tables and address translation for what is launched;
/// interfaces and disks that are none.
const ON_DEMAND: [&str; 39] = [
    "act_bpf",
    "act_gact",
    "act_mirred",
    "act_police",
    "bfq",
    "bridge",
    "brd",
    "cls_basic",
    "cls_bpf",
    "cls_flower",
    "cls_matchall",
    "cls_u32",
    "dm_mod",
    "dummy",
    "ext4",
    "ifb",
    "nf_conntrack",
    "nf_conntrack_netlink",
    "nf_nat",
    "nf_tables",
    "nfnetlink",
    "nft_chain_nat",
    "nft_counter",
    "nft_ct",
    "nft_fib",
    "nft_fib_inet",
    "nft_fib_ipv4",
    "nft_fib_ipv6",
    "nft_masq",
    "nft_nat",
    "nft_redir",
    "null_blk",
    "sch_fq",
    "sch_htb",
    "sch_ingress",
    "sch_netem",
    "sch_tbf",
    "tun",
    "zram",
];
/// What the image of a system is written in, and what docker puts its containers on.
const OF_SYSTEM: [&str; 2] = ["ext4", "bridge"];

/// A module as it goes into the initramfs.
pub(super) struct Module {
    /// File name, without what compresses it.
    pub(super) name: String,
    pub(super) content: Vec<u8>,
}

/// Those that a guest of this world wants and that are not part of the kernel's image.
pub(super) fn of(kernel: &Kernel, world: World) -> Result<Vec<Module>> {
    let folder = kernel.modules();
    let dependencies = fs::read_to_string(folder.join("modules.dep"))
        .with_context(|| format!("no modules.dep in {}", folder.display()))?;
    let builtin = fs::read_to_string(folder.join("modules.builtin"))?;
    let mut wanted = WANTED.to_vec();
    if world == World::Systemd {
        wanted.extend(OF_SYSTEM);
    }
    closure(&dependencies, &builtin, &wanted)?
        .into_iter()
        .map(|path| read(&folder.join(path)))
        .collect()
}

/// What `modprobe` is to find, as files of one folder.
pub(super) fn on_demand(kernel: &Kernel) -> Result<Vec<Module>> {
    let folder = kernel.modules();
    let dependencies = fs::read_to_string(folder.join("modules.dep"))?;
    let aliases = fs::read_to_string(folder.join("modules.alias"))?;
    let there: Vec<&str> = ON_DEMAND
        .into_iter()
        .filter(|module| dependencies.lines().any(|line| name_in(line) == *module))
        .collect();
    let paths = closure(&dependencies, "", &there)?;
    let mut files = paths
        .iter()
        .map(|path| read(&folder.join(path)))
        .collect::<Result<Vec<_>>>()?;
    let names: Vec<String> = paths
        .iter()
        .map(|path| name(&path.to_string_lossy()))
        .collect();
    for (file, text) in [
        ("modules.dep", flat(&dependencies, &names)),
        ("modules.alias", of_names(&aliases, &names)),
    ] {
        files.push(Module {
            name: file.to_owned(),
            content: text.into_bytes(),
        });
    }
    Ok(files)
}

/// The lines of `modules.dep` for these, as if all were unpacked in one folder.
fn flat(dependencies: &str, names: &[String]) -> String {
    let file = |path: &str| format!("{}.ko", name(path));
    let mut lines = String::new();
    for line in dependencies.lines().filter(|line| {
        let name = name_in(line);
        names.contains(&name)
    }) {
        if let Some((path, needs)) = line.split_once(':') {
            let needs: Vec<_> = needs.split_whitespace().map(file).collect();
            lines.push_str(&format!("{}: {}\n", file(path), needs.join(" ")));
        }
    }
    lines
}

/// The lines of `modules.alias` for these.
fn of_names(aliases: &str, names: &[String]) -> String {
    let of = |line: &&str| {
        let module = line.split_whitespace().last().unwrap_or_default();
        names.iter().any(|name| name == module)
    };
    aliases
        .lines()
        .filter(of)
        .flat_map(|line| [line, "\n"])
        .collect()
}

/// Of the module that a line of `modules.dep` is about.
fn name_in(line: &str) -> String {
    name(line.split(':').next().unwrap_or(line))
}

/// Paths in the order to load, each once.
fn closure(dependencies: &str, builtin: &str, wanted: &[&str]) -> Result<Vec<PathBuf>> {
    let by_name: BTreeMap<String, (&str, Vec<&str>)> = dependencies
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(path, needs)| (name(path), (path, needs.split_whitespace().collect())))
        .collect();
    let mut order: Vec<PathBuf> = Vec::new();
    for module in wanted {
        let Some((path, needs)) = by_name.get(*module) else {
            if builtin.lines().any(|path| name(path) == *module) {
                continue;
            }
            bail!("this kernel has no module {module}");
        };
        // depmod lists what a module needs before what that needs.
        for path in needs.iter().rev().chain([path]) {
            let path = PathBuf::from(path);
            if !order.contains(&path) {
                order.push(path);
            }
        }
    }
    Ok(order)
}

/// `virtio_blk` of `kernel/drivers/block/virtio-blk.ko.xz`.
fn name(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    let stem = file.split(".ko").next().unwrap_or(file);
    stem.replace('-', "_")
}

fn read(path: &Path) -> Result<Module> {
    let program = match path.extension().and_then(|extension| extension.to_str()) {
        Some("xz") => "xz",
        Some("zst") => "zstd",
        Some("gz") => "gzip",
        _ => {
            return Ok(Module {
                name: format!("{}.ko", name(&path.to_string_lossy())),
                content: fs::read(path)?,
            });
        }
    };
    let output = Command::new(program)
        .arg("-dc")
        .arg(path)
        .output()
        .with_context(|| format!("cannot start {program}"))?;
    if !output.status.success() {
        bail!("{program} cannot unpack {}", path.display());
    }
    Ok(Module {
        name: format!("{}.ko", name(&path.to_string_lossy())),
        content: output.stdout,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const DEPENDENCIES: &str = "\
kernel/a/virtio-blk.ko.xz: kernel/a/virtio_ring.ko.xz kernel/a/virtio.ko.xz
kernel/a/virtio_ring.ko.xz: kernel/a/virtio.ko.xz
kernel/a/virtio.ko.xz:
";

    #[test]
    fn what_a_module_needs_is_loaded_first_and_once() {
        let order = closure(
            DEPENDENCIES,
            "kernel/b/loop.ko\n",
            &["virtio_ring", "virtio_blk", "loop"],
        );
        let names: Vec<_> = order
            .unwrap()
            .iter()
            .map(|path| name(path.to_str().unwrap()))
            .collect();
        assert_eq!(names, ["virtio", "virtio_ring", "virtio_blk"]);
    }

    #[test]
    fn what_modprobe_reads_is_of_the_modules_that_are_there() {
        let names = ["virtio_ring", "virtio"].map(str::to_owned);
        assert_eq!(
            flat(DEPENDENCIES, &names),
            "virtio_ring.ko: virtio.ko\nvirtio.ko: \n"
        );
        let aliases = "# Aliases\nalias virtio:* virtio_blk\nalias net-x virtio\n";
        assert_eq!(of_names(aliases, &names), "alias net-x virtio\n");
    }

    #[test]
    fn a_module_that_is_not_there_is_told() {
        assert!(closure(DEPENDENCIES, "", &["veth"]).is_err());
    }
}
