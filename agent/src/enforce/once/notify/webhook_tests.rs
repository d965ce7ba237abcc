#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Redirect;
use axum::routing::{any, post as on_post};
use rcgen::CertifiedKey;
use rustls::pki_types::PrivateKeyDer;

use super::*;

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(300);

type Seen = Arc<Mutex<Vec<(Method, HeaderMap, String)>>>;

async fn note(
    State(seen): State<Seen>,
    method: Method,
    headers: HeaderMap,
    body: String,
) -> StatusCode {
    seen.lock().unwrap().push((method, headers, body));
    StatusCode::NO_CONTENT
}

/// An HTTP server that keeps what it gets at `/hook`.
async fn server() -> (SocketAddr, Seen) {
    let seen = Seen::default();
    let app = Router::new()
        .route("/hook", any(note))
        .route("/moved", on_post(|| async { Redirect::permanent("/hook") }))
        .route("/other", on_post(|| async { Redirect::to("/hook") }))
        .route(
            "/broken",
            on_post(|| async { (StatusCode::INTERNAL_SERVER_ERROR, "no") }),
        )
        .with_state(Arc::clone(&seen));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (address, seen)
}

async fn sent(url: String, limit: Duration) -> Result<String, String> {
    post(url, b"{\"id\":1}".to_vec(), limit, Roots::OfTheHost).await
}

#[tokio::test]
async fn the_body_comes_as_json_and_the_path_stays_secret() {
    let (address, seen) = server().await;
    let answer = sent(format!("http://{address}/hook?token=secret"), LONG).await;
    assert_eq!(
        answer.unwrap(),
        "webhook at 127.0.0.1 answered 204 No Content"
    );
    let seen = seen.lock().unwrap();
    let [(method, headers, body)] = &seen[..] else {
        panic!("{seen:?}");
    };
    assert_eq!(method, Method::POST);
    assert_eq!(headers["content-type"], "application/json");
    assert!(
        headers["user-agent"]
            .to_str()
            .unwrap()
            .starts_with("plimsoll/")
    );
    assert_eq!(body, "{\"id\":1}");
}

#[tokio::test]
async fn redirects_are_not_followed_and_errors_are_told() {
    let (address, seen) = server().await;
    for (path, status) in [("moved", "308 Permanent"), ("other", "303 See Other")] {
        let answer = sent(format!("http://{address}/{path}"), LONG)
            .await
            .unwrap_err();
        let start = format!("webhook at 127.0.0.1: answered {status}");
        assert!(answer.starts_with(&start), "{answer}");
        assert!(answer.ends_with("redirects are not followed"), "{answer}");
    }
    let answer = sent(format!("http://{address}/broken"), LONG).await;
    assert_eq!(
        answer.unwrap_err(),
        "webhook at 127.0.0.1: answered 500 Internal Server Error"
    );
    assert!(seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_is_no_webhook_is_said_so() {
    let nobody = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    for (url, reason) in [
        (format!("http://{nobody}/x"), "refused"),
        ("ftp://127.0.0.1/x".into(), "not an http or https URL"),
        ("/hook".into(), "not an http or https URL"),
        ("http://a b/".into(), "not a URL"),
    ] {
        let answer = sent(url.clone(), LONG).await.unwrap_err();
        assert!(answer.contains(reason), "{url}: {answer}");
    }
}

/// A receiver that does with a connection whatever it likes, until the test ends.
fn receiver(serve: impl Fn(TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            serve(stream.unwrap());
        }
    });
    address
}

#[tokio::test]
async fn a_receiver_that_hangs_costs_its_timeout_and_no_more() {
    let (silent, kept): (Sender<TcpStream>, Receiver<TcpStream>) = channel();
    let never = receiver(move |stream| silent.send(stream).unwrap());
    let trickle = receiver(|mut stream| {
        // A header that never ends.
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nX: ");
        while stream.write_all(b"x").is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
    });
    for address in [never, trickle] {
        let start = Instant::now();
        let answer = sent(format!("http://{address}/"), SHORT).await;
        let took = start.elapsed();
        assert_eq!(
            answer.unwrap_err(),
            "webhook at 127.0.0.1: no answer within 300ms"
        );
        assert!(took >= SHORT && took < SHORT * 5, "{took:?}");
    }
    drop(kept);
}

#[tokio::test]
async fn an_answer_is_taken_without_its_body() {
    let endless = receiver(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        while stream.write_all(b"1\r\nx\r\n").is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
    });
    let start = Instant::now();
    let answer = sent(format!("http://{endless}/"), LONG).await;
    assert_eq!(answer.unwrap(), "webhook at 127.0.0.1 answered 200 OK");
    assert!(start.elapsed() < LONG / 2);
}

/// Answers over TLS with a certificate of its own making; hands on what was sent to it.
fn tls_receiver(key: &CertifiedKey<rcgen::KeyPair>) -> (SocketAddr, Receiver<String>) {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![key.cert.der().clone()],
            PrivateKeyDer::Pkcs8(key.signing_key.serialize_der().into()),
        )
        .unwrap();
    let config = Arc::new(config);
    let (sender, requests) = channel();
    let address = receiver(move |stream| {
        let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut stream = rustls::StreamOwned::new(connection, stream);
        let mut part = [0; 4096];
        let mut text = String::new();
        // A client that does not trust the certificate ends the handshake.
        while let Ok(length @ 1..) = stream.read(&mut part) {
            text.push_str(&String::from_utf8_lossy(&part[..length]));
            if text.ends_with("{\"id\":1}") {
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                    .unwrap();
                let _ = sender.send(text);
                return;
            }
        }
    });
    (address, requests)
}

#[tokio::test]
async fn https_asks_for_a_certificate_that_somebody_vouches_for() {
    let key = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (address, requests) = tls_receiver(&key);
    let url = format!("https://localhost:{}/hook", address.port());
    let roots = Roots::These(vec![Certificate::from_der(key.cert.der()).to_owned()]);
    let body = || b"{\"id\":1}".to_vec();
    let answer = post(url.clone(), body(), LONG, roots.clone()).await;
    assert_eq!(answer.unwrap(), "webhook at localhost answered 200 OK");
    let request = requests.recv_timeout(LONG).unwrap();
    assert!(request.starts_with("POST /hook HTTP/1.1\r\n"), "{request}");

    let unknown = post(url, body(), LONG, Roots::OfTheHost).await.unwrap_err();
    let wrong_name = format!("https://{address}/hook");
    let wrong_name = post(wrong_name, body(), LONG, roots).await.unwrap_err();
    for refused in [unknown, wrong_name] {
        assert!(refused.contains("certificate"), "{refused}");
    }
    assert!(requests.try_recv().is_err());
}
