//! The verbs.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use libcontainer::oci_spec::runtime::{
    LinuxBlockIo, LinuxCpu, LinuxMemory, LinuxPidsBuilder, LinuxResources,
};

use super::args::{CreateArgs, DeleteArgs, ExecArgs, Global, KillArgs, RunArgs, UpdateArgs, Verb};
use super::{Refusal, log, process, report};
use crate::launch::{
    Container, Created, Foreground, Id, JoinOrder, LaunchError, Order, Process, Signal, Status,
    Terminal, Warning, create, join, signal_of_name,
};

/// How long a container that was made and never started may take to die.
const DELETE_PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn run(global: &Global, verb: Verb) -> Result<u8, Refusal> {
    let open = |id: &Id| Container::open(&global.root, id).map_err(Refusal::from);
    match verb {
        Verb::Create(args) => {
            let terminal = Terminal::Socket(args.console_socket.as_deref());
            create_one(global, &args, terminal)?;
        }
        Verb::Start(args) => open(&args.id)?.start()?,
        Verb::Run(args) => return run_one(global, &args),
        Verb::State(args) => report::state(&open(&args.id)?)?,
        Verb::Kill(args) => kill(&open(&args.id)?, &args)?,
        Verb::Delete(args) => delete(global, &args)?,
        Verb::Exec(args) => return exec(&open(&args.id)?, &args),
        Verb::List(args) => report::list(&global.root, &args)?,
        Verb::Ps(args) => report::ps(&open(&args.id)?, &args)?,
        Verb::Update(args) => {
            let resources = resources(&args)?;
            tell(&open(&args.id)?.update(resources)?);
        }
        Verb::Pause(args) => open(&args.id)?.pause()?,
        Verb::Resume(args) => open(&args.id)?.resume()?,
        Verb::Events(args) => report::events(&open(&args.id)?, &args)?,
        Verb::Features => report::features()?,
    }
    Ok(0)
}

fn tell(warnings: &[Warning]) {
    for warning in warnings {
        log::warn(&warning.to_string());
    }
}

fn create_one(
    global: &Global,
    args: &CreateArgs,
    terminal: Terminal<'_>,
) -> Result<Created, Refusal> {
    let created = create(Order {
        id: args.id.clone(),
        root: &global.root,
        bundle: &args.bundle,
        stdio: None,
        terminal,
        preserved_descriptors: args.preserve_fds,
        no_pivot: args.no_pivot,
        held: false,
        pumped: false,
    })?;
    tell(&created.warnings);
    if let Some(path) = &args.pid_file {
        write_pid(path, created.init)?;
    }
    Ok(created)
}

fn run_one(global: &Global, args: &RunArgs) -> Result<u8, Refusal> {
    let socket = args.create.console_socket.as_deref();
    let terminal = match (args.detach, socket) {
        (true, _) | (_, Some(_)) => Terminal::Socket(socket),
        (false, None) => Terminal::Kept,
    };
    let foreground = Foreground::new().map_err(Refusal::io("cannot wait"))?;
    let created = create_one(global, &args.create, terminal)?;
    let started =
        Container::open(&global.root, &args.create.id).and_then(|mut container| container.start());
    if let Err(error) = started {
        remove(global, &args.create.id)?;
        return Err(error.into());
    }
    if args.detach {
        return Ok(0);
    }
    let exit = foreground.wait(created.init, created.master)?;
    if !args.keep {
        remove(global, &args.create.id)?;
    }
    Ok(exit.code)
}

fn remove(global: &Global, id: &Id) -> Result<(), Refusal> {
    Ok(Container::open(&global.root, id)?.delete(true)?)
}

/// Not seen half written by whoever waits for it.
fn write_pid(path: &Path, process: Process) -> Result<(), Refusal> {
    let mut half_written = path.as_os_str().to_owned();
    half_written.push("~");
    let half_written = PathBuf::from(half_written);
    let written = fs::write(&half_written, process.pid.to_string())
        .and_then(|()| fs::set_permissions(&half_written, fs::Permissions::from_mode(0o644)))
        .and_then(|()| fs::rename(&half_written, path));
    written.map_err(Refusal::io("cannot write the pid file"))
}

