//! Our table in the kernel, through `nft`.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use super::NetworkError;
use super::dns::PORT;

/// Who loads the table, and what was loaded last.
///
/// The text goes through a file, which `nft` inherits with its lock: when the agent is killed while `nft` runs, the
/// next agent's table is loaded after that one, not before it.
#[derive(Debug)]
pub(super) struct Firewall {
    path: PathBuf,
    loaded: Mutex<Option<String>>,
}

impl Firewall {
    /// `path`: where the rules are kept that were loaded last.
    pub(super) fn new(path: PathBuf) -> Self {
        let loaded = Mutex::new(None);
        Self { path, loaded }
    }

    /// Whether rules were ever loaded, by this agent or one before it.
    pub(super) fn was_used(&self) -> bool {
        self.path.exists()
    }

    /// Loads the rules as they are to be at the moment it is done: of many who ask at once, the first does it for all.
    pub(super) fn load(&self, rules: impl FnOnce() -> String) -> Result<(), NetworkError> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let rules = rules();
        if loaded.as_deref() == Some(rules.as_str()) {
            return Ok(());
        }
        let output = self.run(&rules)?;
        if !output.status.success() {
            return Err(NetworkError::NftRefused(said(&output)));
        }
        *loaded = Some(rules);
        Ok(())
    }

    /// As `load`, though nothing seems to have changed: somebody else may have flushed the rules.
    pub(super) fn reload(&self, rules: impl FnOnce() -> String) -> Result<(), NetworkError> {
        *self.loaded.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.load(rules)
    }

    /// Whether the kernel may still have rules with a word in them, after a failure to load others.
    pub(super) fn may_have(&self, word: &str) -> bool {
        let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        match loaded.as_deref() {
            Some(rules) => rules.contains(word),
            None => self.was_used(),
        }
    }

    fn run(&self, rules: &str) -> Result<Output, NetworkError> {
        let write = || -> io::Result<File> {
            let options = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .clone();
            let mut file = options.open(&self.path)?;
            rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive)?;
            file.set_len(0)?;
            file.write_all(rules.as_bytes())?;
            file.rewind()?;
            Ok(file)
        };
        let input = write().map_err(|source| NetworkError::State {
            path: self.path.clone(),
            source,
        })?;
        let output = nft(&["-f", "-"], Stdio::from(input));
        if matches!(output, Err(NetworkError::NftMissing)) {
            // Nothing was ever loaded; that the file is not there says so.
            std::fs::remove_file(&self.path).map_err(|source| NetworkError::State {
                path: self.path.clone(),
                source,
            })?;
        }
        output
    }
}

/// Chains of others that drop what no rule of theirs accepts, and with it what containers send: to accept a packet
/// in one table does not spare it the others. Named for the operator, who alone can change them. `with_names`: those
/// too that keep questions from the responder.
pub(super) fn hindrances(with_names: bool) -> Result<Vec<String>, NetworkError> {
    let output = nft(&["-j", "list", "chains"], Stdio::null())?;
    let chains = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let mut found = dropping(&chains, "forward");
    found.extend(legacy("FORWARD"));
    if with_names {
        let of_names = dropping(&chains, "input").into_iter();
        let of_names = of_names.chain(legacy("INPUT"));
        found.extend(of_names.map(|chain| {
            format!("{chain}: names are found if it accepts port {PORT} (TCP, UDP) from containers")
        }));
    }
    Ok(found)
}

/// Those at a hook.
fn dropping(chains: &Value, hook: &str) -> Vec<String> {
    let chains = chains["nftables"].as_array().into_iter().flatten();
    let chains = chains.filter_map(|object| object.get("chain"));
    chains
        .filter(|chain| chain["hook"] == hook && chain["policy"] == "drop")
        .filter(|chain| chain["table"] != "plimsoll")
        .map(|chain| {
            let word = |key: &str| chain[key].as_str().unwrap_or("?").to_owned();
            format!(
                "chain {} of nft table {} {} has policy drop",
                word("name"),
                word("family"),
                word("table")
            )
        })
        .collect()
}

/// The rules of iptables before nftables, which `nft` does not see.
fn legacy(chain: &str) -> Option<String> {
    let mut tables = String::new();
    let mut file = File::open("/proc/thread-self/net/ip_tables_names").ok()?;
    file.read_to_string(&mut tables).ok()?;
    if !tables.lines().any(|table| table == "filter") {
        return None;
    }
    let output = Command::new("iptables-legacy")
        .args(["-S", chain])
        .output()
        .ok()?;
    let policy = format!("-P {chain} DROP");
    let drops = String::from_utf8_lossy(&output.stdout).starts_with(&policy);
    drops.then(|| format!("chain {chain} of iptables-legacy has policy DROP"))
}

fn nft(arguments: &[&str], input: Stdio) -> Result<Output, NetworkError> {
    let mut command = Command::new("nft");
    command.args(arguments).stdin(input).env("LC_ALL", "C");
    command.output().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => NetworkError::NftMissing,
        _ => NetworkError::NftRun(error),
    })
}

fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    text.lines().next().unwrap_or("without a word").to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use nix::sched::{CloneFlags, unshare};

    use super::*;

    /// In a network namespace of the test's own.
    #[test]
    fn chains_that_drop_are_seen_without_nftables_too() {
        let alone = std::thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).ok()?;
            let iptables = |arguments: &[&str]| {
                let output = Command::new("iptables-legacy").args(arguments).output();
                output.ok().filter(|output| output.status.success())
            };
            let unused = legacy("INPUT");
            // Not root, not installed, or not in this kernel.
            iptables(&["-P", "INPUT", "DROP"])?;
            iptables(&["-A", "FORWARD", "-j", "DROP"])?;
            Some([unused, legacy("INPUT"), legacy("FORWARD")])
        });
        let Some(seen) = alone.join().unwrap() else {
            return;
        };
        let drops = "chain INPUT of iptables-legacy has policy DROP".to_owned();
        assert_eq!(seen, [None, Some(drops), None]);
    }

    #[test]
    fn chains_that_drop_are_named_by_hook() {
        let chain = |table: &str, hook: &str, policy: &str| serde_json::json!({"chain": {"family": "ip", "table": table, "name": "FORWARD", "hook": hook, "policy": policy}});
        let chains = serde_json::json!({"nftables": [
            {"metainfo": {"version": "1.0.6"}},
            chain("filter", "forward", "drop"),
            chain("filter", "input", "drop"),
            chain("other", "forward", "accept"),
            chain("plimsoll", "forward", "drop"),
            {"chain": {"family": "ip", "table": "filter", "name": "DOCKER-USER"}},
        ]});
        assert_eq!(
            dropping(&chains, "forward"),
            ["chain FORWARD of nft table ip filter has policy drop"]
        );
        assert_eq!(dropping(&chains, "input").len(), 1);
        assert!(dropping(&Value::Null, "forward").is_empty());
    }
}
