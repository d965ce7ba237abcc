//! Options of a tmpfs, as `--tmpfs` and `--mount type=tmpfs` have them.

use bollard::models::Mount;

use super::SpecError;
use super::error::refuse;

/// Those Docker adds, which a user's may take back.
const DEFAULT: [&str; 3] = ["noexec", "nosuid", "nodev"];

/// Flags, each beside what takes it back.
const FLAGS: [(&str, &str); 8] = [
    ("ro", "rw"),
    ("nosuid", "suid"),
    ("nodev", "dev"),
    ("noexec", "exec"),
    ("sync", "async"),
    ("noatime", "atime"),
    ("nodiratime", "diratime"),
    ("relatime", "norelatime"),
];
const LONE_FLAGS: [&str; 3] = ["strictatime", "nostrictatime", "defaults"];
/// Propagation says nothing of a file system that nobody else has mounted.
const PROPAGATION: [&str; 6] = [
    "private", "rprivate", "slave", "rslave", "shared", "rshared",
];
const VALUES: [&str; 8] = [
    "size",
    "mode",
    "uid",
    "gid",
    "nr_inodes",
    "nr_blocks",
    "mpol",
    "huge",
];

/// Docker's defaults and the user's: of those that exclude each other the last, each once.
pub(super) fn options(words: &str) -> Result<Vec<String>, SpecError> {
    let given = words.split(',').filter(|word| !word.is_empty());
    let mut merged: Vec<String> = Vec::new();
    for word in DEFAULT.into_iter().chain(given) {
        if PROPAGATION.contains(&word) {
            continue;
        }
        let kind = kind_of(word);
        let Some(kind) = kind else {
            return refuse(format!("Invalid tmpfs option \"{word}\""));
        };
        merged.retain(|other| kind_of(other) != Some(kind));
        merged.push(word.to_owned());
    }
    Ok(merged)
}

/// What a word is about; those of one kind exclude each other.
fn kind_of(word: &str) -> Option<&str> {
    if let Some((key, value)) = word.split_once('=') {
        return VALUES
            .into_iter()
            .find(|&known| known == key && !value.is_empty());
    }
    let flag = FLAGS
        .into_iter()
        .find(|(flag, back)| word == *flag || word == *back);
    let lone = || LONE_FLAGS.into_iter().find(|&known| known == word);
    flag.map(|(flag, _)| flag).or_else(lone)
}

/// As words, of a mount of this type.
pub(super) fn of_mount(mount: &Mount) -> String {
    let mut words = Vec::new();
    if mount.read_only == Some(true) {
        words.push("ro".to_owned());
    }
    if let Some(options) = &mount.tmpfs_options {
        words.extend(options.mode.map(|mode| format!("mode={mode:o}")));
        let bytes = options.size_bytes.filter(|&bytes| bytes > 0);
        words.extend(bytes.map(|bytes| format!("size={bytes}")));
        words.extend(
            options
                .options
                .iter()
                .flatten()
                .map(|option| option.join("=")),
        );
    }
    words.join(",")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use bollard::models::MountTmpfsOptions;

    use super::*;

    #[test]
    fn the_last_word_counts() {
        assert_eq!(options("").unwrap(), DEFAULT);
        assert_eq!(
            options("exec,size=1m,ro,size=64k,rprivate").unwrap(),
            ["nosuid", "nodev", "exec", "ro", "size=64k"]
        );
    }

    #[test]
    fn unknown_words_are_refused() {
        for wrong in ["tmpcopyup", "size=", "bind", "lowerdir=/"] {
            let error = options(wrong).unwrap_err().to_string();
            assert_eq!(error, format!("Invalid tmpfs option \"{wrong}\""));
        }
    }

    #[test]
    fn a_mounts_options_become_words() {
        let mount = Mount {
            read_only: Some(true),
            tmpfs_options: Some(MountTmpfsOptions {
                size_bytes: Some(4096),
                mode: Some(0o1770),
                options: Some(vec![
                    vec!["exec".to_owned()],
                    vec!["uid".to_owned(), "7".to_owned()],
                ]),
            }),
            ..Default::default()
        };
        assert_eq!(of_mount(&mount), "ro,mode=1770,size=4096,exec,uid=7");
    }
}
