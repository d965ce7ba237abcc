//! The default profile: which system calls a container may make, by what they are about.
//!
//! As Docker has it (moby 28.3, libseccomp 2.6.0's calls up to Linux 6.13): what is not listed is
//! denied. Names of other architectures do no harm, libseccomp knows where they exist.

use libcontainer::oci_spec::runtime::Capability;

/// Allowed to everybody, whatever the arguments.
pub(super) const ALLOWED: [&str; 10] = [
    // Files: what is in them.
    "_llseek close close_range copy_file_range creat dup dup2 dup3 fadvise64 fadvise64_64 fallocate \
     fcntl fcntl64 fdatasync flock fsync ftruncate ftruncate64 ioctl lseek open openat openat2 pipe \
     pipe2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead readv sendfile sendfile64 \
     splice sync sync_file_range syncfs tee truncate truncate64 vmsplice write writev cachestat",
    // Files: what they are called, who may use them, what they are.
    "access chdir chmod chown chown32 faccessat faccessat2 fchdir fchmod fchmodat fchmodat2 fchown \
     fchown32 fchownat fgetxattr flistxattr fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs \
     fstatfs64 futimesat getcwd getdents getdents64 getxattr getxattrat lchown lchown32 lgetxattr \
     link linkat listmount listxattr listxattrat llistxattr lremovexattr lsetxattr lstat lstat64 \
     mkdir mkdirat mknod mknodat name_to_handle_at newfstatat readlink readlinkat removexattr \
     removexattrat rename renameat renameat2 rmdir setxattr setxattrat stat stat64 statfs statfs64 \
     statmount statx symlink symlinkat umask unlink unlinkat utime utimensat utimensat_time64 utimes",
    // Waiting for descriptors, and what makes them.
    "_newselect epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 \
     epoll_wait epoll_wait_old eventfd eventfd2 fanotify_mark inotify_add_watch inotify_init \
     inotify_init1 inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents \
     io_pgetevents_time64 io_setup io_submit poll ppoll ppoll_time64 pselect6 pselect6_time64 select \
     signalfd signalfd4 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime \
     timerfd_settime64",
    // Sockets; `socket` itself depends on its arguments.
    "accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg \
     recvmmsg_time64 recvmsg send sendmmsg sendmsg sendto setsockopt shutdown socketcall socketpair",
    // Memory.
    "brk madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mlock mlock2 mlockall \
     mmap mmap2 mprotect mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free \
     pkey_mprotect process_mrelease remap_file_pages",
    // Processes and threads; `clone` depends on its arguments.
    "execve execveat exit exit_group fork futex futex_requeue futex_time64 futex_wait futex_waitv \
     futex_wake get_robust_list get_thread_area getcpu getpgid getpgrp getpid getppid getpriority \
     getsid gettid ioprio_get ioprio_set landlock_add_rule landlock_create_ruleset \
     landlock_restrict_self pidfd_open pidfd_send_signal prctl restart_syscall rseq \
     sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam \
     sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity \
     sched_setattr sched_setparam sched_setscheduler sched_yield seccomp set_robust_list \
     set_thread_area set_tid_address setpgid setpriority setsid uretprobe vfork wait4 waitid waitpid",
    // Signals.
    "alarm getitimer kill pause rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo \
     rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo setitimer \
     sigaltstack sigprocmask sigreturn tgkill tkill",
    // Who one is: the kernel asks for capabilities.
    "capget capset getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 \
     getresgid getresgid32 getresuid getresuid32 getuid getuid32 setfsgid setfsgid32 setfsuid \
     setfsuid32 setgid setgid32 setgroups setgroups32 setregid setregid32 setresgid setresgid32 \
     setresuid setresuid32 setreuid setreuid32 setuid setuid32",
    // Time, limits and the system.
    "adjtimex clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime \
     clock_gettime64 clock_nanosleep clock_nanosleep_time64 getrandom getrlimit getrusage \
     gettimeofday nanosleep prlimit64 riscv_hwprobe setrlimit sysinfo time timer_create timer_delete \
     timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 times ugetrlimit \
     uname",
    // System V's and POSIX's ways of talking.
    "ipc mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend \
     mq_timedsend_time64 mq_unlink msgctl msgget msgrcv msgsnd semctl semget semop semtimedop \
     semtimedop_time64 shmat shmctl shmdt shmget",
];

/// Allowed since the kernel lets no tracer change a call after its filter (4.8).
pub(super) const TRACING: &str = "process_vm_readv process_vm_writev ptrace";

/// Allowed to those who have the capability.
pub(super) const WITH_CAPABILITY: [(Capability, &str); 14] = [
    (Capability::DacReadSearch, "open_by_handle_at"),
    (
        Capability::SysAdmin,
        "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie \
         lsm_get_self_attr lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount open_tree \
         perf_event_open quotactl quotactl_fd setdomainname sethostname setns syslog umount umount2 \
         unshare",
    ),
    (Capability::SysBoot, "reboot"),
    (Capability::SysChroot, "chroot"),
    (
        Capability::SysModule,
        "delete_module init_module finit_module",
    ),
    (Capability::SysPacct, "acct"),
    (
        Capability::SysPtrace,
        "kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace",
    ),
    (Capability::SysRawio, "iopl ioperm"),
    (
        Capability::SysTime,
        "settimeofday stime clock_settime clock_settime64",
    ),
    (Capability::SysTtyConfig, "vhangup"),
    (
        Capability::SysNice,
        "get_mempolicy mbind set_mempolicy set_mempolicy_home_node",
    ),
    (Capability::Syslog, "syslog"),
    (Capability::Bpf, "bpf"),
    (Capability::Perfmon, "perf_event_open"),
];

/// Allowed on some machines, by `std::env::consts::ARCH`.
pub(super) const ON_MACHINE: [(&str, &str); 7] = [
    ("x86_64", "arch_prctl modify_ldt"),
    ("x86", "modify_ldt"),
    (
        "aarch64",
        "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls",
    ),
    (
        "arm",
        "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls",
    ),
    ("powerpc64", "sync_file_range2 swapcontext"),
    (
        "s390x",
        "s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr",
    ),
    ("riscv64", "riscv_flush_icache"),
];

/// What `personality` may be set to: Linux, Linux in 32 bits, both without some system information
/// of the machine, and the question (include/uapi/linux/personality.h).
pub(super) const PERSONALITIES: [u64; 5] = [0x0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];

/// Sockets to the host of a virtual machine, which no network namespace keeps apart.
pub(super) const AF_VSOCK: u64 = 40;

/// Flags of `clone` that make namespaces (include/uapi/linux/sched.h): of mounts, UTS, IPC, users,
/// processes, network, cgroups.
pub(super) const NAMESPACE_FLAGS: [u64; 7] = [
    0x0002_0000,
    0x0400_0000,
    0x0800_0000,
    0x1000_0000,
    0x2000_0000,
    0x4000_0000,
    0x0200_0000,
];

/// Words of a table's cell.
pub(super) fn words(cell: &str) -> Vec<String> {
    cell.split_whitespace().map(str::to_owned).collect()
}
