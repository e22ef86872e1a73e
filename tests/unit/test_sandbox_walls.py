"""Each wall by itself, in a process of its own: a wall once built around a process never comes down again."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from emporion.runtime.options import Limits
from emporion.runtime.sandbox.rlimits import kernel_limits
from emporion.runtime.sandbox.syscalls import ALLOWED, REFUSED, number_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox needs Linux")

TRY = """
import os, resource, signal, socket, sys
from emporion.runtime.options import Limits
from emporion.runtime.sandbox import landlock, libc, namespaces, rlimits, spare, syscalls

def refused(attempt):
    try:
        attempt()
    except OSError as error:
        return error.errno
    return 0
"""


def run(script: str, **options: object) -> str:
    """What a fresh interpreter prints."""
    result = subprocess.run(
        [sys.executable, "-c", TRY + script], capture_output=True, text=True, timeout=30, check=False, **options
    )  # type: ignore[call-overload]
    assert result.returncode == 0, result.stderr
    return str(result.stdout).strip()


def test_no_system_call_is_misspelt() -> None:
    """libseccomp answers -1 to names it never heard of, and other negative numbers for other architectures' calls."""
    assert [name for name in (*ALLOWED, *REFUSED) if number_of(name) == -1] == []


def test_a_system_call_has_one_answer() -> None:
    assert len({*ALLOWED, *REFUSED}) == len(ALLOWED) + len(REFUSED)


def test_the_allow_list_alone_refuses_files() -> None:
    out = run("""
libc.set_no_new_privs()
syscalls.build().load()
print(refused(lambda: open('/etc/passwd')), refused(os.fork), refused(lambda: socket.socket()))
""")
    assert out == "1 1 1"  # EPERM


def test_landlock_alone_hides_files_ports_and_processes() -> None:
    out = run("""
with socket.socket() as server:
    server.bind(('127.0.0.1', 0))
    server.listen()
    before = refused(lambda: open('/etc/passwd').close())
    libc.set_no_new_privs()
    abi = landlock.deny_all(syscalls.number_of)
    with socket.socket() as client:
        connect = refused(lambda: client.connect(server.getsockname()))
    print(abi, before, refused(lambda: open('/etc/passwd')), connect, refused(lambda: os.kill(os.getppid(), 0)))
""")
    abi, before, file, connect, kill = map(int, out.split())
    if not abi:
        pytest.skip("this kernel has no Landlock")

    assert (before, file) == (0, 13)  # EACCES
    assert connect == (13 if abi >= 4 else 0)
    assert kill == (1 if abi >= 6 else 0)


def test_an_empty_root_alone_holds_no_files() -> None:
    out = run("""
before = len(os.listdir('/'))
names, notes = namespaces.enter(namespaces.leave_root(unshare=True))
if 'mount' in names and 'user' in names:
    namespaces.use_empty_root(syscalls.number_of('pivot_root'))
    print(before > 0, os.listdir('/'), refused(lambda: open('/x', 'w')), os.getcwd(), os.listdir('/..'))
""")
    if not out:
        pytest.skip("no namespaces to be had here")

    assert out == "True [] 30 / []"  # EROFS


def test_capabilities_are_gone_over_ones_own_namespace_too() -> None:
    out = run("""
names, _ = namespaces.enter(namespaces.leave_root(unshare=False))
def capabilities():
    return [int(line.split()[1], 16) for line in open('/proc/self/status') if line.startswith(('CapEff', 'CapPrm'))]
print('user' in names, any(capabilities()))
libc.drop_capabilities()
print(any(capabilities()))
""")
    user, had, has = out.split()

    assert has == "False"
    assert had == user, "a user namespace should have given them"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can drop root")
def test_root_becomes_nobody_for_good() -> None:
    out = run("""
os.setgroups([1, 2])
namespaces.leave_root(unshare=False)
print(set(os.getresuid()) | set(os.getresgid()), os.getgroups(), refused(lambda: os.setuid(0)))
""")
    assert out == "{65521} [] 1"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root is free of the limit")
def test_the_process_limit_is_tried_not_assumed() -> None:
    out = run("""
print(rlimits.process_limit_binds())
namespaces.leave_root(unshare=False)
print(rlimits.process_limit_binds())
""")
    assert out.split() == ["False", "True"]


def test_limits_go_down_and_never_up() -> None:
    out = run("""
rlimits.limit(0, 9, 2**33)
print(resource.getrlimit(resource.RLIMIT_CPU), resource.getrlimit(resource.RLIMIT_AS)[0] == 2**33)
rlimits.limit(0, 99, 2**40)
print(resource.getrlimit(resource.RLIMIT_CPU), resource.getrlimit(resource.RLIMIT_AS)[0] == 2**33)
""")
    assert out.splitlines() == ["(9, 10) True", "(10, 10) True"]


def test_a_visits_limits_count_from_what_the_spare_has_used() -> None:
    limits = Limits(cpu_s=0.5, memory_mib=2)

    assert kernel_limits(limits, address_space=1000, cpu_used_s=0.1) == (1, 1000 + 2 * 2**20)
    assert kernel_limits(limits, address_space=0, cpu_used_s=0.6) == (2, 2 * 2**20)


