//! Putting a specification together.

use libcontainer::oci_spec::runtime::{
    BoxBuilder, Capabilities, Linux, Process, RootBuilder, Spec,
};

use super::mode::{Modes, Share};
use super::mounts::Mounts;
use super::namespaces::{TIME_OFFSET, mapping};
use super::security::Security;
use super::{
    Parts, SpecError, capability, command, devices, environment, init, namespaces, paths,
    resources, rlimits, seccomp, sysctls, user, user_range, working_directory,
};

/// Version of the specification that is written.
const VERSION: &str = "1.2.0";

/// The specification of a container, and what the user should be told. Makes the working directory.
///
/// # Errors
/// What [`validate`](super::validate) refuses, and what is not in the root filesystem or on this host.
pub fn build(parts: &Parts<'_>) -> Result<(Spec, Vec<String>), SpecError> {
    let host = parts.host();
    let mut warnings = Vec::new();
    let modes = Modes::of(&host)?;
    let security = Security::of(&host)?;
    security.warn(&mut warnings);
    let bounding = capability::asked_for(&host)?;
    // Another's first process, or the host's, reaps already.
    let wants_init = host.init == Some(true) && modes.pid == Share::Own;
    let init = wants_init.then(init::find).transpose()?;
    let mounts = Mounts::of(parts, &modes, init.as_ref().map(|(mount, _)| mount))?;

    let mut process = process(parts, &security, &bounding)?;
    if let Some((_, before)) = init {
        let words = before.iter().map(|&word| word.to_owned());
        let arguments = process.args().iter().flatten().cloned();
        process.set_args(Some(words.chain(arguments).collect()));
    }
    working_directory::make(process.cwd(), parts.rootfs, &mounts.list)?;
    let mut linux = linux(parts, &modes, &mut warnings)?;
    linux.set_seccomp(seccomp::filter(&security.seccomp, &bounding)?);
    linux.set_rootfs_propagation(Some(mounts.propagation.to_owned()));

    let root = RootBuilder::default()
        .path(parts.rootfs)
        .readonly(host.readonly_rootfs == Some(true))
        .build()?;
    let mut spec = Spec::default();
    spec.set_version(VERSION.to_owned());
    spec.set_root(Some(root));
    spec.set_mounts(Some(mounts.list));
    spec.set_process(Some(process));
    let own_names = modes.uts == Share::Own && parts.join.uts.is_none();
    spec.set_hostname(own_names.then(|| parts.hostname.to_owned()));
    let domain = parts
        .body
        .domainname
        .clone()
        .filter(|name| own_names && !name.is_empty());
    spec.set_domainname(domain);
    spec.set_annotations(host.annotations.clone());
    spec.set_linux(Some(linux));
    Ok((spec, warnings))
}

fn process(
    parts: &Parts<'_>,
    security: &Security,
    bounding: &Capabilities,
) -> Result<Process, SpecError> {
    let host = parts.host();
    let body = parts.body;
    let image = parts.image.and_then(|image| image.config().as_ref());
    let own_user = body.user.as_deref().filter(|words| !words.is_empty());
    let words = own_user.or(image.and_then(|image| image.user().as_deref()));
    let groups = host.group_add.clone().unwrap_or_default();
    let user = user::look_up(words.unwrap_or_default(), &groups, parts.rootfs)?;
    let tty = body.tty == Some(true);

    let mut process = Process::default();
    process.set_terminal(Some(tty));
    if let (true, Some((rows, columns))) = (tty, parts.terminal_size) {
        let size = BoxBuilder::default()
            .height(u64::from(rows))
            .width(u64::from(columns))
            .build()?;
        process.set_console_size(Some(size));
    }
    process.set_capabilities(Some(capability::sets(bounding, user.uid())?));
    process.set_user(user);
    process.set_args(Some(command(body, parts.image)?));
    process.set_env(Some(environment::environment(
        body,
        parts.image,
        parts.hostname,
    )));
    let image_directory = image.and_then(|image| image.working_dir().as_deref());
    process.set_cwd(working_directory::of(
        body.working_dir.as_deref(),
        image_directory,
    )?);
    process.set_rlimits(Some(rlimits::of(&host)?).filter(|list| !list.is_empty()));
    process.set_no_new_privileges(security.no_new_privileges.then_some(true));
    process.set_apparmor_profile(security.apparmor_profile()?);
    // Not the agent's own, which may be protected.
    let score = i32::try_from(host.oom_score_adj.unwrap_or(0)).unwrap_or(0);
    process.set_oom_score_adj(Some(score));
    Ok(process)
}

fn linux(parts: &Parts<'_>, modes: &Modes, warnings: &mut Vec<String>) -> Result<Linux, SpecError> {
    let host = parts.host();
    let devices = devices::Devices::of(&host)?;
    let mut resources = resources::of(parts, warnings)?;
    resources.set_devices(Some(devices.rules));
    let (masked, read_only) = paths::of(&host);

    let mut linux = Linux::default();
    linux.set_resources(Some(resources));
    linux.set_devices(Some(devices.nodes).filter(|list| !list.is_empty()));
    linux.set_masked_paths(Some(masked));
    linux.set_readonly_paths(Some(read_only));
    linux.set_sysctl(Some(sysctls::of(&host, modes)?));
    linux.set_cgroups_path(Some(parts.cgroup_path.into()));
    linux.set_namespaces(Some(namespaces::list(parts, modes)?));
    if let Some(range) = user_range(parts.body)? {
        linux.set_uid_mappings(Some(mapping(range.first_uid, range.size)?));
        linux.set_gid_mappings(Some(mapping(range.first_gid, range.size)?));
    } else {
        linux.set_uid_mappings(None);
        linux.set_gid_mappings(None);
    }
    if let Some(text) = parts.annotation(TIME_OFFSET) {
        linux.set_time_offsets(Some(namespaces::time_offsets(text)?));
    }
    Ok(linux)
}

#[cfg(test)]
#[path = "build_tests.rs"]
mod tests;
