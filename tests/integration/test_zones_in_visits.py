"""Time zones inside a visit, where there is no file: made there, taken there, and brought home."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from emporion.tests.harbour import Harbour

AGENT = """
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

class Agent:
    def __init__(self, zone, when):
        self.zone = zone
        self.when = when

    def visit(self, zone):
        self.same = zone is self.zone is ZoneInfo("Europe/Berlin") and isinstance(self.when.tzinfo, ZoneInfo)
        before = datetime(2024, 3, 30, 12, tzinfo=self.zone)
        self.days = [before, before + timedelta(days=1)]
        self.apart = (self.days[1].astimezone(ZoneInfo("UTC")) - before.astimezone(ZoneInfo("UTC"))).total_seconds()
        self.many = len(available_timezones())
        self.tokyo = ZoneInfo("Asia/Tokyo")
        self.files = hasattr(self.when.tzinfo, "from_file")
        return self.when.astimezone(self.tokyo)
"""


def test_zones_go_in_work_there_and_come_home(harbour: Harbour) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    agent = harbour.shelf.agent(AGENT, berlin, datetime(2024, 7, 1, 12, tzinfo=ZoneInfo("America/New_York")))
    came: list[object] = []

    def play(agent: object) -> object:
        came.append(agent.visit(ZoneInfo("Europe/Berlin")))  # type: ignore[attr-defined]
        return agent

    home = harbour.stage(play).go(agent)

    assert (home.same, home.apart, home.files) == (True, 23 * 3600, False)
    assert home.many > 500
    assert home.zone is berlin
    assert type(home.tokyo) is ZoneInfo
    assert home.tokyo.key == "Asia/Tokyo"
    assert [day.isoformat() for day in home.days] == ["2024-03-30T12:00:00+01:00", "2024-03-31T12:00:00+02:00"]
    (answer,) = came
    assert isinstance(answer, datetime)
    assert answer.tzinfo == ZoneInfo("Asia/Tokyo")
    assert answer == datetime(2024, 7, 1, 16, tzinfo=UTC)
