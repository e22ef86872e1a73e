"""The life of jailed processes: handed out, limited, ended, reaped; and of the zygote that they come from."""

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from emporion.errors import ConfigurationError, SandboxUnavailable
from emporion.runtime.options import Limits
from emporion.runtime.sandbox.libc import syscall
from emporion.runtime.sandbox.probe import ENTRY, attempt, run_in
from emporion.runtime.sandbox.supervisor import Jailer
from emporion.runtime.sandbox.syscalls import number_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox needs Linux")

LIMITS = Limits(cpu_s=2, wall_s=20, memory_mib=64)
CIRCUMSTANCES = Path(__file__).with_name("other_circumstances.py")

# A whole host, for processes that are killed or run as somebody else.
HOST = """
import sys
from emporion.runtime.options import Limits
from emporion.runtime.sandbox import probe
from emporion.runtime.sandbox.supervisor import Jailer
from emporion.runtime.sandbox.syscalls import number_of

if __name__ == "__main__":
    jailer = Jailer(entry=probe.ENTRY)
    walls = jailer.report()
    held = [name for name, source in probe.ATTEMPTS.items() if probe.attempt(jailer, source).refused]
    ends = [
        probe.attempt(jailer, source, Limits(cpu_s=1, wall_s=20, memory_mib=32)).ended
        for source in ("while True: pass", "x = bytearray(2**28)")
    ]
    print(sorted(held) == sorted(probe.ATTEMPTS), *ends, walls.uid, "+".join(walls.namespaces) or "none",
          walls.empty_root, len(walls.notes), flush=True)
    jailer.close()
"""

# A host whose visit listens to nobody.
BUSY_HOST = """
import sys
from emporion.runtime.options import Limits
from emporion.runtime.sandbox import probe
from emporion.runtime.sandbox.supervisor import Jailer

jailer = Jailer(entry=probe.ENTRY, os_wall=sys.argv[1] == "True")
jailed = jailer.open(Limits(cpu_s=60, wall_s=60))
jailed.socket.sendall((16).to_bytes(4, "little") + b"while True: pass")
print("busy", flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def jailer() -> Iterator[Jailer]:
    with Jailer(entry=ENTRY) as jailer:
        yield jailer


def descendants(root: int) -> set[int]:
    """All processes below `root`, dead but unreaped ones included."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
    found, news = set[int](), {root}
    while news:
        news = {pid for pid, parent in parents.items() if parent in news}
        found |= news
    return found


def status_of(pid: int | str) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: text.strip() for name, _, text in (line.partition(":") for line in lines)}


def wait_until(condition: Callable[[], bool], timeout_s: float = 5.0) -> None:
    """For what the kernel does in its own time and tells nobody."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def test_a_visit_is_told_its_role(jailer: Jailer) -> None:
    for role in ("visit", "compile"):
        with jailer.open(LIMITS, role=role) as jailed:
            assert run_in(jailed, "said = role").said == role


def test_an_unknown_role_is_a_mistake_of_the_caller(jailer: Jailer) -> None:
    with pytest.raises(ConfigurationError, match="visit, compile"):
        jailer.open(LIMITS, role="holiday")


def test_the_walls_that_must_stand_stand_and_are_reported(jailer: Jailer) -> None:
    walls = jailer.report()

    assert walls.seccomp and walls.no_new_privs and walls.rlimits
    assert walls.uid != 0
    assert str(walls).startswith("seccomp, no_new_privs, rlimits, ")


def test_the_report_is_what_the_kernel_says(jailer: Jailer) -> None:
    """Of a process that waits for its visit: the file is the kernel's, not ours."""
    walls = jailer.report()
    with jailer.open(LIMITS) as jailed:
        run_in(jailed, "said = 1")
        status = status_of(jailed.pid)
        owner = Path(f"/proc/{jailed.pid}/mem").stat().st_uid  # not its own user's: it is not dumpable

    assert status["Seccomp"] == "2"  # SECCOMP_MODE_FILTER
    assert status["NoNewPrivs"] == "1"
    assert status["Threads"] == "1"
    assert {int(uid) for uid in status["Uid"].split()} == {walls.uid}
    assert owner == 0, "processes of the same user can trace it"
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
    if "pid" in walls.namespaces:
        assert len(status["NSpid"].split()) == len(status_of("self")["NSpid"].split()) + 1


def test_a_visit_sees_no_file_of_the_host_in_its_root(jailer: Jailer) -> None:
    if not jailer.report().empty_root:
        pytest.skip(f"no empty root here: {jailer.report().notes}")
    with jailer.open(LIMITS) as jailed:
        try:
            assert list(Path(f"/proc/{jailed.pid}/root/").iterdir()) == []
        except PermissionError:
            pytest.skip("only root can look into a process that is not dumpable")


