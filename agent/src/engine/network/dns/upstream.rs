//! Questions passed on to the resolvers of the host, whose answers are passed back as they came.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

/// Where resolvers are asked.
pub(in crate::engine::network) const DOMAIN: u16 = 53;
/// For one of them to answer.
const PATIENCE: Duration = Duration::from_millis(1_500);
/// For all of them. A resolver library asks again after five seconds (`resolv.conf(5)`).
const PATIENCE_IN_ALL: Duration = Duration::from_secs(4);
const LONGEST: usize = 65_535;
/// Codes of answers that another server may have a better one than: SERVFAIL and REFUSED (RFC 1035, 4.1.1).
const FAILURES: [u8; 2] = [2, 5];

/// Which of them answered last: it is asked first.
#[derive(Debug, Default)]
pub(super) struct Favourite(Mutex<Option<SocketAddr>>);

impl Favourite {
    /// Asks one after the other, and over UDP again while nobody answers: a datagram may be lost. One that fails
    /// is passed over, as resolver libraries do; its answer is the last resort. `None`: nobody answers.
    pub(super) async fn ask(
        &self,
        servers: &[SocketAddr],
        question: &[u8],
        datagram: bool,
    ) -> Option<Vec<u8>> {
        let mut servers = servers.to_vec();
        let first = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Stable: the others keep the order they are listed in.
        servers.sort_by_key(|server| Some(*server) != first);
        let deadline = Instant::now() + PATIENCE_IN_ALL;
        let mut failed = None;
        loop {
            let mut is_silent = false;
            for server in &servers {
                let left = deadline.saturating_duration_since(Instant::now());
                match timeout(PATIENCE.min(left), ask(*server, question, datagram)).await {
                    Ok(Ok(answer)) if is_failure(&answer) => failed = Some(answer),
                    Ok(Ok(answer)) => {
                        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(*server);
                        return Some(answer);
                    }
                    Ok(Err(error)) => {
                        tracing::debug!(%server, %error, "a resolver cannot be asked");
                    }
                    Err(_) => {
                        tracing::debug!(%server, "a resolver is silent");
                        is_silent = true;
                    }
                }
            }
            if failed.is_some() || !is_silent || !datagram || Instant::now() >= deadline {
                return failed;
            }
        }
    }
}

fn is_failure(answer: &[u8]) -> bool {
    answer
        .get(3)
        .is_some_and(|flags| FAILURES.contains(&(flags & 0x0f)))
}

async fn ask(server: SocketAddr, question: &[u8], datagram: bool) -> io::Result<Vec<u8>> {
    if datagram {
        by_datagram(server, question).await
    } else {
        by_stream(server, question).await
    }
}

/// From a port of its own, and connected: nobody else's answer is heard.
async fn by_datagram(server: SocketAddr, question: &[u8]) -> io::Result<Vec<u8>> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    socket.send(question).await?;
    let mut answer = vec![0; LONGEST];
    loop {
        let length = socket.recv(&mut answer).await?;
        // The id, and the bit that says: an answer.
        let ours = answer.get(..2) == question.get(..2);
        if length >= 12 && ours && answer.get(2).is_some_and(|flags| flags & 0x80 != 0) {
            answer.truncate(length);
            return Ok(answer);
        }
    }
}

async fn by_stream(server: SocketAddr, question: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    write(&mut stream, question).await?;
    read(&mut stream).await
}

/// A message with its length before it (RFC 1035, 4.2.2).
pub(super) async fn read(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let length = stream.read_u16().await?;
    let mut message = vec![0; length.into()];
    stream.read_exact(&mut message).await?;
    Ok(message)
}

pub(super) async fn write(stream: &mut TcpStream, message: &[u8]) -> io::Result<()> {
    let length = u16::try_from(message.len()).map_err(io::Error::other)?;
    let mut whole = length.to_be_bytes().to_vec();
    whole.extend_from_slice(message);
    stream.write_all(&whole).await
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUESTION: [u8; 12] = [7, 7, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];

    #[tokio::test]
    async fn a_silent_resolver_is_passed_over_and_not_asked_first_again() {
        let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let lively = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let servers = [silent.local_addr().unwrap(), lively.local_addr().unwrap()];
        let favourite = Favourite::default();
        let answering = async {
            let mut buffer = [0; 64];
            for _ in 0..2 {
                let (length, asker) = lively.recv_from(&mut buffer).await.unwrap();
                // Somebody else's answer first: it is not taken for this one.
                lively
                    .send_to(&[9, 9, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0], asker)
                    .await
                    .unwrap();
                buffer[2] |= 0x80;
                lively.send_to(&buffer[..length], asker).await.unwrap();
            }
        };
        let asking = async {
            let started = std::time::Instant::now();
            let first = favourite.ask(&servers, &QUESTION, true).await.unwrap();
            assert!(started.elapsed() >= PATIENCE);
            let second = std::time::Instant::now();
            favourite.ask(&servers, &QUESTION, true).await.unwrap();
            assert!(second.elapsed() < PATIENCE);
            first
        };
        let (answer, ()) = tokio::join!(asking, answering);
        assert_eq!(answer[..3], [7, 7, 0x81]);
    }

    /// Answers each question with a code; `None`: not at all.
    async fn serve(socket: &UdpSocket, codes: &[Option<u8>]) {
        let mut buffer = [0; 64];
        for code in codes {
            let (length, asker) = socket.recv_from(&mut buffer).await.unwrap();
            if let Some(code) = code {
                buffer[2] |= 0x80;
                buffer[3] = *code;
                socket.send_to(&buffer[..length], asker).await.unwrap();
            }
        }
    }

    #[tokio::test]
    async fn one_that_fails_is_passed_over_and_is_the_last_resort() {
        let failing = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let lively = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let servers = [failing.local_addr().unwrap(), lively.local_addr().unwrap()];
        let favourite = Favourite::default();
        for (code, other, answered) in [(2, 0, 0), (5, 3, 3), (2, 5, 5)] {
            let [failing, lively] = [(&failing, [Some(code)]), (&lively, [Some(other)])];
            // The second is asked first once it was of use.
            *favourite.0.lock().unwrap() = None;
            let (answer, (), ()) = tokio::join!(
                favourite.ask(&servers, &QUESTION, true),
                serve(failing.0, &failing.1),
                serve(lively.0, &lively.1)
            );
            assert_eq!(answer.unwrap()[3], answered);
        }
    }

    #[tokio::test]
    async fn a_lost_datagram_is_sent_again() {
        let only = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let servers = [only.local_addr().unwrap()];
        let favourite = Favourite::default();
        let codes = [None, Some(0)];
        let (answer, ()) = tokio::join!(
            favourite.ask(&servers, &QUESTION, true),
            serve(&only, &codes)
        );
        assert_eq!(answer.unwrap()[3], 0);
    }

    #[tokio::test]
    async fn nobody_to_ask_is_nobody() {
        assert_eq!(Favourite::default().ask(&[], &QUESTION, true).await, None);
    }
}
