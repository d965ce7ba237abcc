//! `plimsoll ps` and the verbs of containers against an agent that runs none.

use crate::snapshot::WEB;
use crate::world::{World, text};

#[test]
fn containers_of_other_engines_are_listed_with_their_engine() {
    let world = World::new();
    let table = text(&world.command(&["ps"]).output().unwrap());
    let mut lines = table.lines();
    let titles = lines.next().unwrap().split_whitespace().collect::<Vec<_>>();
    let expected = [
        "CONTAINER",
        "ID",
        "IMAGE",
        "COMMAND",
        "CREATED",
        "STATUS",
        "PORTS",
        "ENGINE",
        "NAMES",
    ];
    assert_eq!(titles, expected);
    let web = lines.find(|line| line.ends_with(" web")).unwrap();
    let words: Vec<_> = web.split_whitespace().collect();
    assert_eq!(
        (words[0], words[words.len() - 2]),
        ("4c01db0b339c", "docker"),
        "{web}"
    );
    assert!(web.contains("Up 3 hours"), "{web}");
    assert!(
        !table.contains("nginx.service"),
        "units are no containers: {table}"
    );

    let by = |arguments: &[&str]| {
        let form = "{{.Names}} {{.State}} {{.Engine}}";
        let all = [&["ps", "--format", form], arguments].concat();
        text(&world.command(&all).output().unwrap())
    };
    assert_eq!(by(&["--filter", "name=web"]), "web running docker\n");
    assert_eq!(
        by(&["--filter", "name=web", "--filter", "status=paused"]),
        ""
    );
    let id = format!("id={}", &WEB[..4]);
    assert_eq!(by(&["--filter", &id]), "web running docker\n");
    // Nobody but its engine knows, and no verb of ours applies to it.
    assert_eq!(by(&["--filter", "volume=data"]), "");
    assert_eq!(text(&world.command(&["ps", "-aq"]).output().unwrap()), "");
}

#[test]
fn verbs_that_are_not_ours_to_apply_say_whose_it_is() {
    let world = World::new();
    for (arguments, verb) in [
        (&["stop", "web"][..], "stop"),
        (&["rm", "-f", "web"], "rm"),
        (&["logs", "web"], "logs"),
        (&["exec", "web", "true"], "exec"),
        (&["inspect", "web"], "inspect"),
        (&["cp", "web:/etc/hosts", "."], "cp"),
    ] {
        let output = world
            .command(&arguments[..1])
            .args(&arguments[1..])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{verb}");
        let told = String::from_utf8(output.stderr).unwrap();
        let expected = format!(
            "plimsoll: web is docker's: use `docker {verb} web`; \
             `plimsoll freeze`, `kill` and `limit` apply to it\n"
        );
        assert_eq!(told, expected);
    }
}

#[test]
fn a_wrong_option_is_no_exit_code_of_a_container() {
    let world = World::new();
    let of = |arguments: &[&str]| world.command(&[]).args(arguments).output().unwrap();
    assert_eq!(of(&["run", "--wat", "image"]).status.code(), Some(125));
    assert_eq!(
        of(&["exec", "--wat", "web", "true"]).status.code(),
        Some(125)
    );
    assert_eq!(of(&["stop", "--wat", "web"]).status.code(), Some(2));
    assert_eq!(of(&["run", "--help"]).status.code(), Some(0));
    assert_eq!(of(&["run", "image", "true"]).status.code(), Some(125));
}
