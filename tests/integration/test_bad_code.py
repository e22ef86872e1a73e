"""Clients that lie about code and state: each lie is refused by name, nothing of it is kept, and the host serves on."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import emporion
import pytest
from emporion.agents.manifest import MAX_MODULES, digest_of
from emporion.errors import AgentError, CodeDenied, ConnectionLost, EmporionError, ProtocolError, RemoteError
from emporion.runtime import guests
from emporion.runtime.client import ClientPeer
from emporion.runtime.events import CodeCrossed
from emporion.runtime.wire.kinds import Kind
from emporion.runtime.wire.messages import Body, Code, NeedCode
from emporion.tests.harbour import ANSWER_S, Harbour, in_thread, until

AGENT = """
# of PKG alone: a text that the host has never had
class Agent:
    def __init__(self):
        self.load = {"a": 1}

    def work(self):
        return self.load
"""
Twist = Callable[[Body], None]
Supply = Callable[[NeedCode], dict[str, str]]


class Liar(ClientPeer):
    """Sends what an honest client would have sent, twisted."""

    twist: Twist | None = None
    supplies: Supply | None = None

    def encode(self, values: Any, label: Any) -> tuple[Body, list[bytes]]:
        body, blobs = super().encode(values, label)
        if self.twist is not None and body.manifests:
            self.twist(body)
        return body, blobs

    def supply(self, asked: NeedCode) -> Code:
        return super().supply(asked) if self.supplies is None else Code(asked.call, self.supplies(asked))


def lie(harbour: Harbour, *, twist: Twist | None = None, supplies: Supply | None = None,
        validator: Any = lambda name, source, address: True) -> None:
    """Send an agent by way of a liar; the host must be as before, whatever comes of it."""
    agent = harbour.shelf.agent(AGENT)
    store = harbour.host.office.admission.store
    before = len(store)  # type: ignore[arg-type]
    uri = harbour.register(lambda visitor: visitor.work(), code_validator=validator)
    proxy = harbour.connect(uri, peer=Liar)
    proxy._peer.twist, proxy._peer.supplies = twist, supplies
    try:
        proxy.go(agent)
    finally:
        kept = len(store) - before  # type: ignore[arg-type]
        assert harbour.connect(uri).go(agent) == {"a": 1}
        assert kept in (0, 1)  # one where the lie was about state, or about what is in the module
        until(lambda: not store._holds)  # type: ignore[attr-defined]


def rename(name: str) -> Twist:
    def twist(body: Body) -> None:
        (digest,) = body.manifests[0].values()
        body.manifests[0] = {name: digest}
        for row in body.rows:
            if row[0] == Kind.MOBILE:
                row[2] = name

    return twist


def forged(source: str) -> dict[str, Any]:
    """The one module has another text, announced and supplied as it is."""

    def twist(body: Body) -> None:
        (name,) = body.manifests[0]
        body.manifests[0] = {name: digest_of(source)}

    return {"twist": twist, "supplies": lambda asked: dict.fromkeys(asked.modules.values(), source)}


def state(*rows: list[Any]) -> Twist:
    """Rows in place of the dict that is the agent's attribute ``load``; the first is what it refers to."""

    def twist(body: Body) -> None:
        first = len(body.rows)
        body.rows[1] = [Kind.DICT, "load", [first]]
        body.rows.extend([[first + part[0]] if type(part) is list and len(part) == 1 else part for part in row]
                         for row in rows)

    return twist


