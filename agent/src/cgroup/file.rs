//! Kept descriptors of a cgroup's files.
//!
//! Opening costs ten times what reading does, so a file is opened once and read with `pread`. A
//! file that is not there is remembered as absent until the next refresh.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit};

use super::place::{Place, Vanished};

/// Fits any file of a cgroup with a few devices; grows for the rest.
const INITIAL_BYTES: usize = 16 * 1024;

/// Descriptors that are left to the rest of the agent: probes, maps, sockets, log.
const RESERVED: u64 = 512;

/// Descriptors kept now, by all readers of the process, which share one limit.
static KEPT: AtomicU64 = AtomicU64::new(0);

/// Descriptors that readers keep open now.
#[must_use]
pub fn kept_files() -> u64 {
    KEPT.load(Ordering::Relaxed)
}

/// The buffer that files are read into; one serves all readers of a thread.
#[derive(Debug)]
pub struct Scratch {
    buffer: Vec<u8>,
}

impl Default for Scratch {
    fn default() -> Self {
        Self {
            buffer: vec![0; INITIAL_BYTES],
        }
    }
}

impl Scratch {
    /// Reads the whole file from its start: the kernel makes the text anew at offset 0, and hands
    /// out all of it in one read when the buffer has room.
    fn fill(&mut self, file: &File) -> io::Result<usize> {
        loop {
            let length = file.read_at(&mut self.buffer, 0)?;
            if length < self.buffer.len() {
                return Ok(length);
            }
            self.buffer.resize(length * 2, 0);
        }
    }
}

/// One file of a [`Place`].
#[derive(Debug)]
pub(super) struct KernFile {
    name: &'static str,
    state: State,
}

#[derive(Debug)]
enum State {
    Unopened,
    Open(Kept),
    /// No descriptor to spare, or read too seldom to keep one: opened for each read.
    Passing,
    Absent,
}

/// An open file that counts in [`KEPT`].
#[derive(Debug)]
pub(super) struct Kept(pub(super) File);

impl Kept {
    /// Takes the file when the process can spare a descriptor.
    pub(super) fn new(file: File) -> Option<Self> {
        // Asked anew, because the limit may be raised while the agent runs.
        let (limit, _) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
        may_keep(kept_files(), limit).then(|| {
            KEPT.fetch_add(1, Ordering::Relaxed);
            Self(file)
        })
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        KEPT.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Readers take what is left after the reserve, which is half of a limit that is small.
fn may_keep(kept: u64, limit: u64) -> bool {
    kept < limit - RESERVED.min(limit / 2)
}

impl KernFile {
    /// A file read often: opened at the first read, then kept.
    pub(super) const fn kept(name: &'static str) -> Self {
        Self {
            name,
            state: State::Unopened,
        }
    }

    /// A file read seldom: opened and closed each time.
    pub(super) const fn passing(name: &'static str) -> Self {
        Self {
            name,
            state: State::Passing,
        }
    }

    /// Looks again for an absent file, and for a descriptor to keep: controllers come and go.
    pub(super) fn retry(&mut self) {
        match self.state {
            State::Open(_) | State::Unopened => {}
            State::Passing | State::Absent => self.state = State::Unopened,
        }
    }

    /// The file's text; `None`: this cgroup has no such file.
    pub(super) fn read<'s>(
        &mut self,
        place: &Place,
        scratch: &'s mut Scratch,
    ) -> Result<Option<&'s [u8]>, Vanished> {
        let read = match &self.state {
            State::Absent => return Ok(None),
            State::Open(Kept(file)) => scratch.fill(file),
            State::Unopened => self.open_and_keep(place, scratch),
            State::Passing => {
                // By path each time, so make sure that it is still the same cgroup.
                place.check()?;
                File::open(place.file(self.name)).and_then(|file| scratch.fill(&file))
            }
        };
        let length = match read {
            Ok(length) => length,
            Err(error) => match self.after_failure(&error, place, scratch)? {
                Some(length) => length,
                None => return Ok(None),
            },
        };
        Ok(scratch.buffer.get(..length))
    }

    fn open_and_keep(&mut self, place: &Place, scratch: &mut Scratch) -> io::Result<usize> {
        let file = File::open(place.file(self.name))?;
        let length = scratch.fill(&file)?;
        self.state = Kept::new(file).map_or(State::Passing, State::Open);
        Ok(length)
    }

    /// A read failed: is the cgroup gone, only the file, or was the file replaced?
    fn after_failure(
        &mut self,
        error: &io::Error,
        place: &Place,
        scratch: &mut Scratch,
    ) -> Result<Option<usize>, Vanished> {
        place.check()?;
        if is(error, Errno::ENODEV) && matches!(self.state, State::Open(_)) {
            // A controller that is disabled and enabled again makes its files anew.
            self.state = State::Unopened;
            if let Ok(length) = self.open_and_keep(place, scratch) {
                return Ok(Some(length));
            }
        }
        if is(error, Errno::EMFILE) || is(error, Errno::ENFILE) {
            // Others took the reserve: this value is missed, the file is not given up.
            tracing::debug!(path = %place.path(), file = self.name, %error, "no descriptor to read with");
            return Ok(None);
        }
        if !is(error, Errno::ENOENT) && !is(error, Errno::ENODEV) {
            tracing::debug!(path = %place.path(), file = self.name, %error, "cgroup file not readable");
        }
        match self.state {
            State::Passing => {}
            State::Open(_) | State::Unopened | State::Absent => self.state = State::Absent,
        }
        Ok(None)
    }
}

fn is(error: &io::Error, errno: Errno) -> bool {
    error.raw_os_error() == Some(errno as i32)
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
