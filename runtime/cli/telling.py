"""How the demo tells its story: acts and log records in, text for a person out."""

import time
from collections.abc import Iterator
from typing import Any, Final

from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from .screen import console, plain

__all__ = ["Teller"]

DIGEST_CHARS: Final = 16
# Of several records about one module the one that says most stands for all.
_WEIGHT: Final = {"announced": 0, "known": 1, "sent": 2}

TITLE: Final = "E M P O R I O N   a mall, its shoppers, and customs between them"

Record = dict[str, Any]


class Teller:
    """Prints the demo. Everything that comes from the two processes is foreign text, and shown with `plain`."""

    def __init__(self) -> None:
        self._screen = console()
        self._begun_s = time.perf_counter()
        self._crossed = {"upload": 0, "download": 0}
        self._refused = {"code": 0, "people": 0}

    def opening(self, uri: str, pid: int, records: list[Record]) -> None:
        """The mall is open."""
        place, _, mark = plain(uri).partition("?")
        self._screen.print(Rule(Text(TITLE, "bold"), align="left", style="dim"))
        rows = [
            ("the mall", f"process {pid}: has the goods' classes, has never seen an agent's code"),
            ("at", f"{place}  (TLS 1.3)"),
            ("certificate", mark.removeprefix("fp=")),
        ]
        rows += [("walls", plain(r["message"]).partition(": ")[2]) for r in records if "walls" in r["message"]]
        self._facts(rows)

    def shoppers(self, pid: int) -> None:
        """The other program has started."""
        self._facts([("the shoppers", f"process {pid}: has the agents' classes, has never seen the goods'")])

    def act(self, story: dict[str, Any], records: list[Record]) -> None:
        """One act of the shoppers' program, and what the mall's log has about it."""
        events = [record["event"] for record in records if record["event"]]
        crossings = _crossings(event for event in events if event["kind"] == "CodeCrossed")
        visits = [event for event in events if event["kind"] == "VisitOver"]
        self._screen.print()
        if story["act"] == "shopping":
            self._shopping(story, crossings, visits)
        else:
            self._attempt(story, crossings, records)

    def closing(self) -> None:
        """All is told."""
        up, down = self._crossed["upload"], self._crossed["download"]
        people = self._refused["people"]
        self._screen.print()
        self._screen.print(Rule(align="left", style="dim"))
        self._screen.print(
            f"{up} module{_s(up)} went up, {down} came down, {self._refused['code']} were refused; "
            f"{people} visitor{_s(people)} stayed outside. {time.perf_counter() - self._begun_s:.1f} s in all."
        )

    # --- acts ---------------------------------------------------------------------------------------------------

    def _shopping(self, story: dict[str, Any], crossings: list[Record], visits: list[Record]) -> None:
        who = plain(story["who"])
        self._title(f"{who} sends an agent shopping")
        self._screen.print(Text(f"  with {story['cash']} to spend, for {_listed(story['wants'])}"))
        self._connected(crossings)
        self._customs(crossings)
        self._screen.print(Text("  the agent said, in its sandbox", "dim"))
        for line in story["said"]:
            self._screen.print(Text(f"    {plain(line)}", "italic"))
        left = f"  home with {story['left']} left and with these, as their own classes describe them"
        self._screen.print(Text(left, "dim"))
        bought = Table.grid(padding=(0, 2))
        for thing in story["bought"]:
            bought.add_row("   ", Text(plain(thing["thing"])), Text(f"{thing['price']:>4}"), Text(plain(thing["shop"])))
        self._screen.print(bought)
        if story["unmet"]:
            self._screen.print(Text(f"    without {_listed(story['unmet'])}", "dim"))
        for visit in visits:
            self._screen.print(
                f"  {visit['wall_s'] * 1e3:.1f} ms for the visit, with {visit['calls']} questions to shops; "
                f"{story['call_ms']:.1f} ms for the whole call;",
                f"  {story['connect_ms']:.1f} ms for connecting before that, most of it to stretch the passphrase",
                sep="\n",
            )

    def _attempt(self, story: dict[str, Any], crossings: list[Record], records: list[Record]) -> None:
        self._title(f"{plain(story['who'])} {plain(story['tries'])}")
        self._connected(crossings)
        self._customs(crossings)
        for record in records:
            if record["logger"] == "emporion.connection" and record["level"] == "WARNING":
                self._refused["people"] += 1
                self._facts([("the mall's log", plain(record["message"]))])
        self._facts([("what they see", plain(story["came"]))])

    def _title(self, text: str) -> None:
        self._screen.print(Rule(Text(text, "bold"), align="left", style="dim"))

    def _connected(self, crossings: list[Record]) -> None:
        peers = dict.fromkeys(crossing["peer"] for crossing in crossings)
        for peer in peers:
            identity, _, address = plain(peer).rpartition("@")
            self._screen.print(f"  connected as {identity} from {address}, both ends proved by the passphrase")

    def _customs(self, crossings: list[Record]) -> None:
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
        for head in ("  code", "module", f"SHA-256 ({DIGEST_CHARS} of 64)", "verdict"):
            table.add_column(head)
        for crossing in crossings:
            up = crossing["direction"] == "upload"
            arrow = Text("  up   →" if up else "  down ←", "cyan" if up else "magenta")
            table.add_row(arrow, plain(crossing["module"]), crossing["digest"][:DIGEST_CHARS], self._verdict(crossing))
        if crossings:
            self._screen.print(table)

    def _verdict(self, crossing: Record) -> Text:
        if not crossing["accepted"]:
            self._refused["code"] += 1
            return Text("REFUSED: ", "bold red").append(plain(crossing["rule"]), "not bold")
        if crossing["rule"] == "sent":
            self._crossed[crossing["direction"]] += 1
        more = {"known": ", known here: not sent again", "announced": ", into the sandbox only"}
        return Text("accepted", "green").append(more.get(crossing["rule"], ""), "dim")

    def _facts(self, rows: list[tuple[str, str]]) -> None:
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(width=16)
        table.add_column(overflow="fold")
        for name, value in rows:
            table.add_row(Text(f"  {name}", "dim"), Text(value))
        self._screen.print(table)


def _crossings(events: Iterator[Record]) -> list[Record]:
    """One record for each module and direction."""
    found: dict[tuple[str, str, str], Record] = {}
    for event in events:
        key = event["direction"], event["module"], event["digest"]
        known = found.get(key)
        if known is None or not event["accepted"] or _WEIGHT.get(event["rule"], 0) > _WEIGHT.get(known["rule"], 0):
            found[key] = event
    return list(found.values())


def _listed(words: list[str]) -> str:
    shown = [plain(word) for word in words]
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def _s(count: int) -> str:
    return "" if count == 1 else "s"
