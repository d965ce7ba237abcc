//! One pass over all tasks, read from the task iterator.

use std::fs::File;
use std::io::{self, Read};

use aya::programs::Iter;
use plimsoll_abi::map::TaskSample;

use super::event::record;

/// Bytes read at once: the kernel's own seq buffer is 32 KiB.
const CHUNK: usize = 32 << 10;

/// A pass under way.
pub struct TaskPass {
    file: File,
}

impl TaskPass {
    pub(super) fn start(program: &mut Iter) -> io::Result<Self> {
        let link = program.attach().map_err(io::Error::other)?;
        let link = program.take_link(link).map_err(io::Error::other)?;
        let file = link.into_file().map_err(io::Error::other)?;
        Ok(Self { file })
    }

    /// Calls `each` for every task alive.
    pub fn run(mut self, mut each: impl FnMut(&TaskSample)) -> io::Result<()> {
        let size = size_of::<TaskSample>();
        let mut buffer = vec![0; CHUNK];
        let mut kept = 0;
        loop {
            let read = self.file.read(&mut buffer[kept..])?;
            if read == 0 {
                return Ok(());
            }
            let filled = kept + read;
            let whole = filled - filled % size;
            for sample in buffer[..whole]
                .chunks_exact(size)
                .filter_map(record::<TaskSample>)
            {
                each(&sample);
            }
            buffer.copy_within(whole..filled, 0);
            kept = filled - whole;
        }
    }
}