fn kill(container: &Container, args: &KillArgs) -> Result<(), Refusal> {
    let signal = signal_of_name(&args.signal);
    let signal = signal.ok_or_else(|| Refusal::new(format!("unknown signal {:?}", args.signal)))?;
    Ok(container.kill(signal, args.all)?)
}

fn delete(global: &Global, args: &DeleteArgs) -> Result<(), Refusal> {
    let deadline = Instant::now() + DELETE_PATIENCE;
    loop {
        let container = match Container::open(&global.root, &args.id) {
            Err(LaunchError::NotFound(_)) if args.force => return Ok(()),
            container => container?,
        };
        let status = container.status();
        if status == Status::Stopped || args.force || Instant::now() > deadline {
            return Ok(container.delete(args.force)?);
        }
        match status {
            Status::Created => container.kill(Signal::KILL, true)?,
            Status::Creating | Status::Running | Status::Paused | Status::Stopped => {
                let id = &args.id;
                let text = format!("cannot delete container {id} that is not stopped: {status}");
                return Err(Refusal::new(text));
            }
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn exec(container: &Container, args: &ExecArgs) -> Result<u8, Refusal> {
    let wanted = process::wanted(args, &container.spec()?)?;
    let socket = args.console_socket.as_deref();
    let terminal = match (args.detach, socket) {
        (true, _) | (_, Some(_)) => Terminal::Socket(socket),
        (false, None) => Terminal::Kept,
    };
    let foreground = if args.detach {
        None
    } else {
        Some(Foreground::new().map_err(Refusal::io("cannot wait"))?)
    };
    let joined = join(JoinOrder {
        container,
        process: wanted,
        stdio: None,
        terminal,
        preserved_descriptors: args.preserve_fds,
        ignore_paused: args.ignore_paused,
        announced_in: None,
    });
    let joined = joined.map_err(|error| {
        let text = error.with_causes();
        Refusal::new(format!("exec failed: {text}"))
    })?;
    tell(&joined.warnings);
    if let Some(path) = &args.pid_file {
        write_pid(path, joined.process)?;
    }
    match foreground {
        None => Ok(0),
        Some(foreground) => Ok(foreground.wait(joined.process, joined.master)?.code),
    }
}

fn resources(args: &UpdateArgs) -> Result<LinuxResources, Refusal> {
    let mut resources = match &args.resources {
        None => LinuxResources::default(),
        Some(path) => {
            let mut text = String::new();
            let read = if path == Path::new("-") {
                std::io::stdin().read_to_string(&mut text)
            } else {
                fs::File::open(path).and_then(|mut file| file.read_to_string(&mut text))
            };
            read.map_err(Refusal::io("cannot read the resources"))?;
            let parsed = serde_json::from_str(&text);
            parsed.map_err(|error| Refusal::new(format!("no resources: {error}")))?
        }
    };
    if args.resources.is_none() {
        // The default denies all devices, which is not asked for here.
        resources.set_devices(None);
    }
    let mut memory = resources.memory().unwrap_or_default();
    memory.set_limit(args.memory.or(memory.limit()));
    memory.set_swap(args.memory_swap.or(memory.swap()));
    memory.set_reservation(args.memory_reservation.or(memory.reservation()));
    resources.set_memory((memory != LinuxMemory::default()).then_some(memory));
    let mut cpu = resources.cpu().clone().unwrap_or_default();
    cpu.set_period(args.cpu_period.or(cpu.period()));
    cpu.set_quota(args.cpu_quota.or(cpu.quota()));
    cpu.set_shares(args.cpu_share.or(cpu.shares()));
    cpu.set_cpus(args.cpuset_cpus.clone().or_else(|| cpu.cpus().clone()));
    cpu.set_mems(args.cpuset_mems.clone().or_else(|| cpu.mems().clone()));
    resources.set_cpu((cpu != LinuxCpu::default()).then_some(cpu));
    if let Some(limit) = args.pids_limit {
        resources.set_pids(LinuxPidsBuilder::default().limit(limit).build().ok());
    }
    if let Some(weight) = args.blkio_weight {
        let mut io = resources.block_io().clone().unwrap_or_default();
        io.set_weight(Some(weight));
        resources.set_block_io((io != LinuxBlockIo::default()).then_some(io));
    }
    Ok(resources)
}
