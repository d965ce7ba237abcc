//! From a bundle to a process that waits, confined, to be started.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use libcontainer::oci_spec::runtime::{LinuxNamespaceType, LinuxResources, Spec};

use super::apart::{self, Apart};
use super::builder::{Descriptors, builder};
use super::confinement::Confinement;
use super::console::{self, ConsoleSocket, console_size};
use super::executor::Program;
use super::maker::Maker;
use super::neighbours::Neighbours;
use super::site::Site;
use super::spec::{self, Besides, Devices, Warning};
use super::state::Phase;
use super::{Container, Id, LaunchError, Process};
use super::{device_program, limits, loopback, maker, owner, trace};
use crate::cgroup::{CgroupKey, Controller, HierarchyId};

const CONSOLE_SOCKET: &str = "console.sock";

/// What is to be made.
#[derive(Debug)]
pub struct Order<'a> {
    pub id: Id,
    /// Directory of all state directories.
    pub root: &'a Path,
    pub bundle: &'a Path,
    /// Standard input, output and error; `None`: this process's own.
    pub stdio: Option<[OwnedFd; 3]>,
    /// Who gets the terminal's master, if there is one.
    pub terminal: Terminal<'a>,
    /// Further descriptors, from 3 on, that the workload inherits.
    pub preserved_descriptors: u32,
    /// The root is moved instead of exchanged: for hosts that run from an initial ramdisk.
    pub no_pivot: bool,
    /// This process stays with the workload.
    pub held: bool,
    /// Its output goes through this process.
    pub pumped: bool,
}

/// Who gets the master of the workload's terminal.
#[derive(Clone, Copy, Debug)]
pub enum Terminal<'a> {
    /// Whoever listens at this socket.
    Socket(Option<&'a Path>),
    /// This process.
    Kept,
}

impl Terminal<'_> {
    /// Is there a terminal, and somebody to take it?
    pub(super) fn fits(self, is_wanted: bool) -> Result<bool, LaunchError> {
        match (is_wanted, self) {
            (true, Self::Socket(None)) => Err(LaunchError::NoConsoleSocket),
            (false, Self::Socket(Some(_))) => Err(LaunchError::NoTerminal),
            (wanted, _) => Ok(wanted),
        }
    }

    /// Gives the master to whom it is for: back to the caller, or away.
    pub(super) fn give(self, master: OwnedFd) -> Result<Option<OwnedFd>, LaunchError> {
        match self {
            Self::Kept => Ok(Some(master)),
            Self::Socket(None) => Err(LaunchError::NoConsoleSocket),
            Self::Socket(Some(path)) => console::hand_over(&master, path)
                .map(|()| None)
                .map_err(|source| LaunchError::Console { source }),
        }
    }
}

/// A workload that waits to be started.
#[derive(Debug)]
pub struct Created {
    pub container: Container,
    pub init: Process,
    /// Others in it end with its first process, by the kernel.
    pub has_own_pids: bool,
    /// Of the first process, opened while that could not end unseen.
    pub pidfd: OwnedFd,
    pub cgroups: BTreeMap<HierarchyId, CgroupKey>,
    /// What had to give.
    pub warnings: Vec<Warning>,
    /// With [`Terminal::Kept`], if the specification asks for a terminal.
    pub master: Option<OwnedFd>,
    /// To be waited for before it is started: until then it counts for the workload's limits.
    pub maker: Maker,
}

/// Makes it. To be called in a process with one thread, in a sealed executable.
///
/// # Errors
/// Nothing of it is left then.
pub fn create(order: Order<'_>) -> Result<Created, LaunchError> {
    let spec = read_bundle(&order)?;
    let path = spec::cgroup_path(&spec, &order.id)?;
    let site = Site::make(order.root, &order.id, &path)?;
    Attempt { order, site }.carry_out(Ok(spec))
}

/// The same, at a site that was made for this id and its specification's cgroup path.
///
/// # Errors
/// Nothing of it is left then, nor of the site.
pub fn create_at(order: Order<'_>, site: Site) -> Result<Created, LaunchError> {
    let spec = read_bundle(&order);
    Attempt { order, site }.carry_out(spec)
}

fn read_bundle(order: &Order<'_>) -> Result<Spec, LaunchError> {
    require_kernel()?;
    Ok(spec::load(order.bundle)?)
}

struct Attempt<'a> {
    order: Order<'a>,
    site: Site,
}

