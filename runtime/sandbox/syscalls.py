"""The system calls of a visit: an allow-list as one seccomp program, built once and loaded in every spare.

Three answers. *Allowed*: what ordinary Python needs once everything is imported. *Refused* with EPERM: what the
interpreter and its library ask for by themselves, or an agent's author by mistake; their code sees `PermissionError`
and goes on. *Killed*: all others, which no Python program reaches by accident: tracing, mounting, keys, BPF, modules.

Numbers and encodings of every architecture are libseccomp's business. Source: seccomp(2), seccomp_rule_add(3).
"""

import ctypes
import ctypes.util
import errno
import mmap
import os
import termios
from typing import Any, Final

from ...errors import SandboxUnavailable
from .libc import call

__all__ = ["ALLOWED", "REFUSED", "Program", "build", "library_version", "number_of"]

ALLOWED: Final = (
    # the one socket; vectored forms so that large values go without being joined first
    *("read", "readv", "write", "writev", "recvfrom", "recvmsg", "sendto", "sendmsg", "poll", "ppoll", "shutdown"),
    "close",
    # memory; mmap and mprotect have rules of their own below
    *("munmap", "mremap", "brk", "madvise"),
    # locks of a single thread; the clocks where the vDSO cannot read them; randomness
    *("futex", "clock_gettime", "getrandom"),
    # leaving; and going on after a stop signal
    *("exit", "exit_group", "restart_syscall"),
)

# PROT_EXEC in the third argument: new machine code. Refused, not killed: ctypes and dlopen try it first.
_WITHOUT_EXEC: Final = ("mmap", "mprotect")

