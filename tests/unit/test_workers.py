"""Threads for work that begins, and the selector for connections on which nobody works."""

import logging
import socket
import threading
import time
import weakref
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from emporion.runtime import workers as workers_module
from emporion.runtime.workers import Parking, Workers

PATIENCE_S = 10.0


@pytest.fixture
def parking() -> Iterator[Parking]:
    one = Parking("test")
    yield one
    one.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    left, right = socket.socketpair()
    yield left, right
    left.close()
    right.close()


def test_jobs_run_on_at_most_so_many_threads_and_all_of_them_run() -> None:
    pool = Workers(3, "test")
    threads: set[int] = set()
    done = threading.Semaphore(0)
    together = threading.Barrier(3)

    def job() -> None:
        threads.add(threading.get_ident())
        if len(threads) == 3 and not together.broken:
            together.abort()
        done.release()

    for _ in range(50):
        pool.submit(job)

    assert all(done.acquire(timeout=PATIENCE_S) for _ in range(50))
    assert len(threads) <= 3
    pool.close()


def test_jobs_that_wait_for_a_thread_run_in_turn_and_show_as_pressure() -> None:
    pool = Workers(1, "test")
    begun, go_on, order = threading.Event(), threading.Event(), list[int]()
    done = threading.Event()

    def first() -> None:
        begun.set()
        go_on.wait(PATIENCE_S)

    pool.submit(first)
    assert begun.wait(PATIENCE_S)
    assert not pool.pressed
    for n in range(5):
        pool.submit(partial(order.append, n))
    pool.submit(done.set)

    assert pool.pressed
    go_on.set()
    assert done.wait(PATIENCE_S)
    assert order == [0, 1, 2, 3, 4]
    assert not pool.pressed
    pool.close()


def test_the_thread_that_ran_last_runs_next() -> None:
    pool = Workers(8, "test")
    ran: list[int] = []
    for _ in range(5):
        done = threading.Event()
        pool.submit(partial(_say_who, ran, done))
        assert done.wait(PATIENCE_S)
        _until_idle(pool)

    assert len(set(ran)) == 1
    pool.close()


def _say_who(ran: list[int], done: threading.Event) -> None:
    ran.append(threading.get_ident())
    done.set()


def _until_idle(pool: Workers) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while not pool._idle:
        assert time.monotonic() < until_s, "the thread does not come back for more"
        time.sleep(0.001)  # between a job's last step and the thread's rest there is no event


def test_threads_that_had_nothing_to_do_for_long_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers_module, "IDLE_S", 0.01)
    pool = Workers(2, "test")
    done = threading.Event()
    pool.submit(done.set)
    assert done.wait(PATIENCE_S)

    for thread in list(pool._threads):
        thread.join(PATIENCE_S)

    assert not pool._threads
    again = threading.Event()
    pool.submit(again.set)
    assert again.wait(PATIENCE_S)
    pool.close()


