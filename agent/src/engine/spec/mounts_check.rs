//! Mounts that Docker refuses, in its words.

use std::fs;
use std::path::{Path, PathBuf};

use bollard::models::{HostConfig, Mount, MountBindOptionsPropagationEnum, MountType};

use super::SpecError;
use super::error::{refuse, unsupported};
use super::mounts::normal;
use super::tmpfs;

/// Words after the second colon of `-v`, by what they are about: of one kind only one may be said.
const MODES: [&[&str]; 5] = [
    &["ro", "rw"],
    &["z", "Z"],
    &[
        "private", "rprivate", "slave", "rslave", "shared", "rshared",
    ],
    &["nocopy"],
    &["consistent", "cached", "delegated"],
];

/// Checks binds, volumes and tmpfs; no two at one place.
pub(super) fn mounts(host: &HostConfig) -> Result<(), SpecError> {
    let mut targets: Vec<PathBuf> = Vec::new();
    for bind in host.binds.iter().flatten() {
        claim(&mut targets, self::bind(bind)?)?;
    }
    for mount in host.mounts.iter().flatten() {
        self::mount(mount)?;
        claim(&mut targets, mount.target.as_deref().unwrap_or_default())?;
    }
    for (target, options) in host.tmpfs.iter().flatten() {
        destination(target)?;
        tmpfs::options(options)?;
        claim(&mut targets, target)?;
    }
    Ok(())
}

fn claim(targets: &mut Vec<PathBuf>, target: &str) -> Result<(), SpecError> {
    let path = normal(Path::new(target));
    if targets.contains(&path) {
        return refuse(format!("Duplicate mount point: {}", path.display()));
    }
    targets.push(path);
    Ok(())
}

fn destination(target: &str) -> Result<(), SpecError> {
    if !target.starts_with('/') {
        return refuse(format!(
            "invalid mount path: '{target}' mount path must be absolute"
        ));
    }
    if normal(Path::new(target)) == Path::new("/") {
        return refuse("invalid specification: destination can't be '/'");
    }
    Ok(())
}

/// `source:target[:mode]`; returns the target.
fn bind(words: &str) -> Result<&str, SpecError> {
    let invalid = |why: String| {
        let why = if why.is_empty() {
            why
        } else {
            format!(": {why}")
        };
        SpecError::Refused(format!("invalid volume specification: '{words}'{why}"))
    };
    let parts: Vec<_> = words.split(':').collect();
    let (source, target, mode) = match parts.as_slice() {
        [source, target] => (*source, *target, ""),
        [source, target, mode] => (*source, *target, *mode),
        _ => return Err(invalid(String::new())),
    };
    if source.is_empty() || target.is_empty() {
        return Err(invalid(String::new()));
    }
    destination(target).map_err(|error| invalid(error.to_string()))?;
    if let Some(wrong) = wrong_mode(mode) {
        return Err(invalid(format!("invalid mode: {wrong}")));
    }
    if mode
        .split(',')
        .any(|word| matches!(word, "shared" | "rshared"))
    {
        return shared();
    }
    Ok(target)
}

fn wrong_mode(mode: &str) -> Option<&str> {
    let mut said: Vec<&[&str]> = Vec::new();
    for word in mode.split(',').filter(|word| !word.is_empty()) {
        let kind = MODES.into_iter().find(|kind| kind.contains(&word));
        match kind {
            Some(kind) if !said.contains(&kind) => said.push(kind),
            Some(_) | None => return Some(mode),
        }
    }
    None
}

fn shared<T>() -> Result<T, SpecError> {
    unsupported(
        "bind propagation \"shared\"",
        "what a workload mounts stays its own; rslave lets it see what the host mounts",
    )
}

