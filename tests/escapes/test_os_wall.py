"""What the operating-system wall stops by itself: foreign code runs here with all of Python and ctypes at hand."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from emporion.runtime.options import Limits
from emporion.runtime.sandbox.probe import ATTEMPTS, ENTRY, attempt, run_in
from emporion.runtime.sandbox.supervisor import Jailer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox needs Linux")

DENIED = "PermissionError"
KILLED = "crashed"  # SIGSYS: a system call that no Python program makes by accident
OUT_OF_MEMORY = "memory_mib"

# (what is tried, the Python text, the error it must meet or the way its process must end)
ESCAPES = [
    ("read a file", "said = open('/etc/passwd').read()", DENIED),
    ("read through an open descriptor", "said = os.pread(0, 10, 0)", DENIED),
    ("write a file", "open('/tmp/emporion-escape', 'w')", DENIED),
    ("make a file in memory", "os.memfd_create('x')", DENIED),
    ("list the file system", "said = os.listdir('/')", DENIED),
    ("read the process table", "said = open('/proc/self/maps').read()", DENIED),
    ("change the working directory", "os.chdir('/')", DENIED),
    ("import a module from disk", "import wave", "ModuleNotFoundError"),
    ("open a network socket", "socket.socket(socket.AF_INET)", DENIED),
    ("open a Unix socket", "socket.socket(socket.AF_UNIX)", DENIED),
    ("open a socket pair", "socket.socketpair()", DENIED),
    ("look up a host name", "socket.getaddrinfo(b'localhost', 80)", "gaierror"),
    ("fork", "os.fork()", DENIED),
    ("start a thread", "threading.Thread(target=print).start()", "RuntimeError"),
    ("run a program", "os.execv('/bin/true', ['true'])", DENIED),
    ("start a program", "subprocess.run(['/bin/true'])", DENIED),
    ("signal the zygote", "os.kill(1, 9)", DENIED),
    ("signal everybody", "os.kill(-1, 9)", DENIED),
    ("trace its parent", "ctypes.CDLL(None).ptrace(16, 1, 0, 0)", KILLED),
    ("read another process's memory", "ctypes.CDLL(None).process_vm_readv(1, 0, 0, 0, 0, 0)", KILLED),
    ("take new namespaces", "ctypes.CDLL(None).unshare(0x10000000)", KILLED),
    ("mount", "ctypes.CDLL(None).mount(b'none', b'/', b'tmpfs', 0, None)", KILLED),
    ("become root", "os.setuid(0)", KILLED),
    ("change the host name", "ctypes.CDLL(None).sethostname(b'x', 1)", "silence"),
    ("map executable memory", "mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC)", DENIED),
    ("make memory executable", "m = mmap.mmap(-1, 4096); a = ctypes.addressof(ctypes.c_char.from_buffer(m))\n"
     "said = ctypes.CDLL(None).mprotect(ctypes.c_void_p(a), 4096, 5)", "silence"),
    ("make a ctypes callback", "ctypes.CFUNCTYPE(None)(print)", OUT_OF_MEMORY),  # what libffi says
    ("a call by the x32 table", "ctypes.CDLL(None).syscall(0x40000000 + 39)", KILLED),
    ("a call that does not exist", "ctypes.CDLL(None).syscall(9999)", KILLED),
    ("raise the CPU limit", "resource.setrlimit(resource.RLIMIT_CPU, (100, 100))", "ValueError"),
    ("raise the memory limit", "resource.setrlimit(resource.RLIMIT_AS, (2**40, 2**40))", "ValueError"),
    ("raise the descriptor limit", "resource.setrlimit(resource.RLIMIT_NOFILE, (9, 9))", "ValueError"),
    ("limit its parent", "resource.prlimit(1, resource.RLIMIT_CPU, (0, 0))", DENIED),
    ("ignore the end of its CPU time", "signal.signal(signal.SIGXCPU, signal.SIG_IGN)", DENIED),
    ("block signals", "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGXCPU])", DENIED),
    ("duplicate a descriptor", "os.dup(3)", DENIED),
    ("listen on its socket", "sock.listen()", DENIED),
    ("sleep", "time.sleep(60)", DENIED),
    ("switch the terminal", "import termios\ntermios.tcgetattr(0)", "error"),
]


@pytest.fixture(scope="module")
def jailer() -> Iterator[Jailer]:
    with Jailer(entry=ENTRY) as jailer:
        yield jailer


@pytest.fixture(scope="module")
def open_jailer() -> Iterator[Jailer]:
    """Processes with limits, but without the wall."""
    with Jailer(entry=ENTRY, os_wall=False) as jailer:
        yield jailer


@pytest.mark.parametrize(("what", "source", "expected"), ESCAPES, ids=[row[0] for row in ESCAPES])
def test_an_escape_meets_the_wall(jailer: Jailer, what: str, source: str, expected: str) -> None:
    outcome = attempt(jailer, source)

    if expected in (KILLED, OUT_OF_MEMORY):
        assert outcome.ended == expected
    elif expected == "silence":  # C functions only answer -1
        assert outcome.said in (None, -1) and not outcome.ended
    else:
        assert outcome.error.split(":")[0].endswith(expected), outcome


@pytest.mark.parametrize("what", ATTEMPTS)
def test_everything_that_the_self_test_tries_is_refused(jailer: Jailer, what: str) -> None:
    assert attempt(jailer, ATTEMPTS[what]).refused


@pytest.mark.parametrize(
    "what",
    ["read a file", "list the file system", "open a network socket", "map executable memory", "take new namespaces",
     "ignore the end of its CPU time", "change the working directory", "a call that does not exist"],
)  # fmt: skip
def test_without_the_wall_the_same_attempt_succeeds(open_jailer: Jailer, what: str) -> None:
    """Otherwise the table above would prove nothing."""
    source = next(row[1] for row in ESCAPES if row[0] == what)
    outcome = attempt(open_jailer, "os.closerange(0, 3)\n" + source)  # room under the limit of descriptors

    assert not outcome.refused, outcome


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("os.fork()", "BlockingIOError"),
        ("threading.Thread(target=print).start()", "RuntimeError"),
        ("os.dup(3)", "OSError: [Errno 24]"),
        ("os.closerange(0, 3); os.write(os.memfd_create('x'), b'x')", "OSError: [Errno 27]"),
        ("resource.setrlimit(resource.RLIMIT_NPROC, (9, 9))", "ValueError"),
        ("os.setuid(0)", "PermissionError"),
    ],
)
def test_without_the_wall_the_limits_and_the_user_still_bind(open_jailer: Jailer, source: str, error: str) -> None:
    assert attempt(open_jailer, source + "\nsaid = 1").error.startswith(error)


def test_the_environment_tells_nothing(jailer: Jailer) -> None:
    outcome = attempt(jailer, "said = sorted(os.environ)")

    assert set(outcome.said) <= {"PYTHONHASHSEED", "LC_CTYPE"}  # the latter is Python's own doing


def test_a_process_has_its_socket_and_null_devices_and_no_room_for_more(jailer: Jailer) -> None:
    probing = """