def test_landlock_stands_wherever_the_kernel_has_it(jailer: Jailer) -> None:
    try:
        abi = syscall(number_of("landlock_create_ruleset"), None, 0, 1)  # LANDLOCK_CREATE_RULESET_VERSION
    except OSError:
        abi = 0

    assert jailer.report().landlock == abi


def test_a_process_serves_one_visit_only(jailer: Jailer) -> None:
    pids = set()
    for _ in range(6):
        with jailer.open(LIMITS) as jailed:
            pids.add(jailed.pid)

    assert len(pids) == 6


def test_a_visit_that_leaves_by_itself_has_exited(jailer: Jailer) -> None:
    with jailer.open(LIMITS) as jailed:
        run_in(jailed, "sum(range(2_000_000))")
        jailed.socket.close()
        end = jailed.wait(5)

    assert (end.reason, end.signal, end.status) == ("exited", 0, 0)
    assert end.max_rss_kib > 1000 and 0 < end.cpu_s < 2
    assert jailed.limit_error() is None


def test_a_killed_visit_says_so(jailer: Jailer) -> None:
    with jailer.open(LIMITS) as jailed:
        run_in(jailed, "said = 1")
        with pytest.raises(TimeoutError, match="kill"):
            jailed.wait(0.01)
        jailed.kill()
        jailed.kill()

        assert jailed.wait(5).reason == "killed"
        assert jailed.wait(5).signal == signal.SIGKILL
        jailed.socket.settimeout(5)  # nobody else holds the other end
        assert jailed.socket.recv(1) == b""
        assert jailed.limit_error() is None


@pytest.mark.parametrize("source", ["os.abort()", "ctypes.string_at(0)", "raise SystemExit(3)"])
def test_a_visit_that_breaks_has_crashed(jailer: Jailer, source: str) -> None:
    assert attempt(jailer, source).ended == "crashed"


def test_the_clock_stops_at_the_visit_whose_time_is_over_and_no_other() -> None:
    """Without spares, so that no news from the zygote wakes the clock by chance."""
    with (
        Jailer(entry=ENTRY, spares=0) as jailer,
        jailer.open(LIMITS) as long,
        jailer.open(Limits(wall_s=0.2)) as short,
    ):
        began = time.monotonic()

        assert short.wait(5).reason == "wall_s"
        assert 0.1 < time.monotonic() - began < 2
        assert run_in(long, "said = 'here'").said == "here"


def test_many_visits_at_once_each_get_a_process(jailer: Jailer) -> None:
    barrier = threading.Barrier(8)

    def visit(number: int) -> list[int]:
        barrier.wait(10)
        answers = []
        for _ in range(5):
            with jailer.open(LIMITS) as jailed:
                answers.append(run_in(jailed, f"said = {number}").said)
        return answers

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(visit, range(8))) == [[n] * 5 for n in range(8)]


def test_two_hundred_visits_leave_nothing_behind() -> None:
    def counts() -> tuple[int, int]:
        return len(list(Path("/proc/self/fd").iterdir())), threading.active_count()

    outside, family = counts(), descendants(os.getpid())
    with Jailer(entry=ENTRY) as jailer:
        jailer.open(LIMITS).close()
        jailer.refill()
        wait_until(lambda: len(descendants(os.getpid()) - family) == 4)  # zygote, its guardian, two spares
        inside = counts()
        for number in range(200):
            jailed = jailer.open(LIMITS)
            if number % 2:
                run_in(jailed, "said = 1")
            jailed.close() if number % 3 else jailed.discard()

        jailer.refill()
        # What was discarded is reaped in its own time, and a new spare's pidfd comes when it is born.
        wait_until(lambda: len(descendants(os.getpid()) - family) == 4)
        wait_until(lambda: counts() == inside)
    assert counts() == outside
    assert descendants(os.getpid()) == family


def test_a_closed_jailer_opens_no_more() -> None:
    jailer = Jailer(entry=ENTRY)
    with jailer.open(LIMITS) as jailed:
        jailer.close()
        jailer.close()

        assert jailed.wait(5).reason == "killed"
        with pytest.raises(SandboxUnavailable, match="closed"):
            jailer.open(LIMITS)


@pytest.mark.parametrize("os_wall", [True, False], ids=["with pid namespace", "without"])
def test_a_dead_zygote_takes_its_visits_with_it_and_is_replaced(
    os_wall: bool, caplog: pytest.LogCaptureFixture
) -> None:
    family = descendants(os.getpid())
    with Jailer(entry=ENTRY, os_wall=os_wall) as jailer, jailer.open(LIMITS) as jailed:
        zygote = int(status_of(jailed.pid)["PPid"])
        assert zygote not in family
        os.kill(zygote, signal.SIGKILL)

        assert jailed.wait(5).reason == "killed"
        wait_until(lambda: descendants(os.getpid()) == family)
        assert attempt(jailer, "said = 2").said == 2
    assert "zygote ended" in caplog.text