def test_the_allow_list_is_built_without_helper_programs() -> None:
    out = run(
        """
import ctypes.util
finder = ctypes.util.find_library
syscalls.build()
print(ctypes.util.find_library is finder, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
""",
        env={},
    )
    assert out == "True 0"


def test_a_machine_without_libseccomp_is_told_what_to_install() -> None:
    """In a mount namespace of its own, /dev/null lies over the library."""
    out = run("""
library = next(line.split()[-1] for line in open('/proc/self/maps') if 'libseccomp' in line) if syscalls.build() else ''
if os.fork() == 0:
    names, _ = namespaces.enter([])
    if 'mount' not in names:
        print('skip', flush=True)
        os._exit(0)
    libc.call('mount', None, b'/', None, 0x4000 | 1 << 18, None)
    libc.call('mount', b'/dev/null', library.encode(), None, 4096, None)
    text = TRY + '''
try:
    syscalls.build()
except Exception as error:
    print(type(error).__name__, error)
'''
    os.execv(sys.executable, [sys.executable, '-c', text])
os.wait()
""".replace("TRY", repr(TRY)))
    if out == "skip":
        pytest.skip("no mount namespace to be had here")

    assert out.startswith("SandboxUnavailable") and "apt install libseccomp2" in out


def test_a_failing_warm_up_reaches_the_host_with_its_traceback() -> None:
    out = run("""
from emporion.runtime.sandbox.jail import Jailed
def warm_up():
    raise ValueError('the shelf is empty')
ours, theirs = socket.socketpair()
parent = os.getpid()
child = os.fork()
if child == 0:
    spare.run(theirs.fileno(), spare.Entry(print, warm_up), None, descriptors=64, zygote=parent)
jailed = Jailed(1, ours)
jailed.forked(os.pidfd_open(child))
try:
    jailed.begin(Limits(), 'visit', None)
except Exception as error:
    print(type(error).__name__, 'warm-up' in str(error), 'ValueError: the shelf is empty' in str(error))
""")
    assert out == "SandboxUnavailable True True"


def test_the_host_limits_a_spare_from_outside() -> None:
    """Here is a spare that never reads what the host tells it, so that its own act does not count."""
    out = run("""
import signal, types
from emporion.runtime.sandbox.jail import Jailed
from emporion.runtime.sandbox.protocol import READY, READY_MARK
ours, theirs = socket.socketpair()
child = os.fork()
if child == 0:
    theirs.send(READY.pack(READY_MARK, 0.25))
    signal.pause()
jailed = Jailed(1, ours)
jailed.forked(os.pidfd_open(child))
keeper = types.SimpleNamespace(may_limit=True, spare_bytes=lambda pid: 2**32)
jailed.begin(Limits(cpu_s=2, memory_mib=1), 'visit', keeper)
print(resource.prlimit(child, resource.RLIMIT_CPU), resource.prlimit(child, resource.RLIMIT_AS)[1] - 2**32)
jailed.kill()
""")
    assert out == f"(3, 4) {2**20}"


def test_a_process_id_of_zero_never_limits_the_host_itself() -> None:
    """To prlimit(2), 0 is the caller: a descriptor that is no pidfd must not lead there."""
    out = run("""
import types
from emporion.runtime.sandbox.jail import Jailed
from emporion.runtime.sandbox.protocol import READY, READY_MARK
ours, theirs = socket.socketpair()
theirs.send(READY.pack(READY_MARK, 0.25))
jailed = Jailed(1, ours)
jailed.forked(os.pipe()[0])
before = resource.getrlimit(resource.RLIMIT_CPU)
keeper = types.SimpleNamespace(may_limit=True, spare_bytes=lambda pid: 2**32)
jailed.begin(Limits(cpu_s=2), 'visit', keeper)
print(jailed.pid, resource.getrlimit(resource.RLIMIT_CPU) == before)
""")
    assert out == "0 True"


def test_only_the_three_null_devices_and_the_socket_are_open_in_a_spare() -> None:
    out = run("""
from emporion.runtime.sandbox.protocol import READY
secret = os.open('/etc/passwd', os.O_RDONLY)
os.set_inheritable(secret, True)
ours, theirs = socket.socketpair()
parent = os.getpid()
def warm_up():
    alive = [n for n in range(4, 64) if not refused(lambda: os.fstat(n))]
    if alive:
        raise ValueError(f'open: {alive}')
if os.fork() == 0:
    spare.run(theirs.fileno(), spare.Entry(print, warm_up), None, descriptors=64, zygote=parent)
print(ours.recv(READY.size)[:1])
""")
    assert out == "b'R'"


def test_the_checkout_has_no_table_of_system_call_numbers() -> None:
    """Numbers differ between architectures: they are libseccomp's business."""
    source = Path(__file__).parents[2].joinpath("runtime/sandbox/landlock.py").read_text()

    assert "444" not in source and "number_of" in source