impl Attempt<'_> {
    fn carry_out(mut self, spec: Result<Spec, LaunchError>) -> Result<Created, LaunchError> {
        let created = self.build(spec?)?;
        self.site.keep();
        Ok(created)
    }

    fn build(&mut self, spec: Spec) -> Result<Created, LaunchError> {
        let id = self.order.id.clone();
        self.describe(&spec)?;
        let Site { cgroups, state, .. } = &self.site;
        let apart = apart::is_possible(cgroups);
        let mode = cgroups.layout().mode();
        let apart = apart && !apart::is_noticed(&spec, &state.rootfs, mode);
        let vetted = spec::vet(spec, &state.rootfs, cgroups, apart)?;
        let (mut spec, mut warnings) = (vetted.spec, vetted.warnings);
        let needed = [self.site.dir.path(), &state.bundle];
        let neighbours = apart.then(|| Neighbours::of(&state.rootfs, &spec, &needed));
        let view = vetted.lacks_view.then(|| self.site.view()).transpose();
        let view = view.map_err(|source| LaunchError::View { source })?;
        let apart = neighbours.map(Apart);
        let besides = self.prepare_resources(&mut spec, &mut warnings)?;
        let limits = apart.as_ref().and_then(|_| limits::take(&mut spec));
        let confinement = Confinement::of_first(&mut spec)?;
        let filter = confinement.as_ref().and_then(Confinement::filter);
        let capabilities = confinement.as_ref().map(Confinement::capabilities);
        self.site.state.capabilities = capabilities.cloned();
        let written = self.site.dir.write_config(&spec, filter);
        written.map_err(|source| {
            let id = id.clone();
            LaunchError::State { id, source }
        })?;
        let console = self.console()?;
        let process = spec.process().as_ref();
        let user = process.map_or(0, |process| owner::host_user(process, &spec));
        let stdio = self.order.stdio.take();
        if let Some(stdio) = &stdio {
            owner::hand_over(stdio.each_ref().map(AsFd::as_fd), user);
        } else if console.is_none() {
            owner::hand_over(own_stdio(), user);
        }

        let has_own_pids = spec::has_own_namespace(&spec, LinuxNamespaceType::Pid);
        let console_path = console.as_ref().map(ConsoleSocket::path);
        let alone = apart.is_some();
        let work = || self.run_libcontainer(console_path, stdio, confinement, apart.as_ref());
        let has_own_network = spec::has_own_namespace(&spec, LinuxNamespaceType::Network);
        let finish = |pid| {
            if has_own_network {
                loopback::bring_up(pid).map_err(no_loopback)?;
            }
            match view {
                Some(view) => view
                    .mount(pid, Path::new(apart::ROOT))
                    .map_err(|source| LaunchError::View { source }),
                None => Ok(()),
            }
        };
        owner::leave_keyring();
        trace::forget();
        let (init, mut maker) = maker::make(&self.site.cgroups, alone, work, finish)?;
        let init = Process::of(init).map_err(unknown_process)?;
        let pidfd = init.open().map_err(unknown_process)?;
        let pidfd = pidfd.ok_or_else(|| LaunchError::Runtime("it ended at once".to_owned()))?;
        self.site.cgroups.complete(init.pid)?;
        if let Some(limits) = limits {
            limits::apply_first(&limits, &self.site.cgroups, &id)?;
        }
        if besides.disable_oom_killer {
            self.disable_oom_killer()?;
        }
        let master = match console {
            Some(socket) => self.take_master(&socket, &spec, user)?,
            None => None,
        };
        self.site.state.phase = Phase::Created;
        self.site.state.init = Some(init);
        if !self.order.held {
            self.site.state.shim = None;
        }
        self.site
            .dir
            .write_state(&self.site.state)
            .map_err(|source| LaunchError::State { id, source })?;
        if !self.order.held {
            maker.await_end()?;
        }
        let Site { dir, cgroups, .. } = &self.site;
        Ok(Created {
            container: Container::new(dir.clone(), self.site.state.clone(), cgroups.clone()),
            init,
            has_own_pids,
            pidfd,
            cgroups: std::mem::take(&mut self.site.keys),
            warnings,
            master,
            maker,
        })
    }

    /// Tells in the state what the specification says.
    fn describe(&mut self, spec: &Spec) -> Result<(), LaunchError> {
        let bundle = self.order.bundle.canonicalize();
        let bundle = bundle.map_err(|source| spec::SpecError::Root {
            path: self.order.bundle.to_owned(),
            source,
        })?;
        let state = &mut self.site.state;
        state.rootfs = spec::rootfs(spec, &bundle)?;
        state.bundle = bundle;
        state.terminal = wants_terminal(spec);
        state.pumped = self.order.pumped;
        state.annotations = annotations(spec);
        Ok(())
    }

    fn prepare_resources(
        &self,
        spec: &mut Spec,
        warnings: &mut Vec<Warning>,
    ) -> Result<Besides, LaunchError> {
        let mut nothing = LinuxResources::default();
        let linux = spec.linux_mut().as_mut();
        let resources = linux.and_then(|linux| linux.resources_mut().as_mut());
        let resources = resources.unwrap_or(&mut nothing);
        let besides = spec::prepare_limits(resources, &self.site.cgroups, warnings);
        let besides = besides.map_err(spec::SpecError::from)?;
        if self.site.cgroups.of(Controller::Devices).is_none() {
            let rules = resources.devices().as_deref().unwrap_or_default();
            self.attach_device_program(&Devices::evaluate(rules))
                .map_err(|source| LaunchError::Devices { source })?;
        }
        Ok(besides)
    }

    fn attach_device_program(&self, devices: &Devices) -> io::Result<()> {
        match self.site.cgroups.directory(HierarchyId::V2) {
            Some(directory) => device_program::attach(devices, &directory),
            None if devices.allow_all() => Ok(()),
            None => {
                let why = "the host has neither v1's controller `devices` nor cgroup2";
                Err(io::Error::new(io::ErrorKind::Unsupported, why))
            }
        }
    }

    fn console(&self) -> Result<Option<ConsoleSocket>, LaunchError> {
        if !self.order.terminal.fits(self.site.state.terminal)? {
            return Ok(None);
        }
        ConsoleSocket::listen(self.site.dir.path(), CONSOLE_SOCKET)
            .map(Some)
            .map_err(|source| LaunchError::Console { source })
    }

    /// The first process's pid.
    fn run_libcontainer(
        &self,
        console: Option<&Path>,
        stdio: Option<[OwnedFd; 3]>,
        confinement: Option<Confinement>,
        apart: Option<&Apart>,
    ) -> Result<i32, LaunchError> {
        if let Some(apart) = apart {
            apart.leave(&self.site.cgroups)?;
        }
        let program = Program {
            confinement,
            joining: None,
        };
        let descriptors = Descriptors {
            console,
            stdio,
            preserved: self.order.preserved_descriptors,
        };
        let builder = builder(&self.order.id, &self.site.dir, program, descriptors)?;
        let builder = builder
            .as_init(self.site.dir.path())
            .with_systemd(false)
            .with_detach(true)
            .with_no_pivot(self.order.no_pivot);
        let built = builder.build();
        let made = built.map_err(|error| trace::refusal(&error))?;
        let pid = made.pid().map(|pid| pid.as_raw());
        pid.ok_or_else(|| LaunchError::Runtime("no process came of it".to_owned()))
    }

    fn take_master(
        &self,
        socket: &ConsoleSocket,
        spec: &Spec,
        user: u32,
    ) -> Result<Option<OwnedFd>, LaunchError> {
        let failed = |source| LaunchError::Console { source };
        let master = socket.receive().map_err(failed)?;
        console::set_up(
            &master,
            spec.process().as_ref().and_then(console_size),
            user,
        )
        .map_err(failed)?;
        self.order.terminal.give(master)
    }

    fn disable_oom_killer(&self) -> Result<(), LaunchError> {
        let directory = self.site.cgroups.of(Controller::Memory).unwrap_or_default();
        let path = directory.join("memory.oom_control");
        fs::write(&path, "1").map_err(|source| LaunchError::Write { path, source })
    }
}

