//! Loading the object, attaching its programs, and their health.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use aya::programs::{
    BtfTracePoint, CgroupAttachMode, CgroupSkb, CgroupSkbAttachType, Iter, ProgramError, TracePoint,
};
use aya::sys::{Stats, enable_stats};
use aya::{Btf, Ebpf, EbpfLoader};
use aya_log::EbpfLogger;
use plimsoll_abi::layout::AGENT_TGID;

use super::layout::{KernelLayout, LayoutError};
use super::maps::{MapReadError, Maps};
use super::object::OBJECT;
use super::probe::{Group, Health, Hook, PROBES, Probe, ProbeReport};
use super::rings::Rings;
use super::tasks::TaskPass;
use super::tracefs::with_tracefs;
use crate::config::{LogLevel, ProbesConfig};

/// The loaded object: programs stay attached for as long as this lives.
pub struct Kernel {
    object: Ebpf,
    health: BTreeMap<&'static str, Health>,
    /// Keeps the kernel's run-time statistics on.
    _stats: Option<OwnedFd>,
    pub maps: Maps,
    pub rings: Rings,
}

/// What to load with.
#[derive(Clone, Debug)]
pub struct LoadOptions<'a> {
    pub probes: &'a ProbesConfig,
    /// Level of `aya-log` in the programs.
    pub log: LogLevel,
    /// Root of the cgroup v2 mount; `None` on a host without one.
    pub cgroup2: Option<&'a Path>,
    /// The kernel counts I/O per cgroup itself: the io controller is on v2.
    pub kernel_counts_io: bool,
}

