"""A visit whose language wall is gone speaks for itself: whatever it says, the host is as before, and the end is clear.

Each row is the body of an agent's method that has the run of its whole process: `peer` and `driver` are the visit's
end of the session, `shop` a hosted object, `number` its number.
"""

from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent, indent
from typing import Any, Final

import emporion
import pytest
from emporion.errors import AgentError, LimitExceeded, VisitEnded
from emporion.runtime.options import Isolation, Limits
from emporion.tests.harbour import Harbour, Shelf, listening, open_host, until

AGENT: Final = """
import os, socket, struct, time
from emporion.errors import *
from emporion.runtime.wire.messages import *

class Agent:
    def __init__(self):
        self.kept = None

    def work(self):
        return "worked"

    def attack(self, shop):
        self.kept = shop
        peer, number = shop._peer, shop._number
        driver = peer.driver
        wire = driver._channel.transport._sock
        def said(*args):
            try:
                return peer.call(*args, (), {})
            except Exception as error:
                return type(error).__name__
        def send(body, method="look", target=number):
            return driver.request(Call(0, 0, target, Op.CALL, method, [], body))
BODY
"""


class Shop:
    """What there is to attack."""

    secret = "the till"

    def __init__(self) -> None:
        self.touched: list[Any] = []
        self._private = "private"

    @emporion.expose
    def look(self, *args: Any) -> str:
        self.touched.append(args)
        return "a shop"

    @property
    def name(self) -> str:
        return "Corner Shop"

    emporion.expose(name)

    def open_till(self) -> None:
        raise AssertionError("the till was opened")


@pytest.fixture(scope="module")
def host() -> Iterator[emporion.Host]:
    with open_host() as host:
        yield host


@pytest.fixture
def harbour(host: emporion.Host, tmp_path: Path) -> Iterator[Harbour]:
    shelf = Shelf(tmp_path)
    with listening() as ears:
        harbour = Harbour(host, shelf, ears)
        yield harbour
        harbour.close()
        shelf.close()


def attack(harbour: Harbour, body: str, *, shop: Shop | None = None, after: str = "give back", **limits: Any) -> Any:
    """Let an agent do `body` where only the operating system holds it; then see that the host is well."""
    agent = harbour.shelf.agent(AGENT.replace("BODY", indent(dedent(body), " " * 8)))
    wares = shop or Shop()

    def play(visitor: Any, attacks: bool) -> Any:
        if not attacks:
            return visitor.work()
        answer = visitor.attack(wares)
        return {"give back": [answer, visitor], "answer": answer}[after]

    isolation, most = Isolation(language=False), Limits(**{"wall_s": 10.0, "cpu_s": 5.0, **limits})
    proxy = harbour.stage(play, isolation=isolation, limits=most)
    try:
        return proxy.go(agent, True)
    finally:
        assert proxy.go(agent, False) == "worked"
        until(lambda: not harbour.host.office.admission.store._holds)  # type: ignore[attr-defined]


# --- what is answered with no


@pytest.mark.parametrize(
    "asks",
    [
        "999, Op.CALL, 'look'",
        "-1, Op.CALL, 'look'",
        "2**63, Op.CALL, 'look'",
        "number, Op.CALL, 'open_till'",
        "number, Op.CALL, '_private'",
        "number, Op.CALL, '__class__'",
        "number, Op.CALL, '__init__'",
        "number, Op.CALL, '__reduce_ex__'",
        "number, Op.CALL, 'name'",
        "number, Op.CALL, ''",
        "number, Op.CALL, 'look.__globals__'",
        "number, Op.GET, 'look'",
        "number, Op.GET, 'secret'",
        "number, Op.GET, '__dict__'",
        "number, Op.GET, '_private'",
        "number, Op.SET, 'look'",
        "number, Op.SET, 'secret'",
        "number, Op.ONE_WAY, 'look'",
        "number, Op.DISPATCH, 'look'",
        "number, Op.CALL, '__call__'",
        "number, 7, 'look'",
        "number, Op.ONE_WAY, 'open_till'",
        "number, Op.DISPATCH, 'open_till'",
        "number, Op.DISPATCH, 'name'",
        "number, Op.DISPATCH, '__call__'",
        "number, Op.GET, '__call__'",
        "number, Op.SET, 'name'",
        "number, 3, 'look'",
        "number, 2**31, 'look'",
    ],
)
def test_what_is_not_exposed_does_not_exist(harbour: Harbour, asks: str) -> None:
    shop = Shop()
    answer, _ = attack(harbour, f"return said({asks})", shop=shop)
    assert answer in ("NotExposed", "ProtocolError")
    assert not shop.touched
    assert shop.secret == "the till"


