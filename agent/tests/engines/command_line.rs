//! Our command line against docker's own dockerd, and against our engine: docker's output and exit codes.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use crate::docker::{Docker, IMAGE};
use crate::host::wait_until;
use crate::own::Side;
use crate::{blocking_turn, skip};

/// What is done, in the shell's words: `$D` is either command line, `$I` the image, `$T` a directory.
const SCRIPTS: [(&str, &str); 23] = [
    ("exit codes", "$D run --rm $I true; echo $?; $D run --rm $I sh -c 'exit 42'; echo $?
        $D run --rm $I nosuch; echo $?; $D run --rm $I /etc; echo $?; $D run --pull never nope true; echo $?
        $D run --rm --wat $I true; echo $?; $D run --rm -m 1k $I true; echo $?; $D rm nope; echo $?
        $D rm -f nope; echo $?; $D exec nope true; echo $?; $D wait nope; echo $?; $D logs nope; echo $?"),
    ("streams apart", "$D run --rm $I sh -c 'echo out; echo error >&2' 2>/dev/null"),
    ("input piped and its end", "printf 'b\\na\\n' | $D run --rm -i $I sh -c 'sort; echo end'
        head -c 3000000 /dev/zero | $D run --rm -i $I cat | wc -c
        head -c 3000000 /dev/zero | $D run --rm -i $I true; echo $?"),
    ("a closed pipe is quiet", "$D run --rm $I seq 100000 2>&1 | head -n 1"),
    ("process", "$D run --rm -w /tmp -e A=1 -u 1:2 -h box -l a=b $I sh -c 'pwd; id -u; id -g; hostname; echo $A'
        $D run --rm --entrypoint /bin/echo $I a b; $D run --rm --tmpfs /t $I grep -c ' /t ' /proc/mounts
        $D run --rm --read-only $I touch /x; echo $?; $D run --rm --cap-drop ALL $I grep CapEff /proc/self/status"),
    ("life", "$D create --name one $I sleep 100; $D start one; $D ps --format '{{.Names}} {{.State}} {{.Command}}'
        $D pause one; $D ps --format '{{.Status}}' | sed -E 's/(Less than a|[0-9]+) seconds?/SOME/'; $D unpause one; $D rename one two; $D rm two; echo $?
        $D stop -t 0 two; $D ps -a --format '{{.Names}} {{.Status}}' | sed -E 's/(Less than a|[0-9]+) seconds?/SOME/'; $D restart -t 0 two; $D rm -f two"),
    ("wait", "$D run -d --name one $I sh -c 'sleep 1; exit 3'; $D wait one"),
    ("logs", "$D run --name one $I sh -c 'echo 1; echo 2; sleep 0.3; echo 3 >&2'; $D logs one; $D logs --tail 1 one
        $D logs -n 2 one; $D logs --since 1h one; $D logs --until 1h one; $D logs -f one 2>/dev/null"),
    ("exec", "$D run -d --name one $I sleep 100; $D exec one sh -c 'echo hi; exit 9'; echo $?
        $D exec -e A=1 -w /tmp -u 1 one sh -c 'echo $A; pwd; id -u'; echo in | $D exec -i one cat
        $D exec one nosuch; echo $?; $D exec one /etc; echo $?; $D top one -o pid,args | wc -l
        $D exec -d one true; echo $?; $D exec one touch /tmp/x; $D diff one"),
    ("start and attach", "$D create --name one $I sh -c 'echo hi; exit 5'; $D start -a one; echo $?
        $D create -i --name two $I cat; echo in | $D start -ai two; echo $?; $D attach two; echo $?"),
    ("some streams", "$D run --rm -a stdout $I sh -c 'echo out; echo error >&2' 2>&1
        $D run --rm -a stderr $I sh -c 'echo out; echo error >&2; exit 4' 2>&1; echo $?
        echo in | $D run --name one -i -a stdin $I sh -c 'cat; exit 3' | wc -c; $D wait one; $D logs one
        $D run -d -a stdout $I true; echo $?; $D run -a nope $I true; echo $?"),
    ("volumes of another", "$D run --name one -v /data -v v1:/v $I sh -c 'echo x > /data/f; echo y > /v/f'
        $D run --rm --volumes-from one $I cat /data/f /v/f; $D run --rm --volumes-from one:ro $I touch /data/g; echo $?
        $D run --rm --volumes-from one -v v2:/v $I ls /v; $D run --rm --volumes-from nope $I true; echo $?
        $D rm -v one; $D volume ls -q; $D volume rm v1 v2"),
    ("removed at the end", "$D run -d --rm --name one $I true; sleep 2; $D ps -aq | wc -l"),
    ("filters and forms", "$D run -d --name one -l x=y $I sleep 100; $D create --name two $I true
        $D ps -a -f name=on --format '{{.Names}}'; $D ps -n 1 --format '{{.Names}}'; $D ps -aq --no-trunc | wc -l
        $D ps -a -f status=created --format 'table {{.Names}}\\t{{.Status}}'; $D ps -l --format '{{.Image}}'
        $D ps -a -f label=x=y --format '{{.Labels}}'; $D ps -a -f wat=x; echo $?"),
    ("ports", "$D run -d --name one -p 8080:80 -p 127.0.0.1:90-92:90-92/udp --expose 7 $I sleep 100
        $D port one; $D port one 80; $D port one 80/udp; echo $?; $D ps --format '{{.Ports}}'"),
    ("inspect", "$D inspect $I; $D inspect nope; echo $?; $D image inspect -f '{{json .RepoTags}}' $I
        $D create --name one -m 64m -e A=1 $I true; $D inspect -f '{{.HostConfig.Memory}} {{.State.Status}}' one
        $D inspect -f '{{index .Config.Env 0}} {{len .Config.Cmd}}' one; $D update --cpus 0.5 one
        $D inspect -f '{{.HostConfig.NanoCpus}}' one"),
    ("files in", "cd $T; mkdir -p d/sub; echo f > f; echo g > d/sub/g; ln -s f l; $D create --name one $I true
        $D cp f one:/new; $D cp f one:/tmp; $D cp d one:/tmp; $D cp d one:/dnew; $D cp d/. one:/etc; $D cp l one:/tmp/
        $D cp nope one:/; echo $?; $D cp d one:/new; echo $?; tar c -C d . | $D cp - one:/tmp/sub2; echo $?
        tar c -C d . | $D cp - one:/root; $D diff one | sort; $D cp one:/dnew - | tar t | sort"),
    ("files out", "cd $T; mkdir out; $D create --name one $I true; mkdir d; echo f > d/f; ln -s f d/l; $D cp d one:/d
        $D cp one:/d out; $D cp one:/d/f out/renamed; $D cp one:/d/. out/content; $D cp one:/d out/newdir
        $D cp one:/d/. out; $D cp one:/nope out; echo $?; $D cp one:/d out/renamed; echo $?; cd out; find . | sort; cat d/l"),
    ("volumes", "$D volume create v1; $D volume ls -q; $D volume ls; $D run --rm -v v1:/v $I touch /v/x
        $D run --rm -v v1:/v $I ls /v; $D volume inspect -f '{{.Driver}} {{.Name}}' v1; $D volume rm v1; $D volume rm v1; echo $?"),
    ("networks", "$D network create --subnet 10.77.0.0/24 n1; $D network ls --format '{{.Name}} {{.Driver}}'
        $D run -d --name one --network n1 --ip 10.77.0.9 $I sleep 100
        $D inspect -f '{{.NetworkSettings.Networks.n1.IPAddress}}' one; $D network disconnect n1 one
        $D network connect --ip 10.77.0.10 n1 one; $D inspect -f '{{.NetworkSettings.Networks.n1.IPAddress}}' one
        $D rm -f one; $D network rm n1; $D network rm n1; echo $?"),
    ("images", "cd $T; $D tag $I second:2; $D images --format '{{.Repository}} {{.Tag}}'; $D rmi second:2; $D history --format '{{.ID}} {{.Size}} {{.Comment}}' $I
        $D save -o i.tar $I; $D load -i i.tar; $D load < i.tar; $D images -q; $D run --rm $I echo loaded"),
    ("signals pass", "$D run --name one $I sh -c 'trap \"exit 11\" TERM; while :; do sleep 0.1; done' &
        until $D ps -q | grep -q .; do sleep 0.1; done; sleep 0.5; kill -TERM $!; wait $!; echo $?"),
    ("signals that nobody heeds", "$D run --name one $I sleep 1000 & until $D ps -q | grep -q .; do sleep 0.1; done
        sleep 0.5; for i in 1 2 3; do kill -TERM $!; sleep 0.3; done; wait $!; echo $?; $D ps --format '{{.Names}}'"),
];

/// Standard output and exit code of a script; its containers are removed.
fn run(command_line: &str, script: &str) -> (String, Option<i32>) {
    let directory = tempfile::tempdir().unwrap();
    let shell = |script: &str| {
        let mut command = Command::new("sh");
        command
            .args(["-c", script])
            .env("D", command_line)
            .env("I", IMAGE);
        command
            .env("T", directory.path())
            .env("DOCKER_CONFIG", directory.path());
        command.env_remove("DOCKER_HOST").env_remove("COLUMNS");
        command.output().unwrap()
    };
    let Output {
        status,
        stdout,
        stderr,
    } = shell(script);
    println!("{command_line}: {}", String::from_utf8_lossy(&stderr));
    wait_until("the containers' removal", || {
        // One that is being removed already goes without our help.
        shell("$D rm --force --volumes $($D ps --all --quiet)");
        shell("$D ps --all --quiet").stdout.is_empty()
    });
    (comparable(&String::from_utf8_lossy(&stdout)), status.code())
}

/// Without what differs from container to container, and from second to second.
fn comparable(output: &str) -> String {
    let mut comparable = String::new();
    for word in output.split_inclusive([' ', '\n', '\t']) {
        let bare = word.trim_end();
        let is_id =
            [12, 64].contains(&bare.len()) && bare.bytes().all(|byte| byte.is_ascii_hexdigit());
        comparable.push_str(&if is_id {
            word.replace(bare, "ID")
        } else {
            word.to_owned()
        });
    }
    comparable
}

/// Where our engine has, or says, something else than that dockerd.
const OTHERWISE: [&str; 3] = [
    // 127 where a program is not found, as in `run`.
    "exec",  // No port on `::` where the network has no IPv6.
    "ports", // The image is another, and so are its directories.
    "inspect",
];

#[test]
fn the_command_line_is_dockers() {
    let test = "the_command_line_is_dockers";
    let Some(docker): Option<Arc<Docker>> =
        Docker::shared().map_err(|reason| skip(test, &reason)).ok()
    else {
        return;
    };
    let _turn = blocking_turn();
    let side = match Side::ours() {
        Ok(side) => side,
        Err(reason) => return skip(test, &reason),
    };
    let theirs = format!("docker --host unix://{}", docker.socket().display());
    let ours = |socket: &Path| {
        let program = env!("CARGO_BIN_EXE_plimsoll");
        format!("{program} --socket {}", socket.display())
    };
    let (on_docker, on_ours) = (ours(&docker.socket()), ours(&side.agent().socket()));
    for (what, script) in SCRIPTS {
        let expected = run(&theirs, script);
        assert!(!expected.0.is_empty(), "{what}: docker printed nothing");
        assert_eq!(run(&on_docker, script), expected, "{what}, on dockerd");
        if !OTHERWISE.contains(&what) {
            assert_eq!(run(&on_ours, script), expected, "{what}, on our engine");
        }
    }
}
