"""Landlock: a ruleset without a single rule, so that every file, TCP port and foreign process is out of reach.

Source: https://docs.kernel.org/userspace-api/landlock.html and include/uapi/linux/landlock.h.
"""

import struct
from collections.abc import Callable
from typing import Final

from .libc import syscall

__all__ = ["deny_all"]

_VERSION_QUERY: Final = 1  # LANDLOCK_CREATE_RULESET_VERSION
_FS_RIGHTS: Final = {1: 13, 2: 14, 3: 15, 5: 16}  # ABI: how many access rights on files it knows
_NET_SINCE: Final = 4  # bind and connect of TCP
_SCOPES_SINCE: Final = 6  # abstract Unix sockets, signals


def deny_all(number_of: Callable[[str], int]) -> int:
    """Put this process and its children under a ruleset that allows nothing; returns the ABI in force, 0 for none.

    None means: not built in, not enabled at boot, or kept from us by the filter of a container.

    Descriptors that are already open keep working. Needs no_new_privs.

    Args:
        number_of: gives a system call's number by its name, negative when unknown (libseccomp's table).

    Raises:
        OSError: the kernel has Landlock but refused the ruleset.
    """
    create, restrict = number_of("landlock_create_ruleset"), number_of("landlock_restrict_self")
    if create < 0 or restrict < 0:
        return 0
    try:
        abi = syscall(create, None, 0, _VERSION_QUERY)
    except OSError:
        return 0
    ruleset = _everything(abi)
    descriptor = syscall(create, ruleset, len(ruleset), 0)
    syscall(restrict, descriptor, 0)
    return abi


def _everything(abi: int) -> bytes:
    """A struct landlock_ruleset_attr that handles all rights which `abi` knows; a field it lacks is left off."""
    rights = max(count for since, count in _FS_RIGHTS.items() if since <= abi)
    fields = [(1 << rights) - 1]
    if abi >= _NET_SINCE:
        fields.append(0b11)
    if abi >= _SCOPES_SINCE:
        fields.append(0b11)
    return struct.pack(f"={len(fields)}Q", *fields)
