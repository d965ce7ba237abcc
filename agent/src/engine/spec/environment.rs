//! The variables a container's process is given.

use bollard::models::ContainerCreateBody;
use libcontainer::oci_spec::image::ImageConfiguration;

const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Docker's own, then the container's, then the image's that the container does not name. `HOME` comes
/// with the user, from `launch`.
pub(super) fn environment(
    body: &ContainerCreateBody,
    image: Option<&ImageConfiguration>,
    hostname: &str,
) -> Vec<String> {
    let mut environment = vec![PATH.to_owned(), format!("HOSTNAME={hostname}")];
    if body.tty == Some(true) {
        environment.push("TERM=xterm".to_owned());
    }
    let mut own = body.env.clone().unwrap_or_default();
    let image = image.and_then(|image| image.config().as_ref());
    for variable in image
        .and_then(|image| image.env().as_ref())
        .into_iter()
        .flatten()
    {
        if !own.iter().any(|one| name(one) == name(variable)) {
            own.push(variable.clone());
        }
    }
    apply(&mut environment, own);
    environment
}

/// Later ones replace earlier ones in their place; a name alone takes the variable out.
pub(super) fn apply(environment: &mut Vec<String>, changes: Vec<String>) {
    for change in changes {
        let known = environment
            .iter()
            .position(|one| name(one) == name(&change));
        match (known, change.contains('=')) {
            (Some(at), true) => {
                if let Some(variable) = environment.get_mut(at) {
                    *variable = change;
                }
            }
            (Some(at), false) => {
                environment.remove(at);
            }
            (None, true) => environment.push(change),
            (None, false) => {}
        }
    }
}

fn name(variable: &str) -> &str {
    variable.split_once('=').map_or(variable, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(tty: bool, env: &[&str]) -> ContainerCreateBody {
        ContainerCreateBody {
            tty: Some(tty),
            env: Some(env.iter().map(|&one| one.to_owned()).collect()),
            ..Default::default()
        }
    }

    #[test]
    fn dockers_variables_come_first_and_give_way() {
        let given = environment(&body(true, &["A=1=2", "PATH=/bin", "A=3"]), None, "h");
        assert_eq!(given, ["PATH=/bin", "HOSTNAME=h", "TERM=xterm", "A=3"]);
    }

    #[test]
    fn a_name_alone_takes_a_variable_out() {
        let given = environment(&body(false, &["HOSTNAME", "B"]), None, "h");
        assert_eq!(given, [PATH]);
    }
}
