"""The few C library calls that Python 3.11 has no name for, with errors as `OSError`."""

import ctypes
import errno
import os
from typing import Final

__all__ = ["call", "die_with_parent", "drop_capabilities", "set_dumpable", "set_no_new_privs", "syscall"]

_libc: Final = ctypes.CDLL(None, use_errno=True)

# include/uapi/linux/prctl.h: the same on every architecture
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_PR_SET_NO_NEW_PRIVS: Final = 38
_CAPABILITY_VERSION_3: Final = 0x20080522  # include/uapi/linux/capability.h


def call(name: str, *arguments: int | bytes | ctypes.Array[ctypes.c_uint32] | None) -> int:
    """Call the C function `name`; integers go as C longs.

    Raises:
        OSError: the call answered -1, with its errno; or this C library has no such function (ENOSYS).
    """
    try:
        function = getattr(_libc, name)
    except AttributeError:
        raise OSError(errno.ENOSYS, f"{name}: not in this C library") from None
    words = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    result = int(function(*words))
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def syscall(number: int, *arguments: int | bytes | None) -> int:
    """Make a system call by its number, which only libseccomp may know. Raises `OSError`."""
    return call("syscall", number, *arguments)


def die_with_parent(signal_number: int) -> None:
    """Be sent `signal_number` when the *thread* that forked this process ends (prctl(2), PR_SET_PDEATHSIG).

    A change of credentials clears this: call it after the last one.
    """
    call("prctl", _PR_SET_PDEATHSIG, signal_number, 0, 0, 0)


def set_dumpable(dumpable: bool) -> None:
    """Whether processes of the same user may trace this one and own its /proc files (prctl(2), PR_SET_DUMPABLE)."""
    call("prctl", _PR_SET_DUMPABLE, int(dumpable), 0, 0, 0)


def set_no_new_privs() -> None:
    """From here on no execve gives more privileges (prctl(2), PR_SET_NO_NEW_PRIVS); seccomp and Landlock ask for it."""
    call("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def drop_capabilities() -> None:
    """Give up every capability, those over a user namespace of our own included (capset(2))."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    none = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; twice 32 bits
    call("capset", header, none)
