//! Ring-buffer records, decoded.

use std::time::Duration;

use plimsoll_abi::event::{
    CgroupRecord, Header, NamespaceRecord, OomRecord, ProcessRecord, TaskRef, kind,
};
use plimsoll_abi::namespace::KINDS;

/// One record. Times are since boot (`CLOCK_BOOTTIME`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KernelEvent {
    Cgroup(CgroupEvent),
    Namespace(NamespaceEvent),
    Exec {
        at: Duration,
        task: TaskRef,
    },
    /// `status` is as `wait(2)` has it.
    Exit {
        at: Duration,
        task: TaskRef,
        status: u32,
    },
    OomKill {
        at: Duration,
        victim: TaskRef,
    },
}

/// Something happened to a cgroup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CgroupEvent {
    pub at: Duration,
    pub operation: CgroupOperation,
    pub id: u64,
    pub hierarchy: u32,
    pub path: String,
    /// The task that was attached, else the one that acted.
    pub tgid: u32,
    pub tid: u32,
}

/// What happened to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CgroupOperation {
    Mkdir,
    Rmdir,
    /// The last reference went; the id is gone for good.
    Release,
    Rename,
    Freeze,
    Unfreeze,
    AttachTask,
    Populated(bool),
    Frozen(bool),
}

/// A task made or entered namespaces; slots as in `plimsoll_abi::namespace`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespaceEvent {
    pub at: Duration,
    pub call: NamespaceCall,
    pub task: TaskRef,
    pub before: [u32; KINDS],
    pub after: [u32; KINDS],
}

/// The call it used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamespaceCall {
    Clone,
    Unshare,
    Setns,
}

impl NamespaceCall {
    /// The system call's name; `clone` stands for clone3 as well.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Clone => "clone",
            Self::Unshare => "unshare",
            Self::Setns => "setns",
        }
    }
}

impl KernelEvent {
    /// When it happened.
    #[must_use]
    pub fn at(&self) -> Duration {
        match self {
            Self::Cgroup(event) => event.at,
            Self::Namespace(event) => event.at,
            Self::Exec { at, .. } | Self::Exit { at, .. } | Self::OomKill { at, .. } => *at,
        }
    }

    /// Decodes one record; `None` if it is too short or of no known kind.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let header: Header = record(bytes)?;
        let at = Duration::from_nanos(header.boot_ns);
        match header.kind {
            kind::CGROUP_MKDIR..=kind::CGROUP_NOTIFY_FROZEN => {
                cgroup(at, header.kind, bytes).map(Self::Cgroup)
            }
            kind::NAMESPACE_CLONE => namespace(at, NamespaceCall::Clone, bytes),
            kind::NAMESPACE_UNSHARE => namespace(at, NamespaceCall::Unshare, bytes),
            kind::NAMESPACE_SETNS => namespace(at, NamespaceCall::Setns, bytes),
            kind::PROCESS_EXEC => {
                let record: ProcessRecord = record(bytes)?;
                Some(Self::Exec {
                    at,
                    task: record.task,
                })
            }
            kind::PROCESS_EXIT => {
                let record: ProcessRecord = record(bytes)?;
                Some(Self::Exit {
                    at,
                    task: record.task,
                    status: record.status,
                })
            }
            kind::OOM_KILL => {
                let record: OomRecord = record(bytes)?;
                Some(Self::OomKill {
                    at,
                    victim: record.victim,
                })
            }
            _ => None,
        }
    }
}

