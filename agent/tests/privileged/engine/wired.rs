//! Containers with all that the engine has for them: images, volumes, files in and out, networks, limits.

use std::collections::HashMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use bollard::models::{
    ChangeType, ContainerUpdateBody, HostConfig, NetworkCreateRequest, PortBinding,
};
use nix::sched::{CloneFlags, unshare};
use plimsoll::engine::rootfs::Writing;
use plimsoll::engine::{ErrorKind, LogsQuery, RemoveOptions, WaitCondition};
use tokio_stream::StreamExt;

use super::harbour::{Harbour, Manned};
use crate::support::{installed, skip};

/// What a container said, once it has ended; its exit code.
pub(super) async fn said(manned: &Manned, id: &str) -> (String, i64) {
    let exit = manned.engine.wait(id, WaitCondition::NotRunning).unwrap();
    let code = exit.await.unwrap().status_code;
    let query = LogsQuery {
        stdout: true,
        stderr: true,
        ..LogsQuery::default()
    };
    let mut stream = std::pin::pin!(manned.engine.logs(id, query).unwrap());
    let mut text = String::new();
    while let Some(chunk) = stream.next().await {
        text.push_str(std::str::from_utf8(&chunk.unwrap().bytes).unwrap());
    }
    (text, code)
}

/// Busybox as an image, with a command and a variable.
pub(super) fn import(harbour: &Harbour, manned: &Manned) {
    fs::write(harbour.directory.join("rootfs/gone"), "").unwrap();
    let mut tar = Command::new("tar")
        .args([
            "-C",
            harbour.directory.join("rootfs").to_str().unwrap(),
            "-c",
            ".",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let archive = tar.stdout.take().unwrap();
    let changes = [
        "CMD [\"sh\", \"-c\", \"echo $A from $0\", \"image\"]",
        "ENV A=1",
        "VOLUME /bin",
    ];
    let images = manned.engine.images();
    images.import(archive, Some("box"), "", &changes).unwrap();
    assert!(tar.wait().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_run_with_volumes_and_what_it_wrote_is_told() {
    let Some(harbour) = Harbour::new("an_image_is_run_with_volumes_and_what_it_wrote_is_told")
    else {
        return;
    };
    let manned = harbour.man().await;
    let engine = &manned.engine;
    import(&harbour, &manned);
    let mut body = harbour.body("");
    body.host_config.as_mut().unwrap().annotations = None;
    body.image = Some("box".to_owned());
    body.cmd = None;
    let id = manned.run(body.clone()).await;
    assert_eq!(said(&manned, &id).await, ("1 from image\n".to_owned(), 0));
    let points = manned.inspect(&id).await.mounts.unwrap();
    assert_eq!(points[0].destination.as_deref(), Some("/bin"));
    let anonymous = points[0].name.clone().unwrap();
    // Filled from the image: there is a shell in it.
    assert!(
        engine
            .volumes()
            .path(&anonymous)
            .unwrap()
            .join("sh")
            .exists()
    );

    let outside = harbour.directory.join("outside");
    body.cmd = Some(
        [
            "sh",
            "-c",
            "echo new >/tmp/new; rm /gone; cat /data/in; echo out >/bound/out",
        ]
        .map(str::to_owned)
        .to_vec(),
    );
    body.host_config.as_mut().unwrap().binds = Some(vec![
        "data:/data".to_owned(),
        format!("{}:/bound", outside.display()),
    ]);
    let second = engine
        .create(Some("second".to_owned()), body.clone())
        .await
        .unwrap()
        .id;
    fs::write(engine.volumes().path("data").unwrap().join("in"), "in\n").unwrap();
    engine.start(&second).await.unwrap();
    assert_eq!(said(&manned, &second).await, ("in\n".to_owned(), 0));
    assert_eq!(fs::read_to_string(outside.join("out")).unwrap(), "out\n");
    let diff = engine.diff(&second).await.unwrap();
    let has = |path: &str, kind: ChangeType| {
        diff.iter()
            .any(|change| change.path == path && change.kind == kind)
    };
    assert!(
        has("/tmp/new", ChangeType::_1) && has("/gone", ChangeType::_2),
        "{diff:?}"
    );
    assert_eq!(
        engine.users_of_volume("data"),
        std::slice::from_ref(&second)
    );

    // Files, while it does not run.
    assert_eq!(
        engine.archive_stat(&second, "/tmp/new").await.unwrap().size,
        4
    );
    let file = harbour.directory.join("got.tar");
    let out = fs::File::create(&file).unwrap();
    engine.archive_get(&second, "/tmp/new", out).await.unwrap();
    let listed = Command::new("tar").arg("-xOf").arg(&file).output().unwrap();
    assert_eq!(listed.stdout, b"new\n");
    let archive = fs::File::open(&file).unwrap();
    engine
        .archive_put(&second, "/root", archive, Writing::default())
        .await
        .unwrap_err();
    let archive = fs::File::open(&file).unwrap();
    engine
        .archive_put(&second, "/proc", archive, Writing::default())
        .await
        .unwrap();
    assert_eq!(
        engine
            .archive_stat(&second, "/proc/new")
            .await
            .unwrap()
            .size,
        4
    );

    let all = RemoveOptions {
        force: false,
        volumes: true,
    };
    engine.remove(&second, all).await.unwrap();
    engine.remove(&id, all).await.unwrap();
    // What nobody named goes, what somebody did stays.
    assert!(engine.volumes().inspect(&anonymous).is_err());
    engine.volumes().inspect("data").unwrap();
    body.image = Some("nonesuch".to_owned());
    let error = engine.create(None, body).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    manned.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_changed_while_it_runs() {
    let Some(harbour) = Harbour::new("limits_are_changed_while_it_runs") else {
        return;
    };
    let manned = harbour.man().await;
    let mut body = harbour.body("sleep 1000");
    body.host_config.as_mut().unwrap().pids_limit = Some(50);
    let id = match manned.engine.create(None, body).await {
        Ok(made) => made.id,
        Err(error) => panic!("{error}"),
    };
    if let Err(error) = manned.engine.start(&id).await {
        skip("limits_are_changed_while_it_runs", &error.with_causes());
        return manned.clear().await;
    }
    let most = || {
        let found = harbour.cgroups(&id).into_iter();
        let mut files = found.filter_map(|dir| fs::read_to_string(dir.join("pids.max")).ok());
        files.next().unwrap().trim().to_owned()
    };
    assert_eq!(most(), "50");
    let change = ContainerUpdateBody {
        pids_limit: Some(60),
        ..ContainerUpdateBody::default()
    };
    manned.engine.update(&id, change).await.unwrap();
    assert_eq!(most(), "60");
    let host: HostConfig = manned.inspect(&id).await.host_config.unwrap();
    assert_eq!(host.pids_limit, Some(60));
    manned.clear().await;
}

/// Runs a test in a network namespace that stands for the host.
pub(super) fn on_host(test: &'static str, body: impl AsyncFnOnce(Harbour) + Send + 'static) {
    for tool in ["ip", "nft"] {
        if !installed(test, tool) {
            return;
        }
    }
    let Some(harbour) = Harbour::new(test) else {
        return;
    };
    let thread = std::thread::spawn(move || {
        if let Err(error) = unshare(CloneFlags::CLONE_NEWNET) {
            return skip(test, &format!("no network namespaces: {error}"));
        }
        let ip = |words: &str| {
            Command::new("ip")
                .args(words.split(' '))
                .status()
                .unwrap()
                .success()
        };
        assert!(ip("link set lo up"));
        if !ip("link add probe0 type bridge") {
            return skip(test, "the kernel has no bridges");
        }
        assert!(ip("link del probe0"));
        // Its threads have the namespace of the one that starts them.
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(body(harbour));
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

#[test]
fn containers_of_a_network_find_each_other_and_are_published() {
    on_host(
        "containers_of_a_network_find_each_other_and_are_published",
        async |harbour| {
            let manned = harbour.man().await;
            let engine = &manned.engine;
            let request = NetworkCreateRequest {
                name: "back".to_owned(),
                ..NetworkCreateRequest::default()
            };
            engine.networks().create(&request).unwrap();
            let mut server = harbour.body("while :; do echo hello | nc -l -p 80; done");
            let host = server.host_config.as_mut().unwrap();
            host.network_mode = Some("back".to_owned());
            let binding = PortBinding {
                host_ip: Some("127.0.0.1".to_owned()),
                host_port: None,
            };
            host.port_bindings = Some(HashMap::from([("80/tcp".to_owned(), Some(vec![binding]))]));
            let server = engine
                .create(Some("web".to_owned()), server)
                .await
                .unwrap()
                .id;
            engine.start(&server).await.unwrap();

            let mut client = harbour.body("sleep 0.2; nc web 80 </dev/null");
            client.host_config.as_mut().unwrap().network_mode = Some("back".to_owned());
            let asked = manned.run(client).await;
            assert_eq!(said(&manned, &asked).await, ("hello\n".to_owned(), 0));

            let settings = manned.inspect(&server).await.network_settings.unwrap();
            let address = settings.networks.unwrap()["back"]
                .ip_address
                .clone()
                .unwrap();
            let mut shares = harbour.body("ip -o -4 address show eth0");
            shares.host_config.as_mut().unwrap().network_mode = Some("container:web".to_owned());
            let shares = manned.run(shares).await;
            assert!(said(&manned, &shares).await.0.contains(&address));

            let ports = settings.ports.unwrap()["80/tcp"].clone().unwrap();
            let port: u16 = ports[0].host_port.as_ref().unwrap().parse().unwrap();
            let answer = super::eventually("an answer", async || {
                let ask = tokio::task::spawn_blocking(move || {
                    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
                    stream.write_all(b"\n").ok()?;
                    let mut text = String::new();
                    stream.read_to_string(&mut text).ok()?;
                    (!text.is_empty()).then_some(text)
                });
                ask.await.unwrap()
            })
            .await;
            assert_eq!(answer, "hello\n");
            // The next agent finds it attached, and takes it out when it ends.
            manned.leave().await;
            let manned = harbour.man().await;
            assert_eq!(manned.engine.networks().endpoints(&server).len(), 1);
            manned.engine.stop(&server, None, Some(0)).await.unwrap();
            assert!(manned.engine.networks().endpoints(&server).is_empty());
            manned.clear().await;
        },
    );
}