def test_numbers_lead_to_nothing_of_another_visit(harbour: Harbour) -> None:
    """Two visits at once; the second tries every number that the first could have got."""
    mine, theirs = Shop(), Shop()
    inner = harbour.shelf.agent(AGENT.replace("BODY", " " * 8 + "return shop.look()"))
    body = "return sorted({said(n, Op.CALL, 'look') for n in range(number + 1, 300)})"
    outer = harbour.shelf.agent(AGENT.replace("BODY", indent(body, " " * 8)))
    found = []

    def guess(visitor: Any) -> None:
        found.append(visitor.attack(mine))

    second = harbour.stage(guess, isolation=Isolation(language=False))

    def play(visitor: Any) -> Any:
        assert visitor.attack(theirs) == "a shop"
        second.go(outer)  # while this visit is there
        return visitor.work()

    assert harbour.stage(play, isolation=Isolation(language=False)).go(inner) == "worked"
    assert found == [["NotExposed"]]
    assert theirs.touched == [()]
    assert mine.touched == []


def test_what_was_released_is_gone(harbour: Harbour) -> None:
    answer, _ = attack(harbour, "driver.post(Release({number: 1})); self.kept = None; return said(number, 0, 'look')")
    assert answer == "NotExposed"


# --- what ends the visit

MINE: Final = "m = list(peer._goods.values())[0].manifest\nn = list(m)[0]\n"
RULES: Final = {
    "a call to the host itself": "said(0, Op.CALL, 'lookup')",
    "code of its own": "driver.post(Provide([('evil', '0' * 64, b'')])); said(number, 0, 'look')",
    "a question for code": "driver.request(NeedCode(0, 0, {'emporion.errors': '0' * 64}), wants=Code)",
    "an answer nobody asked for": "driver.post(Result(4711, Body([1]))); said(number, 0, 'look')",
    "code nobody asked for": "driver.post(Code(4711, {})); said(number, 0, 'look')",
    "code where a result belongs": "driver.post(Code(1, {})); driver.post(Code(2, {})); driver.post(Code(3, {}))\n"
    "said(number, 0, 'look')",
    "a release of what it never had": "driver.post(Release({4711: 1})); said(number, 0, 'look')",
    "a release of more than it had": "driver.post(Release({number: 99})); said(number, 0, 'look')",
    "a release of less than nothing": "driver.post(Release({number: -1})); said(number, 0, 'look')",
    "one call asked twice": "for _ in range(2): driver.post(Call(99, 2, number, 0, 'look', [], Body([])))\n"
    "said(number, 0, 'look')",
    "many questions at once": "for n in range(70): driver.post(Call(n + 99, 2, number, 0, 'look', [], Body([])))\n"
    "said(number, 0, 'look')",
    "an object of code it was never given":
        "send(Body([[0]], [[8, 0, 'evil', 'Evil', None]], [{'evil': '0' * 64}]))",
    "an object without a manifest": "send(Body([[0]], [[8, 0, 'evil', 'Evil', None]]))",
    "a definition with state": "m = dict(list(peer._goods.values())[0].manifest)\n"
    "send(Body([[0]], [[12, 0, list(m)[0], 'Agent', {}]], [m]))",
    "a definition of nothing": "m = dict(list(peer._goods.values())[0].manifest)\n"
    "send(Body([[0]], [[12, 0, list(m)[0], '__import__(1)']], [m]))",
    "more manifests than modules": "send(Body([[0]], [[0]], [{}] * 20_000))",
    "a local class": "m = list(peer._goods.values())[0].manifest\nn = list(m)[0]\n"
    "send(Body([[0]], [[8, 0, n, 'Agent.<locals>.X', None]], [dict(m)]))",
    "a definition of code it was never given": "send(Body([[0]], [[12, 0, 'evil', 'Evil']], [{'evil': '0' * 64}]))",
    "a definition without a manifest": "send(Body([[0]], [[12, 0, 'evil', 'Evil']]))",
    "a definition in a module of the library": MINE + "send(Body([[0]], [[12, 0, 'os', 'system']], [dict(m)]))",
    "a definition that is local": MINE + "send(Body([[0]], [[12, 0, n, 'Agent.<locals>.X']], [dict(m)]))",
    "a definition without a name": MINE + "send(Body([[0]], [[12, 0, n, '']], [dict(m)]))",
    "a definition whose name is a number": MINE + "send(Body([[0]], [[12, 0, n, 5]], [dict(m)]))",
    "a definition with a state": MINE + "send(Body([[0]], [[12, 0, n, 'Agent', None]], [dict(m)]))",
    "a definition of the manifest before": MINE + "send(Body([[0]], [[12, -1, n, 'Agent']], [dict(m)]))",
    "an agent that is its own state's class": MINE + "send(Body([[0]], [[8, 0, n, 'Agent', [[0]]], 5], [dict(m)]))",
    "a row that refers beyond the last": "send(Body([[0]], [[0, [7]]]))",
    "a row that refers before the first": "send(Body([[0]], [[0, [-1]]]))",
    "a set in itself": "send(Body([[0]], [[2, [0]]]))",
    "a dict whose key is itself": "send(Body([[0]], [[4, [0], 1]]))",
    "a dict with a key and no value": "send(Body([[0]], [[4, 1]]))",
    "an integer that is no number": "send(Body([[1, 'xyz']], []))",
    "a float for a row's kind": "send(Body([[0]], [[0.0]]))",
    "a tuple in itself": "send(Body([[0]], [[1, [0]]]))",
    "a deep tuple": "send(Body([[0]], [[1, [n + 1]] for n in range(5000)] + [[1]]))",
    "equal hashes": "send(Body([[0]], [[2, *([1, f'{n * (2**61 - 1) + 1:x}'] for n in range(1, 20001))]]))",
    "a capability of its own": "send(Body([[0]], [[7, 0, 1, 'X', ['look'], []]]))",
    "an agent with a number below 1": "send(Body([[0]], [[7, 2, -1, 'x', 'y', []]]))",
    "an agent whose methods are no names": "send(Body([[0]], [[7, 2, 99, 'x', 'y', [1]]]))",
    "an unknown capability": "send(Body([[0]], [[7, 9]]))",
    "bytes that are no frame": "wire.send(bytes(64)); said(number, 0, 'look')",
    "a frame of nothing": "wire.send(struct.pack('>IBI', 5, 1, 0)); said(number, 0, 'look')",
    "another codec": "wire.send(struct.pack('>IBI', 6, 99, 1) + b'x'); said(number, 0, 'look')",
    "no state when it leaves": "peer.directory = lambda *args: []; return 1",
    "nonsense when it leaves": "peer.directory = lambda *args: 4711; return 1",
    "too much when it leaves": "peer.directory = lambda *args: [self, self]; return 1",
    "too little when it leaves": "peer.directory = lambda *args: []; return 1",
    "a class when it leaves": "peer.directory = lambda *args: [Agent]; return 1",
    "a hosted object when it leaves": "peer.directory = lambda *args: [shop]; return 1",
    "its own state when it leaves": "peer.directory = lambda *args: [self.__dict__]; return 1",
    "another object when it leaves": "peer.directory = lambda *args: [Agent()]; return 1",
    "its class when it leaves": "peer.directory = lambda *args: [Agent]; return 1",
    "itself twice when it leaves": "peer.directory = lambda method, args, kwargs: args[0] * 2; return 1",
}


