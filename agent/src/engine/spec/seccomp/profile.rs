//! Docker's form of a seccomp profile, and the filter that it is for one container.

use libcontainer::oci_spec::runtime::{
    Arch, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompArgBuilder,
    LinuxSeccompBuilder, LinuxSeccompFilterFlag, LinuxSeccompOperator, LinuxSyscall,
    LinuxSyscallBuilder,
};
use serde::Deserialize;

use super::filter::{Circumstances, Filter};
use crate::engine::spec::SpecError;

/// A profile: rules with conditions.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Profile {
    default_action: LinuxSeccompAction,
    #[serde(default)]
    default_errno_ret: Option<u32>,
    #[serde(default)]
    architectures: Option<Vec<Arch>>,
    #[serde(default)]
    arch_map: Option<Vec<Architecture>>,
    #[serde(default)]
    flags: Option<Vec<LinuxSeccompFilterFlag>>,
    #[serde(default)]
    listener_path: Option<String>,
    #[serde(default)]
    syscalls: Option<Vec<Rule>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Architecture {
    architecture: Arch,
    #[serde(default)]
    sub_architectures: Option<Vec<Arch>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    names: Option<Vec<String>>,
    action: LinuxSeccompAction,
    #[serde(default)]
    errno_ret: Option<u32>,
    #[serde(default)]
    args: Option<Vec<Argument>>,
    #[serde(default)]
    includes: Option<Filter>,
    #[serde(default)]
    excludes: Option<Filter>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Argument {
    index: usize,
    value: u64,
    #[serde(default)]
    value_two: u64,
    op: LinuxSeccompOperator,
}

impl Profile {
    pub(super) fn parse(json: &str) -> Result<Self, SpecError> {
        let failed = |text: String| SpecError::SeccompProfile(text);
        let profile: Self =
            serde_json::from_str(json).map_err(|error| failed(error.to_string()))?;
        let some = |list: Option<usize>| list.is_some_and(|length| length > 0);
        if some(profile.architectures.as_ref().map(Vec::len))
            && some(profile.arch_map.as_ref().map(Vec::len))
        {
            return Err(failed(
                "both 'architectures' and 'archMap' are specified in the seccomp profile, use either \
                 'architectures' or 'archMap'"
                    .to_owned(),
            ));
        }
        let notifies = |rule: &Rule| rule.action == LinuxSeccompAction::ScmpActNotify;
        if profile.listener_path.is_some() || profile.syscalls.iter().flatten().any(notifies) {
            return Err(failed(
                "SCMP_ACT_NOTIFY has nobody to listen to it here".to_owned(),
            ));
        }
        for rule in profile.syscalls.iter().flatten() {
            if rule.name.is_some() && rule.names.as_ref().is_some_and(|names| !names.is_empty()) {
                return Err(failed(
                    "both 'name' and 'names' are specified in the seccomp profile, use either 'name' \
                     or 'names'"
                        .to_owned(),
                ));
            }
        }
        Ok(profile)
    }

    /// The rules that are for this container.
    pub(super) fn resolve(
        &self,
        circumstances: &Circumstances<'_>,
    ) -> Result<LinuxSeccomp, SpecError> {
        let mut syscalls = Vec::new();
        for rule in self.syscalls.iter().flatten() {
            let included = rule
                .includes
                .as_ref()
                .is_none_or(|one| one.includes(circumstances));
            let excluded = rule
                .excludes
                .as_ref()
                .is_some_and(|one| one.excludes(circumstances));
            if included && !excluded {
                syscalls.extend(rule.resolve()?);
            }
        }
        let mut seccomp = LinuxSeccompBuilder::default()
            .default_action(self.default_action)
            .architectures(self.architectures(circumstances.machine))
            .syscalls(syscalls)
            .build()?;
        seccomp.set_default_errno_ret(self.default_errno_ret);
        seccomp.set_flags(self.flags.clone());
        Ok(seccomp)
    }

    /// Without any, the machine's own: `libcontainer` adds none then, which is the same.
    fn architectures(&self, machine: &str) -> Vec<Arch> {
        if let Some(listed) = &self.architectures {
            return listed.clone();
        }
        let native = super::architectures(machine).first().copied();
        let mut maps = self.arch_map.iter().flatten();
        let Some(map) = maps.find(|map| Some(map.architecture) == native) else {
            return Vec::new();
        };
        let further = map.sub_architectures.iter().flatten().copied();
        std::iter::once(map.architecture).chain(further).collect()
    }
}

impl Rule {
    fn resolve(&self) -> Result<Option<LinuxSyscall>, SpecError> {
        let mut names = self.names.clone().unwrap_or_default();
        names.extend(self.name.clone());
        names.retain(|name| super::known::is_known(name));
        if names.is_empty() {
            return Ok(None);
        }
        let arguments = self.args.iter().flatten();
        let arguments = arguments
            .map(|one| argument(one.index, one.op, one.value, one.value_two))
            .collect::<Result<Vec<_>, _>>()?;
        syscall(names, self.action, self.errno_ret, arguments).map(Some)
    }
}

/// One rule of a filter. `arguments`: all of them have to be so.
pub(super) fn syscall(
    names: Vec<String>,
    action: LinuxSeccompAction,
    errno: Option<u32>,
    arguments: Vec<LinuxSeccompArg>,
) -> Result<LinuxSyscall, SpecError> {
    let mut syscall = LinuxSyscallBuilder::default()
        .names(names)
        .action(action)
        .build()?;
    syscall.set_errno_ret(errno);
    syscall.set_args(Some(arguments).filter(|list| !list.is_empty()));
    Ok(syscall)
}

/// A condition on an argument. With `SCMP_CMP_MASKED_EQ` the first value is the mask.
pub(super) fn argument(
    index: usize,
    op: LinuxSeccompOperator,
    value: u64,
    value_two: u64,
) -> Result<LinuxSeccompArg, SpecError> {
    let builder = LinuxSeccompArgBuilder::default().index(index).op(op);
    Ok(builder.value(value).value_two(value_two).build()?)
}