fn mount(mount: &Mount) -> Result<(), SpecError> {
    let kind = mount.typ.unwrap_or(MountType::VOLUME);
    let invalid = |why: String| {
        SpecError::Refused(format!("invalid mount config for type \"{kind}\": {why}"))
    };
    let target = mount.target.as_deref().unwrap_or_default();
    if target.is_empty() {
        return Err(invalid("field Target must not be empty".to_owned()));
    }
    destination(target).map_err(|error| invalid(error.to_string()))?;
    let source = mount.source.as_deref().unwrap_or_default();
    let others = [
        (mount.bind_options.is_some(), MountType::BIND, "BindOptions"),
        (
            mount.volume_options.is_some(),
            MountType::VOLUME,
            "VolumeOptions",
        ),
        (
            mount.tmpfs_options.is_some(),
            MountType::TMPFS,
            "TmpfsOptions",
        ),
    ];
    for (given, of, field) in others {
        if given && kind != of {
            return Err(invalid(format!("field {field} must not be specified")));
        }
    }
    match kind {
        MountType::BIND => {
            if source.is_empty() {
                return Err(invalid("field Source must not be empty".to_owned()));
            }
            if !source.starts_with('/') {
                return Err(invalid(format!(
                    "invalid mount path: '{source}' mount path must be absolute"
                )));
            }
            let options = mount.bind_options.clone().unwrap_or_default();
            if options.create_mountpoint != Some(true) && fs::metadata(source).is_err() {
                return Err(invalid(format!(
                    "bind source path does not exist: {source}"
                )));
            }
            match options.propagation {
                Some(
                    MountBindOptionsPropagationEnum::SHARED
                    | MountBindOptionsPropagationEnum::RSHARED,
                ) => shared(),
                _ => Ok(()),
            }
        }
        MountType::TMPFS => {
            if !source.is_empty() {
                return Err(invalid("field Source must not be specified".to_owned()));
            }
            tmpfs::options(&tmpfs::of_mount(mount)).map(drop)
        }
        MountType::VOLUME => {
            let options = mount.volume_options.as_ref();
            let part = options.and_then(|options| options.subpath.as_deref());
            match part.filter(|part| !part.is_empty()) {
                Some(part) => unsupported(
                    format!("the part {part} of a volume"),
                    "a volume is mounted whole",
                ),
                None => Ok(()),
            }
        }
        MountType::IMAGE | MountType::CLUSTER | MountType::NPIPE => unsupported(
            format!("mount type \"{kind}\""),
            "it is bind, volume or tmpfs here",
        ),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::{Value, json};

    use super::*;

    fn refusal(host: Value) -> String {
        let host: HostConfig = serde_json::from_value(host).unwrap();
        mounts(&host).map_or_else(|error| error.to_string(), |()| String::new())
    }

    #[test]
    fn binds_have_a_source_a_target_and_a_mode() {
        assert_eq!(
            refusal(json!({"Binds": ["/etc:/a:ro,z,rslave", "name:/b", "/c:/c:rw,nocopy"]})),
            ""
        );
        for (wrong, words) in [
            ("/a", "invalid volume specification: '/a'"),
            ("/a:/b:ro:x", "invalid volume specification: '/a:/b:ro:x'"),
            (":/b", "invalid volume specification: ':/b'"),
            (
                "/a:b",
                "invalid volume specification: '/a:b': invalid mount path: 'b' mount path must be \
                      absolute",
            ),
            (
                "/a:/x/..",
                "invalid volume specification: '/a:/x/..': invalid specification: destination \
                          can't be '/'",
            ),
            (
                "/a:/b:odd",
                "invalid volume specification: '/a:/b:odd': invalid mode: odd",
            ),
            (
                "/a:/b:ro,rw",
                "invalid volume specification: '/a:/b:ro,rw': invalid mode: ro,rw",
            ),
        ] {
            assert_eq!(refusal(json!({"Binds": [wrong]})), words);
        }
        assert!(refusal(json!({"Binds": ["/a:/b:shared"]})).contains("not supported"));
    }

    #[test]
    fn mounts_have_the_fields_of_their_type() {
        let mount = |mount: Value| refusal(json!({"Mounts": [mount]}));
        assert_eq!(
            mount(json!({"Type": "bind", "Source": "/etc", "Target": "/a"})),
            ""
        );
        assert_eq!(mount(json!({"Type": "volume", "Target": "/a"})), "");
        assert_eq!(
            mount(json!({"Type": "tmpfs", "Target": "/a", "TmpfsOptions": {"Mode": 511}})),
            ""
        );
        for (wrong, words) in [
            (
                json!({"Type": "bind", "Source": "/nonesuch", "Target": "/a"}),
                "invalid mount config for type \"bind\": bind source path does not exist: /nonesuch",
            ),
            (
                json!({"Type": "bind", "Target": "/a"}),
                "invalid mount config for type \"bind\": field Source must not be empty",
            ),
            (
                json!({"Type": "volume", "Source": "v"}),
                "invalid mount config for type \"volume\": field Target must not be empty",
            ),
            (
                json!({"Type": "tmpfs", "Source": "x", "Target": "/a"}),
                "invalid mount config for type \"tmpfs\": field Source must not be specified",
            ),
            (
                json!({"Type": "volume", "Target": "/a", "BindOptions": {}}),
                "invalid mount config for type \"volume\": field BindOptions must not be specified",
            ),
        ] {
            assert_eq!(mount(wrong), words);
        }
        let part = json!({"Type": "volume", "Target": "/a", "VolumeOptions": {"Subpath": "b"}});
        assert!(mount(part).contains("the part b of a volume"));
        assert!(
            mount(json!({"Type": "image", "Source": "i", "Target": "/a"}))
                .contains("not supported")
        );
    }

    #[test]
    fn one_place_has_one_mount() {
        let twice = json!({"Binds": ["/etc:/a/"], "Tmpfs": {"/a": ""}});
        assert_eq!(refusal(twice), "Duplicate mount point: /a");
    }
}
