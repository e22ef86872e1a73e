"""Times in other places: zones, summer time, folds, and a flight over the date line."""

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

BERLIN = ZoneInfo("Europe/Berlin")


@dataclass(frozen=True)
class Flight:
    takeoff: datetime
    hours: float
    goal: str

    @property
    def landing(self):
        landing = self.takeoff.astimezone(timezone.utc) + timedelta(hours=self.hours)
        return landing.astimezone(ZoneInfo(self.goal))


def offsets(zone, year):
    """The days of a year on which the clocks change, and by how much."""
    day, before = datetime(year, 1, 1, 12, tzinfo=zone), None
    while day.year == year:
        offset = day.utcoffset()
        if before is not None and offset != before:
            yield day.date().isoformat(), str(offset - before)
        before = offset
        day += timedelta(days=1)


class Agent:
    def run(self):
        print(BERLIN, repr(BERLIN.key))
        summer = datetime(2026, 7, 1, 9, 30, tzinfo=BERLIN)
        winter = summer.replace(month=12)
        twice = [datetime(2026, 10, 25, 2, 30, fold=fold, tzinfo=BERLIN).utcoffset() for fold in (0, 1)]
        flight = Flight(datetime(2026, 3, 1, 18, tzinfo=ZoneInfo("Asia/Tokyo")), 10.5, "Pacific/Honolulu")
        try:
            ZoneInfo("Nowhere/Atlantis")
        except ZoneInfoNotFoundError as error:
            missing = type(error).__name__
        print(f"{summer:%A %H:%M %Z} {winter:%H:%M %z}")
        return {
            "names": [summer.tzname(), winter.tzname()],
            "twice": [str(one) for one in twice],
            "changes": list(offsets(BERLIN, 2026)),
            "landing": flight.landing.isoformat(),
            "earlier": flight.landing.date() <= flight.takeoff.date(),
            "same": ZoneInfo("Europe/Berlin") is BERLIN,
            "missing": missing,
            "known": {"Europe/Berlin", "America/Lima"} <= available_timezones(),
        }
