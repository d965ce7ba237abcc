//! Logs, read while they are written and rotated.

use std::collections::HashMap;
use std::fs;
use std::pin::pin;

use bollard::models::HostConfigLogConfig;
use plimsoll::engine::{LogsQuery, Stream, WaitCondition};
use tokio_stream::StreamExt;

use super::harbour::{Harbour, Manned};

fn everything() -> LogsQuery {
    LogsQuery {
        stdout: true,
        stderr: true,
        ..LogsQuery::default()
    }
}

async fn read(manned: &Manned, id: &str, query: LogsQuery) -> Vec<(Stream, String)> {
    let mut stream = pin!(manned.engine.logs(id, query).unwrap());
    let mut found = Vec::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.unwrap();
        found.push((
            chunk.stream,
            String::from_utf8(chunk.bytes.to_vec()).unwrap(),
        ));
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_sees_every_line_across_rotations() {
    let Some(harbour) = Harbour::new("a_follower_sees_every_line_across_rotations") else {
        return;
    };
    let manned = harbour.man().await;
    let line = "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); \
                [ $((i % 100)) = 0 ] && sleep 0.02; done; exit 0";
    let mut body = harbour.body(line);
    let options = [("max-size", "20k"), ("max-file", "30")];
    let options = options.map(|(key, value)| (key.to_owned(), value.to_owned()));
    body.host_config.as_mut().unwrap().log_config = Some(HostConfigLogConfig {
        typ: Some("json-file".to_owned()),
        config: Some(HashMap::from(options)),
    });
    let id = manned.run(body).await;
    let query = LogsQuery {
        follow: true,
        ..everything()
    };
    let seen = read(&manned, &id, query).await;
    let expected: Vec<_> = (0..3000)
        .map(|number| (Stream::Stdout, format!("line {number}\n")))
        .collect();
    assert_eq!(seen.len(), expected.len());
    assert!(seen == expected);
    assert_eq!(manned.status(&id).await, "exited");
    // It was rotated, and a tail reaches over files.
    let directory = harbour.directory.join("data/containers").join(&id);
    let files = fs::read_dir(directory).unwrap().flatten();
    let logs = files.filter(|file| file.file_name().to_string_lossy().contains("-json.log"));
    assert!(logs.count() > 3);
    let query = LogsQuery {
        tail: Some(700),
        ..everything()
    };
    assert!(read(&manned, &id, query).await == expected[2300..]);
    manned.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_and_times_are_chosen() {
    let Some(harbour) = Harbour::new("streams_and_times_are_chosen") else {
        return;
    };
    let manned = harbour.man().await;
    let body = harbour.body("echo a; echo b >&2; sleep 0.3; echo c");
    let id = manned.engine.create(None, body).await.unwrap().id;
    let exit = manned.engine.wait(&id, WaitCondition::NextExit).unwrap();
    manned.engine.start(&id).await.unwrap();
    exit.await.unwrap();
    let errors = LogsQuery {
        stdout: false,
        ..everything()
    };
    assert_eq!(
        read(&manned, &id, errors).await,
        [(Stream::Stderr, "b\n".to_owned())]
    );
    let timed = LogsQuery {
        timestamps: true,
        ..everything()
    };
    let timed = read(&manned, &id, timed).await;
    let (time, text) = timed[2].1.split_once(' ').unwrap();
    assert_eq!(text, "c\n");
    let since = humantime::parse_rfc3339(time).unwrap();
    let late = LogsQuery {
        since: Some(since),
        ..everything()
    };
    assert_eq!(
        read(&manned, &id, late).await,
        [(Stream::Stdout, "c\n".to_owned())]
    );
    let early = LogsQuery {
        until: since.checked_sub(std::time::Duration::from_millis(100)),
        ..everything()
    };
    assert_eq!(read(&manned, &id, early).await.len(), 2);
    manned.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_cannot_be_read_is_an_error() {
    let Some(harbour) = Harbour::new("a_log_that_cannot_be_read_is_an_error") else {
        return;
    };
    let manned = harbour.man().await;
    let id = manned.engine.create(None, harbour.body("echo here")).await;
    let id = id.unwrap().id;
    let exit = manned.engine.wait(&id, WaitCondition::NextExit).unwrap();
    manned.engine.start(&id).await.unwrap();
    exit.await.unwrap();
    let log = harbour.directory.join("data/containers").join(&id);
    let log = log.join(format!("{id}-json.log"));
    fs::remove_file(&log).unwrap();
    fs::create_dir(&log).unwrap();
    let stream = manned.engine.logs(&id, everything()).unwrap();
    let seen: Vec<_> = stream.collect().await;
    let kinds: Vec<_> = seen.iter().map(|chunk| chunk.as_ref().err()).collect();
    assert!(
        matches!(kinds[..], [Some(error)] if error.kind() == std::io::ErrorKind::IsADirectory),
        "{seen:?}"
    );
    manned.clear().await;
}
