//! Files, binds and volumes: the same command lines, the same answers.

use super::alike::{compare, sides};
use super::side;
use crate::docker::IMAGE;
use crate::{blocking_turn, host};

#[test]
fn files_go_in_and_out_as_with_docker() {
    let _turn = blocking_turn();
    let Some(sides) = sides("files_go_in_and_out_as_with_docker") else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let file = side::file(dir.path(), "file", "from the host\n");
    let file = file.to_str().unwrap();
    let bind = format!("{}:/bound:ro", dir.path().display());
    compare(
        &sides,
        &[
            &["volume", "create", "--label", "x=y", "vol"],
            &["volume", "ls", "--quiet", "--filter", "name=vol"],
            &[
                "run",
                "--rm",
                "-v",
                "vol:/data",
                IMAGE,
                "sh",
                "-c",
                "echo kept > /data/file",
            ],
            &[
                "run",
                "--rm",
                "-v",
                "vol:/data:ro",
                IMAGE,
                "sh",
                "-c",
                "cat /data/file; touch /data/x",
            ],
            &[
                "run",
                "--rm",
                "-v",
                &bind,
                IMAGE,
                "sh",
                "-c",
                "cat /bound/file; touch /bound/x",
            ],
            &[
                "run",
                "--rm",
                "--mount",
                "type=volume,src=vol,dst=/m",
                IMAGE,
                "cat",
                "/m/file",
            ],
            &[
                "create",
                "--name",
                "files",
                "-v",
                "vol:/data",
                IMAGE,
                "sleep",
                "1000",
            ],
            &["cp", file, "files:/tmp/"],
            &["!", "cp", file, "files:/none/such/"],
            // On a volume, which is mounted nowhere yet.
            &["cp", file, "files:/data/early"],
            &["cp", file, "files:/data/../data/./other"],
            &["!", "cp", file, "files:/data/none/such/"],
            &[
                "create",
                "--name",
                "held",
                "-v",
                "vol:/data:ro",
                IMAGE,
                "true",
            ],
            &["!", "cp", file, "held:/data/x"],
            &["rm", "held"],
            &["start", "files"],
            &["!", "cp", "files:/proc/version", "-"],
            &["cp", file, "files:/data/new"],
            &[
                "exec",
                "files",
                "cat",
                "/tmp/file",
                "/data/new",
                "/data/early",
            ],
            &["exec", "files", "ls", "-l", "/data"],
            &["!", "volume", "rm", "vol"],
            &[
                "run",
                "--rm",
                "--volumes-from",
                "files:ro",
                IMAGE,
                "sh",
                "-c",
                "cat /data/new; touch /data/x",
            ],
            &[
                "!",
                "run",
                "--rm",
                "--volumes-from",
                "nonesuch",
                IMAGE,
                "true",
            ],
            &["rm", "--force", "files"],
            &["volume", "rm", "vol"],
        ],
    );
    let copied = sides.each_ref().map(|side| {
        side.cli(&["create", "--name", "out", IMAGE, "true"]);
        let tar = side
            .command()
            .args(["cp", "out:/bin", "-"])
            .output()
            .unwrap();
        side.cli(&["rm", "out"]);
        let mut names: Vec<String> = tar::Archive::new(tar.stdout.as_slice())
            .entries()
            .unwrap()
            .map(|entry| entry.unwrap().path().unwrap().display().to_string())
            .collect();
        names.sort();
        names
    });
    assert_eq!(copied[0], copied[1]);
    // Out of volumes that are mounted nowhere, one of them filled from the image.
    let file_of_the_host = side::file(dir.path(), "other", "bound\n");
    let copied = sides.each_ref().map(|side| {
        let fill = ["run", "--rm", "-v", "out:/data", IMAGE, "sh", "-c"];
        side.cli(
            &[
                &fill as &[&str],
                &["mkdir /data/sub; echo kept > /data/sub/file"],
            ]
            .concat(),
        );
        side.cli(&[
            "create",
            "--name",
            "out",
            "-v",
            "out:/data",
            "-v",
            "/bin",
            IMAGE,
            "true",
        ]);
        let to = tempfile::tempdir().unwrap();
        let text = to.path().to_str().unwrap();
        let nested = file_of_the_host.to_str().unwrap();
        side.cli(&[
            "create",
            "--name",
            "nest",
            "-v",
            "out:/srv/deep/data",
            "-v",
            &format!("{nested}:/srv/file:ro"),
            IMAGE,
            "true",
        ]);
        for from in [
            "nest:/srv",
            "nest:/srv/file",
            "out:/data/sub/file",
            "out:/data",
            "out:/bin/busybox",
            "out:/data/sub/.",
        ] {
            side.cli(&["cp", from, text]);
        }
        side.cli(&["rm", "nest"]);
        side.cli(&["rm", "--volumes", "out"]);
        side.cli(&["volume", "rm", "out"]);
        let listed = host::stdout(std::process::Command::new("sh").arg("-c").arg(format!(
            "cd {text}; find . | sort; cat data/sub/file srv/deep/data/sub/file srv/file file; test -s busybox && echo whole"
        )));
        assert!(
            listed.contains("./data/sub/file") && listed.contains("kept\nkept\nbound\nkept\nwhole"),
            "{listed}"
        );
        listed
    });
    assert_eq!(copied[0], copied[1]);
}

