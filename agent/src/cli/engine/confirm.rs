//! Asking before much is removed.

use std::io::{self, Write};

/// Whether the answer was yes. No answer is none.
pub(super) fn asked(question: &str) -> io::Result<bool> {
    let mut stderr = io::stderr();
    write!(
        stderr,
        "{question}\nAre you sure you want to continue? [y/N] "
    )?;
    stderr.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(answer.trim().eq_ignore_ascii_case("y"))
}
