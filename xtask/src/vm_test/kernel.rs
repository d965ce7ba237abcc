//! One kernel, unpacked: where its image and modules are, and how it gets there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::catalogue::{Entry, NEWEST};
use super::choice;
use super::debian::{self, Package, Suite};
use crate::command;

/// Names of images with a version in them, not the ones that follow a branch.
const IMAGES: &str = "^linux-image-[0-9].*-cloud-amd64$";
/// Written when everything is in place.
const COMPLETE: &str = "complete";

/// An unpacked kernel.
#[derive(Clone, Debug)]
pub(super) struct Kernel {
    /// `6.1`
    pub(super) series: String,
    /// Debian's version of the package.
    pub(super) version: String,
    pub(super) suite: String,
    pub(super) folder: PathBuf,
    /// `uname -r`
    pub(super) release: String,
}

impl Kernel {
    /// The newest version that the entry's suites have with all its parts; from the cache when it
    /// was chosen not long ago, and only from there when `offline`.
    pub(super) fn get(entry: &Entry, cache: &Path, offline: bool) -> Result<Self> {
        let kernels = cache.join("kernels");
        fs::create_dir_all(&kernels)?;
        let choice = kernels.join(format!("{}.choice", entry.name));
        if let Some(chosen) = choice::standing(&choice, offline)
            && let Ok(kernel) = Self::unpacked(&kernels.join(chosen))
        {
            return Ok(kernel);
        }
        if offline {
            // It may have come under another name: 7.3 as the newest.
            return Self::newest_in(&kernels, entry)?
                .with_context(|| format!("kernel {} is not in {}", entry.name, kernels.display()));
        }
        let kernel = Self::fetch(entry, cache, &kernels)?;
        if let Some(folder) = kernel.folder.file_name() {
            fs::write(choice, folder.to_string_lossy().as_bytes())?;
        }
        Ok(kernel)
    }

    /// The newest of the unpacked kernels that the entry could mean.
    fn newest_in(kernels: &Path, entry: &Entry) -> Result<Option<Self>> {
        let mut fitting: Vec<Self> = fs::read_dir(kernels)?
            .filter_map(|folder| Self::unpacked(&folder.ok()?.path()).ok())
            .filter(|kernel| entry.suites.contains(&kernel.suite))
            .filter(|kernel| fits(&kernel.version, &entry.series))
            .collect();
        fitting.sort_by(|a, b| debian::compare(&a.version, &b.version));
        Ok(fitting.pop())
    }

    fn fetch(entry: &Entry, cache: &Path, kernels: &Path) -> Result<Self> {
        let suites = entry
            .suites
            .iter()
            .map(|name| Suite::open(&cache.join("apt"), name, false))
            .collect::<Result<Vec<_>>>()?;
        let mut candidates = Vec::new();
        for suite in &suites {
            let packages = suite.packages(IMAGES)?;
            candidates.extend(
                packages
                    .into_iter()
                    .filter(|package| is_image(package) && fits(&package.version, &entry.series))
                    .map(|package| (suite, package)),
            );
        }
        candidates.sort_by(|(_, a), (_, b)| debian::compare(&b.version, &a.version));
        let mut gone = Vec::new();
        for (suite, package) in candidates {
            let folder = kernels.join(format!("{}_{}", package.name, package.version));
            if let Ok(kernel) = Self::unpacked(&folder) {
                return Ok(kernel);
            }
            let parts = parts(&package);
            match suite.download(&parts) {
                Ok(files) => {
                    install(&files, &folder, suite.name(), &package.version)?;
                    return Self::unpacked(&folder);
                }
                Err(error) => {
                    println!(
                        "vm-test: {} {} is listed but not to be had: {error:#}",
                        package.name, package.version
                    );
                    gone.push(package.version);
                }
            }
        }
        bail!(
            "no kernel {} in {} whose packages all download{}",
            entry.series,
            entry.suites.join(", "),
            if gone.is_empty() {
                "; none is listed"
            } else {
                ""
            }
        )
    }

    fn unpacked(folder: &Path) -> Result<Self> {
        let told = fs::read_to_string(folder.join(COMPLETE))?;
        let mut told = told.lines();
        let (Some(suite), Some(version), Some(release)) = (told.next(), told.next(), told.next())
        else {
            bail!("{} is not what this xtask unpacks", folder.display());
        };
        Ok(Self {
            series: series_of(version).to_owned(),
            version: version.to_owned(),
            suite: suite.to_owned(),
            folder: folder.to_owned(),
            release: release.to_owned(),
        })
    }

    pub(super) fn image(&self) -> PathBuf {
        self.folder.join("vmlinuz")
    }

    pub(super) fn modules(&self) -> PathBuf {
        self.folder.join("lib/modules").join(&self.release)
    }
}

