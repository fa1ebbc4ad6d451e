//! Which system calls a command may not make.
//!
//! The list is of what no build or test needs and what an attack on the kernel or on the neighbours
//! begins with. All else is allowed: the file system and the network are held by other layers.

use std::collections::BTreeMap;
use std::io;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Len, SeccompCmpOp as Op, SeccompCondition,
    SeccompFilter, SeccompRule, apply_filter, sock_filter,
};

/// Which sockets may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sockets {
    /// Those of a network namespace of its own, or of a shared network that is granted.
    All,
    /// As above, but none of the host's local sockets, which no other layer keeps away.
    NotLocal,
    /// None; pairs are still possible.
    None,
}

/// Never allowed, whatever the arguments.
const DENIED: &[libc::c_long] = &[
    // Looking into other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    // Changing what is mounted where.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_open_by_handle_at,
    // Other namespaces.
    libc::SYS_unshare,
    libc::SYS_setns,
    // Keys of the user's session.
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    // Large parts of the kernel that builds have no use for.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_fanotify_init,
    // The machine.
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_syslog,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_vhangup,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
];

/// Flags of `clone` that make a namespace.
const NAMESPACES: &[i32] = &[
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWCGROUP,
];

/// Putting characters into a terminal's input, and the console's own tricks.
const TERMINAL_REQUESTS: &[u64] =
    &[0x5412 /* TIOCSTI */, 0x541C /* TIOCLINUX */, 0x5423 /* TIOCSETD */];

/// Personalities that change nothing of interest: the usual one, asking, 32 bit, no randomisation.
const PERSONALITIES: &[u64] = &[0, 0xffff_ffff, 0x8, 0x4_0000];

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Installs the filters for this process and all it starts. New privileges must be off.
pub(super) fn apply(sockets: Sockets) -> io::Result<()> {
    let refused = refused(sockets).map_err(io::Error::other)?;
    load(refused, libc::EPERM)?;
    // Its flags are behind a pointer that a filter cannot follow; the C library then uses `clone`.
    load(BTreeMap::from([(libc::SYS_clone3, Vec::new())]), libc::ENOSYS)?;
    #[cfg(target_arch = "x86_64")]
    apply_filter(&without_x32()).map_err(io::Error::other)?;
    Ok(())
}

fn load(rules: Rules, errno: i32) -> io::Result<()> {
    let arch = std::env::consts::ARCH.try_into().map_err(io::Error::other)?;
    let answer = SeccompAction::Errno(errno as u32);
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, answer, arch);
    let program: BpfProgram = filter.and_then(TryInto::try_into).map_err(io::Error::other)?;
    apply_filter(&program).map_err(io::Error::other)
}

fn refused(sockets: Sockets) -> Result<Rules, seccompiler::BackendError> {
    let is = |arg: u8, op: Op, value: u64| SeccompCondition::new(arg, Len::Dword, op, value);
    let rule = SeccompRule::new;
    let mut rules: Rules = DENIED.iter().map(|call| (*call, Vec::new())).collect();

    let mut namespaces = Vec::new();
    for flag in NAMESPACES {
        let flag = *flag as u32 as u64;
        namespaces.push(rule(vec![is(0, Op::MaskedEq(flag), flag)?])?);
    }
    rules.insert(libc::SYS_clone, namespaces);

    let mut requests = Vec::new();
    for request in TERMINAL_REQUESTS {
        requests.push(rule(vec![is(1, Op::Eq, *request)?])?);
    }
    rules.insert(libc::SYS_ioctl, requests);

    let unusual: Result<Vec<_>, _> =
        PERSONALITIES.iter().map(|known| is(0, Op::Ne, *known)).collect();
    rules.insert(libc::SYS_personality, vec![rule(unusual?)?]);

    rules.insert(libc::SYS_socket, socket_rules(sockets)?);
    Ok(rules)
}

fn socket_rules(sockets: Sockets) -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    let is = |arg: u8, op: Op, value: i32| {
        SeccompCondition::new(arg, Len::Dword, op, value as u32 as u64)
    };
    // An empty list refuses every call.
    let mut families = match sockets {
        Sockets::None => return Ok(Vec::new()),
        Sockets::All => vec![libc::AF_UNIX],
        Sockets::NotLocal => Vec::new(),
    };
    families.extend([libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK]);
    let others: Result<Vec<_>, _> = families.iter().map(|family| is(0, Op::Ne, *family)).collect();
    const TYPE_MASK: u64 = 0xf;
    let raw = SeccompCondition::new(1, Len::Dword, Op::MaskedEq(TYPE_MASK), libc::SOCK_RAW as u64)?;
    Ok(vec![
        SeccompRule::new(others?)?,
        // Looking up names and interfaces asks for routes; other netlink families are for administration.
        SeccompRule::new(vec![
            is(0, Op::Eq, libc::AF_NETLINK)?,
            is(2, Op::Ne, libc::NETLINK_ROUTE)?,
        ])?,
        SeccompRule::new(vec![is(0, Op::Ne, libc::AF_NETLINK)?, raw])?,
    ])
}

/// Refuses the second set of numbers that an x86-64 kernel may take, which would walk around the rest.
#[cfg(target_arch = "x86_64")]
fn without_x32() -> BpfProgram {
    const X32_BIT: u32 = 0x4000_0000;
    const LOAD_NUMBER: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const JUMP_IF_GE: u16 = (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let op = |code, jt, jf, k| sock_filter { code, jt, jf, k };
    vec![
        op(LOAD_NUMBER, 0, 0, 0),
        op(JUMP_IF_GE, 0, 1, X32_BIT),
        op(RETURN, 0, 0, libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32),
        op(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
    ]
}