@pytest.mark.parametrize("body", RULES.values(), ids=RULES)
def test_what_no_honest_visit_says_ends_it(harbour: Harbour, body: str) -> None:
    shop = Shop()
    with pytest.raises(VisitEnded, match="broke the rules"):
        attack(harbour, body, shop=shop)
    assert "broke the rules" not in harbour.ears.printed()
    harbour.ears.wait_for(lambda: [e for e in harbour.ears.ended() if e.ended_by])


def test_a_goodbye_ends_it(harbour: Harbour) -> None:
    with pytest.raises(VisitEnded, match="ended in the middle of a call"):
        attack(harbour, "driver.post(Goodbye('so long')); said(number, 0, 'look')")


def test_a_process_that_closes_its_socket_and_stays_is_killed(harbour: Harbour) -> None:
    body = "os.close(wire.detach())\nwhile True: pass"
    with pytest.raises((VisitEnded, LimitExceeded)):
        attack(harbour, body, cpu_s=60.0, wall_s=60.0)


def test_half_a_frame_waits_for_the_clock(harbour: Harbour) -> None:
    body = "wire.send(struct.pack('>IBI', 2**32 - 1, 1, 0)); return 1"
    with pytest.raises(LimitExceeded, match="wall_s"):
        attack(harbour, body, wall_s=0.5)


