//! This process's standard streams and those of a process in a container, joined.

use std::io;

use bytes::BytesMut;
use futures_util::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::signal::unix::{SignalKind, signal};

use super::chunks;
use super::client::Hijacked;
use super::detach::{DetachKeys, Detector};
use super::output_frames::{Demultiplexer, Sink, write};
use super::terminal::RawMode;

const BUFFER: usize = 32 << 10;

/// What is joined, and how.
#[derive(Clone, Debug)]
pub(super) struct Streams {
    pub(super) stdin: bool,
    /// Its output is waited for; else the end of standard input is the end.
    pub(super) output: bool,
    /// The process has a terminal: one stream, bytes as they are.
    pub(super) tty: bool,
    pub(super) detach_keys: DetachKeys,
    /// Signals to this process are not passed on, so they end it.
    pub(super) mortal: bool,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// There is no more output.
    Output,
    /// The detach keys were typed.
    Detached,
    /// This process was told to end.
    Signal(i32),
}

/// Joins the streams until the output ends or the detach keys are typed. The end of standard input is
/// passed on, and output still waited for.
pub(super) async fn join(hijacked: Hijacked, streams: Streams) -> io::Result<Ended> {
    let Hijacked { stream, early } = hijacked;
    let (reader, writer) = stream.into_split();
    let Streams {
        stdin,
        output: has_output,
        tty,
        detach_keys,
        mortal,
    } = streams;
    let raw = if stdin && tty {
        RawMode::enter()?
    } else {
        None
    };
    let output = show(reader, BytesMut::from(&early[..]), tty);
    let ended = if stdin {
        let keys = tty.then(|| Detector::new(detach_keys));
        let input = tokio::spawn(send(writer, keys));
        tokio::pin!(output, input);
        tokio::select! {
            biased;
            sent = &mut input => match sent.map_err(io::Error::other)? {
                Ok(Ended::Detached) => Ok(Ended::Detached),
                Ok(_) if !has_output => Ok(Ended::Detached),
                // A process that ended or closed its input wants no more; its output may go on.
                _ => output.await.map(|()| Ended::Output),
            },
            shown = &mut output => shown.map(|()| Ended::Output),
            // Without this the terminal stayed raw.
            signal = deadly(), if mortal && raw.is_some() => signal.map(Ended::Signal),
        }
    } else {
        // Kept: to close it would be to say that input has ended.
        let ended = output.await.map(|()| Ended::Output);
        drop(writer);
        ended
    };
    drop(raw);
    ended
}

/// Waits for a signal that ends a process.
async fn deadly() -> io::Result<i32> {
    let mut hangup = signal(SignalKind::hangup())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut quit = signal(SignalKind::quit())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let kind = tokio::select! {
        _ = hangup.recv() => SignalKind::hangup(),
        _ = interrupt.recv() => SignalKind::interrupt(),
        _ = quit.recv() => SignalKind::quit(),
        _ = terminate.recv() => SignalKind::terminate(),
    };
    Ok(kind.as_raw_value())
}

/// Standard input, to its end or to the detach keys.
async fn send(mut writer: OwnedWriteHalf, mut keys: Option<Detector>) -> io::Result<Ended> {
    let mut input = chunks::of(io::stdin())?;
    while let Some(chunk) = input.next().await {
        let chunk = chunk?;
        let Some(keys) = &mut keys else {
            writer.write_all(&chunk).await?;
            continue;
        };
        let typed = keys.filter(&chunk);
        writer.write_all(&typed.bytes).await?;
        if typed.detach {
            // The end of input, to which the engine might answer first, is none that was meant.
            writer.forget();
            return Ok(Ended::Detached);
        }
    }
    writer.shutdown().await?;
    Ok(Ended::Output)
}

async fn show(mut reader: OwnedReadHalf, mut buffer: BytesMut, tty: bool) -> io::Result<()> {
    let mut frames = Demultiplexer::default();
    loop {
        if tty && !buffer.is_empty() {
            write(Sink::Stdout, buffer.split().freeze()).await?;
        } else {
            frames.push(&buffer.split());
            while let Some((sink, bytes)) = frames.next() {
                write(sink, bytes).await?;
            }
        }
        buffer.reserve(BUFFER);
        match reader.read_buf(&mut buffer).await {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            // How an engine may end it whose process did not read all its input.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}
