//! Clients of a container: before its start, while it runs, with a terminal.

use std::time::Duration;

use bytes::Bytes;
use plimsoll::engine::{AttachQuery, Attachment, Input, Stream, WaitCondition};
use tokio::time::timeout;

use super::harbour::Harbour;

const PATIENCE: Duration = Duration::from_secs(60);
const ALL: AttachQuery = AttachQuery {
    stdin: true,
    stdout: true,
    stderr: true,
    stream: true,
    logs: false,
};

/// Output and errors until the end.
pub(super) async fn read(attachment: &mut Attachment) -> (String, String) {
    let (mut output, mut errors) = (Vec::new(), Vec::new());
    while let Some(chunk) = attachment.output.recv().await {
        match chunk.stream {
            Stream::Stdout => output.extend(chunk.bytes),
            Stream::Stderr => errors.extend(chunk.bytes),
        }
    }
    (
        String::from_utf8(output).unwrap(),
        String::from_utf8(errors).unwrap(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn who_attaches_before_the_start_misses_nothing() {
    let Some(harbour) = Harbour::new("who_attaches_before_the_start_misses_nothing") else {
        return;
    };
    let manned = harbour.man().await;
    let mut body = harbour.body("echo out; echo err >&2; wc -c; exit 4");
    body.open_stdin = Some(true);
    body.stdin_once = Some(true);
    let id = manned.engine.create(None, body).await.unwrap().id;
    let mut client = manned.engine.attach(&id, ALL).await.unwrap();
    assert!(!client.terminal);
    let exit = manned.engine.wait(&id, WaitCondition::NextExit).unwrap();
    manned.engine.start(&id).await.unwrap();
    let piece = Bytes::from(vec![b'x'; 100_000]);
    for _ in 0..3 {
        client
            .input
            .send(Input::Bytes(piece.clone()))
            .await
            .unwrap();
    }
    client.input.send(Input::End).await.unwrap();
    assert_eq!(
        read(&mut client).await,
        ("out\n300000\n".to_owned(), "err\n".to_owned())
    );
    assert_eq!(exit.await.unwrap().status_code, 4);
    manned.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_may_leave_and_another_come() {
    let Some(harbour) = Harbour::new("one_may_leave_and_another_come") else {
        return;
    };
    let manned = harbour.man().await;
    let mut body = harbour.body("read a; echo got $a; read b; echo got $b");
    body.open_stdin = Some(true);
    let id = manned.run(body).await;
    let mut first = manned.engine.attach(&id, ALL).await.unwrap();
    first
        .input
        .send(Input::Bytes("one\n".into()))
        .await
        .unwrap();
    let chunk = first.output.recv().await.unwrap();
    assert_eq!(chunk.bytes, "got one\n");
    // Not `--interactive` once: the container's input stays open.
    first.input.send(Input::End).await.unwrap();
    drop(first);
    let logs = AttachQuery { logs: true, ..ALL };
    let mut second = manned.engine.attach(&id, logs).await.unwrap();
    second
        .input
        .send(Input::Bytes("two\n".into()))
        .await
        .unwrap();
    assert_eq!(read(&mut second).await.0, "got one\ngot two\n");
    manned.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn log_and_output_join_without_gap_or_double() {
    let Some(harbour) = Harbour::new("log_and_output_join_without_gap_or_double") else {
        return;
    };
    let manned = harbour.man().await;
    // A thousand lines for each that it reads.
    let count = "echo before; n=0; while read a; do m=0; while [ $m -lt 1000 ]; do m=$((m+1)); \
                 n=$((n+1)); echo $n; printf 'ha'; printf 'lf\\n' >&2; done; done";
    let mut body = harbour.body(count);
    body.open_stdin = Some(true);
    let id = manned.engine.create(None, body.clone()).await.unwrap().id;
    let both = AttachQuery { logs: true, ..ALL };
    let line = Input::Bytes("\n".into());
    // From before the start on.
    let mut client = manned.engine.attach(&id, both).await.unwrap();
    manned.engine.start(&id).await.unwrap();
    for thousands in 1..=20 {
        client.input.send(line.clone()).await.unwrap();
        // While it writes. Who gave the order stays, and goes on reading: the workload waits for who does not.
        let next = match thousands {
            1 => None,
            _ => Some(manned.engine.attach(&id, both).await.unwrap()),
        };
        let before = next.map(|next| std::mem::replace(&mut client, next));
        let before = before.map(|mut before| {
            tokio::spawn(async move { while before.output.recv().await.is_some() {} })
        });
        sequence(&mut client, thousands * 1000).await;
        if let Some(before) = before {
            before.abort();
        }
    }
    manned.engine.stop(&id, None, Some(0)).await.unwrap();

    // A line that has not ended is in no log yet.
    body.cmd = Some(
        ["sh", "-c", "printf one; read a; echo two"]
            .map(str::to_owned)
            .to_vec(),
    );
    let id = manned.run(body).await;
    let mut first = manned.engine.attach(&id, both).await.unwrap();
    let chunk = timeout(PATIENCE, first.output.recv()).await.unwrap();
    assert_eq!(chunk.unwrap().bytes, "one");
    let mut second = manned.engine.attach(&id, both).await.unwrap();
    second.input.send(line).await.unwrap();
    assert_eq!(read(&mut second).await.0, "onetwo\n");
    assert_eq!(read(&mut first).await.0, "two\n");
    manned.clear().await;
}

/// Reads up to a number, each of which comes after the one before it.
async fn sequence(client: &mut Attachment, last: u64) {
    let (mut line, mut next) = (Vec::new(), 0);
    while let Some(chunk) = timeout(PATIENCE, client.output.recv()).await.unwrap() {
        if chunk.stream == Stream::Stderr {
            continue;
        }
        for byte in chunk.bytes {
            if byte != b'\n' {
                line.push(byte);
                continue;
            }
            let text = String::from_utf8(std::mem::take(&mut line)).unwrap();
            match next {
                0 => assert_eq!(text, "before"),
                1 => assert_eq!(text, "1"),
                number => assert_eq!(text, format!("ha{number}")),
            }
            if next == last {
                return;
            }
            next += 1;
        }
    }
    panic!("it was let go after {next}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_has_the_clients_size() {
    let Some(harbour) = Harbour::new("a_terminal_has_the_clients_size") else {
        return;
    };
    let manned = harbour.man().await;
    let mut body = harbour.body("tty; read x; stty size");
    body.tty = Some(true);
    body.open_stdin = Some(true);
    let id = manned.engine.create(None, body).await.unwrap().id;
    let mut client = manned.engine.attach(&id, ALL).await.unwrap();
    assert!(client.terminal);
    manned.engine.start(&id).await.unwrap();
    manned.engine.resize(&id, 50, 150).await.unwrap();
    client.input.send(Input::Bytes("\n".into())).await.unwrap();
    let (text, _) = read(&mut client).await;
    assert!(
        text.contains("/dev/pts/0\r\n") && text.contains("50 150"),
        "{text:?}"
    );
    manned.clear().await;
}
