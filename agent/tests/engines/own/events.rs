//! What is told of containers, images, networks and volumes: the same, in the same order.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::alike::sides;
use super::side::{Side, without_ids};
use crate::blocking_turn;
use crate::docker::IMAGE;

const FORM: &str = "{{.Type}} {{.Action}} {{.Status}} {{.From}} {{.Actor.Attributes.name}} \
                    {{.Actor.Attributes.exitCode}} {{.Actor.Attributes.signal}} {{.Actor.Attributes.oldName}} \
                    {{.Actor.Attributes.destination}} {{.Actor.Attributes.driver}} {{.Actor.Attributes.mark}}";

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

/// What happens.
fn happen(side: &Side, archive: &str) {
    let options = [
        "create",
        "--name",
        "told",
        "--label",
        "mark=x",
        "--network",
        "none",
        "-v",
        "toldvol:/data",
    ];
    side.cli(&[&options as &[&str], &[IMAGE, "sleep", "1000"]].concat());
    side.cli(&["start", "told"]);
    side.see(&["exec", "told", "sh", "-c", "exit 3"]);
    for words in [
        "pause told",
        "unpause told",
        "rename told heard",
        "update --memory 64m --memory-swap 64m heard",
        "top heard",
        "kill --signal USR1 heard",
        "stop --time 0 heard",
        "start heard",
        "restart --time 0 heard",
        "kill heard",
        "wait heard",
        "rm heard",
        "volume rm toldvol",
        "network create toldnet",
        "network rm toldnet",
        "container prune --force",
    ] {
        side.cli(&words.split(' ').collect::<Vec<_>>());
    }
    side.see(&[
        "run",
        "--rm",
        "--name",
        "short",
        "--network",
        "none",
        IMAGE,
        "sh",
        "-c",
        "exit 4",
    ]);
    // `--rm` is done when it is done.
    crate::host::wait_until("its end", || {
        side.cli(&["ps", "--all", "--quiet", "--filter", "name=short"])
            .is_empty()
    });
    let full = [
        "create",
        "--name",
        "files",
        "--network",
        "none",
        IMAGE,
        "true",
    ];
    side.cli(&full);
    side.cli(&["cp", "files:/bin/busybox", archive]);
    side.cli(&["cp", archive, "files:/tmp/"]);
    side.cli(&["rm", "files"]);
    side.cli(&["tag", IMAGE, "told:1"]);
    side.cli(&["rmi", "told:1"]);
    side.cli(&["save", "--output", archive, IMAGE]);
    side.cli(&[
        "run",
        "--name",
        "joined",
        "-v",
        "/anonymous",
        IMAGE,
        "sleep",
        "0",
    ]);
    side.cli(&["rm", "--volumes", "joined"]);
}

/// What is told of one container, with its network and its volume.
fn joined(mut events: Vec<String>) -> Vec<String> {
    let first = events.iter().position(|event| event.contains(" joined "));
    events.split_off(first.unwrap() - 1)
}

#[test]
fn events_are_dockers() {
    let _turn = blocking_turn();
    let Some(sides) = sides("events_are_dockers") else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let archive = super::side::file(dir.path(), "archive", "");
    let told = sides.each_ref().map(|side| {
        let begin = now();
        // The image's import may be of the same second.
        let begin = format!("{}.{:09}", begin.as_secs(), begin.subsec_nanos());
        happen(side, archive.to_str().unwrap());
        let end = (now().as_secs() + 1).to_string();
        let events = |filters: &[&str]| {
            let mut line = vec![
                "events", "--since", &begin, "--until", &end, "--format", FORM,
            ];
            for filter in filters {
                line.extend(["--filter", filter]);
            }
            let text = side.cli(&line);
            // Of the networks that are none.
            let lines = text.lines().filter(|line| !line.contains(" none "));
            lines
                .map(|line| without_ids(line.trim_end()))
                .collect::<Vec<_>>()
        };
        [
            events(&["type=container"]),
            events(&["type=image"]),
            events(&["type=network"]),
            events(&[
                "type=volume",
                "event=create",
                "event=mount",
                "event=unmount",
                "event=destroy",
            ]),
            events(&["container=short"]),
            events(&["event=die"]),
            events(&["label=mark=x", "event=start"]),
            joined(events(&["type=container", "type=network", "type=volume"])),
        ]
    });
    let [ours, oracle] = told;
    for (ours, oracle) in ours.iter().zip(&oracle) {
        assert_eq!(ours, oracle);
    }
    assert!(oracle.iter().all(|list| !list.is_empty()), "{oracle:#?}");
}
