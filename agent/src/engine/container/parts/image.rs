//! What an image says and a container does not, as Docker merges it.

use std::collections::HashMap;

use bollard::models::{ContainerCreateBody, ImageConfig};

/// Completes a container's configuration with its image's.
pub(super) fn merge(body: &mut ContainerCreateBody, image: &ImageConfig) {
    let absent = |text: &Option<String>| text.as_deref().is_none_or(str::is_empty);
    for (own, theirs) in [
        (&mut body.user, &image.user),
        (&mut body.working_dir, &image.working_dir),
        (&mut body.stop_signal, &image.stop_signal),
    ] {
        if absent(own) {
            own.clone_from(theirs);
        }
    }
    let no_words = |words: &Option<Vec<String>>| words.as_ref().is_none_or(Vec::is_empty);
    if no_words(&body.entrypoint) {
        if no_words(&body.cmd) {
            body.cmd.clone_from(&image.cmd);
        }
        // An empty one makes the image's void.
        if body.entrypoint.is_none() {
            body.entrypoint.clone_from(&image.entrypoint);
        }
    }
    merge_environment(body, image);
    merge_words(&mut body.exposed_ports, image.exposed_ports.as_ref());
    merge_words(&mut body.volumes, image.volumes.as_ref());
    let labels: HashMap<_, _> = image.labels.clone().unwrap_or_default();
    let mut labels = labels;
    labels.extend(body.labels.take().unwrap_or_default());
    body.labels = Some(labels);
    merge_health(body, image);
}

/// Variables that the container does not set, before its own.
fn merge_environment(body: &mut ContainerCreateBody, image: &ImageConfig) {
    let own = body.env.take().unwrap_or_default();
    let name = |variable: &str| variable.split('=').next().unwrap_or_default().to_owned();
    let is_set = |variable: &&String| own.iter().any(|set| name(set) == name(variable));
    let theirs = image.env.iter().flatten();
    let mut all: Vec<String> = theirs
        .filter(|variable| !is_set(variable))
        .cloned()
        .collect();
    all.extend(own);
    body.env = Some(all);
}

fn merge_words(own: &mut Option<Vec<String>>, theirs: Option<&Vec<String>>) {
    let words = own.get_or_insert_default();
    for word in theirs.into_iter().flatten() {
        if !words.contains(word) {
            words.push(word.clone());
        }
    }
}

/// The image's check with the container's intervals, unless that has one of its own.
fn merge_health(body: &mut ContainerCreateBody, image: &ImageConfig) {
    let Some(theirs) = &image.healthcheck else {
        return;
    };
    let Some(own) = &mut body.healthcheck else {
        body.healthcheck = Some(theirs.clone());
        return;
    };
    if own.test.as_ref().is_none_or(Vec::is_empty) {
        own.test.clone_from(&theirs.test);
    }
    for (own, theirs) in [
        (&mut own.interval, theirs.interval),
        (&mut own.timeout, theirs.timeout),
        (&mut own.start_period, theirs.start_period),
        (&mut own.start_interval, theirs.start_interval),
        (&mut own.retries, theirs.retries),
    ] {
        if own.unwrap_or(0) == 0 {
            *own = theirs;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn words(words: &[&str]) -> Option<Vec<String>> {
        Some(words.iter().map(|&word| word.to_owned()).collect())
    }

    #[test]
    fn the_container_has_the_last_word() {
        let image = ImageConfig {
            cmd: words(&["serve"]),
            entrypoint: words(&["/init"]),
            env: words(&["A=1", "B=2"]),
            user: Some("7".to_owned()),
            ..ImageConfig::default()
        };
        let mut body = ContainerCreateBody {
            env: words(&["B=3"]),
            user: Some(String::new()),
            ..ContainerCreateBody::default()
        };
        merge(&mut body, &image);
        assert_eq!(body.env, words(&["A=1", "B=3"]));
        assert_eq!(body.user.as_deref(), Some("7"));
        assert_eq!(
            (body.cmd, body.entrypoint),
            (image.cmd.clone(), image.entrypoint.clone())
        );

        // An entrypoint makes the image's command void.
        let mut body = ContainerCreateBody {
            entrypoint: words(&["sh"]),
            ..ContainerCreateBody::default()
        };
        merge(&mut body, &image);
        assert_eq!((body.cmd, body.entrypoint), (None, words(&["sh"])));
    }
}
