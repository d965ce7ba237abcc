//! Kernel struct offsets from the running kernel's BTF.

use std::collections::BTreeMap;
use std::path::Path;

use btf_rs::{Btf, BtfType, Type};
use plimsoll_abi::layout::{
    EXIT_TELLS_LAST, MARK_VICTIM_HAS_TASK, MEMORY_SUBSYS_ID, OFFSETS, Offset, UNRESOLVED,
};

/// Where every kernel with `CONFIG_DEBUG_INFO_BTF` shows its types.
const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

/// Values of the object's read-only globals on this kernel.
#[derive(Debug)]
pub struct KernelLayout {
    values: BTreeMap<&'static str, u32>,
    missing: BTreeMap<&'static str, String>,
}

/// The kernel's types cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    #[error("this kernel has no BTF ({VMLINUX}); it needs CONFIG_DEBUG_INFO_BTF=y")]
    NoBtf,
    #[error("cannot read kernel types from {VMLINUX}")]
    Read(#[source] btf_rs::Error),
}

impl KernelLayout {
    /// Resolves all offsets. One that this kernel does not have is recorded, not an error.
    pub fn of_running_kernel() -> Result<Self, LayoutError> {
        if !Path::new(VMLINUX).exists() {
            return Err(LayoutError::NoBtf);
        }
        let btf = Btf::from_file(VMLINUX).map_err(LayoutError::Read)?;
        let mut layout = Self {
            values: BTreeMap::new(),
            missing: BTreeMap::new(),
        };
        for offset in OFFSETS {
            match resolve(&btf, offset) {
                Some(bytes) => layout.values.insert(offset.symbol, bytes),
                None => {
                    let what = format!("struct {} has no member {}", offset.of, offset.member[0]);
                    layout.missing.insert(offset.symbol, what);
                    layout.values.insert(offset.symbol, UNRESOLVED)
                }
            };
        }
        let memory = enumerator(&btf, "cgroup_subsys_id", "memory_cgrp_id").unwrap_or(UNRESOLVED);
        layout.values.insert(MEMORY_SUBSYS_ID, memory);
        let has_task = hook_takes_pointer(&btf, "btf_trace_mark_victim", 0);
        layout
            .values
            .insert(MARK_VICTIM_HAS_TASK, u32::from(has_task.unwrap_or(false)));
        let tells_last = hook_takes_pointer(&btf, "btf_trace_sched_process_exit", 1).is_some();
        layout.values.insert(EXIT_TELLS_LAST, u32::from(tells_last));
        Ok(layout)
    }

    /// Every global and its value.
    pub fn values(&self) -> impl Iterator<Item = (&'static str, &u32)> {
        self.values.iter().map(|(symbol, value)| (*symbol, value))
    }

    /// Why one of these symbols has no value, if so.
    #[must_use]
    pub fn missing(&self, groups: &[&[&'static str]]) -> Option<&str> {
        groups
            .iter()
            .copied()
            .flatten()
            .find_map(|symbol| self.missing.get(symbol))
            .map(String::as_str)
    }
}

/// These members' offsets, by symbol; [`UNRESOLVED`] where this kernel has none.
pub(super) fn offsets(wanted: &[Offset]) -> Result<Vec<(&'static str, u32)>, LayoutError> {
    if !Path::new(VMLINUX).exists() {
        return Err(LayoutError::NoBtf);
    }
    let btf = Btf::from_file(VMLINUX).map_err(LayoutError::Read)?;
    let found = wanted.iter().map(|offset| {
        let bytes = resolve(&btf, offset).unwrap_or(UNRESOLVED);
        (offset.symbol, bytes)
    });
    Ok(found.collect())
}

fn resolve(btf: &Btf, offset: &Offset) -> Option<u32> {
    let types = btf.resolve_types_by_name(offset.of).ok()?;
    types
        .iter()
        .find_map(|candidate| {
            let Type::Struct(of) = candidate else {
                return None;
            };
            offset
                .member
                .iter()
                .find_map(|name| member_bits(btf, of, name))
        })
        .map(|bits| bits / 8)
}

/// Bit offset of a member; anonymous structs and unions are looked into.
fn member_bits(btf: &Btf, of: &btf_rs::Struct, name: &str) -> Option<u32> {
    of.members.iter().find_map(|member| {
        match btf.resolve_name(member) {
            Ok(found) if found == name => return Some(member.bit_offset()),
            Ok(found) if !found.is_empty() => return None,
            Ok(_) | Err(_) => {}
        }
        match btf.resolve_type_by_id(member.get_type_id()?).ok()? {
            Type::Struct(inner) | Type::Union(inner) => {
                Some(member.bit_offset() + member_bits(btf, &inner, name)?)
            }
            _ => None,
        }
    })
}

fn enumerator(btf: &Btf, of: &str, name: &str) -> Option<u32> {
    btf.resolve_types_by_name(of)
        .ok()?
        .iter()
        .find_map(|candidate| {
            let Type::Enum(of) = candidate else {
                return None;
            };
            let found = of
                .members
                .iter()
                .find(|m| btf.resolve_name(*m).is_ok_and(|n| n == name))?;
            Some(found.val())
        })
}

/// Whether argument `n` of a tracepoint is a pointer; `None` when it has no such argument. Its type is `void (*)(void *data, args…)`.
fn hook_takes_pointer(btf: &Btf, hook: &str, n: usize) -> Option<bool> {
    btf.resolve_types_by_name(hook)
        .ok()?
        .iter()
        .find_map(|candidate| {
            let Type::Typedef(of) = candidate else {
                return None;
            };
            let Type::Ptr(pointer) = btf.resolve_chained_type(of).ok()? else {
                return None;
            };
            let Type::FuncProto(proto) = btf.resolve_chained_type(&pointer).ok()? else {
                return None;
            };
            let argument = btf
                .resolve_chained_type(proto.parameters.get(n + 1)?)
                .ok()?;
            Some(matches!(argument, Type::Ptr(_)))
        })
}
