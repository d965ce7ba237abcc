//! Many at once.

use plimsoll::launch::shim::Stdio;

use super::bundle::Dock;

const AT_ONCE: usize = 100;

#[test]
fn a_hundred_launches_at_once() {
    let Some(dock) = Dock::new("a_hundred_launches_at_once") else {
        return;
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..AT_ONCE)
            .map(|number| {
                let dock = &dock;
                scope.spawn(move || {
                    let id = format!("w{number}");
                    let code = number % 100;
                    let mut held = dock.run(&id, &format!("exit {code}"), Stdio::Null);
                    let exit = held.wait().unwrap();
                    held.reap().unwrap();
                    assert_eq!(usize::from(exit.code), code);
                    assert!(dock.cgroups(&id).is_empty(), "{id}");
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
    });
}
