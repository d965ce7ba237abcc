//! Further processes in a container.

use bollard::models::ExecConfig;
use bytes::Bytes;
use plimsoll::engine::{ErrorKind, Input};

use super::attach::read;
use super::harbour::Harbour;

fn config(line: &str) -> ExecConfig {
    ExecConfig {
        cmd: Some(["sh", "-c", line].map(str::to_owned).to_vec()),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        ..ExecConfig::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn output_and_exit_code_of_a_short_one_are_not_lost() {
    let Some(harbour) = Harbour::new("output_and_exit_code_of_a_short_one_are_not_lost") else {
        return;
    };
    let manned = harbour.man().await;
    let engine = &manned.engine;
    let id = manned.run(harbour.body("sleep 1000")).await;
    for round in 0..20 {
        let line = format!("echo out {round}; echo err >&2; exit {round}");
        let exec = engine.exec_create(&id, config(&line)).unwrap();
        let mut client = engine
            .exec_start(&exec, false, None)
            .await
            .unwrap()
            .unwrap();
        let (output, errors) = read(&mut client).await;
        assert_eq!(
            (output, errors),
            (format!("out {round}\n"), "err\n".to_owned())
        );
        // As soon as the output has ended.
        let now = engine.exec_inspect(&exec).unwrap();
        assert_eq!((now.running, now.exit_code), (Some(false), Some(round)));
        let again = engine.exec_start(&exec, false, None).await.unwrap_err();
        assert_eq!(again.kind(), ErrorKind::Conflict);
    }
    manned.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn input_and_terminals_work() {
    let Some(harbour) = Harbour::new("input_and_terminals_work") else {
        return;
    };
    let manned = harbour.man().await;
    let engine = &manned.engine;
    let id = manned.run(harbour.body("sleep 1000")).await;
    let mut piped = config("wc -c");
    piped.attach_stdin = Some(true);
    let exec = engine.exec_create(&id, piped).unwrap();
    let mut client = engine
        .exec_start(&exec, false, None)
        .await
        .unwrap()
        .unwrap();
    client
        .input
        .send(Input::Bytes(Bytes::from_static(b"words")))
        .await
        .unwrap();
    client.input.send(Input::End).await.unwrap();
    assert_eq!(read(&mut client).await.0, "5\n");

    let mut terminal = config("tty; read x; stty size");
    terminal.attach_stdin = Some(true);
    terminal.tty = Some(true);
    let exec = engine.exec_create(&id, terminal).unwrap();
    let mut client = engine
        .exec_start(&exec, false, None)
        .await
        .unwrap()
        .unwrap();
    assert!(client.terminal);
    engine.exec_resize(&exec, 40, 120).await.unwrap();
    client.input.send(Input::Bytes("\n".into())).await.unwrap();
    let (text, _) = read(&mut client).await;
    assert!(
        text.contains("/dev/pts/") && text.contains("40 120"),
        "{text:?}"
    );
    manned.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_inherit_three_descriptors() {
    let Some(harbour) = Harbour::new("processes_inherit_three_descriptors") else {
        return;
    };
    let manned = harbour.man().await;
    let engine = &manned.engine;
    let id = manned.run(harbour.body("sleep 1000; true")).await;
    let exec = config("ls /proc/1/fd; ls /proc/$$/fd; true");
    let exec = engine.exec_create(&id, exec).unwrap();
    let mut client = engine
        .exec_start(&exec, false, None)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(read(&mut client).await.0, "0\n1\n2\n".repeat(2));
    manned.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_have_dockers_words_and_codes() {
    let Some(harbour) = Harbour::new("refusals_have_dockers_words_and_codes") else {
        return;
    };
    let manned = harbour.man().await;
    let engine = &manned.engine;
    let line = "echo words > /tmp/odd; chmod +x /tmp/odd; mv /tmp/odd /odd; sleep 1000";
    let id = manned.run(harbour.body(line)).await;
    super::eventually("what is no program", async || {
        let there = engine.archive_stat(&id, "/odd").await;
        there.is_ok().then_some(())
    })
    .await;
    let mut config = config("");
    let mut refused = async |program: &str, why: &str| {
        config.cmd = Some(vec![program.to_owned()]);
        let exec = engine.exec_create(&id, config.clone()).unwrap();
        let error = engine.exec_start(&exec, false, None).await.unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
        engine.exec_inspect(&exec).unwrap().exit_code
    };
    // Found, and then no program to the kernel.
    assert_ne!(refused("/odd", "exec format error").await, Some(0));
    let why = "executable file not found in $PATH";
    assert_eq!(refused("nonesuch", why).await, Some(127));
    engine.pause(&id).await.unwrap();
    let error = engine.exec_create(&id, config.clone()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    engine.unpause(&id).await.unwrap();
    engine.stop(&id, None, Some(0)).await.unwrap();
    let error = engine.exec_create(&id, config).unwrap_err();
    assert_eq!(error.to_string(), format!("Container {id} is not running"));
    assert_eq!(
        engine.exec_inspect("nonesuch").unwrap_err().kind(),
        ErrorKind::NotFound
    );
    manned.clear().await;
}
