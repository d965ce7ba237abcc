//! A private view of one Debian suite: own index, own cache, nothing of the host's changed.
//!
//! The mirror is the one that the host's own sources name.

use std::cmp::Ordering;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};

use crate::{command, workspace};

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
/// For a host whose sources name none.
const DEFAULT_MIRROR: &str = "http://deb.debian.org/debian";
/// An index of this age is read as it is.
const FRESH: Duration = Duration::from_secs(12 * 3600);

/// One suite.
pub(super) struct Suite {
    name: String,
    folder: PathBuf,
}

/// A package that the index names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) depends: String,
}

impl Suite {
    /// Opens the view below `folder`. The index is brought up to date when it is old, unless `offline`.
    pub(super) fn open(folder: &Path, name: &str, offline: bool) -> Result<Self> {
        let suite = Self {
            name: name.to_owned(),
            folder: folder.join(name),
        };
        for part in ["lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(suite.folder.join(part))?;
        }
        fs::write(
            suite.folder.join("sources.list"),
            format!("deb [signed-by={KEYRING}] {} {name} main\n", mirror(name)),
        )?;
        fs::write(suite.folder.join("status"), "")?;
        let stamp = suite.folder.join("updated");
        let age = fs::metadata(&stamp)
            .and_then(|metadata| metadata.modified())
            .ok()
            .and_then(|time| SystemTime::now().duration_since(time).ok());
        if offline || age.is_some_and(|age| age < FRESH) {
            return Ok(suite);
        }
        println!("vm-test: reading the index of {name}");
        suite
            .quiet(
                suite
                    .apt("apt-get")
                    .args(["-q", "-o", "Acquire::Retries=2", "update"]),
            )
            .with_context(|| format!("cannot read the index of {name}"))?;
        fs::write(stamp, "")?;
        Ok(suite)
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Every package whose name matches the regular expression.
    pub(super) fn packages(&self, names: &str) -> Result<Vec<Package>> {
        let found = command::output(
            self.apt("apt-cache")
                .args(["search", "--names-only", names]),
        )?;
        let found: Vec<&str> = found
            .lines()
            .filter_map(|line| line.split_whitespace().next())
            .collect();
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let shown = command::output(
            self.apt("apt-cache")
                .args(["show", "--no-all-versions"])
                .args(found),
        )?;
        Ok(parse(&shown))
    }

    /// Downloads the newest of each; apt checks them against the signed index. The files.
    pub(super) fn download(&self, names: &[String]) -> Result<Vec<PathBuf>> {
        let folder = self.folder.join("debs");
        // apt keeps what it finds complete, and never tells under which name.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder)?;
        let mut apt = self.apt("apt-get");
        apt.current_dir(&folder)
            .args(["-q", "-o", "Acquire::Retries=2", "download"])
            .args(names);
        self.quiet(&mut apt)?;
        let files = fs::read_dir(&folder)?
            .map(|entry| Ok(entry?.path()))
            .collect::<Result<Vec<_>>>()?;
        if files.len() < names.len() {
            bail!("{} of {} packages came", files.len(), names.len());
        }
        Ok(files)
    }

    /// These packages and all that they depend on, as `name version`, by the index at hand.
    pub(super) fn closure(&self, names: &[&str]) -> Result<Vec<String>> {
        let mut apt = self.apt("apt-get");
        apt.args(["-q", "--simulate", "--no-install-recommends", "install"]);
        let mut all = installed_by(&command::output(apt.args(names))?);
        all.sort();
        if all.is_empty() {
            bail!("the index of {} has none of the packages", self.name);
        }
        Ok(all)
    }

    /// Downloads them; apt checks them against the signed index. Nothing is installed. The files.
    pub(super) fn download_closure(&self, names: &[&str]) -> Result<Vec<PathBuf>> {
        let folder = self.folder.join("cache/archives");
        // Leftovers of another day are not of this closure.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("partial"))?;
        let mut apt = self.apt("apt-get");
        apt.args(["-q", "-y", "-o", "Acquire::Retries=2", "--download-only"])
            .args(["--no-install-recommends", "install"])
            .args(names);
        self.quiet(&mut apt)?;
        let mut files = workspace::files_below(&folder, "deb")?;
        files.sort();
        Ok(files)
    }

    fn apt(&self, program: &str) -> Command {
        let mut apt = Command::new(program);
        let path = |part: &str| self.folder.join(part).display().to_string();
        for (option, value) in [
            ("Dir::Etc::sourcelist", path("sources.list")),
            ("Dir::Etc::sourceparts", "/dev/null".to_owned()),
            ("Dir::Etc::preferencesparts", "/dev/null".to_owned()),
            ("Dir::State::lists", path("lists")),
            ("Dir::State::status", path("status")),
            ("Dir::Cache", path("cache")),
            ("APT::Sandbox::User", "root".to_owned()),
            ("APT::Architecture", "amd64".to_owned()),
        ] {
            apt.arg("-o").arg(format!("{option}={value}"));
        }
        apt.env("LC_ALL", "C.UTF-8");
        apt
    }

    /// Runs it; what it printed comes only with its failure.
    fn quiet(&self, apt: &mut Command) -> Result<()> {
        let output = apt.output().context("cannot start apt")?;
        if output.status.success() {
            return Ok(());
        }
        let told = String::from_utf8_lossy(&output.stderr);
        let last = told.lines().rev().find(|line| line.starts_with("E: "));
        bail!("{}", last.unwrap_or("apt failed without a word"))
    }
}

/// Unpacks packages into a folder; nothing of them is run.
pub(super) fn unpack(packages: &[PathBuf], folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    for package in packages {
        command::output(Command::new("dpkg-deb").arg("-x").arg(package).arg(folder))?;
    }
    Ok(())
}

/// Unpacks packages over each other as a system's root: links of the root folder stay, everything
/// is the caller's own, and what `without` matches is left out.
pub(super) fn unpack_as_root(packages: &[PathBuf], folder: &Path, without: &[&str]) -> Result<()> {
    for package in packages {
        let mut contents = Command::new("dpkg-deb")
            .arg("--fsys-tarfile")
            .arg(package)
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start dpkg-deb")?;
        let mut tar = Command::new("tar");
        tar.args(["-x", "--keep-directory-symlink", "--no-same-owner"])
            .args(without.iter().map(|pattern| format!("--exclude={pattern}")))
            .arg("-C")
            .arg(folder)
            .stdin(contents.stdout.take().context("no output to unpack")?);
        let unpacked = command::output(&mut tar);
        let read = contents.wait().context("cannot wait for dpkg-deb")?;
        unpacked?;
        if !read.success() {
            bail!("dpkg-deb cannot read {}: {read}", package.display());
        }
    }
    Ok(())
}

/// Newer is greater, by Debian's own rule.
pub(super) fn compare(a: &str, b: &str) -> Ordering {
    let is = |relation: &str| {
        Command::new("dpkg")
            .args(["--compare-versions", a, relation, b])
            .status()
            .is_ok_and(|status| status.success())
    };
    if is("lt") {
        Ordering::Less
    } else if is("gt") {
        Ordering::Greater
    } else {
        Ordering::Equal
    }
}

/// `systemd 252.39-1` of `Inst systemd (252.39-1 Debian:12.11/oldstable [amd64])`.
fn installed_by(simulated: &str) -> Vec<String> {
    simulated
        .lines()
        .filter_map(|line| {
            let mut words = line.strip_prefix("Inst ")?.split_whitespace();
            let (name, version) = (words.next()?, words.next()?);
            Some(format!("{name} {}", version.trim_start_matches('(')))
        })
        .collect()
}

fn parse(shown: &str) -> Vec<Package> {
    shown
        .split("\n\n")
        .filter_map(|paragraph| {
            let field = |name: &str| {
                paragraph
                    .lines()
                    .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
            };
            Some(Package {
                name: field("Package")?.to_owned(),
                version: field("Version")?.to_owned(),
                depends: field("Depends").unwrap_or_default().to_owned(),
            })
        })
        .collect()
}

/// Where the host gets its own packages, for that suite.
fn mirror(suite: &str) -> String {
    let mut sources = fs::read_to_string("/etc/apt/sources.list").unwrap_or_default();
    let parts = fs::read_dir("/etc/apt/sources.list.d")
        .into_iter()
        .flatten();
    for part in parts.filter_map(std::result::Result::ok) {
        let path = part.path();
        if path
            .extension()
            .is_some_and(|kind| kind == "list" || kind == "sources")
        {
            sources.push_str(&fs::read_to_string(path).unwrap_or_default());
        }
    }
    mirror_in(&sources, suite.ends_with("-security"))
}

fn mirror_in(sources: &str, security: bool) -> String {
    let base = sources
        .lines()
        .filter(|line| line.starts_with("URIs:") || line.starts_with("deb "))
        .flat_map(str::split_whitespace)
        .map(|word| word.trim_end_matches('/'))
        .find(|word| word.contains("://") && word.ends_with("/debian"))
        .unwrap_or(DEFAULT_MIRROR);
    if security {
        format!("{base}-security")
    } else {
        base.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_the_hosts() {
        let sources = "# x\nURIs: http://mirror.example/debian/\nURIs: http://other.example/y\n";
        assert_eq!(mirror_in(sources, false), "http://mirror.example/debian");
        assert_eq!(
            mirror_in(sources, true),
            "http://mirror.example/debian-security"
        );
        let old = "deb [arch=amd64] http://m.example/debian bookworm main\n";
        assert_eq!(mirror_in(old, false), "http://m.example/debian");
        assert_eq!(mirror_in("", false), DEFAULT_MIRROR);
    }

    #[test]
    fn the_closure_is_what_apt_would_install() {
        let simulated = "Reading package lists...\n\
            Inst a (1:2-3 Debian:12/x [all])\n\
            Inst b (4 Debian:12/x [amd64]) []\n\
            Conf a (1:2-3 Debian:12/x [all])\n";
        assert_eq!(installed_by(simulated), ["a 1:2-3", "b 4"]);
    }

    #[test]
    fn packages_are_read_from_the_index() {
        let shown = "Package: a\nVersion: 1\nDepends: x, y\n\nPackage: b\nVersion: 2~rc1-1\n\n";
        let packages = parse(shown);
        assert_eq!(packages.len(), 2);
        assert_eq!(packages[0].depends, "x, y");
        assert_eq!(packages[1].version, "2~rc1-1");
    }
}
