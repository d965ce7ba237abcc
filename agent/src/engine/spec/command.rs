//! What is run: the container's words and its image's.

use bollard::models::ContainerCreateBody;
use libcontainer::oci_spec::image::{Config, ImageConfiguration};

use super::SpecError;

/// The program and its arguments.
///
/// An entrypoint of the container's makes the image's entrypoint and command void; its command makes
/// the image's command void. An entrypoint of one empty word is none (`--entrypoint ""`).
///
/// # Errors
/// Neither says what to run.
pub fn command(
    body: &ContainerCreateBody,
    image: Option<&ImageConfiguration>,
) -> Result<Vec<String>, SpecError> {
    let image = image.and_then(|image| image.config().as_ref());
    let mut entrypoint = body.entrypoint.clone().unwrap_or_default();
    let mut command = body.cmd.clone().unwrap_or_default();
    if entrypoint.is_empty() {
        if command.is_empty() {
            command = of(image, Config::cmd);
        }
        if body.entrypoint.is_none() {
            entrypoint = of(image, Config::entrypoint);
        }
    }
    if let [only] = entrypoint.as_slice()
        && only.is_empty()
    {
        entrypoint.clear();
    }
    entrypoint.append(&mut command);
    if entrypoint.is_empty() {
        return Err(SpecError::NoCommand);
    }
    Ok(entrypoint)
}

fn of(image: Option<&Config>, field: fn(&Config) -> &Option<Vec<String>>) -> Vec<String> {
    image
        .and_then(|image| field(image).clone())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use libcontainer::oci_spec::image::{ConfigBuilder, ImageConfigurationBuilder, RootFsBuilder};

    use super::*;

    type Words<'a> = Option<&'a [&'a str]>;

    fn words(words: Words<'_>) -> Option<Vec<String>> {
        words.map(|words| words.iter().map(|&word| word.to_owned()).collect())
    }

    fn run(entrypoint: Words<'_>, cmd: Words<'_>, image: (Words<'_>, Words<'_>)) -> Vec<String> {
        let body = ContainerCreateBody {
            entrypoint: words(entrypoint),
            cmd: words(cmd),
            ..Default::default()
        };
        let mut config = ConfigBuilder::default();
        if let Some(entrypoint) = words(image.0) {
            config = config.entrypoint(entrypoint);
        }
        if let Some(cmd) = words(image.1) {
            config = config.cmd(cmd);
        }
        let image = ImageConfigurationBuilder::default()
            .config(config.build().unwrap())
            .rootfs(
                RootFsBuilder::default()
                    .typ("layers")
                    .diff_ids(Vec::new())
                    .build()
                    .unwrap(),
            )
            .architecture("amd64")
            .os("linux")
            .build()
            .unwrap();
        command(&body, Some(&image)).unwrap_or_default()
    }

    #[test]
    fn what_the_container_says_makes_the_images_void() {
        let image = (Some(&["e"][..]), Some(&["c", "d"][..]));
        assert_eq!(run(None, None, image), ["e", "c", "d"]);
        assert_eq!(run(None, Some(&["x"]), image), ["e", "x"]);
        assert_eq!(run(Some(&["n"]), None, image), ["n"]);
        assert_eq!(run(Some(&["n"]), Some(&["x"]), image), ["n", "x"]);
        assert_eq!(run(Some(&[]), None, image), ["c", "d"]);
        assert_eq!(run(Some(&[""]), Some(&["x"]), image), ["x"]);
    }

    #[test]
    fn something_has_to_be_run() {
        let nothing: Vec<String> = Vec::new();
        assert_eq!(run(None, None, (None, None)), nothing);
        assert_eq!(run(Some(&[""]), None, (None, Some(&["c"]))), nothing);
        let error = command(&ContainerCreateBody::default(), None).unwrap_err();
        assert_eq!(error.to_string(), "no command specified");
    }
}
