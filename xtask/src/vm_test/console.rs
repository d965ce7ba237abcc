//! The guest's console: kept in a log, shown, and searched for the kernel's last words.

use std::collections::VecDeque;

/// Lines of the tail that a failure shows.
const TAIL: usize = 40;

/// What a kernel prints when it is done for.
const TROUBLE: [&str; 6] = [
    "Kernel panic - not syncing",
    "BUG: soft lockup",
    "BUG: unable to handle",
    "BUG: kernel NULL pointer",
    "general protection fault",
    "Oops: ",
];

/// What was printed last, and whether it was bad news.
#[derive(Debug, Default)]
pub(super) struct Console {
    tail: VecDeque<String>,
    trouble: Option<String>,
}

impl Console {
    /// Takes in one line.
    pub(super) fn read(&mut self, line: &str) {
        if self.trouble.is_none() && TROUBLE.iter().any(|sign| line.contains(sign)) {
            self.trouble = Some(line.trim().to_owned());
        }
        if self.tail.len() == TAIL {
            self.tail.pop_front();
        }
        self.tail.push_back(line.to_owned());
    }

    /// The first line that tells of trouble.
    pub(super) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    pub(super) fn tail(&self) -> impl Iterator<Item = &str> {
        self.tail.iter().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_trouble_stays_and_the_tail_is_short() {
        let mut console = Console::default();
        for n in 0..100 {
            console.read(&format!("line {n}"));
        }
        assert_eq!(console.trouble(), None);
        assert_eq!(console.tail().count(), TAIL);
        console.read("[ 1.0] Oops: int3: 0000 [#1]");
        console.read("[ 1.1] Kernel panic - not syncing: Fatal exception");
        assert_eq!(console.trouble(), Some("[ 1.0] Oops: int3: 0000 [#1]"));
    }
}
