"""Who a visit is and what it can see: an unprivileged user, in namespaces of its own, in an empty file system.

Source: namespaces(7), user_namespaces(7), mount_namespaces(7), pivot_root(2).
"""

import os
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from ...errors import SandboxUnavailable
from .libc import call, die_with_parent, drop_capabilities, set_dumpable, syscall

__all__ = ["become_init", "enter", "leave_root", "use_empty_root"]

# include/uapi/linux/sched.h; "user" first, because it gives the right to the others
_FLAGS: Final = {
    "user": 0x10000000,
    "net": 0x40000000,
    "ipc": 0x08000000,
    "uts": 0x04000000,
    "mount": 0x00020000,
    "pid": 0x20000000,
}
_NEEDS_NO_USER_NAMESPACE: Final = ("net", "ipc", "uts", "pid")

# 65520 to 65533 belong to nobody by the conventions of Linux distributions (systemd.io/UIDS-GIDS), and fit into the
# 65,536 ids that a container has. 65534 ("nobody") is shared with other services, so it is the second choice.
_SANDBOX_IDS: Final = (65521, 65534)

_MS_RDONLY: Final = 1  # include/uapi/linux/mount.h
_MS_NOSUID_NODEV_NOEXEC: Final = 2 | 4 | 8
_MS_REC_PRIVATE: Final = 0x4000 | 1 << 18
_MNT_DETACH: Final = 2
_MOUNT_POINT: Final = b"/usr"  # any directory that exists everywhere: what is mounted on it, only we see


def leave_root(*, unshare: bool) -> list[str]:
    """Where this process is root, become a user that owns nothing; returns the namespaces entered on the way.

    Root unshares what it can *before* it drops: some systems keep ordinary users from every namespace. Whoever is
    not root stays who it is.

    Raises:
        SandboxUnavailable: root, but not allowed to change its user.
    """
    if 0 not in os.getresuid():
        return []
    entered = _unshare(_NEEDS_NO_USER_NAMESPACE) if unshare else []
    for number in _SANDBOX_IDS:
        try:
            os.setgroups([])
            os.setresgid(number, number, number)
            os.setresuid(number, number, number)
        except OSError as error:
            problem = error
        else:
            # The change took away our own /proc/self, and with it the right to map ids.
            set_dumpable(True)
            return entered
    raise SandboxUnavailable(f"the host is root but cannot become another user ({problem}): run it as an ordinary user")


def enter(entered: Iterable[str]) -> tuple[list[str], list[str]]:
    """Unshare every namespace that the kernel allows and that is not in `entered` yet.

    Returns:
        The names of all namespaces that stand now, and a note for each thing that was refused.

    A new pid namespace begins with the next child: see `become_init`.
    """
    uid, gid = os.getuid(), os.getgid()
    names, notes = [*entered, *_unshare(["user"])], []
    if "user" in names:
        notes += _map_ids(uid, gid)
    names += _unshare(name for name in _FLAGS if name not in names and name != "user")
    missing = [name for name in _FLAGS if name not in names]
    if missing:
        notes.append(
            f"namespaces refused: {', '.join(missing)}; allow unprivileged user namespaces "
            "(sysctl user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns=0) to have them"
        )
    return names, notes


def _unshare(names: Iterable[str]) -> list[str]:
    done = []
    for name in names:
        try:
            call("unshare", _FLAGS[name])
        except OSError:
            continue
        done.append(name)
    return done


def _map_ids(uid: int, gid: int) -> list[str]:
    """Keep our own ids inside the new user namespace; nobody is root there."""
    try:
        # Without this the kernel does not let an unprivileged process write its gid_map.
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    except OSError as error:
        return [f"ids are not mapped in the user namespace: {error}"]
    return []


def become_init() -> None:
    """Fork, and go on as the first process of the new pid namespace; the parent waits for its end.

    The parent stays because the child's life hangs on it: it dies with the host, and the child dies with it.
    """
    child = os.fork()
    if child == 0:
        return
    try:
        drop_capabilities()
        die_with_parent(signal.SIGKILL)  # the host
        os.closerange(0, 64)  # else the control socket would outlive the zygote
        os.waitpid(child, 0)
    finally:
        os._exit(0)


def use_empty_root(pivot_root: int) -> None:
    """Replace the whole file system, for this process and its children, by one empty read-only directory.

    Needs a mount namespace of our own. After it nothing can be imported; descriptors that are open stay open.

    Args:
        pivot_root: the number of that system call; the C library has no name for it.

    Raises:
        OSError: the kernel refused one of the steps.
    """
    call("mount", None, b"/", None, _MS_REC_PRIVATE, None)
    flags = _MS_RDONLY | _MS_NOSUID_NODEV_NOEXEC
    call("mount", b"none", _MOUNT_POINT, b"tmpfs", flags, b"size=4k,nr_inodes=2,mode=0555")
    os.chdir(_MOUNT_POINT)
    syscall(pivot_root, b".", b".")  # the old root now lies on top of the new one
    call("umount2", b".", _MNT_DETACH)
    os.chdir("/")
