//! What launching asks of the kernel.

use plimsoll::launch::shim::Stdio;

use super::bundle::{Dock, kernel};
use crate::support::{installed, skip};

#[test]
fn a_kernel_that_is_too_old_is_named() {
    let test = "a_kernel_that_is_too_old_is_named";
    if !nix::unistd::geteuid().is_root() {
        return skip(test, "not root");
    }
    if !installed(test, "busybox") {
        return;
    }
    let dock = Dock::make();
    match dock.create("a", "true", Stdio::Null, |_| {}) {
        Ok(mut held) => {
            assert!(kernel() >= (5, 12));
            held.start().unwrap();
            assert_eq!(held.wait().unwrap().code, 0);
            held.reap().unwrap();
        }
        // And nothing of it is left, which the dock sees to.
        Err(error) => {
            assert!(kernel() < (5, 12), "{error}");
            let told = error.to_string();
            assert!(told.contains("launching needs Linux 5.12"), "{told}");
        }
    }
}