limit = resource.getrlimit(resource.RLIMIT_NOFILE)
alive = []
for n in range(4096):
    try:
        os.read(n, 0) if n != 3 else sock.send(b'')
        alive.append(n)
    except OSError:
        pass
said = [alive, limit]
"""
    assert attempt(jailer, probing).said == [[0, 1, 2, 3], [4, 4]]


def test_what_is_written_to_standard_output_goes_nowhere(jailer: Jailer, capfd: pytest.CaptureFixture[str]) -> None:
    outcome = attempt(jailer, "said = [os.write(n, b'escaped') for n in (1, 2)]; print('escaped')")

    assert outcome.said == [7, 7]
    assert "escaped" not in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("source", "limits", "reason"),
    [
        ("x = bytearray(2**30)", Limits(memory_mib=16), "memory_mib"),
        ("x = []\nwhile True: x.append(bytes(100_000))", Limits(memory_mib=16), "memory_mib"),
        ("while True: pass", Limits(cpu_s=0.5), "cpu_s"),
        ("sum(range(10**12))", Limits(cpu_s=1), "cpu_s"),
        ("sock.recv(1)", Limits(wall_s=0.3), "wall_s"),
        ("threading.Lock().acquire(); l = threading.Lock(); l.acquire(); l.acquire()", Limits(wall_s=0.3), "wall_s"),
    ],
)
def test_a_greedy_visit_ends_by_the_name_of_its_limit(
    jailer: Jailer, source: str, limits: Limits, reason: str
) -> None:
    with jailer.open(limits) as jailed:
        assert run_in(jailed, source).ended == reason
        error = jailed.limit_error()

    assert error is not None and error.limit == reason
    assert error.allowed == getattr(limits, reason) and error.used >= error.allowed


def test_a_visit_cannot_dodge_the_end_of_its_cpu_time(open_jailer: Jailer) -> None:
    """Without seccomp it may ignore SIGXCPU; the hard limit a second later cannot be ignored."""
    source = "signal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass"

    assert attempt(open_jailer, source, Limits(cpu_s=0.5)).ended == "cpu_s"


@pytest.mark.parametrize(
    "source",
    [
        "x = [bytes(1000) for _ in range(20_000)]; del x; said = len(bytearray(30 * 2**20))",
        "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    said = str(e)",
        "def f(n): return f(n + 1)\ntry:\n    f(0)\nexcept RecursionError:\n    said = True",
        "said = str(decimal.Decimal(2).sqrt()) + str(fractions.Fraction(1, 3) ** 5)",
        "said = json.loads(json.dumps({'a': [1.5, None, 'é']}))",
        "said = random.SystemRandom().random() < 1 and random.random() < 1",
        "said = time.time() > 0 and time.monotonic() > 0 and time.process_time() > 0",
        "lock = threading.Lock()\nwith lock: said = True",
        "import gc\nx = []\nx.append(x)\ndel x\nsaid = gc.collect() >= 0",
        "class A:\n    def __init__(self): self.x = 1\nsaid = A().x + eval('1 + 1')",
        "try:\n    bytearray(2**30)\nexcept MemoryError:\n    said = len(bytearray(2**20))",
        "sock.settimeout(5); sock.settimeout(None); said = True",
    ],
)
def test_ordinary_python_works_behind_the_wall(jailer: Jailer, source: str) -> None:
    outcome = attempt(jailer, source)

    assert outcome.said and not outcome.refused, outcome


def test_one_visit_finds_nothing_of_another(jailer: Jailer) -> None:
    attempt(jailer, "import builtins; builtins.left_behind = 1; json.left_behind = 1")

    assert "AttributeError" in attempt(jailer, "said = json.left_behind").error


def test_descriptors_that_a_visit_sends_go_nowhere() -> None:
    """It may pass its own socket along; a host that reads bytes drops it, and still sees the end of the stream."""
    source = b"socket.send_fds(sock, [b'x'], [3, 0, 1, 2]); sock.recv(1)"
    # Without spares, whose pidfds would come in meanwhile.
    with Jailer(entry=ENTRY, spares=0) as jailer, jailer.open(Limits()) as jailed:
        jailed.socket.sendall(len(source).to_bytes(4, "little") + source)
        jailed.socket.settimeout(5)
        before = len(list(Path("/proc/self/fd").iterdir()))
        assert jailed.socket.recv(1) == b"x"
        assert len(list(Path("/proc/self/fd").iterdir())) == before
        jailed.kill()
        assert jailed.socket.recv(1) == b""
