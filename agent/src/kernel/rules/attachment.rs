//! Programs on a cgroup: attach, find again, detach.
//!
//! They are attached with `BPF_PROG_ATTACH`, not by links: such a program stays for as long as the
//! cgroup is there, with its maps, and needs neither this process nor a pin in bpffs
//! (`cgroup_bpf_release()`, kernel/bpf/cgroup.c, v6.12). What is attached is found by asking the
//! cgroup, so there is no other record of it that could be wrong.

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use super::part::{Hook, Part};
use aya::maps::{Map, MapData, MapInfo};
use aya_obj::generated::{bpf_attr, bpf_cmd, bpf_prog_info};
use nix::libc;

/// Lets others' programs be there too (include/uapi/linux/bpf.h, v6.12).
const BPF_F_ALLOW_MULTI: u32 = 1 << 1;
/// Programs of one cgroup and hook at the most (BPF_CGROUP_MAX_PROGS, include/linux/bpf-cgroup.h, v6.12).
const PROGRAMS_MAX: usize = 64;
/// Maps that one program of ours has, at the most.
const MAPS_MAX: usize = 16;

/// One of our programs, attached to a cgroup.
#[derive(Debug)]
pub(super) struct Attached {
    program: OwnedFd,
    map_ids: Vec<u32>,
}

impl Attached {
    /// Opens one of its maps; `None` when it has none of that name.
    pub(super) fn map(&self, name: &str) -> Option<Map> {
        Map::from_map_data(self.map_data(name)?).ok()
    }

    pub(super) fn map_data(&self, name: &str) -> Option<MapData> {
        let of_that_name =
            |id: &&u32| MapInfo::from_id(**id).is_ok_and(|info| info.name_as_str() == Some(name));
        let id = self.map_ids.iter().find(of_that_name)?;
        MapData::from_id(*id).ok()
    }
}

/// Attaches a program beside those that are there.
pub(super) fn attach(cgroup: &File, program: BorrowedFd<'_>, hook: Hook) -> io::Result<()> {
    // SAFETY: a union of plain integers, for which all zeroes is a value.
    let mut attr: bpf_attr = unsafe { std::mem::zeroed() };
    attr.__bindgen_anon_5.__bindgen_anon_1.target_fd = raw(cgroup);
    attr.__bindgen_anon_5.attach_bpf_fd = raw(&program);
    attr.__bindgen_anon_5.attach_type = hook.attach_type;
    attr.__bindgen_anon_5.attach_flags = BPF_F_ALLOW_MULTI;
    bpf(bpf_cmd::BPF_PROG_ATTACH, &mut attr).map(drop)
}

/// Takes a program of ours off the cgroup.
pub(super) fn detach(cgroup: &File, attached: &Attached, hook: Hook) -> io::Result<()> {
    // SAFETY: as above.
    let mut attr: bpf_attr = unsafe { std::mem::zeroed() };
    attr.__bindgen_anon_5.__bindgen_anon_1.target_fd = raw(cgroup);
    attr.__bindgen_anon_5.attach_bpf_fd = raw(&attached.program);
    attr.__bindgen_anon_5.attach_type = hook.attach_type;
    bpf(bpf_cmd::BPF_PROG_DETACH, &mut attr).map(drop)
}

/// Our programs on this cgroup's hook, this agent's or an earlier one's. Programs of cgroups above
/// are not among them.
pub(super) fn attached(cgroup: &File, part: Part, hook: Hook) -> io::Result<Vec<Attached>> {
    let mut ids = [0u32; PROGRAMS_MAX];
    // SAFETY: as above.
    let mut attr: bpf_attr = unsafe { std::mem::zeroed() };
    attr.query.__bindgen_anon_1.target_fd = raw(cgroup);
    attr.query.attach_type = hook.attach_type;
    attr.query.prog_ids = ids.as_mut_ptr() as u64;
    attr.query.__bindgen_anon_2.prog_cnt = PROGRAMS_MAX as u32;
    bpf(bpf_cmd::BPF_PROG_QUERY, &mut attr)?;
    // SAFETY: the kernel has written the count.
    let count = unsafe { attr.query.__bindgen_anon_2.prog_cnt } as usize;
    let found = ids
        .iter()
        .take(count)
        .filter_map(|id| ours(*id, part, hook));
    Ok(found.collect())
}

/// The program of this id if it is ours: by its name, and by its part's map.
fn ours(id: u32, part: Part, hook: Hook) -> Option<Attached> {
    // SAFETY: as above.
    let mut attr: bpf_attr = unsafe { std::mem::zeroed() };
    attr.__bindgen_anon_6.__bindgen_anon_1.prog_id = id;
    // A program that went meanwhile is nobody's.
    let fd = bpf(bpf_cmd::BPF_PROG_GET_FD_BY_ID, &mut attr).ok()?;
    // SAFETY: a new descriptor that nobody else has.
    let program = unsafe { OwnedFd::from_raw_fd(fd) };

    let mut map_ids = [0u32; MAPS_MAX];
    // SAFETY: as above.
    let mut info: bpf_prog_info = unsafe { std::mem::zeroed() };
    info.map_ids = map_ids.as_mut_ptr() as u64;
    info.nr_map_ids = MAPS_MAX as u32;
    // SAFETY: as above.
    let mut attr: bpf_attr = unsafe { std::mem::zeroed() };
    attr.info.bpf_fd = raw(&program);
    attr.info.info_len = size_of::<bpf_prog_info>() as u32;
    attr.info.info = (&raw mut info) as u64;
    bpf(bpf_cmd::BPF_OBJ_GET_INFO_BY_FD, &mut attr).ok()?;

    // SAFETY: the kernel ends names with a zero.
    let name = unsafe { CStr::from_ptr(info.name.as_ptr()) };
    if name.to_bytes() != hook.program.as_bytes() {
        return None;
    }
    let count = (info.nr_map_ids as usize).min(MAPS_MAX);
    let attached = Attached {
        program,
        map_ids: map_ids.iter().take(count).copied().collect(),
    };
    attached.map(part.map()).is_some().then_some(attached)
}

fn raw(descriptor: &impl AsRawFd) -> u32 {
    // A descriptor is never negative.
    descriptor.as_raw_fd().cast_unsigned()
}

fn bpf(command: bpf_cmd, attr: &mut bpf_attr) -> io::Result<RawFd> {
    // SAFETY: the attributes are whole, and what they point to lives as long as the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command as libc::c_long,
            std::ptr::from_mut(attr),
            size_of::<bpf_attr>(),
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    RawFd::try_from(result).map_err(io::Error::other)
}