/// `libcontainer` 0.7.0 mounts with `mount_setattr()` only, and fails obscurely without.
fn require_kernel() -> Result<(), LaunchError> {
    // SAFETY: with a descriptor that is none and no attributes, the kernel only says why not.
    let result = unsafe {
        nix::libc::syscall(
            nix::libc::SYS_mount_setattr,
            -1,
            c"".as_ptr(),
            0,
            std::ptr::null::<u8>(),
            0_usize,
        )
    };
    let error = io::Error::last_os_error().raw_os_error();
    if result == -1 && error == Some(nix::libc::ENOSYS) {
        return Err(LaunchError::OldKernel);
    }
    Ok(())
}

pub(super) fn unknown_process(source: io::Error) -> LaunchError {
    let what = "cannot tell processes apart";
    LaunchError::Process { what, source }
}

fn no_loopback(source: io::Error) -> LaunchError {
    let what = "cannot bring up the loopback interface";
    LaunchError::Process { what, source }
}

pub(super) fn own_stdio() -> [BorrowedFd<'static>; 3] {
    [
        rustix::stdio::stdin(),
        rustix::stdio::stdout(),
        rustix::stdio::stderr(),
    ]
}

fn wants_terminal(spec: &Spec) -> bool {
    let process = spec.process().as_ref();
    process.and_then(|process| process.terminal()) == Some(true)
}

fn annotations(spec: &Spec) -> BTreeMap<String, String> {
    let annotations = spec.annotations().iter().flatten();
    annotations
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}
