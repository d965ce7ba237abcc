//! Output that comes over one stream: standard output and standard error apart, or a terminal's.

use std::io::{self, Write};

use bytes::{Buf, Bytes, BytesMut};
use tokio::task::spawn_blocking;

const HEADER: usize = 8;

/// Where output goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sink {
    Stdout,
    Stderr,
}

/// Takes a stream apart. Frames have a header of their own: the stream, three bytes of nothing, the length;
/// a frame is passed on as it comes, however long it is.
#[derive(Debug, Default)]
pub(super) struct Demultiplexer {
    buffer: BytesMut,
    /// Of the frame that is being read.
    rest: usize,
    sink: Option<Sink>,
}

impl Demultiplexer {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next piece that is there.
    pub(super) fn next(&mut self) -> Option<(Sink, Bytes)> {
        loop {
            if self.rest > 0 {
                let ready = self.buffer.len().min(self.rest);
                if ready == 0 {
                    return None;
                }
                self.rest -= ready;
                let piece = self.buffer.split_to(ready).freeze();
                match self.sink {
                    Some(sink) => return Some((sink, piece)),
                    None => continue,
                }
            }
            if self.buffer.len() < HEADER {
                return None;
            }
            let mut header = self.buffer.split_to(HEADER);
            self.sink = match header.get_u8() {
                1 => Some(Sink::Stdout),
                // 3: what the engine itself has to say.
                2 | 3 => Some(Sink::Stderr),
                _ => None,
            };
            header.advance(3);
            self.rest = usize::try_from(header.get_u32()).unwrap_or(usize::MAX);
        }
    }
}

/// Writes without keeping others waiting: who reads may be slow.
pub(super) async fn write(sink: Sink, bytes: Bytes) -> io::Result<()> {
    let written = spawn_blocking(move || match sink {
        Sink::Stdout => {
            let mut stdout = io::stdout().lock();
            stdout.write_all(&bytes)?;
            stdout.flush()
        }
        Sink::Stderr => io::stderr().lock().write_all(&bytes),
    });
    written.await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_in_pieces_of_any_size() {
        let mut stream = Vec::new();
        for (kind, text) in [(1, "out"), (2, ""), (2, "error"), (0, "in"), (1, "more")] {
            stream.extend([kind, 0, 0, 0, 0, 0, 0, text.len() as u8]);
            stream.extend(text.bytes());
        }
        for size in 1..=stream.len() {
            let mut frames = Demultiplexer::default();
            let (mut out, mut error) = (Vec::new(), Vec::new());
            for piece in stream.chunks(size) {
                frames.push(piece);
                while let Some((sink, bytes)) = frames.next() {
                    match sink {
                        Sink::Stdout => out.extend(bytes),
                        Sink::Stderr => error.extend(bytes),
                    }
                }
            }
            assert_eq!(
                (&out[..], &error[..]),
                (&b"outmore"[..], &b"error"[..]),
                "{size}"
            );
        }
    }
}
