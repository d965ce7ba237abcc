//! Files and standard input as chunks, read by a thread: what cannot be polled must not stop the rest.

use std::io::{self, Read};
use std::thread;

use bytes::Bytes;
use futures_util::Stream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

const CHUNK: usize = 32 << 10;
/// Chunks that wait to be sent.
const AHEAD: usize = 4;

/// The chunks of `reader`. The thread ends with it, or at its next chunk after nobody wants them; it does
/// not keep the program from ending.
pub(super) fn of(
    reader: impl Read + Send + 'static,
) -> io::Result<impl Stream<Item = io::Result<Bytes>> + Send + Unpin + 'static> {
    let (sender, receiver) = mpsc::channel(AHEAD);
    thread::Builder::new()
        .name("read".into())
        .spawn(move || send_all(reader, &sender))?;
    Ok(ReceiverStream::new(receiver))
}

fn send_all(mut reader: impl Read, sender: &mpsc::Sender<io::Result<Bytes>>) {
    let mut buffer = vec![0; CHUNK];
    loop {
        let chunk = match reader.read(&mut buffer) {
            Ok(0) => return,
            Ok(read) => Ok(Bytes::copy_from_slice(
                buffer.get(..read).unwrap_or_default(),
            )),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let failed = chunk.is_err();
        if sender.blocking_send(chunk).is_err() || failed {
            return;
        }
    }
}
