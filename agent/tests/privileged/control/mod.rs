//! What is set on a cgroup holds, as the kernel's own files and clocks tell. The same tests run
//! where the controllers are on v1 and where they are on v2.

mod alarms;
mod cpu;
mod cpuset;
mod exact;
mod freeze;
mod io;
mod kill;
mod memory;
mod pids;
mod processes;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use plimsoll::cgroup::{Control, Layout, Placement};

use crate::support::own_cgroup::{V2, mount_of};
use crate::support::{OwnCgroup, skip};

/// A cgroup of the test's own wherever this host carries the controllers.
struct World {
    own: OwnCgroup,
    layout: Layout,
}

impl World {
    /// Controllers by their v1 names. `None`, and the test is skipped, when one is nowhere.
    fn make(test: &str, controllers: &[&'static str]) -> Option<Self> {
        let mut hierarchies = Vec::new();
        for controller in controllers {
            let carrier = if mount_of(controller).is_some() {
                controller
            } else if on_v2(controller) {
                V2
            } else {
                skip(
                    test,
                    &format!("no hierarchy carries the {controller} controller"),
                );
                return None;
            };
            if !hierarchies.contains(&carrier) {
                hierarchies.push(carrier);
            }
        }
        Some(Self {
            own: OwnCgroup::make(test, &hierarchies)?,
            layout: Layout::detect().unwrap(),
        })
    }

    fn control(&self) -> Control {
        self.control_of(&self.own)
    }

    fn control_of(&self, own: &OwnCgroup) -> Control {
        Control::open(&self.layout, &self.placement_of(own))
    }

    fn placement_of(&self, own: &OwnCgroup) -> Placement {
        let mut placement = Placement::default();
        for hierarchy in self.layout.hierarchies() {
            let path = own.path();
            if hierarchy
                .directory(&path)
                .is_some_and(|directory| directory.is_dir())
            {
                placement.paths.insert(hierarchy.id, path);
            }
        }
        placement
    }

    /// One below, with the controllers that v2 hands down only when asked.
    fn nested(&self, controllers: &[&str]) -> OwnCgroup {
        for controller in controllers.iter().filter(|name| !Self::is_v1(name)) {
            self.own
                .write(V2, "cgroup.subtree_control", &format!("+{controller}"));
        }
        self.own.nested("below")
    }

    fn is_v1(controller: &str) -> bool {
        mount_of(controller).is_some()
    }

    /// The directory that carries a controller.
    fn directory(&self, controller: &'static str) -> &Path {
        let hierarchy = if Self::is_v1(controller) {
            controller
        } else {
            V2
        };
        self.own.directory(hierarchy)
    }

    /// A file by its name on v1 and on v2.
    fn text(&self, controller: &'static str, v1: &str, v2: &str) -> String {
        let name = if Self::is_v1(controller) { v1 } else { v2 };
        let path = self.directory(controller).join(name);
        std::fs::read_to_string(path)
            .expect(name)
            .trim_end()
            .to_owned()
    }

    fn number(&self, controller: &'static str, v1: &str, v2: &str) -> u64 {
        let text = self.text(controller, v1, v2);
        text.parse().expect("a number")
    }

    /// The number after `key` in a file of such lines, of the same name on both.
    fn field(&self, controller: &'static str, file: &str, key: &str) -> u64 {
        let text = self.text(controller, file, file);
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
        line.expect(key).parse().expect(key)
    }
}

/// v2 has the freezer and CPU time in every cgroup.
fn on_v2(controller: &str) -> bool {
    let Some(mount) = mount_of(V2) else {
        return false;
    };
    let wanted = match controller {
        "freezer" | "cpuacct" => return true,
        "blkio" => "io",
        other => other,
    };
    let enabled = std::fs::read_to_string(mount.join("cgroup.subtree_control")).unwrap_or_default();
    enabled.split_whitespace().any(|name| name == wanted)
}

/// However busy the machine is: beyond this a cap is no cap.
const MOST_TOLERANCE: f64 = 0.25;

/// What the work finds, and how much a rate that it measured over this time may be off because
/// this machine, or the one below it, let a thread wait that had something to do.
fn with_tolerance<T>(tolerance: f64, work: impl FnOnce() -> T) -> (T, f64) {
    const PAUSE: Duration = Duration::from_millis(1);
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let waited = scope.spawn(|| {
            let mut waited = Duration::ZERO;
            while !ended.load(Ordering::Relaxed) {
                let start = Instant::now();
                std::thread::sleep(PAUSE);
                // A timer may be a little late on an idle machine too.
                waited += start.elapsed().saturating_sub(2 * PAUSE);
            }
            waited
        });
        let start = Instant::now();
        let found = work();
        let took = start.elapsed();
        ended.store(true, Ordering::Relaxed);
        let waited = waited.join().unwrap();
        let waited = waited.as_secs_f64() / took.as_secs_f64();
        (found, (tolerance + waited).min(MOST_TOLERANCE))
    })
}