@pytest.mark.parametrize(
    "body",
    [
        "while True: driver.post(Ping(1))",
        "while True: driver.post(Output('x', 'x' * 10000))",
        "while True: driver.post(Cancel(1))",
        "send(Body([[0]], [[0, *(['x' * 1000] * 2000)]]))",
    ],
    ids=["pings", "output", "cancels", "one message"],
)
def test_a_flood_ends_by_its_bytes_or_by_the_clock(harbour: Harbour, body: str) -> None:
    """By the clock where the flood wants answers and does not read them: both ends wait for the other to take bytes."""
    with pytest.raises(LimitExceeded) as ended:
        attack(harbour, body, bytes_out=1_000_000, bytes_in=1_000_000, wall_s=1.0)
    assert ended.value.limit in ("bytes_out", "bytes_in", "wall_s")
    assert len(harbour.ears.printed()) <= 1_001


def test_a_visit_that_begins_a_call_of_its_own_is_over(harbour: Harbour) -> None:
    """It asks while it is asked; outside of that nobody here would answer, so calls would only pile up."""
    with pytest.raises(VisitEnded, match="out of nowhere"):
        attack(harbour, "driver.post(Call(100, 2, number, 0, 'look', [], Body([])))\nwhile True: pass")


# --- what is only a lie


def test_errors_of_ours_from_a_visit_are_the_agents_errors(harbour: Harbour) -> None:
    for raised in ("LimitExceeded('cpu_s', 9, 1)", "ConnectionDenied()", "CodeDenied('a', 'b', 'c')", "SystemExit(0)"):
        with pytest.raises(AgentError):
            attack(harbour, f"raise {raised}")


def test_exceptions_that_a_visit_makes_up_can_be_printed(harbour: Harbour) -> None:
    """The first was a segmentation fault of the host, the second took all its memory."""
    shown: list[str] = []

    class Curious(Shop):
        @emporion.expose
        def look(self, *args: Any) -> str:
            shown.extend(map(str, args))
            raise args[0]

    far = "[11, 'UnicodeDecodeError', '', [1], []], [1, 'utf8', [16, 0, 0], -2**40, 1 - 2**40, 'why']"
    attack(harbour, f"try: send(Body([[0]], [{far}]))\nexcept Exception: pass", shop=Curious())
    assert len(shown) == 1 and shown[0].startswith("UnicodeDecodeError")
    tall = "*([0, [n], [n]] for n in range(3, 43)), [0]"

    class Careful(Shop):
        @emporion.expose
        def look(self, *args: Any) -> str:
            raise args[0]  # what is printed of it, we print

    attack(harbour, f"send(Body([[0]], [[11, 'ValueError', '', [1], []], [1, [2]], {tall}]))", shop=Careful())


def test_an_error_text_of_any_length_is_bounded(harbour: Harbour) -> None:
    fault = "Fault(call, 'E' * 10**6, 'T' * 10**6, 'B' * 10**6, Body([]))"
    with pytest.raises(AgentError) as raised:
        attack(harbour, f"peer.fault_out = lambda call, error: ({fault}, ())\nraise ValueError")
    assert len(str(raised.value)) <= 65_536
    assert len(raised.value.traceback) <= 65_536


def test_foreign_names_can_not_forge_a_line_in_a_log(harbour: Harbour) -> None:
    body = """
        answer = peer.answer
        def lie(asked, message):
            answer(asked, message)
            return Body([[0]], [[7, 2, 99, "x\\nroot: all is well", "\\x1b[2J", []]]), []
        peer.answer = lie
        driver.post(Output("x\\nroot", "one\\ntwo\\x1b[2J\\n"))
        """
    shown = []
    agent = harbour.shelf.agent(AGENT.replace("BODY", indent(dedent(body), " " * 8)))

    def play(visitor: Any) -> None:
        visitor.attack(Shop())
        shown.append(repr(visitor.work()))

    harbour.stage(play, isolation=Isolation(language=False)).go(agent)
    assert shown[0].startswith("<handle of x\\nroot: all is well.\\x1b[2J")
    for record in harbour.ears.records:
        assert "\n" not in record.getMessage() and "\x1b" not in record.getMessage()


def test_a_host_with_a_wall_down_says_so_and_stays_on_loopback(harbour: Harbour) -> None:
    harbour.register(Shop(), name="weak", isolation=Isolation(language=False))
    (said,) = [record.getMessage() for record in harbour.ears.records if "wall missing" in record.getMessage()]
    assert "'weak'" in said and "language=False" in said
    with pytest.raises(emporion.ConfigurationError, match="loopback"):
        emporion.Host("emporion+tcp://0.0.0.0:0", allow_anonymous=True, isolation=Isolation(language=False))