REFUSED: Final = (
    *_WITHOUT_EXEC,
    # files: imports, tracebacks that want source lines, tempfile, time zones
    *("open", "openat", "openat2", "creat", "stat", "fstat", "lstat", "newfstatat", "statx", "access", "faccessat"),
    *("faccessat2", "readlink", "readlinkat", "getcwd", "chdir", "getdents", "getdents64", "lseek", "unlink"),
    *("unlinkat", "mkdir", "mkdirat", "rmdir", "rename", "renameat", "renameat2", "link", "linkat", "symlink"),
    *("symlinkat", "chmod", "fchmod", "fchmodat", "chown", "fchown", "lchown", "fchownat", "truncate", "ftruncate"),
    *("statfs", "fstatfs", "fsync", "fdatasync", "flock", "umask", "utimensat", "memfd_create", "copy_file_range"),
    *("sendfile", "pread64", "pwrite64", "preadv", "pwritev", "inotify_init1", "inotify_add_watch"),
    # descriptors
    *("ioctl", "fcntl", "dup", "dup2", "dup3", "pipe", "pipe2", "select", "pselect6", "eventfd2", "close_range"),
    *("epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "timerfd_create", "signalfd4"),
    # the network
    *("socket", "socketpair", "connect", "bind", "listen", "accept", "accept4", "getsockname", "getpeername"),
    *("getsockopt", "setsockopt", "sendmmsg", "recvmmsg"),
    # processes and threads
    *("fork", "vfork", "clone", "clone3", "execve", "execveat", "wait4", "waitid", "kill", "tkill", "tgkill"),
    *("pidfd_open", "pidfd_send_signal", "sched_yield", "sched_getaffinity", "sched_setaffinity", "setpriority"),
    *("getpriority", "getrlimit", "setrlimit", "prlimit64", "getrusage", "times", "set_robust_list", "rseq"),
    *("setsid", "setpgid", "getpgid", "getpgrp", "getsid", "prctl", "arch_prctl", "membarrier"),
    # signals: a visit must not catch, block or ignore the one that says its CPU time is over
    *("rt_sigaction", "rt_sigprocmask", "rt_sigpending", "rt_sigsuspend", "rt_sigtimedwait", "sigaltstack", "pause"),
    *("alarm", "setitimer", "getitimer", "timer_create"),
    # who and where am I
    *("getpid", "getppid", "gettid", "getuid", "geteuid", "getgid", "getegid", "getgroups", "getresuid", "getresgid"),
    *("uname", "sysinfo", "sethostname"),
    # time that passes: `poll` is enough to sleep with
    *("nanosleep", "clock_nanosleep", "clock_getres", "gettimeofday", "time", "clock_settime"),
)

_SONAME: Final = "libseccomp.so.2"
_SECCOMP_MODE_FILTER: Final = 2
_PR_SET_SECCOMP: Final = 22
_FILTER_BYTES: Final = 8  # struct sock_filter
_OPTIMIZE_TREE: Final = 2  # a binary tree over the numbers instead of a chain of comparisons


class _FilterProgram(ctypes.Structure):
    """struct sock_fprog: how many instructions, and where."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


class Program:
    """A seccomp program, ready to be loaded after any fork."""

    def __init__(self, instructions: bytes) -> None:
        """Hold `instructions` (struct sock_filter, 8 bytes each, as seccomp_export_bpf(3) writes them)."""
        self._instructions = ctypes.create_string_buffer(instructions, len(instructions))
        self._program = _FilterProgram(len(instructions) // _FILTER_BYTES, ctypes.addressof(self._instructions))

    def load(self) -> None:
        """Put this process under the program, for good; needs no_new_privs. Raises `OSError`."""
        call("prctl", _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(self._program), 0, 0)

    def try_out(self) -> None:
        """Load it in a child: building needs libseccomp alone, loading a kernel that lets us. Needs no_new_privs.

        Raises:
            SandboxUnavailable: it cannot be loaded here.
        """
        child = os.fork()
        if child == 0:
            status = errno.EINVAL
            try:
                self.load()
                status = 0
            except OSError as error:
                status = error.errno or status
            finally:
                os._exit(status)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status:
            why = os.strerror(status) if status > 0 else f"signal {-status}"
            raise SandboxUnavailable(
                f"seccomp programs cannot be loaded here ({why}): the kernel needs CONFIG_SECCOMP_FILTER, and a "
                "container must not keep prctl(PR_SET_SECCOMP) from its processes"
            )


def build() -> Program:
    """The allow-list as a program for this machine's architecture.

    Raises:
        SandboxUnavailable: no libseccomp, or one (or a kernel) too old for the actions needed.
    """
    seccomp = _library()
    try:
        rules = seccomp.SyscallFilter(seccomp.KILL_PROCESS)
        rules.set_attr(seccomp.Attr.ACT_BADARCH, seccomp.KILL_PROCESS)  # 32-bit entry points and x32
        rules.set_attr(seccomp.Attr.CTL_OPTIMIZE, _OPTIMIZE_TREE)
        _add_rules(seccomp, rules)
        with os.fdopen(os.memfd_create("allow-list"), "w+b") as file:
            rules.export_bpf(file)
            file.seek(0)
            return Program(file.read())
    except OSError as error:
        text = f"libseccomp cannot build the allow-list ({error}): it must be 2.5 or newer, on Linux 4.14 or newer"
        raise SandboxUnavailable(text) from error


def _add_rules(seccomp: Any, rules: Any) -> None:
    for name in ALLOWED:
        if number_of(name) >= 0:  # "poll" is not on every architecture
            rules.add_rule(seccomp.ALLOW, name)
    refuse = seccomp.ERRNO(errno.EPERM)
    for name in REFUSED:
        if name in _WITHOUT_EXEC:
            rules.add_rule(seccomp.ALLOW, name, seccomp.Arg(2, seccomp.MASKED_EQ, mmap.PROT_EXEC, 0))
            rules.add_rule(refuse, name, seccomp.Arg(2, seccomp.MASKED_EQ, mmap.PROT_EXEC, mmap.PROT_EXEC))
        elif name == "ioctl":
            # socket.settimeout sets the socket to non-blocking with this one; nothing else passes.
            rules.add_rule(seccomp.ALLOW, name, seccomp.Arg(1, seccomp.EQ, termios.FIONBIO))
            rules.add_rule(refuse, name, seccomp.Arg(1, seccomp.NE, termios.FIONBIO))
        elif name == "prlimit64":
            # A spare takes its visit's limits itself. Hard limits only ever go down, and only its own are in reach.
            rules.add_rule(seccomp.ALLOW, name, seccomp.Arg(0, seccomp.EQ, 0))
            rules.add_rule(refuse, name, seccomp.Arg(0, seccomp.NE, 0))
        elif number_of(name) >= 0:
            rules.add_rule(refuse, name)


def number_of(name: str) -> int:
    """The number of the system call `name` on this architecture; negative when there is none, or it is unknown."""
    seccomp = _library()
    return int(seccomp.resolve_syscall(seccomp.Arch.NATIVE, name))


class _Version(ctypes.Structure):
    """struct scmp_version."""

    _fields_ = (("major", ctypes.c_uint), ("minor", ctypes.c_uint), ("micro", ctypes.c_uint))


def library_version() -> str:
    """Which libseccomp is here, as "2.5.4". Raises `SandboxUnavailable` where none is, or no binding to it."""
    _library()
    version = ctypes.CDLL(_SONAME).seccomp_version
    version.restype = ctypes.POINTER(_Version)
    found = version().contents
    return f"{found.major}.{found.minor}.{found.micro}"


def _library() -> Any:
    """pyseccomp, imported without the helper programs that `ctypes.util.find_library` would run.

    The zygote has an empty environment, no PATH, and should start nothing: the dynamic loader finds a library by
    its versioned name alone.
    """
    names = {"c": None, "seccomp": _SONAME}
    finder = ctypes.util.find_library
    ctypes.util.find_library = names.get  # type: ignore[assignment]  # what is asked of it here, it answers
    try:
        import pyseccomp  # type: ignore[import-untyped]  # it ships no types
    except ImportError as error:
        raise SandboxUnavailable(f"pyseccomp is missing ({error}): pip install pyseccomp") from error
    except OSError as error:
        text = f"libseccomp is missing ({error}): apt install libseccomp2, or your system's package of libseccomp"
        raise SandboxUnavailable(text) from error
    finally:
        ctypes.util.find_library = finder
    return pyseccomp
