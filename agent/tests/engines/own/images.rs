//! Images: the same command lines, the same answers; what one side writes the other reads.

use super::alike::{compare, sides};
use super::side::{self, Seen};
use crate::docker::IMAGE;
use crate::{blocking_turn, host};

#[test]
fn images_are_dockers() {
    let _turn = blocking_turn();
    let Some(sides) = sides("images_are_dockers") else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let list = "{{.Repository}}:{{.Tag}}";
    let archive = dir.path().join("archive");
    let archive = archive.to_str().unwrap();
    compare(
        &sides,
        &[
            &["tag", IMAGE, "mine:2"],
            &["images", "--format", list, "mine"],
            &[
                "inspect",
                "--format",
                "{{.Os}} {{.Architecture}} {{json .Config.Cmd}} {{len .RootFS.Layers}}",
                "mine:2",
            ],
            &["rmi", "--no-prune", "mine:2"],
            &["images", "--format", list, "mine"],
        ],
    );
    // By its repository, whichever tags that has; loaded, it takes its name back.
    let root = host::image(dir.path()).unwrap();
    let root = root.to_str().unwrap();
    // No layer of it is another image's.
    side::file(dir.path(), "another", "");
    let tar = ["--append", "--file", root, "--directory"];
    let tar = [&tar as &[&str], &[dir.path().to_str().unwrap(), "another"]].concat();
    host::stdout(std::process::Command::new("tar").args(tar));
    let other = ["import", "--change", "LABEL of=another", root, "only:7"];
    let seen = sides.each_ref().map(|side| {
        [
            &["tag", IMAGE, "only:7"] as &[&str],
            &["save", "--output", archive, "only"],
            &["rmi", "--no-prune", "only:7"],
            &other,
            &["load", "--input", archive],
            &["rmi", "--no-prune", "only:7"],
        ]
        .map(|arguments| side.see(arguments))
    });
    assert_eq!(seen[0], seen[1]);
    assert!(seen[0][4].output.contains("renaming the old one"));
    // Pruned, while others have its layer, by one name after the other.
    let prune: &[&str] = &["image", "prune", "--all", "--force", "--filter"];
    let pruned = sides.each_ref().map(|side| {
        side.cli(&["import", "--change", "LABEL of=this", root, "prune:1"]);
        side.cli(&["create", "--name", "user", "prune:1", "true"]);
        let held = side.see(&[prune, &["label=of=this"]].concat());
        side.cli(&["rm", "user"]);
        side.cli(&["tag", "prune:1", "prune:2"]);
        let shared = side.see(&[prune, &["label=of=this"]].concat());
        let last = side.see(&[prune, &["label=of=another"]].concat());
        assert!(last.output.contains("space: ") && !last.output.contains("space: 0B"));
        [held.output, shared.output]
    });
    assert_eq!(pruned[0], pruned[1]);
    compare(&sides, &[&["!", "save", "--output", archive, "nonesuch"]]);
    // What one writes the other reads.
    let [ours, oracle] = &sides;
    for (from, to) in [(ours, oracle), (oracle, ours)] {
        from.cli(&["tag", IMAGE, "sent:1"]);
        from.cli(&["save", "--output", archive, "sent:1"]);
        assert_eq!(
            to.cli(&["load", "--input", archive]),
            "Loaded image: sent:1"
        );
        let Seen { output, .. } = to.see(&["run", "--rm", "sent:1", "echo", "arrived"]);
        assert_eq!(output, "arrived\n");
        for side in [from, to] {
            side.cli(&["rmi", "sent:1"]);
        }
    }
}