fn cgroup(at: Duration, kind: u32, bytes: &[u8]) -> Option<CgroupEvent> {
    let head: CgroupRecord = record(bytes)?;
    let path = bytes
        .get(size_of::<CgroupRecord>()..)?
        .get(..head.path_len as usize)?;
    let operation = match kind {
        kind::CGROUP_MKDIR => CgroupOperation::Mkdir,
        kind::CGROUP_RMDIR => CgroupOperation::Rmdir,
        kind::CGROUP_RELEASE => CgroupOperation::Release,
        kind::CGROUP_RENAME => CgroupOperation::Rename,
        kind::CGROUP_FREEZE => CgroupOperation::Freeze,
        kind::CGROUP_UNFREEZE => CgroupOperation::Unfreeze,
        kind::CGROUP_ATTACH_TASK | kind::CGROUP_TRANSFER_TASKS => CgroupOperation::AttachTask,
        kind::CGROUP_NOTIFY_POPULATED => CgroupOperation::Populated(head.value != 0),
        kind::CGROUP_NOTIFY_FROZEN => CgroupOperation::Frozen(head.value != 0),
        _ => return None,
    };
    Some(CgroupEvent {
        at,
        operation,
        id: head.cgroup_id,
        hierarchy: head.hierarchy,
        path: String::from_utf8_lossy(path).into_owned(),
        tgid: head.tgid,
        tid: head.tid,
    })
}

fn namespace(at: Duration, call: NamespaceCall, bytes: &[u8]) -> Option<KernelEvent> {
    let record: NamespaceRecord = record(bytes)?;
    let NamespaceRecord {
        task,
        before,
        after,
        ..
    } = record;
    Some(KernelEvent::Namespace(NamespaceEvent {
        at,
        call,
        task,
        before,
        after,
    }))
}

/// A name as the kernel keeps it: up to the first NUL.
#[must_use]
pub fn comm(task: &TaskRef) -> String {
    let end = task
        .comm
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(task.comm.len());
    String::from_utf8_lossy(&task.comm[..end]).into_owned()
}

/// Types that any bytes make a valid value of.
///
/// # Safety
/// `repr(C)` of integers and arrays of them, without padding.
pub(super) unsafe trait Plain: Copy {}
// SAFETY: the ABI crate keeps all records so, and asserts their sizes.
unsafe impl Plain for Header {}
// SAFETY: as above.
unsafe impl Plain for CgroupRecord {}
// SAFETY: as above.
unsafe impl Plain for NamespaceRecord {}
// SAFETY: as above.
unsafe impl Plain for ProcessRecord {}
// SAFETY: as above.
unsafe impl Plain for OomRecord {}
// SAFETY: as above.
unsafe impl Plain for plimsoll_abi::map::TaskSample {}

/// The value at the start of `bytes`.
pub(super) fn record<T: Plain>(bytes: &[u8]) -> Option<T> {
    let bytes = bytes.get(..size_of::<T>())?;
    // SAFETY: the length is checked, the read is unaligned, and any bytes are a valid `Plain`.
    Some(unsafe { bytes.as_ptr().cast::<T>().read_unaligned() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::*;

    proptest! {
        #[test]
        fn decoding_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..2048)) {
            let _ = KernelEvent::decode(&bytes);
        }

        #[test]
        fn a_path_length_beyond_the_record_is_refused(length in 5u32..) {
            let mut bytes = vec![0; size_of::<CgroupRecord>() + 4];
            bytes[0] = kind::CGROUP_MKDIR as u8;
            bytes[44..48].copy_from_slice(&length.to_ne_bytes());
            proptest::prop_assert_eq!(KernelEvent::decode(&bytes), None);
        }
    }

    #[test]
    fn a_cgroup_record_decodes() {
        let mut bytes = vec![0; size_of::<CgroupRecord>()];
        bytes[0] = kind::CGROUP_ATTACH_TASK as u8;
        bytes[16] = 42;
        bytes[24] = 3;
        bytes[32] = 7;
        bytes[36] = 8;
        bytes[44] = 2;
        bytes.extend_from_slice(b"/a");
        let Some(KernelEvent::Cgroup(event)) = KernelEvent::decode(&bytes) else {
            panic!("not a cgroup event");
        };
        assert_eq!(
            (event.id, event.hierarchy, event.tgid, event.tid),
            (42, 3, 7, 8)
        );
        assert_eq!(event.path, "/a");
        assert_eq!(event.operation, CgroupOperation::AttachTask);
    }
}
