"""Time zones for agents: out of memory, the same everywhere, and nothing behind them but times."""

import subprocess
import sys
import zoneinfo
from datetime import UTC, datetime

import pytest
from emporion.runtime.sandbox.language.facades import FACADES
from emporion.runtime.sandbox.language.stdlib_zoneinfo import MAX_BYTES, MAX_ZONES, ZoneInfo, load_zones
from emporion.runtime.sandbox.language.trial import try_source


def test_every_zone_of_the_package_is_in_memory_and_gives_the_library_s_times() -> None:
    zones = load_zones()
    assert 500 < len(zones) < MAX_ZONES
    assert sum(map(len, set(zones.values()))) < MAX_BYTES / 8
    moments = [datetime(year, month, 1, tzinfo=UTC) for year in (1955, 2024, 2049) for month in (1, 7)]
    zoneinfo.reset_tzpath(to=[])  # the machine's own data may be older
    try:
        standard = {key: zoneinfo.ZoneInfo.no_cache(key) for key in zones}
    finally:
        zoneinfo.reset_tzpath()
    for key, theirs in standard.items():
        ours = ZoneInfo(key)
        assert [m.astimezone(ours).isoformat() for m in moments] == [m.astimezone(theirs).isoformat() for m in moments]


def test_a_zone_needs_no_file_once_they_are_loaded() -> None:
    script = (
        "import builtins, io, os, sys\n"
        "from datetime import datetime\n"
        "from emporion.runtime.sandbox.language.stdlib_zoneinfo import ZoneInfo, load_zones\n"
        "load_zones(); opened = []\n"
        "sys.addaudithook(lambda event, given: opened.append(given) if event == 'open' else None)\n"
        "print(datetime(2024, 7, 1, tzinfo=ZoneInfo('Asia/Kathmandu')).isoformat(), opened)\n"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout == "2024-07-01T00:00:00+05:45 []\n"


@pytest.mark.parametrize("attempt", [
    "ZoneInfo.from_file", "ZoneInfo.clear_cache", "zone.from_file", "zone.clear_cache",
    "super(ZoneInfo, ZoneInfo).from_file", "super(ZoneInfo, ZoneInfo).no_cache", "super(ZoneInfo, zone).clear_cache",
    "getattr(zone, '_zone')", "zone._zone", "zone._key", "Mine('UTC')._zone", "Mine('UTC').inner()",
])  # fmt: skip
def test_what_opens_files_or_is_shared_cannot_be_reached(attempt: str) -> None:
    program = f"""
from zoneinfo import ZoneInfo
class Mine(ZoneInfo):
    def inner(self): return self._zone
zone = ZoneInfo("UTC")
try: print("reached", {attempt})
except AttributeError: print("no")
"""
    assert try_source(program) == "no\n"
    assert "reset_tzpath" not in FACADES["zoneinfo"].__all__


def test_an_agent_s_own_datetime_never_gets_the_zone_inside() -> None:
    program = """
from datetime import UTC, datetime
from zoneinfo import ZoneInfo
seen = set()
class Spy(datetime):
    def replace(self, *given, **named):
        seen.add(type(named.get("tzinfo")))
        return super().replace(*given, **named)
    def __add__(self, other):
        seen.add(type(self.tzinfo))
        return super().__add__(other)
    def toordinal(self):
        seen.add(type(self.tzinfo))
        return super().toordinal()
zone = ZoneInfo("Europe/Berlin")
spy = Spy(2024, 10, 27, 1, 30, tzinfo=UTC).astimezone(zone)
zone.fromutc(Spy(2024, 10, 27, 1, 30, tzinfo=zone)); spy.utcoffset(); spy - datetime(2024, 1, 1, tzinfo=UTC)
print(sorted(one.__name__ for one in seen), seen - {ZoneInfo, type(None), type(UTC)})
"""
    assert try_source(program) == "['NoneType', 'ZoneInfo'] set()\n"


@pytest.mark.parametrize("base", ["ZoneInfo('UTC')", "TopologicalSorter({1: [2]})"])
def test_what_is_inside_does_not_pass_through_a_subclass_s_own_setattr(base: str) -> None:
    program = f"""
from graphlib import TopologicalSorter
from zoneinfo import ZoneInfo
seen = []
class Mine({base.partition("(")[0]}):
    def __setattr__(self, name, value):
        seen.append((name, type(value)))
Mine{base[base.index("("):]}
print(seen)
"""
    assert try_source(program) == "[]\n"


@pytest.mark.parametrize("method", ["utcoffset", "dst", "tzname", "fromutc"])
def test_what_is_no_datetime_does_not_reach_the_library_s_c_code(method: str) -> None:
    """It reads the memory of whatever has the right methods."""
    program = f"""
from zoneinfo import ZoneInfo
class Almost:
    hour = minute = second = microsecond = fold = 0
    year, month, day = 2050, 7, 1
    tzinfo = None
    def toordinal(self): return 748_000
try: print(ZoneInfo("Europe/Berlin").{method}(Almost()))
except TypeError as error: print(error)
"""
    assert try_source(program) == "a datetime is needed, not a Almost\n"


def test_a_key_that_claims_to_equal_another_s_finds_its_own_zone() -> None:
    program = """
from zoneinfo import ZoneInfo
class Liar(str):
    def __hash__(self): return hash("UTC")
    def __eq__(self, other): return True
ZoneInfo("UTC")
print(ZoneInfo(Liar("Asia/Tokyo")), ZoneInfo("UTC"), type(ZoneInfo(Liar("Asia/Tokyo")).key) is str)
"""
    assert try_source(program) == "Asia/Tokyo UTC True\n"