# --- texts


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("class Agent\n", "syntax|invalid|expected"),
        ("x = '\x00'\nclass Agent: pass\n", "null|NUL"),
        ("x = " + "(" * 5_000 + "1" + ")" * 5_000 + "\nclass Agent: pass\n", "nested|parenthes|compile"),
        ("x = " + "-" * 200_000 + "1\nclass Agent: pass\n", "nested|compile|limit|memory|survive"),
        ("x = " + "+".join(["y"] * 100_000) + "\nclass Agent: pass\n", "nested|compile|limit|memory|survive"),
        ("class Agent:\n    def work(self):\n        return self.__class__.__mro__\n", "language policy"),
        ("#" * 50_000_000 + "\n", "50,000,001 bytes"),
        ("class Agent:\n\tdef work(self):\n        pass\n", "tab|indent"),
    ],
    ids=["syntax", "nul", "parentheses", "minuses", "sum", "policy", "50 MB", "tabs"],
)
def test_a_text_that_is_no_module_is_denied(harbour: Harbour, source: str, why: str) -> None:
    with pytest.raises(CodeDenied, match=f"(?i){why}") as denied:
        lie(harbour, **forged(source))
    assert denied.value.direction == "upload"
    (event,) = harbour.ears.denials()
    assert event.digest == digest_of(source)
    assert len(str(event)) < 1_000
    assert "\n" not in str(event)


def test_a_text_with_another_digest_is_denied_before_anybody_judges_it(harbour: Harbour) -> None:
    questions: list[str] = []

    def validator(name: str, source: str | None, address: Any) -> bool:
        questions.append(source or "")
        return True

    evil = "class Agent:\n    def work(self):\n        return 'evil'\n"
    with pytest.raises(CodeDenied, match="digest"):
        lie(harbour, supplies=lambda asked: dict.fromkeys(asked.modules.values(), evil), validator=validator)
    assert evil not in questions
    (event,) = harbour.ears.denials()
    assert "digest" in event.rule


@pytest.mark.parametrize(
    "supplies",
    [
        lambda asked: {},
        lambda asked: {digest_of("x = 1\n"): "x = 1\n"},
        lambda asked: {**dict.fromkeys(asked.modules.values(), AGENT), digest_of("x = 1\n"): "x = 1\n"},
    ],
    ids=["nothing", "another", "more"],
)
def test_other_modules_than_were_asked_for_are_denied(harbour: Harbour, supplies: Supply) -> None:
    with pytest.raises(CodeDenied, match="not the same ones"):
        lie(harbour, supplies=supplies)
    assert len(harbour.ears.denials()) == 1


# --- names and manifests


@pytest.mark.parametrize(
    "name",
    [
        "json",
        "json.tool",
        "emporion.errors",
        "__main__",
        "trade.__init__",
        "trade.class",
        "\ufb01le.only",  # folds to "file" when Python reads it
        "trade.\u2102lass",
        "a" * 201,
        "a..b",
        ".a",
        "a b",
        "a\nb",
        "../a",
        "",
    ],
)
def test_a_name_that_no_module_may_have_is_refused(harbour: Harbour, name: str) -> None:
    with pytest.raises((CodeDenied, ProtocolError)) as refused:
        lie(harbour, twist=rename(name))
    if type(refused.value) is CodeDenied:
        (event,) = harbour.ears.denials()
        assert event.module == name
    assert all("\n" not in record.getMessage() for record in harbour.ears.records)


def test_a_closure_of_too_many_modules_is_refused(harbour: Harbour) -> None:
    def twist(body: Body) -> None:
        body.manifests[0] |= {f"much.m{number}": digest_of(str(number)) for number in range(MAX_MODULES)}

    with pytest.raises(CodeDenied, match="lists 1 to 500"):
        lie(harbour, twist=twist)


@pytest.mark.parametrize("digest", ["", "0" * 63, "0" * 65, "Z" * 64, "A" * 64, digest_of("")])
def test_a_digest_that_is_none_is_refused(harbour: Harbour, digest: str) -> None:
    def twist(body: Body) -> None:
        body.manifests[0] = dict.fromkeys(body.manifests[0], digest)

    with pytest.raises((CodeDenied, ProtocolError), match="digest"):
        lie(harbour, twist=twist)


def test_a_manifest_without_the_class_in_it_is_the_agents_error(harbour: Harbour) -> None:
    with pytest.raises(AgentError, match="no class"):
        lie(harbour, **forged("class Other:\n    pass\n"))


