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
