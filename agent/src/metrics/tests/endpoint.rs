//! The endpoint over real sockets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::ledger::Snapshot;
use crate::metrics::fixture;
use crate::metrics::server::{Options, ServeError, serve};

/// Nothing here takes so long unless it hangs.
const LONG: Duration = Duration::from_secs(20);

pub(super) struct Endpoint {
    address: SocketAddr,
    snapshots: watch::Sender<Arc<Snapshot>>,
    scraped: watch::Receiver<u64>,
    token: CancellationToken,
    task: JoinHandle<Result<(), ServeError>>,
}

impl Endpoint {
    pub(super) async fn start(snapshot: Snapshot) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (snapshots, receiver) = watch::channel(Arc::new(snapshot));
        let (sender, scraped) = watch::channel(0);
        let token = CancellationToken::new();
        let served = serve(
            listener,
            receiver,
            watch::Sender::new(Options::default()).subscribe(),
            None,
            None,
            sender,
            token.clone(),
        );
        Self {
            address,
            snapshots,
            scraped,
            token,
            task: tokio::spawn(served),
        }
    }

    async fn client(&self) -> SendRequest<Empty<Bytes>> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (client, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        client
    }

    pub(super) async fn get(&self, path: &str, accept: &str) -> Response<Incoming> {
        let request = Request::get(path)
            .header("host", "localhost")
            .header("accept", accept)
            .body(Empty::new())
            .unwrap();
        let sent = self.client().await.send_request(request).await;
        sent.unwrap()
    }

    pub(super) async fn stop(self) {
        self.token.cancel();
        timeout(LONG, self.task).await.unwrap().unwrap().unwrap();
    }
}

async fn body(response: Response<Incoming>) -> String {
    let body = timeout(LONG, response.into_body().collect()).await;
    String::from_utf8(body.unwrap().unwrap().to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn both_formats_are_served_whole() {
    let endpoint = Endpoint::start(fixture::snapshot(200)).await;
    let response = endpoint.get("/metrics", "*/*").await;
    assert_eq!(
        response.headers()["content-type"],
        "text/plain; version=0.0.4; charset=utf-8"
    );
    let text = body(response).await;
    assert_eq!(text.matches("\ncontainer_memory_rss{").count(), 201);
    assert!(!text.contains("# EOF"));

    let accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";
    let response = endpoint.get("/metrics", accept).await;
    assert_eq!(
        response.headers()["content-type"],
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    let text = body(response).await;
    assert_eq!(text.matches("\ncontainer_memory_rss{").count(), 201);
    assert!(text.ends_with("\n# EOF\n"));
    assert!(text.contains("plimsoll_scrapes_total{outcome=\"finished\"} 1.0\n"));
    endpoint.stop().await;
}

#[tokio::test]
async fn ready_after_the_first_tick() {
    let endpoint = Endpoint::start(fixture::empty()).await;
    assert_eq!(endpoint.get("/healthz", "*/*").await.status(), 200);
    assert_eq!(endpoint.get("/readyz", "*/*").await.status(), 503);
    endpoint
        .snapshots
        .send(Arc::new(fixture::snapshot(1)))
        .unwrap();
    assert_eq!(endpoint.get("/readyz", "*/*").await.status(), 200);
    assert!(
        body(endpoint.get("/", "*/*").await)
            .await
            .contains("/metrics")
    );
    assert_eq!(endpoint.get("/nothing", "*/*").await.status(), 404);
    endpoint.stop().await;
}

#[tokio::test]
async fn a_whole_scrape_tells_its_tick() {
    let mut endpoint = Endpoint::start(fixture::snapshot(5)).await;
    assert_eq!(*endpoint.scraped.borrow_and_update(), 0);
    body(endpoint.get("/metrics", "*/*").await).await;
    timeout(LONG, endpoint.scraped.changed())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(*endpoint.scraped.borrow(), 7);
    endpoint.stop().await;
}

/// A request whose answer (some MB, more than all buffers hold) nobody reads.
async fn unread(endpoint: &Endpoint) -> TcpStream {
    let mut stream = TcpStream::connect(endpoint.address).await.unwrap();
    let request = b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut first = [0; 64];
    stream.read_exact(&mut first).await.unwrap();
    stream
}

/// The count of scrapes of one outcome, as another scrape shows it.
async fn outcomes(endpoint: &Endpoint, outcome: &str) -> String {
    let text = body(endpoint.get("/metrics", "*/*").await).await;
    let series = format!("plimsoll_scrapes_total{{outcome=\"{outcome}\"}} ");
    let line = text.lines().find_map(|line| line.strip_prefix(&series));
    line.unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_up_stops_the_scrape() {
    let endpoint = Endpoint::start(fixture::snapshot(3_000)).await;
    drop(unread(&endpoint).await);
    endpoint.snapshots.send(Arc::new(fixture::empty())).unwrap();
    let aborted = async {
        while outcomes(&endpoint, "aborted").await != "1.0" {
            tokio::task::yield_now().await;
        }
    };
    timeout(LONG, aborted).await.unwrap();
    // Only the empty snapshot was handed over, and that was of tick 0.
    assert_eq!(*endpoint.scraped.borrow(), 0);
    endpoint.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_holds_up_nobody() {
    let endpoint = Endpoint::start(fixture::snapshot(3_000)).await;
    let mut slow = Vec::new();
    for _ in 0..4 {
        slow.push(unread(&endpoint).await);
    }
    let refused = endpoint.get("/metrics", "*/*").await;
    assert_eq!(refused.status(), 503);
    assert_eq!(endpoint.get("/healthz", "*/*").await.status(), 200);
    assert_eq!(*endpoint.scraped.borrow(), 0);
    // Shutdown waits half a second for them, then gives them up.
    let stopping = tokio::time::Instant::now();
    endpoint.stop().await;
    assert!(stopping.elapsed() < Duration::from_secs(5));
    // The transfer is broken, not short: the last chunk of size 0 is missing.
    let mut rest = Vec::new();
    let mut stream = slow.remove(0);
    // A reset connection is as good an end.
    let _ = timeout(LONG, stream.read_to_end(&mut rest)).await.unwrap();
    assert!(!rest.ends_with(b"0\r\n\r\n"));
}