@pytest.mark.parametrize("error", [ValueError("oops"), SystemExit(1), KeyboardInterrupt()])
def test_a_job_that_fails_is_logged_and_its_thread_goes_on(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    pool = Workers(1, "test")
    after = threading.Event()

    def fail() -> None:
        raise error

    with caplog.at_level(logging.ERROR, "emporion.workers"):
        pool.submit(fail)
        pool.submit(after.set)
        assert after.wait(PATIENCE_S)

    assert [record.exc_info[1] for record in caplog.records if record.exc_info] == [error]
    pool.close()


def test_closing_lets_running_jobs_end_and_drops_the_rest() -> None:
    pool = Workers(1, "test")
    begun, go_on, ended, never = (threading.Event() for _ in range(4))

    def job() -> None:
        begun.set()
        go_on.wait(PATIENCE_S)
        ended.set()

    pool.submit(job)
    assert begun.wait(PATIENCE_S)
    pool.submit(never.set)
    closing = threading.Thread(target=pool.close, args=(PATIENCE_S,))
    closing.start()
    _until_closed(pool)
    go_on.set()
    closing.join()
    pool.submit(never.set)

    assert ended.is_set()
    assert not never.is_set()
    assert not pool._threads


def _until_closed(pool: Workers) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while not pool._closed and time.monotonic() < until_s:
        time.sleep(0.001)


def test_an_idle_thread_keeps_nothing_of_its_jobs() -> None:
    pool = Workers(1, "test")
    kept = []
    for _ in range(2):
        done = threading.Event()
        job = partial(done.set)
        kept.append(weakref.ref(job))
        pool.submit(job)
        del job
        assert done.wait(PATIENCE_S)
        _until_idle(pool)

    assert [one() for one in kept] == [None, None]
    pool.close()


@pytest.fixture
def no_more_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What stands in it begins the names of threads that the system does not start."""
    unwanted: list[str] = []
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name.startswith(tuple(unwanted)):
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    yield unwanted
    unwanted.clear()


def test_a_thread_that_cannot_be_started_takes_no_place(no_more_threads: list[str]) -> None:
    pool = Workers(1, "test")
    done = threading.Event()
    no_more_threads.append("test")
    for _ in range(3):
        with pytest.raises(RuntimeError):
            pool.submit(done.set)
    no_more_threads.clear()

    pool.submit(done.set)

    assert done.wait(PATIENCE_S)
    pool.close()


def _busy(pool: Workers) -> threading.Event:
    """Keep a thread busy until what this gives is set."""
    begun, go_on = threading.Event(), threading.Event()

    def job() -> None:
        begun.set()
        go_on.wait(PATIENCE_S)

    pool.submit(job)
    assert begun.wait(PATIENCE_S)
    return go_on


def test_a_job_without_a_thread_of_its_own_waits_for_one_that_is_busy(no_more_threads: list[str]) -> None:
    pool = Workers(2, "test")
    go_on, done = _busy(pool), threading.Event()
    no_more_threads.append("test")

    pool.submit(done.set)

    assert pool.pressed
    go_on.set()
    assert done.wait(PATIENCE_S)
    pool.close()


def test_what_nobody_can_look_at_is_served_in_turn(no_more_threads: list[str]) -> None:
    pool = Workers(1, "test")
    go_on, served, looked = _busy(pool), threading.Event(), threading.Event()
    no_more_threads.append("test-reader")
    for _ in range(workers_module.READERS):
        pool.submit_reading(served.set, looked.set)
    no_more_threads.clear()
    go_on.set()
    assert served.wait(PATIENCE_S)
    assert not looked.is_set()

    go_on = _busy(pool)
    pool.submit_reading(served.set, looked.set)

    assert looked.wait(PATIENCE_S), "a reader that never was has its place"
    go_on.set()
    pool.close()


def test_a_job_may_close_its_own_pool() -> None:
    pool = Workers(2, "test")
    done = threading.Event()

    def job() -> None:
        pool.close()
        done.set()

    pool.submit(job)

    assert done.wait(PATIENCE_S)


# --- parking ---------------------------------------------------------------------------------------------------------


def test_a_watched_socket_reports_once_when_bytes_come(
    parking: Parking, pair: tuple[socket.socket, socket.socket]
) -> None:
    left, right = pair
    reports = threading.Semaphore(0)
    parking.add(left.fileno(), lambda: reports.release())
    right.send(b"x")
    assert not reports.acquire(timeout=0.05), "reported without being watched"

    parking.watch(left.fileno())
    assert reports.acquire(timeout=PATIENCE_S)
    assert not reports.acquire(timeout=0.05), "reported twice"

    parking.watch(left.fileno())  # the byte is still there
    assert reports.acquire(timeout=PATIENCE_S)
    parking.remove(left.fileno())


def test_the_end_of_a_connection_is_reported_too(parking: Parking, pair: tuple[socket.socket, socket.socket]) -> None:
    left, right = pair
    reported = threading.Event()
    parking.add(left.fileno(), reported.set)
    parking.watch(left.fileno())

    right.close()

    assert reported.wait(PATIENCE_S)
    parking.remove(left.fileno())


def test_what_is_ignored_or_removed_is_not_reported(
    parking: Parking, pair: tuple[socket.socket, socket.socket]
) -> None:
    left, right = pair
    reported, other = threading.Event(), threading.Event()
    parking.add(left.fileno(), reported.set)
    parking.add(right.fileno(), other.set)
    parking.watch(left.fileno())
    parking.ignore(left.fileno())
    right.send(b"x")
    left.send(b"y")
    parking.watch(right.fileno())

    assert other.wait(PATIENCE_S)  # so the selector has looked since
    assert not reported.is_set()
    parking.remove(left.fileno())
    parking.remove(left.fileno())  # once more does no harm
    parking.remove(right.fileno())


def test_alarms_ring_in_the_order_of_their_times(parking: Parking) -> None:
    rung: list[str] = []
    done = threading.Event()
    now_s = time.monotonic()

    parking.call_at(now_s + 0.06, done.set)
    parking.call_at(now_s + 0.04, lambda: rung.append("second"))
    parking.call_at(now_s + 0.02, lambda: rung.append("first"))

    assert done.wait(PATIENCE_S)
    assert rung == ["first", "second"]
    assert time.monotonic() >= now_s + 0.06


def test_an_alarm_or_a_report_that_fails_does_not_end_the_selector(
    parking: Parking, caplog: pytest.LogCaptureFixture
) -> None:
    done = threading.Event()

    def fail() -> None:
        raise ValueError("oops")

    with caplog.at_level(logging.ERROR, "emporion.workers"):
        parking.call_at(0.0, fail)
        parking.call_at(0.0, done.set)
        assert done.wait(PATIENCE_S)

    assert "oops" in caplog.text


def test_who_rests_is_asked_again_as_long_as_it_says_so(parking: Parking) -> None:
    asked: list[float] = []
    done = threading.Event()

    def settle() -> bool:
        asked.append(time.monotonic())
        if len(asked) == 3:
            done.set()
        return len(asked) < 3

    parking.rest(settle)

    assert done.wait(PATIENCE_S)
    later = threading.Event()
    parking.call_at(time.monotonic() + 0.05, later.set)
    assert later.wait(PATIENCE_S)
    assert len(asked) == 3


def test_closing_ends_the_thread_and_gives_its_descriptors_back() -> None:
    before = set(Path("/proc/self/fd").iterdir())
    one = Parking("test")

    one.close()
    one.close()

    assert not one._thread.is_alive()
    assert set(Path("/proc/self/fd").iterdir()) == before


def test_closing_waits_no_longer_than_it_says_however_many_threads_are_stuck() -> None:
    pool, end, begun = Workers(6, "test"), threading.Event(), threading.Semaphore(0)

    def stuck() -> None:
        begun.release()
        end.wait(PATIENCE_S)

    for _ in range(6):
        pool.submit(stuck)
    assert all(begun.acquire(timeout=PATIENCE_S) for _ in range(6))
    begun_s = time.monotonic()
    pool.close(timeout_s=0.3)
    assert time.monotonic() - begun_s < 1.2  # and not 0.3 s for each
    end.set()


def test_what_reads_has_a_thread_when_all_are_busy_and_serves_when_one_is_free() -> None:
    pool, end, begun = Workers(1, "test"), threading.Event(), threading.Event()
    looked, served = threading.Semaphore(0), threading.Event()

    def fail() -> None:
        looked.release()
        raise ValueError("what reads may fail, and the next one is read")

    def busy() -> None:
        begun.set()
        end.wait(PATIENCE_S)

    pool.submit(busy)
    assert begun.wait(PATIENCE_S)
    for _ in range(3):
        pool.submit_reading(served.set, fail)
    assert all(looked.acquire(timeout=PATIENCE_S) for _ in range(3))
    assert not served.is_set()
    end.set()
    _until_idle(pool)
    pool.submit_reading(served.set, fail)
    assert served.wait(PATIENCE_S)
    assert not looked.acquire(blocking=False)
    pool.close()