/// Nothing can be seen at all.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error(transparent)]
    Layout(#[from] LayoutError),
    #[error("cannot read the kernel's BTF")]
    Btf(#[source] aya::BtfError),
    #[error("cannot load the BPF object")]
    Object(#[source] aya::EbpfError),
    #[error(transparent)]
    Maps(#[from] MapReadError),
}

impl Kernel {
    /// Loads the object and attaches every probe that this kernel and the configuration allow.
    /// A probe that cannot be attached has its reason in [`Kernel::report`].
    pub fn load(options: &LoadOptions<'_>) -> Result<Self, LoadError> {
        let layout = KernelLayout::of_running_kernel()?;
        let btf = Btf::from_sys_fs().map_err(LoadError::Btf)?;
        let own_tgid = std::process::id();
        let log_level = bpf_log_level(options.log);
        let mut loader = EbpfLoader::new();
        loader.btf(Some(&btf));
        for (symbol, value) in layout.values() {
            loader.override_global(symbol, value, true);
        }
        loader.override_global(AGENT_TGID, &own_tgid, true);
        loader.override_global(aya_log::LEVEL, &log_level, false);
        let mut object = loader.load(OBJECT).map_err(LoadError::Object)?;

        let mut health = BTreeMap::new();
        let (system_calls, others): (Vec<&Probe>, Vec<&Probe>) = PROBES
            .iter()
            .partition(|probe| probe.hook == Hook::SystemCall);
        for probe in others {
            health.insert(
                probe.program,
                start(&mut object, probe, &layout, &btf, options),
            );
        }
        let attached = with_tracefs(|| {
            let start = |probe: &&Probe| start(&mut object, probe, &layout, &btf, options);
            system_calls.iter().map(start).collect::<Vec<_>>()
        });
        for (n, probe) in system_calls.iter().enumerate() {
            let state = match &attached {
                Ok(states) => states[n].clone(),
                Err(error) => Health::Unsupported(format!("cannot mount tracefs: {error}")),
            };
            health.insert(probe.program, state);
        }
        let stats = options
            .probes
            .run_time_stats
            .then(|| enable_stats(Stats::RunTime).ok());
        let maps = Maps::take(&mut object)?;
        let rings = Rings::take(&mut object)?;
        Ok(Self {
            object,
            health,
            _stats: stats.flatten(),
            maps,
            rings,
        })
    }

    /// The programs' own log, to be flushed when readable.
    pub fn logger(&mut self) -> Option<EbpfLogger<&'static dyn log::Log>> {
        EbpfLogger::init(&mut self.object).ok()
    }

    /// Health of one probe.
    #[must_use]
    pub fn is_attached(&self, program: &str) -> bool {
        matches!(
            self.health.get(program),
            Some(Health::Attached | Health::Degraded(_))
        )
    }

    /// All probes with the kernel's account of each, in the order of [`PROBES`].
    #[must_use]
    pub fn report(&self) -> Vec<ProbeReport> {
        PROBES
            .iter()
            .map(|probe| {
                let health = self
                    .health
                    .get(probe.program)
                    .cloned()
                    .unwrap_or(Health::Disabled);
                let info = self
                    .object
                    .program(probe.program)
                    .and_then(|p| p.info().ok());
                ProbeReport {
                    probe,
                    health,
                    run_count: info.as_ref().map_or(0, |i| i.run_count()),
                    run_ns: info.as_ref().map_or(0, |i| i.run_time().as_nanos() as u64),
                    verified_instructions: info.and_then(|i| i.verified_instruction_count()),
                }
            })
            .collect()
    }

    /// Starts one pass over all tasks of the host; `None` when the iterator is not loaded.
    pub fn task_pass(&mut self) -> Option<io::Result<TaskPass>> {
        if !self.is_attached("task_iterator") {
            return None;
        }
        let program = self.object.program_mut("task_iterator")?;
        let program: &mut Iter = program.try_into().ok()?;
        Some(TaskPass::start(program))
    }
}

fn start(
    object: &mut Ebpf,
    probe: &Probe,
    layout: &KernelLayout,
    btf: &Btf,
    options: &LoadOptions<'_>,
) -> Health {
    if !enabled(probe.group, options) {
        return Health::Disabled;
    }
    if let Some(reason) = layout.missing(probe.needs) {
        return Health::Unsupported(reason.to_owned());
    }
    match attach(object, probe, btf, options.cgroup2) {
        Ok(()) => Health::Attached,
        Err(AttachError::NoCgroup2) => {
            Health::Unsupported("no cgroup2 file system is mounted".to_owned())
        }
        Err(AttachError::Program(ProgramError::Btf(error))) => {
            Health::Unsupported(format!("this kernel has no such hook: {error}"))
        }
        Err(error) => Health::Failed(chain(&error)),
    }
}

fn enabled(group: Group, options: &LoadOptions<'_>) -> bool {
    let config = options.probes;
    match group {
        Group::Cgroup => true,
        Group::Namespace => config.namespace,
        Group::Process => config.process,
        Group::Scheduler => config.scheduler,
        Group::Oom => config.oom,
        Group::Network => config.network,
        Group::Io => config.io && !options.kernel_counts_io,
        Group::Tasks => config.tasks,
    }
}

#[derive(Debug, thiserror::Error)]
enum AttachError {
    #[error("the object has no such program")]
    NoProgram,
    #[error("no cgroup2")]
    NoCgroup2,
    #[error("cannot open {path}")]
    Open { path: PathBuf, source: io::Error },
    #[error("refused")]
    Program(#[from] ProgramError),
}

fn attach(
    object: &mut Ebpf,
    probe: &Probe,
    btf: &Btf,
    cgroup2: Option<&Path>,
) -> Result<(), AttachError> {
    let program = object
        .program_mut(probe.program)
        .ok_or(AttachError::NoProgram)?;
    match probe.hook {
        Hook::BtfTracepoint => {
            let program: &mut BtfTracePoint = program.try_into()?;
            program.load(probe.program, btf)?;
            program.attach()?;
        }
        Hook::SystemCall => {
            let program: &mut TracePoint = program.try_into()?;
            program.load()?;
            program.attach("syscalls", probe.program)?;
        }
        Hook::CgroupIngress | Hook::CgroupEgress => {
            let path = cgroup2.ok_or(AttachError::NoCgroup2)?;
            let root = File::open(path).map_err(|source| AttachError::Open {
                path: path.to_owned(),
                source,
            })?;
            let direction = match probe.hook {
                Hook::CgroupIngress => CgroupSkbAttachType::Ingress,
                _ => CgroupSkbAttachType::Egress,
            };
            let program: &mut CgroupSkb = program.try_into()?;
            program.load()?;
            // A link with no flags: the kernel lets it share the hook with others' programs.
            program.attach(root, direction, CgroupAttachMode::Single)?;
        }
        Hook::TaskIterator => {
            let program: &mut Iter = program.try_into()?;
            program.load("task", btf)?;
        }
    }
    Ok(())
}

/// The whole cause in one line: the verifier's log is many, its last one tells.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = last_line(&error.to_string());
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = last_line(&cause.to_string());
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

fn last_line(text: &str) -> String {
    let told = |line: &&str| {
        let noise = ["processed ", "stack depth ", "verification time "];
        !line.trim().is_empty() && !noise.iter().any(|start| line.starts_with(start))
    };
    text.lines()
        .rev()
        .find(told)
        .unwrap_or(text)
        .trim()
        .to_owned()
}

/// `aya-log` levels: 0 is off, 1 is error.
fn bpf_log_level(level: LogLevel) -> u8 {
    match level {
        LogLevel::Off => 0,
        LogLevel::Error => 1,
        LogLevel::Warn => 2,
        LogLevel::Info => 3,
        LogLevel::Debug => 4,
        LogLevel::Trace => 5,
    }
}