#[test]
fn what_a_copy_leaves_alone_is_what_docker_leaves_alone() {
    let _turn = blocking_turn();
    let Some(sides) = sides("what_a_copy_leaves_alone_is_what_docker_leaves_alone") else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let file = side::file(dir.path(), "file", "from the host\n");
    let link = dir.path().join("link");
    std::os::unix::fs::symlink("/data", &link).unwrap();
    std::os::unix::fs::chown(&file, Some(1234), Some(1235)).unwrap();
    let content = format!("{}/.", dir.path().display());
    let (file, link) = (file.to_str().unwrap(), link.to_str().unwrap());
    let stat = "stat -c '%a %u:%g %n' /tmp /tmp/file /tmp/owned /data/in /data/linked";
    compare(
        &sides,
        &[
            &["volume", "create", "vol"],
            &["create", "--name", "kept", IMAGE, "sleep", "1000"],
            // The directory itself stays as it is; owners are those that docker says.
            &["cp", &content, "kept:/tmp"],
            &["cp", file, "kept:/tmp/file"],
            &["cp", "--archive", file, "kept:/tmp/owned"],
            &["cp", &content, "kept:/new"],
            &["start", "kept"],
            &["exec", "kept", "sh", "-c", stat],
            &["exec", "kept", "ls", "-ln", "/new"],
            &["rm", "--force", "kept"],
            // A volume that may be written to, of a container whose root file system may not.
            &[
                "create",
                "--read-only",
                "--name",
                "ro",
                "-v",
                "vol:/data",
                IMAGE,
                "sleep",
                "1000",
            ],
            &["cp", file, "ro:/data/in"],
            &["cp", file, "ro:/tmp/out"],
            &["cp", file, "ro:/"],
            &["start", "ro"],
            &["cp", file, "ro:/data/later"],
            &["exec", "ro", "ls", "/data"],
            &["rm", "--force", "ro"],
            // Where a link leads decides.
            &[
                "create",
                "--name",
                "way",
                "-v",
                "vol:/data:ro",
                IMAGE,
                "true",
            ],
            &["cp", link, "way:/tmp/link"],
            &["cp", file, "way:/tmp/link/x"],
            &["rm", "way"],
            &["volume", "rm", "vol"],
        ],
    );
    // Compressed, as docker takes it.
    let archive = dir.path().join("archive.tar.gz");
    let mut tar = std::process::Command::new("tar");
    tar.current_dir(dir.path()).arg("-czf").arg(&archive);
    host::stdout(tar.arg("file"));
    let listed = sides.each_ref().map(|side| {
        side.cli(&["create", "--name", "packed", IMAGE, "ls", "-ln", "/tmp"]);
        let mut copy = side.command();
        copy.args(["cp", "-", "packed:/tmp"]);
        copy.stdin(std::fs::File::open(&archive).unwrap());
        assert!(copy.status().unwrap().success());
        let listed = side.cli(&["start", "--attach", "packed"]);
        side.cli(&["rm", "packed"]);
        listed
    });
    assert_eq!(listed[0], listed[1]);
    assert!(listed[0].contains("file"), "{}", listed[0]);
}

#[test]
fn volumes_are_filled_once_and_pruned_as_with_docker() {
    let _turn = blocking_turn();
    let Some(sides) = sides("volumes_are_filled_once_and_pruned_as_with_docker") else {
        return;
    };
    compare(
        &sides,
        &[
            // When it is created, not when it is started.
            &[
                "create",
                "--name",
                "first",
                "-v",
                "full:/bin",
                IMAGE,
                "true",
            ],
            &["run", "--rm", "-v", "full:/x", IMAGE, "ls", "/x"],
            &[
                "run",
                "--rm",
                "--volumes-from",
                "first",
                "-v",
                "full:/y",
                IMAGE,
                "ls",
                "/y/busybox",
            ],
            &["rm", "first"],
            // Not by somebody who has it from another.
            &[
                "create",
                "--name",
                "first",
                "-v",
                "bare:/bin:nocopy",
                IMAGE,
                "true",
            ],
            &[
                "create",
                "--name",
                "second",
                "--volumes-from",
                "first",
                IMAGE,
                "true",
            ],
            &["run", "--rm", "-v", "bare:/x", IMAGE, "ls", "-A", "/x"],
            &["rm", "first", "second"],
            // What was emptied stays so.
            &[
                "create",
                "--name",
                "emptied",
                "-v",
                "gone:/bin",
                IMAGE,
                "sh",
                "-c",
                "exec /bin/busybox rm -rf /bin/*",
            ],
            &["start", "--attach", "emptied"],
            &["!", "start", "--attach", "emptied"],
            &["run", "--rm", "-v", "gone:/x", IMAGE, "ls", "-A", "/x"],
            // Also by who has it from another.
            &[
                "create",
                "--name",
                "heir",
                "--volumes-from",
                "emptied",
                IMAGE,
                "true",
            ],
            &["run", "--rm", "-v", "gone:/x", IMAGE, "ls", "-A", "/x"],
            &["rm", "emptied", "heir"],
            &["volume", "rm", "full", "bare", "gone"],
            &["run", "--rm", "-v", "data/x", IMAGE, "ls", "/data"],
        ],
    );
    // Nobody named it. Which of those dockerd prunes depends on its version and on how they were made.
    let [ours, _] = &sides;
    ours.cli(&["create", "--name", "anonymous", "-v", "/m", IMAGE, "true"]);
    let anonymous = "label=com.docker.volume.anonymous";
    assert_ne!(
        ours.cli(&["volume", "ls", "--quiet", "--filter", anonymous]),
        ""
    );
    let prune = || ours.cli(&["volume", "prune", "--force"]);
    assert_eq!(prune(), "Total reclaimed space: 0B");
    ours.cli(&["rm", "anonymous"]);
    assert!(prune().starts_with("Deleted Volumes:"));
    assert_eq!(ours.cli(&["volume", "ls", "--quiet"]), "");
}
