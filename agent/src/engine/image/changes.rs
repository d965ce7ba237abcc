//! Instructions of a Dockerfile that change an image's configuration: `import --change`.

use std::path::Path;

use bollard::models::ImageConfig;

use super::ImageError;

/// What a command without brackets is run by.
const SHELL: [&str; 2] = ["/bin/sh", "-c"];

/// Applies them in order.
pub(super) fn apply(mut config: ImageConfig, changes: &[&str]) -> Result<ImageConfig, ImageError> {
    for change in changes {
        one(&mut config, change)?;
    }
    Ok(config)
}

fn one(config: &mut ImageConfig, change: &str) -> Result<(), ImageError> {
    let change = change.trim();
    let (instruction, rest) = change
        .split_once(char::is_whitespace)
        .unwrap_or((change, ""));
    let (instruction, rest) = (instruction.to_ascii_uppercase(), rest.trim());
    let refused = |why: &str| ImageError::Change(format!("{instruction} {why}"));
    if rest.is_empty() {
        return Err(refused("requires at least one argument"));
    }
    match instruction.as_str() {
        "CMD" => config.cmd = Some(command(rest)),
        "ENTRYPOINT" => {
            config.entrypoint = Some(command(rest));
            // A command of before was for another entry point, or none.
            config.cmd = None;
        }
        "ENV" => {
            let env = config.env.get_or_insert_default();
            for (key, value) in pairs(rest).ok_or_else(|| refused("must have two arguments"))? {
                let prefix = format!("{key}=");
                env.retain(|old| !old.starts_with(&prefix));
                env.push(prefix + &value);
            }
        }
        "LABEL" => {
            let labels = config.labels.get_or_insert_default();
            labels.extend(pairs(rest).ok_or_else(|| refused("must have two arguments"))?);
        }
        "EXPOSE" => {
            let exposed = config.exposed_ports.get_or_insert_default();
            for word in rest.split_whitespace() {
                let port = port(word)
                    .ok_or_else(|| ImageError::Change(format!("invalid containerPort: {word}")))?;
                if !exposed.contains(&port) {
                    exposed.push(port);
                }
            }
        }
        "VOLUME" => {
            let volumes = config.volumes.get_or_insert_default();
            let words = array(rest).unwrap_or_else(|| words(rest));
            for volume in words {
                if volume.trim().is_empty() {
                    return Err(refused("specified can not be an empty string"));
                }
                if !volumes.contains(&volume) {
                    volumes.push(volume);
                }
            }
        }
        "USER" => config.user = Some(rest.to_owned()),
        "WORKDIR" => {
            let before = config.working_dir.take().unwrap_or_default();
            let joined = Path::new("/").join(before).join(rest);
            config.working_dir = Some(joined.display().to_string());
        }
        "STOPSIGNAL" => config.stop_signal = Some(rest.to_owned()),
        _ => {
            return Err(ImageError::Change(format!(
                "{} is not a valid change command",
                instruction.to_ascii_lowercase()
            )));
        }
    }
    Ok(())
}

/// `["a", "b"]`, or words for a shell.
fn command(text: &str) -> Vec<String> {
    array(text).unwrap_or_else(|| {
        let shell = SHELL.map(str::to_owned).into_iter();
        shell.chain([text.to_owned()]).collect()
    })
}

fn array(text: &str) -> Option<Vec<String>> {
    serde_json::from_str(text).ok()
}

/// `KEY=VALUE KEY="WITH BLANKS"`, or the old `KEY VALUE`.
fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let words = words(text);
    if !words.first()?.contains('=') {
        let (key, value) = text.split_once(char::is_whitespace)?;
        return Some(vec![(key.to_owned(), value.trim().to_owned())]);
    }
    words
        .iter()
        .map(|word| {
            let (key, value) = word.split_once('=').filter(|(key, _)| !key.is_empty())?;
            Some((key.to_owned(), value.to_owned()))
        })
        .collect()
}

/// Words with their quotes and escapes taken away.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (letter, quote) {
            (_, Some(open)) if letter == open => quote = None,
            ('"' | '\'', None) => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            ('\\', None | Some('"')) => word.get_or_insert_default().extend(letters.next()),
            (_, None) if letter.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

/// `80`, `80/tcp` as `80/tcp`.
fn port(text: &str) -> Option<String> {
    let (number, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = protocol.to_ascii_lowercase();
    let number: u16 = number.parse().ok().filter(|number| *number > 0)?;
    matches!(protocol.as_str(), "tcp" | "udp" | "sctp").then(|| format!("{number}/{protocol}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn applied(changes: &[&str]) -> ImageConfig {
        apply(ImageConfig::default(), changes).unwrap()
    }

    #[test]
    fn commands_are_words_or_for_a_shell() {
        let config = applied(&["CMD echo a", "ENTRYPOINT [\"/x\", \"y z\"]", "cmd [\"b\"]"]);
        assert_eq!(config.entrypoint.unwrap(), ["/x", "y z"]);
        assert_eq!(config.cmd.unwrap(), ["b"]);
        let config = applied(&["CMD echo a"]);
        assert_eq!(config.cmd.unwrap(), ["/bin/sh", "-c", "echo a"]);
    }

    #[test]
    fn variables_and_labels_have_two_forms() {
        let config = applied(&[
            "ENV A=1 B=\"two words\" C=x\\ y",
            "ENV A  old form ",
            "LABEL a.b='c'",
        ]);
        assert_eq!(config.env.unwrap(), ["B=two words", "C=x y", "A=old form"]);
        assert_eq!(config.labels.unwrap()["a.b"], "c");
    }

    #[test]
    fn the_others() {
        let config = applied(&[
            "EXPOSE 80 53/UDP 80/tcp",
            "VOLUME /a /b",
            "VOLUME [\"/c d\"]",
            "USER 1000:1000",
            "WORKDIR /srv",
            "WORKDIR www",
        ]);
        assert_eq!(config.exposed_ports.unwrap(), ["80/tcp", "53/udp"]);
        assert_eq!(config.volumes.unwrap(), ["/a", "/b", "/c d"]);
        assert_eq!(config.user.unwrap(), "1000:1000");
        assert_eq!(config.working_dir.unwrap(), "/srv/www");
    }

    #[test]
    fn what_cannot_be_changed_is_refused_in_dockers_words() {
        let refused = |change: &str| {
            let error = apply(ImageConfig::default(), &[change]).unwrap_err();
            error.to_string()
        };
        assert_eq!(refused("RUN true"), "run is not a valid change command");
        assert_eq!(refused("ENV"), "ENV requires at least one argument");
        assert_eq!(refused("ENV A"), "ENV must have two arguments");
        assert_eq!(refused("EXPOSE 0"), "invalid containerPort: 0");
    }
}
