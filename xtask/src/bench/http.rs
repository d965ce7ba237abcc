//! One HTTP/1.0 request on a fresh connection, as plain as a scrape can be.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

const TIMEOUT: Duration = Duration::from_secs(10);

/// What a scrape gave and took.
pub(crate) struct Answer {
    pub(crate) body: String,
    /// From before the connection to the last byte.
    pub(crate) took: Duration,
}

/// Asks for `path`; fails unless the answer is 200.
pub(crate) fn get(address: SocketAddr, path: &str) -> Result<Answer> {
    let began = Instant::now();
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)
        .with_context(|| format!("cannot connect to {address}"))?;
    stream.set_read_timeout(Some(TIMEOUT)).context("socket")?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).context("cannot ask")?;
    let mut answer = Vec::new();
    stream
        .read_to_end(&mut answer)
        .with_context(|| format!("no answer to {path}"))?;
    let took = began.elapsed();
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .with_context(|| format!("no HTTP answer to {path}"))?;
    let status = head.lines().next().unwrap_or_default();
    if !status.contains(" 200") {
        bail!("{path}: {status}");
    }
    Ok(Answer {
        body: body.to_owned(),
        took,
    })
}

/// An address on loopback that was free a moment ago.
pub(crate) fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").context("no free port")?;
    listener.local_addr().context("no free port")
}