def test_a_class_that_only_looks_like_one_of_the_module_is_refused(harbour: Harbour) -> None:
    def twist(body: Body) -> None:
        body.rows[0][3] = "Agent.__class__.__base__"

    with pytest.raises((AgentError, ProtocolError)):
        lie(harbour, twist=twist)


def questions_of(harbour: Harbour, twist: Twist) -> list[str]:
    """The names a validator was asked about while a liar's call, which is otherwise in order, went through."""
    names: list[str] = []

    def validator(name: str, source: str | None, address: Any) -> bool:
        names.append(name)
        return True

    agent = harbour.shelf.agent(AGENT)
    uri = harbour.register(lambda visitor: visitor.work(), code_validator=validator)
    proxy = harbour.connect(uri, peer=Liar)
    proxy._peer.twist = twist
    assert proxy.go(agent) == {"a": 1}
    until(lambda: not harbour.host.office.admission.store._holds)  # type: ignore[attr-defined]
    return [name.replace(type(agent).__module__, "ITS") for name in names]


def test_a_manifest_that_comes_a_thousand_times_is_judged_once(harbour: Harbour) -> None:
    def twist(body: Body) -> None:
        first = body.rows[0]
        body.manifests *= 1_000
        body.rows += [[Kind.MOBILE, number, *first[2:4], None] for number in range(1_000)]

    assert questions_of(harbour, twist) == ["ITS"]


def test_a_manifest_that_no_object_needs_is_not_asked_for(harbour: Harbour) -> None:
    def twist(body: Body) -> None:
        body.manifests.append({"stow.away": "0" * 64})

    assert questions_of(harbour, twist) == ["ITS"]


# --- clients that stay away


@pytest.fixture
def silence() -> Iterator[tuple[threading.Event, threading.Event]]:
    asked, go_on = threading.Event(), threading.Event()
    yield asked, go_on
    go_on.set()


def silent(asked: threading.Event, go_on: threading.Event) -> Supply:
    def supplies(wanted: NeedCode) -> dict[str, str]:
        asked.set()
        go_on.wait()  # until the test is over, however it ends
        return {}

    return supplies


def test_a_client_that_leaves_in_the_middle_of_a_transfer_is_forgotten(
    harbour: Harbour, silence: tuple[threading.Event, threading.Event]
) -> None:
    agent = harbour.shelf.agent(AGENT)
    proxy = harbour.connect(harbour.register(lambda visitor: visitor.work()), peer=Liar)
    proxy._peer.supplies = silent(*silence)
    gone = in_thread(lambda: proxy.go(agent))
    assert silence[0].wait(ANSWER_S)
    (guest,) = [one for one in harbour.host._doors.guests if one._scopes]
    proxy._peer.close()
    silence[1].set()
    with pytest.raises(ConnectionLost):
        gone()
    harbour.ears.wait_for(lambda: [r for r in harbour.ears.records if f"{guest.where} left" in r.getMessage()])
    until(lambda: not guest._scopes)
    until(lambda: not harbour.host.office.admission.store._holds)  # type: ignore[attr-defined]
    assert not harbour.ears.events(CodeCrossed)


