//! The words of `--mount`.

use bollard::models::{
    Mount, MountBindOptions, MountTmpfsOptions, MountType, MountVolumeOptions,
    MountVolumeOptionsDriverConfig,
};

use super::amount;

/// `type=bind,source=/srv,target=/srv,readonly`
pub(super) fn parse(text: &str) -> Result<Mount, String> {
    let mut mount = Mount {
        typ: Some(MountType::VOLUME),
        ..Mount::default()
    };
    for field in text.split(',') {
        let (name, value) = field.split_once('=').unzip();
        let name = name.unwrap_or(field).to_ascii_lowercase();
        set(&mut mount, &name, value, field)?;
    }
    if mount.target.is_none() {
        return Err("target is required".into());
    }
    let kind = mount.typ;
    for (options, has, of) in [
        ("volume", mount.volume_options.is_some(), MountType::VOLUME),
        ("bind", mount.bind_options.is_some(), MountType::BIND),
        ("tmpfs", mount.tmpfs_options.is_some(), MountType::TMPFS),
    ] {
        if has && kind != Some(of) {
            return Err(format!(
                "options of type={options} on a mount of another type"
            ));
        }
    }
    Ok(mount)
}

fn set(mount: &mut Mount, name: &str, value: Option<&str>, field: &str) -> Result<(), String> {
    let flag = || match value {
        None | Some("true" | "1") => Ok(true),
        Some("false" | "0") => Ok(false),
        Some(_) => Err(format!("invalid value for {name}: `{field}`")),
    };
    match name {
        "readonly" | "ro" => {
            mount.read_only = Some(flag()?);
            return Ok(());
        }
        "bind-nonrecursive" => {
            bind(mount).non_recursive = Some(flag()?);
            return Ok(());
        }
        "volume-nocopy" => {
            volume(mount).no_copy = Some(flag()?);
            return Ok(());
        }
        _ => {}
    }
    let value = value.ok_or_else(|| format!("`{field}` must be a name=value pair"))?;
    let number = |what: &str| format!("invalid value for {name}: `{value}` is no {what}");
    match name {
        "type" => {
            mount.typ = Some(match value.to_ascii_lowercase().as_str() {
                "bind" => MountType::BIND,
                "volume" => MountType::VOLUME,
                "tmpfs" => MountType::TMPFS,
                _ => {
                    return Err(format!(
                        "mount type unknown: `{value}`: bind, volume or tmpfs"
                    ));
                }
            });
        }
        "source" | "src" => mount.source = Some(value.into()),
        "target" | "dst" | "destination" => mount.target = Some(value.into()),
        "consistency" => mount.consistency = Some(value.into()),
        "bind-propagation" => {
            let propagation = value.parse().map_err(|_| number("propagation"))?;
            bind(mount).propagation = Some(propagation);
        }
        "volume-label" => {
            let labels = volume(mount).labels.get_or_insert_default();
            labels.extend([amount::pair(value)?]);
        }
        "volume-driver" => driver(mount).name = Some(value.into()),
        "volume-opt" => {
            let options = driver(mount).options.get_or_insert_default();
            options.extend([amount::pair(value)?]);
        }
        "tmpfs-size" => tmpfs(mount).size_bytes = Some(amount::bytes(value)?),
        "tmpfs-mode" => {
            let mode = i64::from_str_radix(value, 8).map_err(|_| number("mode"))?;
            tmpfs(mount).mode = Some(mode);
        }
        _ => return Err(format!("unknown option `{name}` in `{field}`")),
    }
    Ok(())
}

fn bind(mount: &mut Mount) -> &mut MountBindOptions {
    mount.bind_options.get_or_insert_default()
}

fn volume(mount: &mut Mount) -> &mut MountVolumeOptions {
    mount.volume_options.get_or_insert_default()
}

fn driver(mount: &mut Mount) -> &mut MountVolumeOptionsDriverConfig {
    volume(mount).driver_config.get_or_insert_default()
}

fn tmpfs(mount: &mut Mount) -> &mut MountTmpfsOptions {
    mount.tmpfs_options.get_or_insert_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn words_that_make_no_mount() {
        for (text, why) in [
            ("type=bind,src=/x", "target is required"),
            ("type=foo,dst=/x", "mount type unknown"),
            ("dst=/x,readonly=maybe", "invalid value for readonly"),
            ("dst=/x,source", "name=value"),
            ("dst=/x,tmpfs-size=1m", "another type"),
            ("dst=/x,color=red", "unknown option `color`"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
