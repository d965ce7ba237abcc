//! Which compiler builds the programs.
//!
//! The BPF target has no prebuilt `core`, so the compiler must come with the standard library's
//! sources and take `-Zbuild-std`: rustup's nightly with the component `rust-src`, or else a
//! distribution's rustc with its source package, told by `RUSTC_BOOTSTRAP=1`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{command, host, workspace};

/// Where a distribution's package puts its compiler; the one in `PATH` may be rustup's.
const DISTRIBUTION_RUSTC: &str = "/usr/bin/rustc";
const DISTRIBUTION_CLIPPY: &str = "/usr/bin/cargo-clippy";

/// Debian's LLVM that its compiler and our linker are built on (package `llvm-22-dev`).
pub(crate) const DISTRIBUTION_LLVM: &str = "/usr/lib/llvm-22";

/// Standard library's sources, below a sysroot.
const SOURCES: &str = "lib/rustlib/src/rust";
/// There if, and only if, the sources are complete enough to build `core`.
const SOURCES_MARK: &str = "library/core/src/lib.rs";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    RustupNightly,
    Distribution,
}

impl Kind {
    /// In the order in which they are tried.
    const ALL: [Self; 2] = [Self::RustupNightly, Self::Distribution];
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::RustupNightly => "rustup's nightly",
            Self::Distribution => "the distribution's rustc (/usr/bin/rustc)",
        })
    }
}

/// What the host has of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Candidate {
    kind: Kind,
    /// `None`: no such compiler.
    sysroot: Option<PathBuf>,
    has_sources: bool,
}

impl Candidate {
    fn probe(kind: Kind) -> Self {
        let mut rustc = match kind {
            Kind::RustupNightly => rustup_nightly("rustc"),
            Kind::Distribution => Command::new(DISTRIBUTION_RUSTC),
        };
        let sysroot = command::answer(rustc.args(["--print", "sysroot"])).map(PathBuf::from);
        let has_sources = sysroot
            .as_deref()
            .is_some_and(|sysroot| sysroot.join(SOURCES).join(SOURCES_MARK).exists());
        Self {
            kind,
            sysroot,
            has_sources,
        }
    }
}

/// A compiler that can build the programs, by its sysroot.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Toolchain {
    RustupNightly { sysroot: PathBuf },
    Distribution { sysroot: PathBuf },
}

impl Toolchain {
    /// The first kind that this host has whole; an error names what each lacks.
    pub(crate) fn find() -> Result<Self> {
        choose(Kind::ALL.map(Candidate::probe))
    }

    /// Cargo, set to compile with this toolchain from the workspace's root.
    pub(crate) fn cargo(&self) -> Command {
        match self {
            Self::RustupNightly { .. } => {
                let mut cargo = rustup_nightly("cargo");
                cargo.current_dir(workspace::root());
                cargo
            }
            Self::Distribution { .. } => with_distribution_rustc(workspace::cargo()),
        }
    }

    /// As [`Self::cargo`], for the subcommand `clippy` alone.
    pub(crate) fn cargo_clippy(&self) -> Result<Command> {
        match self {
            Self::RustupNightly { .. } => Ok(self.cargo()),
            Self::Distribution { .. } => {
                if !Path::new(DISTRIBUTION_CLIPPY).exists() {
                    bail!(
                        "{DISTRIBUTION_CLIPPY} is missing; `cargo xtask setup --check` installs it"
                    );
                }
                let mut clippy = Command::new(DISTRIBUTION_CLIPPY);
                clippy.current_dir(workspace::root());
                Ok(with_distribution_rustc(clippy))
            }
        }
    }

    /// LLVM's objcopy: rustc brings its own, Debian's LLVM has the ordinary one.
    pub(crate) fn objcopy(&self) -> Result<Command> {
        match self {
            Self::RustupNightly { sysroot } => {
                let library = sysroot.join("lib");
                let targets = library.join("rustlib").read_dir()?;
                let objcopy = targets
                    .filter_map(|target| Some(target.ok()?.path().join("bin/rust-objcopy")))
                    .find(|objcopy| objcopy.exists())
                    .context("rustup's nightly has no rust-objcopy; `rustup update nightly`")?;
                let mut command = Command::new(objcopy);
                // It is linked against the LLVM of its own toolchain.
                command.env("LD_LIBRARY_PATH", library);
                Ok(command)
            }
            Self::Distribution { .. } => Ok(Command::new(
                Path::new(DISTRIBUTION_LLVM).join("bin/llvm-objcopy"),
            )),
        }
    }

