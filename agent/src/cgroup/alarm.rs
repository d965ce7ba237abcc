//! Descriptors by which the kernel tells that a workload crossed a line, so that nobody has to look.
//!
//! In: a [`Placement`] and the line. Out: an [`Alarm`] to poll. What is told is only that something
//! happened; how much it is now is for a reading. The alarm goes with its descriptor.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::libc::O_NONBLOCK;
use nix::sys::epoll::EpollFlags;
use nix::sys::eventfd::{EfdFlags, EventFd};

use super::file::Kept;
use super::gauge::{Resource, place_in};
use super::place::Place;
use super::{Controller, HierarchyId, Layout, Placement};

/// Why the kernel will not tell.
#[derive(Debug, thiserror::Error)]
pub enum AlarmError {
    #[error("{0}")]
    NotHere(&'static str),
    #[error("no descriptor to spare")]
    NoDescriptor,
    #[error("cannot set an alarm at {path}")]
    Set { path: PathBuf, source: io::Error },
}

/// Which stall, for how long, in which time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stall {
    pub resource: Resource,
    /// All tasks waited at once, not only some.
    pub full: bool,
    pub stalled: Duration,
    /// 500 ms to 10 s (kernel/sched/psi.c WINDOW_MIN_US, WINDOW_MAX_US, v6.12).
    pub window: Duration,
}

/// One line that is watched. Poll it for [`flags`](Self::flags), then [`hear`](Self::hear) it.
#[derive(Debug)]
pub struct Alarm {
    descriptor: Kept,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Readable when it goes off.
    EventFd,
    /// Exceptional when it goes off; polling it takes that note.
    Trigger,
    /// Exceptional until it is read again.
    File,
}

impl Alarm {
    /// Goes off when memory usage crosses `bytes`, up or down, to within the kernel's batch of some
    /// hundred pages: v1 alone can (mm/memcontrol-v1.c mem_cgroup_threshold(), v6.12). It is silent
    /// on a usage that is above already.
    ///
    /// # Errors
    /// Memory is not on v1 here, no descriptor is to spare, or the kernel refuses.
    pub fn usage(layout: &Layout, placement: &Placement, bytes: u64) -> Result<Self, AlarmError> {
        let place = place(layout, placement, Controller::Memory)?;
        if place.is_unified() {
            return Err(AlarmError::NotHere("cgroup v2 tells of no usage"));
        }
        let path = place.file("memory.usage_in_bytes");
        let usage = open(File::options().read(true), &path)?;
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let event = EventFd::from_flags(flags).map_err(|_| AlarmError::NoDescriptor)?;
        let control = place.file("cgroup.event_control");
        let line = format!("{} {} {bytes}", event.as_raw_fd(), usage.as_raw_fd());
        set(
            &mut open(File::options().write(true), &control)?,
            &control,
            line.as_bytes(),
        )?;
        Self::keep(OwnedFd::from(event).into(), Kind::EventFd)
    }

    /// Goes off when tasks of its cgroup v2 stalled for so long within the window, at most once a
    /// window. Without CAP_SYS_RESOURCE the kernel looks only every two seconds, if it takes the
    /// window at all: [`may_watch_pressure`] tells.
    ///
    /// # Errors
    /// No cgroup v2, no pressure file, no descriptor to spare, or the kernel refuses.
    pub fn pressure(
        layout: &Layout,
        placement: &Placement,
        stall: Stall,
    ) -> Result<Self, AlarmError> {
        let place = place_in(layout, placement, HierarchyId::V2)
            .ok_or(AlarmError::NotHere("no cgroup v2 of its own"))?;
        let path = place.file(stall.resource.file());
        let mut options = File::options();
        options.read(true).write(true).custom_flags(O_NONBLOCK);
        let mut file = open(&mut options, &path)?;
        // /proc/pressure takes the last byte for the end; cgroup files do not mind it.
        let line = format!(
            "{} {} {}\0",
            if stall.full { "full" } else { "some" },
            stall.stalled.as_micros(),
            stall.window.as_micros()
        );
        set(&mut file, &path, line.as_bytes())?;
        Self::keep(file, Kind::Trigger)
    }

    /// Goes off when a count in `memory.events` changes: that of a limit that was met, among others.
    /// v2 alone has the file.
    ///
    /// # Errors
    /// Memory is not on v2 here, no descriptor is to spare.
    pub fn memory_events(layout: &Layout, placement: &Placement) -> Result<Self, AlarmError> {
        let place = place(layout, placement, Controller::Memory)?;
        if !place.is_unified() {
            return Err(AlarmError::NotHere("cgroup v1 tells of no events"));
        }
        let path = place.file("memory.events");
        let file = open(File::options().read(true), &path)?;
        let alarm = Self::keep(file, Kind::File)?;
        // What was before is not told: reading it takes note (fs/kernfs/file.c kernfs_generic_poll()).
        alarm.hear();
        Ok(alarm)
    }

    /// What to poll for.
    #[must_use]
    pub fn flags(&self) -> EpollFlags {
        match self.kind {
            Kind::EventFd => EpollFlags::EPOLLIN,
            Kind::Trigger | Kind::File => EpollFlags::EPOLLPRI,
        }
    }

    /// Takes note that it went off, so that it can again.
    pub fn hear(&self) {
        let mut file = &self.descriptor.0;
        // Of a cgroup that is gone nothing is read, and its alarm is about to be dropped.
        let _ = match self.kind {
            Kind::EventFd => file.read(&mut [0; 8]),
            Kind::File => file.read_at(&mut [0; 512], 0),
            Kind::Trigger => Ok(0),
        };
    }

    fn keep(file: File, kind: Kind) -> Result<Self, AlarmError> {
        let descriptor = Kept::new(file).ok_or(AlarmError::NoDescriptor)?;
        Ok(Self { descriptor, kind })
    }
}

impl AsFd for Alarm {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.0.as_fd()
    }
}

/// Whether this process may have pressure watched at any window, by CAP_SYS_RESOURCE
/// (kernel/sched/psi.c psi_trigger_create(), v6.5 and newer; older kernels let nobody else at all).
#[must_use]
pub fn may_watch_pressure() -> bool {
    const CAP_SYS_RESOURCE: u32 = 24;
    procfs::process::Process::myself()
        .and_then(|own| own.status())
        .is_ok_and(|status| status.capeff & (1 << CAP_SYS_RESOURCE) != 0)
}

fn place(
    layout: &Layout,
    placement: &Placement,
    controller: Controller,
) -> Result<Place, AlarmError> {
    let hierarchy = layout
        .controller(controller)
        .ok_or(AlarmError::NotHere("no such controller"))?;
    place_in(layout, placement, hierarchy.id).ok_or(AlarmError::NotHere("no cgroup of its own"))
}

fn open(options: &mut OpenOptions, path: &Path) -> Result<File, AlarmError> {
    options.open(path).map_err(|source| AlarmError::Set {
        path: path.to_owned(),
        source,
    })
}

fn set(file: &mut File, path: &Path, line: &[u8]) -> Result<(), AlarmError> {
    file.write_all(line).map_err(|source| AlarmError::Set {
        path: path.to_owned(),
        source,
    })
}