def test_a_client_that_does_not_answer_keeps_no_thread_for_ever(
    harbour: Harbour, silence: tuple[threading.Event, threading.Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guests, "FETCH_S", 0.2)
    agent = harbour.shelf.agent(AGENT)
    proxy = harbour.connect(harbour.register(lambda visitor: visitor.work()), peer=Liar)
    proxy._peer.supplies = silent(*silence)
    gone = in_thread(lambda: proxy.go(agent))
    assert silence[0].wait(ANSWER_S)
    (guest,) = [one for one in harbour.host._doors.guests if one._scopes]
    until(lambda: not guest._scopes)
    silence[1].set()
    with pytest.raises(EmporionError):
        gone()


def test_a_client_supplies_nothing_that_it_did_not_announce(harbour: Harbour) -> None:
    agent = harbour.shelf.agent(AGENT)
    secret = harbour.shelf.module("PASSWORD = 'sesame'\n")
    proxy = harbour.stage(lambda visitor: visitor.work())
    proxy.go(agent)
    with pytest.raises(CodeDenied, match="not announced"):
        proxy._peer.supply(NeedCode(1, 1, {secret.__name__: digest_of("PASSWORD = 'sesame'\n")}))


# --- state


def deep_tuples(depth: int) -> list[list[Any]]:
    return [[Kind.TUPLE, [number + 1]] for number in range(depth)] + [[Kind.TUPLE]]


MODULUS = 2**61 - 1  # what CPython takes hashes of ints by: these are all 1


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        (deep_tuples(5_000), "nested"),
        ([[Kind.DICT, *(1 + number * MODULUS for number in range(4)), *([["x"]] * 0), 1, 2, 3, 4]], ""),
        ([[Kind.SET, *([number * MODULUS + 1 for number in range(4)])]], ""),
        ([[Kind.TUPLE, [0]]], "contains itself"),
        ([[Kind.LIST, [10**6]]], "not there"),
        ([[99, 1]], "unknown kind"),
        ([[Kind.PORTABLE, "os.system", ["x", "y"], 1, 2]], "registered"),
        ([[Kind.CAPABILITY, 1, 4711]], "not .* exported"),
        ([[Kind.MOBILE, 7, "json", "X", None]], "manifest"),
        ([[Kind.DICT, [0], 1]], "hash"),
    ],
    ids=["deep", "few dict", "few set", "cycle", "reference", "kind", "portable", "capability", "manifest", "key"],
)
def test_state_that_no_honest_client_sends_is_refused(harbour: Harbour, rows: list[list[Any]], why: str) -> None:
    if not why:
        lie(harbour, twist=state(*rows))
        return
    with pytest.raises((ProtocolError, EmporionError), match=why):
        lie(harbour, twist=state(*rows))


@pytest.mark.parametrize("kind", [Kind.DICT, Kind.SET])
def test_twenty_thousand_equal_hashes_are_refused(harbour: Harbour, kind: int) -> None:
    """Long ints in place of 64-bit ones: an inline value is an array of tag and hexadecimal text."""
    keys = [[1, f"{number * MODULUS + 1:x}"] for number in range(1, 20_001)]
    row = [kind, *keys, *([0] * 20_000 if kind == Kind.DICT else [])]
    with pytest.raises(ProtocolError, match="equal hashes"):
        lie(harbour, twist=state(row))


def test_a_clients_exception_that_would_fill_the_hosts_memory_when_printed_is_survived(harbour: Harbour) -> None:
    tall: Any = []
    for _ in range(60):
        tall = [tall, tall]

    class Trap:
        @emporion.expose
        def spring(self) -> None:
            raise ValueError(tall)

    def play(trap: Any) -> None:
        trap.spring()

    with pytest.raises(RemoteError, match="ValueError"):
        harbour.stage(play).go(Trap())
    echoed = harbour.stage(lambda error: error).go(ValueError(tall))
    assert type(echoed) is ValueError

    def missing(key: Any) -> None:
        raise KeyError(key)

    proxy = harbour.stage(missing)
    for go in (proxy.go, lambda key: emporion.dispatch(proxy.go, key).result(ANSWER_S)):
        with pytest.raises((KeyError, RemoteError)):
            go(tall)
    harbour.ears.wait_for(lambda: [r for r in harbour.ears.records if "its text is too long" in r.getMessage()])


def test_a_class_whose_objects_can_be_called_makes_one_when_its_handle_is_called(harbour: Harbour) -> None:
    module = harbour.shelf.module("class Agent:\n    def __call__(self):\n        return 'called'\n")
    assert harbour.stage(lambda cls: cls()()).go(module.Agent) == "called"