    /// Folder of the standard library's sources.
    pub(crate) fn sources(&self) -> PathBuf {
        match self {
            Self::RustupNightly { sysroot } | Self::Distribution { sysroot } => {
                sysroot.join(SOURCES)
            }
        }
    }
}

impl fmt::Display for Toolchain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RustupNightly { .. } => Kind::RustupNightly.fmt(formatter),
            Self::Distribution { .. } => Kind::Distribution.fmt(formatter),
        }
    }
}

fn with_distribution_rustc(mut cargo: Command) -> Command {
    cargo
        .env("RUSTC", DISTRIBUTION_RUSTC)
        .env("RUSTC_BOOTSTRAP", "1");
    cargo
}

/// A program of rustup's nightly; rustup must not download one behind our back.
fn rustup_nightly(program: &str) -> Command {
    let rustup = host::program("rustup").unwrap_or_else(|| PathBuf::from("rustup"));
    let mut command = Command::new(rustup);
    command
        .args(["run", "nightly", program])
        .env("RUSTUP_AUTO_INSTALL", "0");
    command
}

fn choose(candidates: impl IntoIterator<Item = Candidate>) -> Result<Toolchain> {
    let mut report = String::from("no compiler here can build the BPF programs:");
    for candidate in candidates {
        let lack = match (candidate.kind, candidate.sysroot, candidate.has_sources) {
            (Kind::RustupNightly, Some(sysroot), true) => {
                return Ok(Toolchain::RustupNightly { sysroot });
            }
            (Kind::Distribution, Some(sysroot), true) => {
                return Ok(Toolchain::Distribution { sysroot });
            }
            (Kind::RustupNightly, Some(_), false) => "its component rust-src is missing",
            (Kind::Distribution, Some(_), false) => "its source package is missing",
            (Kind::RustupNightly | Kind::Distribution, None, _) => "not installed",
        };
        report.push_str(&format!("\n  {}: {lack}", candidate.kind));
    }
    bail!("{report}\n`cargo xtask setup --build` installs what is missing")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn candidate(kind: Kind, sysroot: Option<&str>, has_sources: bool) -> Candidate {
        Candidate {
            kind,
            sysroot: sysroot.map(PathBuf::from),
            has_sources,
        }
    }

    #[test]
    fn nightly_goes_first_when_whole() {
        let chosen = choose([
            candidate(Kind::RustupNightly, Some("/nightly"), true),
            candidate(Kind::Distribution, Some("/usr"), true),
        ])
        .unwrap();
        assert!(matches!(chosen, Toolchain::RustupNightly { .. }));
        assert_eq!(chosen.sources(), Path::new("/nightly/lib/rustlib/src/rust"));
    }

    #[test]
    fn nightly_without_sources_gives_way_to_the_distribution() {
        let chosen = choose([
            candidate(Kind::RustupNightly, Some("/nightly"), false),
            candidate(Kind::Distribution, Some("/usr"), true),
        ])
        .unwrap();
        let sysroot = PathBuf::from("/usr");
        assert_eq!(chosen, Toolchain::Distribution { sysroot });
    }

    #[test]
    fn the_error_names_what_each_lacks_and_what_mends_it() {
        let error = choose([
            candidate(Kind::RustupNightly, Some("/nightly"), false),
            candidate(Kind::Distribution, None, false),
        ])
        .unwrap_err();
        let message = format!("{error:#}");
        assert!(message.contains("rust-src is missing"), "{message}");
        assert!(
            message.contains("/usr/bin/rustc): not installed"),
            "{message}"
        );
        assert!(message.contains("cargo xtask setup --build"), "{message}");
    }

    #[test]
    fn the_distribution_gets_its_own_compiler_and_the_bootstrap_switch() {
        let toolchain = Toolchain::Distribution {
            sysroot: PathBuf::from("/usr"),
        };
        let cargo = toolchain.cargo();
        let environment: Vec<_> = cargo.get_envs().collect();
        assert!(environment.contains(&("RUSTC".as_ref(), Some(DISTRIBUTION_RUSTC.as_ref()))));
        assert!(environment.contains(&("RUSTC_BOOTSTRAP".as_ref(), Some("1".as_ref()))));
    }
}
