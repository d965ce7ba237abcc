//! The modules a guest needs, with those that they need, in the order to load them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::kernel::Kernel;

/// Disks for I/O, entropy, interfaces between network namespaces, layers of container images.
const WANTED: [&str; 6] = [
    "virtio_pci",
    "virtio_blk",
    "virtio_rng",
    "loop",
    "veth",
    "overlay",
];

/// A module as it goes into the initramfs.
pub(super) struct Module {
    /// File name, without what compresses it.
    pub(super) name: String,
    pub(super) content: Vec<u8>,
}

/// Those of [`WANTED`] that are not part of the kernel's image.
pub(super) fn of(kernel: &Kernel) -> Result<Vec<Module>> {
    let folder = kernel.modules();
    let dependencies = fs::read_to_string(folder.join("modules.dep"))
        .with_context(|| format!("no modules.dep in {}", folder.display()))?;
    let builtin = fs::read_to_string(folder.join("modules.builtin"))?;
    closure(&dependencies, &builtin, &WANTED)?
        .into_iter()
        .map(|path| read(&folder.join(path)))
        .collect()
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
    fn a_module_that_is_not_there_is_told() {
        assert!(closure(DEPENDENCIES, "", &["veth"]).is_err());
    }
}