def test_a_spare_that_died_while_it_waited_is_passed_over() -> None:
    with Jailer(entry=ENTRY, spares=2) as jailer:
        with jailer.open(LIMITS) as jailed:
            zygote = int(status_of(jailed.pid)["PPid"])
        waiting = descendants(zygote)
        assert waiting
        for pid in waiting:
            pidfd = os.pidfd_open(pid)
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            assert select.select([pidfd], [], [], 5)[0]
            os.close(pidfd)

        assert [attempt(jailer, f"said = {n}").said for n in range(4)] == [0, 1, 2, 3]


@pytest.mark.parametrize("os_wall", [True, False], ids=["with pid namespace", "without"])
def test_a_dead_host_takes_everything_with_it(os_wall: bool) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", BUSY_HOST, str(os_wall)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as host:
        assert host.stdout is not None
        host.stdout.readline()
        family = [os.pidfd_open(pid) for pid in descendants(host.pid)]
        assert len(family) >= 3  # zygote and spares
        host.kill()
        host.wait()

        for pidfd in family:
            assert select.select([pidfd], [], [], 5)[0], "a process outlived the host"
            os.close(pidfd)


def test_a_zygote_outlives_the_thread_that_asked_for_it() -> None:
    """PR_SET_PDEATHSIG fires when a thread ends, not only when a process does."""
    with Jailer(entry=ENTRY) as jailer:
        thread = threading.Thread(target=jailer.start)
        thread.start()
        thread.join()
        with jailer.open(LIMITS) as jailed:
            zygote = status_of(jailed.pid)["PPid"]
            assert run_in(jailed, "said = 1").said == 1
        with jailer.open(LIMITS) as jailed:
            assert status_of(jailed.pid)["PPid"] == zygote


def test_ctrl_c_at_the_terminal_is_for_the_host_alone(jailer: Jailer) -> None:
    with jailer.open(LIMITS) as jailed:
        session = os.getsid(jailed.pid)

    assert session != os.getsid(0)


def test_signals_that_the_host_ignores_still_end_a_visit() -> None:
    """Ignored signals are inherited through execve: an ignored SIGXCPU would lift the CPU limit."""
    before = signal.signal(signal.SIGXCPU, signal.SIG_IGN)
    try:
        with Jailer(entry=ENTRY) as jailer, jailer.open(Limits(cpu_s=0.5)) as jailed:
            run_in(jailed, "while True: pass")
            end = jailed.wait(10)
    finally:
        signal.signal(signal.SIGXCPU, before)

    assert (end.reason, end.signal) == ("cpu_s", signal.SIGXCPU)


@pytest.mark.parametrize(
    ("entry", "why"),
    [("emporion.no_such:main", "no_such"), ("emporion.runtime.sandbox.probe:no_such", "no_such")],
)
def test_an_entry_that_cannot_be_loaded_is_named(entry: str, why: str) -> None:
    with Jailer(entry=entry) as jailer, pytest.raises(SandboxUnavailable, match=why):
        jailer.start()


def test_limits_without_measure_are_no_mistake(jailer: Jailer) -> None:
    """The largest numbers that `Limits` takes do not fit into a C int, or a kernel's limit."""
    with jailer.open(Limits(cpu_s=2.0**52, wall_s=2.0**52, memory_mib=2**52)) as jailed:
        assert run_in(jailed, "said = len(bytearray(2**20))").said == 2**20
        with jailer.open(Limits(wall_s=0.2)) as short:
            assert short.wait(5).reason == "wall_s"


def run_as(kind: str, *, fails: bool = False) -> str:
    """What `HOST` prints under other circumstances."""
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else; the other tests here run as an ordinary user then")
    result = subprocess.run(
        [sys.executable, CIRCUMSTANCES, kind, HOST], capture_output=True, text=True, timeout=60, check=False
    )
    if result.returncode and "unshare: Operation not permitted" in result.stderr:
        pytest.skip("root may not take a mount namespace here")
    assert bool(result.returncode) == fails, result.stderr
    return result.stderr if fails else result.stdout


def test_an_ordinary_user_gets_every_wall() -> None:
    held, cpu, memory, uid, *_ = run_as("ordinary").split()

    assert (held, cpu, memory, uid) == ("True", "cpu_s", "memory_mib", "65534")


def test_without_namespaces_the_other_walls_stand_and_the_report_says_what_is_missing() -> None:
    held, cpu, memory, uid, names, empty_root, notes = run_as("fewer").split()

    assert (held, cpu, memory, uid) == ("True", "cpu_s", "memory_mib", "65534")
    assert (names, empty_root) == ("none", "False")
    assert int(notes) > 0


def test_a_checkout_that_only_root_can_read_serves_visits() -> None:
    held, cpu, memory, uid, *_ = run_as("private").split()

    assert (held, cpu, memory) == ("True", "cpu_s", "memory_mib")
    assert uid != "0"


def test_a_host_that_could_not_kill_a_visit_opens_none() -> None:
    assert "CAP_KILL" in run_as("powerless", fails=True)