/// Unpacks, and puts image and modules where they are looked for, whatever the packages' age.
fn install(files: &[PathBuf], folder: &Path, suite: &str, version: &str) -> Result<()> {
    let _ = fs::remove_dir_all(folder);
    debian::unpack(files, folder)?;
    let modules = folder.join("lib/modules");
    if !modules.exists() {
        fs::create_dir_all(folder.join("lib"))?;
        std::os::unix::fs::symlink("../usr/lib/modules", &modules)?;
    }
    let release = fs::read_dir(&modules)
        .with_context(|| format!("{} has no modules", folder.display()))?
        .next()
        .context("no modules in the package")??
        .file_name()
        .to_string_lossy()
        .into_owned();
    let image = [
        folder.join(format!("boot/vmlinuz-{release}")),
        modules.join(&release).join("vmlinuz"),
    ]
    .into_iter()
    .find(|path| path.exists())
    .context("no image in the package")?;
    fs::copy(image, folder.join("vmlinuz"))?;
    // The packages bring no modules.dep.
    let depmod = crate::host::program("depmod").context("depmod is missing (package kmod)")?;
    command::output(Command::new(depmod).arg("-b").arg(folder).arg(&release))?;
    fs::write(
        folder.join(COMPLETE),
        format!("{suite}\n{version}\n{release}\n"),
    )?;
    Ok(())
}

/// Not an unsigned build and no debug symbols: what a host installs wants an initramfs.
fn is_image(package: &Package) -> bool {
    package.depends.contains("initramfs")
}

/// Since 6.19 the image is an empty package over others, of which superseded ones stay listed
/// when their modules are gone.
fn parts(package: &Package) -> Vec<String> {
    let version = package.name.trim_start_matches("linux-image-");
    if package.depends.contains("linux-binary-") {
        ["linux-base", "linux-binary", "linux-modules"]
            .map(|part| format!("{part}-{version}"))
            .to_vec()
    } else {
        vec![package.name.clone()]
    }
}

fn fits(version: &str, series: &str) -> bool {
    series == NEWEST || series_of(version) == series
}

/// `6.12` of `6.12.117-1~deb12u1`.
fn series_of(version: &str) -> &str {
    let mut dots = version.match_indices(|c: char| !c.is_ascii_digit());
    match dots.nth(1) {
        Some((end, _)) => &version[..end],
        None => version,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_the_first_two_numbers() {
        for (version, series) in [
            ("6.12.117-1~deb12u1", "6.12"),
            ("5.10.262-1", "5.10"),
            ("7.2~rc1-1", "7.2"),
        ] {
            assert_eq!(series_of(version), series);
        }
        assert!(fits("6.1.192-1", "6.1") && !fits("6.12.1-1", "6.1"));
        assert!(fits("7.2.12-1", NEWEST));
    }

    #[test]
    fn what_came_as_the_newest_is_found_by_its_series() {
        let cache = tempfile::tempdir().unwrap();
        let kernels = cache.path().join("kernels");
        for (folder, told) in [
            ("a", "backports\n7.3.3-1\n7.3.3-cloud-amd64\n"),
            ("b", "backports\n7.3.12-1\n7.3.12-cloud-amd64\n"),
            ("c", "security\n7.3.13-1\n7.3.13-cloud-amd64\n"),
            ("d", "backports\n7.4.1-1\n7.4.1-cloud-amd64\n"),
        ] {
            fs::create_dir_all(kernels.join(folder)).unwrap();
            fs::write(kernels.join(folder).join(COMPLETE), told).unwrap();
        }
        let entry = |series| Entry::of_suite(series, "backports");
        let found = Kernel::get(&entry("7.3"), cache.path(), true).unwrap();
        assert_eq!(found.version, "7.3.12-1");
        let found = Kernel::get(&entry(NEWEST), cache.path(), true).unwrap();
        assert_eq!(found.version, "7.4.1-1");
        assert!(Kernel::get(&entry("7.2"), cache.path(), true).is_err());
    }

    #[test]
    fn an_empty_image_package_comes_with_its_parts() {
        let package = |depends: &str| Package {
            name: "linux-image-7.2.12-cloud-amd64".to_owned(),
            version: "7.2.12-1".to_owned(),
            depends: depends.to_owned(),
        };
        assert_eq!(
            parts(&package("kmod, initramfs-tools")),
            ["linux-image-7.2.12-cloud-amd64"]
        );
        assert_eq!(
            parts(&package("linux-binary-7.2.12-cloud-amd64 (= 1)")),
            [
                "linux-base-7.2.12-cloud-amd64",
                "linux-binary-7.2.12-cloud-amd64",
                "linux-modules-7.2.12-cloud-amd64"
            ]
        );
    }
}
