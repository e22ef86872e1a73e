"""The clock, from the host: what cannot be compared is checked, what can is printed."""

import time
from datetime import datetime, timedelta, timezone


class Stopwatch:
    def __init__(self, clock=time.perf_counter):
        self._clock = clock
        self.laps = []

    def __enter__(self):
        self._started = self._clock()
        return self

    def __exit__(self, *error):
        self.laps.append(self._clock() - self._started)

    @property
    def total(self):
        return sum(self.laps)


class FakeClock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        self.now += 1.5
        return self.now


def timed(function):
    def wrapper(*args):
        before = time.monotonic_ns()
        result = function(*args)
        wrapper.took = time.monotonic_ns() - before
        return result

    wrapper.took = None
    return wrapper


@timed
def work(n):
    return sum(i * i for i in range(n))


class Agent:
    def run(self):
        watch = Stopwatch(FakeClock())
        for _ in range(2):
            with watch:
                work(100)
        real = Stopwatch()
        with real:
            work(1000)
            time.sleep(0.002)
        moment = time.gmtime(86_400 * 365)
        print(time.strftime("%Y-%m-%d %H:%M:%S %j %a", moment), time.asctime(moment))
        parsed = time.strptime("2024-02-29 12:30", "%Y-%m-%d %H:%M")
        now = datetime.now(timezone.utc)
        return {
            "laps": [watch.laps, watch.total],
            "real": [real.total >= 0.002, work.took >= 0, time.process_time() >= 0],
            "clock": [abs(time.time() - now.timestamp()) < 60, time.time_ns() > 1e18, now.year >= 2024],
            "monotonic": time.monotonic() <= time.monotonic(),
            "moment": [moment.tm_year, moment.tm_yday, moment.tm_wday, tuple(moment)[:3]],
            "parsed": [parsed.tm_hour, parsed.tm_min, tuple(parsed)[:5]],
            "round": time.mktime(time.localtime(1_000_000)) == 1_000_000,
            "epoch": datetime.fromtimestamp(0, timezone.utc) + timedelta(seconds=1.5),
            "today": now.date() == datetime.now(timezone.utc).date() or now.hour == 23,
        }
