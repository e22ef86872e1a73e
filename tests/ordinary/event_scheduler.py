"""A calendar: repeated events, conflicts, and what comes next."""

import heapq
from datetime import date, datetime, time, timedelta, timezone
from functools import total_ordering

MONDAY = 0


@total_ordering
class Event:
    def __init__(self, title, start, minutes):
        self.title = title
        self.start = start
        self.length = timedelta(minutes=minutes)

    @property
    def end(self):
        return self.start + self.length

    def __eq__(self, other):
        if not isinstance(other, Event):
            return NotImplemented
        return (self.start, self.title) == (other.start, other.title)

    def __lt__(self, other):
        return (self.start, self.title) < (other.start, other.title)

    def __hash__(self):
        return hash((self.start, self.title))

    def __repr__(self):
        return f"{self.title} {self.start:%a %d %b %H:%M}"

    def overlaps(self, other):
        return self.start < other.end and other.start < self.end


def weekly(title, first, minutes, times):
    start = first
    for _ in range(times):
        yield Event(title, start, minutes)
        start += timedelta(weeks=1)


def working_days(start, count):
    day = start
    while count:
        if day.weekday() < 5:
            yield day
            count -= 1
        day += timedelta(days=1)


class Agent:
    def run(self):
        utc = timezone.utc
        first = datetime.combine(date(2024, 2, 26), time(9, 30), tzinfo=utc)
        queue = list(weekly("stand-up", first, 15, 3))
        queue.append(Event("dentist", first + timedelta(minutes=10), 30))
        queue.append(Event("leap", datetime(2024, 2, 29, 12, tzinfo=utc), 60))
        heapq.heapify(queue)
        order = []
        while queue:
            event = heapq.heappop(queue)
            clashes = [other.title for other in queue if other.overlaps(event)]
            print(event, "clashes with" if clashes else "", *clashes)
            order.append((event.title, event.start.isoformat()))
        east = first.astimezone(timezone(timedelta(hours=5, minutes=30), "IST"))
        parsed = datetime.strptime("2024-03-01 08:15", "%Y-%m-%d %H:%M")
        return {
            "order": order,
            "east": east.isoformat(),
            "zone": east.tzname(),
            "same": east == first,
            "days": [day.isoformat() for day in working_days(date(2024, 3, 1), 3)],
            "parsed": parsed,
            "gap": parsed - datetime(2024, 2, 29),
            "week": tuple(date(2024, 12, 30).isocalendar()),
            "older": Event("a", first, 1) <= Event("b", first, 1),
            "read": datetime.fromisoformat("2024-02-29T10:00:00+02:00").utcoffset(),
            "replaced": parsed.replace(month=2, day=29).date(),
        }
