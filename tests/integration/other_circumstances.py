"""Runs Python text as another kind of host would: `other_circumstances.py KIND TEXT`, started by test_zygote.py and
test_doctor.py.

The interpreter and the checkout may lie where only root can look. So this process takes a mount namespace of its own
and shows them under the same paths there; nothing outside it changes.

    ordinary   as user 65534, which may read them
    fewer      the same, and no namespace can be had
    private    as root, from a checkout that only root may read
    powerless  as root without the right to signal other users' processes
    bare       as root, and libseccomp is not there
    old        as user 65534, on a kernel that loads no seccomp program
    lax        the same, and one that does not know no_new_privs
"""

import errno
import os
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import emporion
import pyseccomp  # type: ignore[import-untyped]
from emporion.runtime.sandbox.libc import call, set_dumpable

NOBODY = 65534
DROP_FROM_BOUNDING_SET, CAP_KILL = 24, 5
SET_SECCOMP, SET_NO_NEW_PRIVS = 22, 38  # of prctl(2)
NEW_MOUNTS, NEW_USER = 0x20000, 0x10000000
BIND, RECURSIVE, PRIVATE = 4096, 0x4000, 1 << 18
NEEDED = [Path(p) for p in (sys.base_prefix, sys.prefix, emporion.__path__[0])]


def shadow(directory: Path, mode: str, keep: Iterable[Path]) -> None:
    """Put an empty directory with `mode` in the place of `directory`, and show in it only the paths to keep."""
    staged = {path: tempfile.mkdtemp(dir="/dev/shm") for path in keep}
    for path, stage in staged.items():
        call("mount", bytes(path), stage.encode(), None, BIND | RECURSIVE, None)
    call("mount", b"none", bytes(directory), b"tmpfs", 0, f"mode={mode}".encode())
    for path, stage in staged.items():
        path.mkdir(parents=True, exist_ok=True)
        call("mount", stage.encode(), bytes(path), None, BIND | RECURSIVE, None)
        call("umount2", stage.encode(), 2)
        Path(stage).rmdir()


def open_up() -> None:
    """Replace every directory on the way to what is needed that others may not enter."""
    for path in NEEDED:
        for parent in reversed(path.resolve().parents):
            if not parent.stat().st_mode & 1:
                shadow(parent, "755", [p.resolve() for p in NEEDED if parent in p.resolve().parents])


def refuse_namespaces() -> None:
    """Take a user namespace in which no further ones are allowed: these limits are the namespace's own."""
    set_dumpable(True)
    call("unshare", NEW_USER)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{NOBODY} {NOBODY} 1"), ("gid_map", f"{NOBODY} {NOBODY} 1")):
        Path(f"/proc/self/{name}").write_text(text)
    for kind in ("user", "net", "ipc", "uts", "mnt", "pid"):
        Path(f"/proc/sys/user/max_{kind}_namespaces").write_text("0")


def hide_libseccomp() -> None:
    """Put an empty file in the place of the library, which this process has loaded already."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    shelf = next(line.split()[-1] for line in lines if "libseccomp" in line)
    call("mount", b"/dev/null", shelf.encode(), None, BIND, None)


def refuse_prctl(option: int) -> None:
    """Let the kernel answer this one as if it had never heard of it. As root, so that no_new_privs is not needed."""
    rules = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    rules.set_attr(pyseccomp.Attr.CTL_NNP, 0)
    rules.add_rule(pyseccomp.ERRNO(errno.EINVAL), "prctl", pyseccomp.Arg(0, pyseccomp.EQ, option))
    rules.load()


def main(kind: str, text: str) -> None:
    os.umask(0o022)
    call("unshare", NEW_MOUNTS)
    call("mount", None, b"/", None, RECURSIVE | PRIVATE, None)
    if kind == "powerless":
        call("prctl", DROP_FROM_BOUNDING_SET, CAP_KILL, 0, 0, 0)
    elif kind == "bare":
        hide_libseccomp()
    elif kind == "private":
        root = Path(emporion.__path__[0]).resolve()
        shadow(root.parent, "700", [p.resolve() for p in NEEDED if root.parent in p.resolve().parents])
    else:
        open_up()
        if kind in ("old", "lax"):
            refuse_prctl({"old": SET_SECCOMP, "lax": SET_NO_NEW_PRIVS}[kind])
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        if kind == "fewer":
            refuse_namespaces()
    os.execv(sys.executable, [sys.executable, "-W", "error", "-c", text])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
