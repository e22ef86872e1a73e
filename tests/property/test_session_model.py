"""The contract of chains (docs/protocol.md, "Chains") against a model: random trees of nested calls in both directions.

First two `Session` objects joined by two queues: hypothesis draws the trees and the interleaving, nothing runs by
itself. Then two drivers with real threads over a socketpair, in the clear and under TLS.
"""

import random
import socket
import ssl
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
from emporion import expose
from emporion.errors import CallTimeout, EmporionError, ProtocolError
from emporion.runtime.connection.channel import Channel
from emporion.runtime.connection.driver import Driver
from emporion.runtime.connection.session import MAX_CHAINS, MAX_INBOX, Asked, Chain, Kind, Pending, Session
from emporion.runtime.connection.tls import client_context, server_context
from emporion.runtime.connection.tls_transport import TLSTransport
from emporion.runtime.connection.transport import PlainTransport, Transport
from emporion.runtime.peer import DIRECTORY, Peer
from emporion.runtime.wire.codecs import CODECS
from emporion.runtime.wire.messages import (
    Body,
    Call,
    Cancel,
    Code,
    Fault,
    Goodbye,
    Message,
    NeedCode,
    Op,
    Output,
    Ping,
    Pong,
    Release,
    Result,
)
from emporion.runtime.workers import Parking, Workers
from hypothesis import given, settings
from hypothesis import strategies as st

STEPS = 5_000  # of one model run; far more than its calls can need
PATIENCE_S = 8.0  # no thread of a run here needs a tenth of this


@dataclass(eq=False)
class Node:
    """One call of a tree: it makes the calls of its children, one after the other, and answers with its number."""

    number: int
    children: list["Node"]
    parent: "Node | None" = None
    caller: "Thread | None" = None
    given_up: bool = False

    def orphaned(self) -> bool:
        """Whether the one who asked, or one further up, no longer waits."""
        return self.given_up or (self.parent is not None and self.parent.orphaned())


Step = Generator[None, None, None]


@dataclass(eq=False)
class Thread:
    """A logical thread of one end: a generator that yields wherever a real one could be interrupted."""

    end: "End"
    chain: Chain | None = None  # the one in which it works
    steps: Step | None = None


class Chance:
    """Where the run turns: as drawn while there is something drawn (so that it shrinks), then by a seed."""

    def __init__(self, drawn: bytes, seed: int) -> None:
        self._drawn = iter(drawn)
        self._random = random.Random(seed)

    def below(self, limit: int) -> int:
        """A number from 0 to `limit` - 1; `limit` is at most 256."""
        drawn = next(self._drawn, None)
        return self._random.randrange(limit) if drawn is None else drawn % limit


@dataclass(eq=False)
class World:
    """Two ends, what is on its way between them, and every call by its number."""

    chance: Chance
    impatience: int  # of 256: how likely a waiting thread gives up at a step
    nodes: dict[int, Node] = field(default_factory=dict)
    ends: list["End"] = field(default_factory=list)

    def grow(self, shape: list[Any], parent: Node | None = None) -> Node:
        """The tree of `shape`, a list of subtrees, with numbers."""
        node = self.nodes[len(self.nodes)] = Node(len(self.nodes), [], parent)
        node.children += [self.grow(child, node) for child in shape]
        return node


class End:
    """One end as a driver would run it, by the same contract, one step at a time."""

    def __init__(self, world: World, *, initiator: bool) -> None:
        self.world = world
        self.session = Session(initiator=initiator)
        self.on_the_way: deque[Message] = deque()  # from here to the other end
        self.threads: list[Thread] = []
        self.sent: dict[int, int] = {}  # my calls: how many answers arrived
        self.workers: dict[Chain, Thread] = {}  # who works in a chain

    def start(self, steps: Callable[[Thread], Step]) -> Thread:
        thread = Thread(self)
        thread.steps = steps(thread)
        self.threads.append(thread)
        return thread

    def flush(self) -> None:
        self.on_the_way += self.session.outbox
        self.session.outbox = []

    # --- what a thread does ---
    def run_roots(self, nodes: Sequence[Node], thread: Thread) -> Step:
        """A user's thread that calls the tops of some trees, one after the other."""
        spare: Chain | None = None
        for node in nodes:
            pending = self.session.open_own(spare, Result)
            spare = pending.chain
            yield from self.call(thread, pending, node)

    def call(self, thread: Thread, pending: Pending, node: Node) -> Step:
        chain = pending.chain
        before = self.enter(thread, chain)
        node.caller = thread
        self.sent[pending.id] = 0
        yield
        self.on_the_way.append(Call(pending.id, chain.id, 1, Op.CALL, "run", [], Body([node.number])))
        answer = None
        while True:
            if pending.answer is not None:
                answer = self.session.take(pending)
                break
            if isinstance(chain.inbox, deque) and chain.inbox:
                yield from self.serve(chain.inbox.popleft(), thread)
            elif self.world.chance.below(256) < self.world.impatience:
                node.given_up = True
                self.session.abandon(pending)
                break
            yield
        self.leave(thread, before)
        self.flush()
        if answer is not None:
            check_answer(node, answer[0])

    def serve(self, asked: Asked, thread: Thread) -> Step:
        message = asked.message
        assert isinstance(message, Call)
        before = self.enter(thread, asked.chain)
        node = self.world.nodes[message.body.roots[0]]
        if node.parent is not None and not node.parent.orphaned():
            # What is nested comes to the thread that waits: the one that made the call of which this is a part.
            assert thread is node.parent.caller
        for child in node.children:
            yield
            if not asked.cancelled:
                yield from self.call(thread, self.session.open_call(asked.chain), child)
        self.leave(thread, before)
        self.session.answered(asked)
        self.on_the_way.append(Result(message.call, Body([node.number])))
        self.flush()

    def enter(self, thread: Thread, chain: Chain) -> Chain | None:
        before, thread.chain = thread.chain, chain
        assert self.workers.setdefault(chain, thread) is thread, "two threads of one end in one chain"
        return before

    def leave(self, thread: Thread, before: Chain | None) -> None:
        if before is None and thread.chain is not None:
            del self.workers[thread.chain]
        thread.chain = before

    # --- what arrives ---
    def receive(self, message: Message) -> None:
        if isinstance(message, Result | Fault):
            self.sent[message.call] += 1
        delivery = self.session.receive(message)
        if isinstance(delivery, Asked):
            self.begin(delivery)
        elif isinstance(delivery, Chain):
            assert delivery in self.workers, "woke a chain in which nobody works"
        else:
            assert delivery.kind in (Kind.NOTHING, Kind.CANCEL)
        self.flush()

    def begin(self, asked: Asked) -> None:
        """A call that begins a chain: it needs a thread, which may come to it late."""
        assert isinstance(asked.message, Call)
        node = self.world.nodes[asked.message.body.roots[0]]
        assert node.parent is None or node.parent.orphaned(), "a nested call began a chain"
        assert asked.chain not in self.workers
        self.workers[asked.chain] = self.start(partial(self.serve, asked))

    def check_books(self) -> None:
        """What holds after every step."""
        session = self.session
        for chain in session.chains.values():
            assert chain.open_calls >= len(chain.inbox)
        for asked in session.asked.values():
            assert asked.chain in session.chains.values()
        assert all(count <= 1 for count in self.sent.values())

    def check_quiet(self) -> None:
        session = self.session
        assert not (session.chains or session.pending or session.asked or session.outbox)
        assert session._abandoned == 0
        assert not (self.threads or self.workers or self.on_the_way)
        assert all(count == 1 for count in self.sent.values()), "a call without its one answer"


def check_answer(node: Node, answer: object) -> None:
    if isinstance(answer, Result):
        assert answer.body.roots == [node.number]
    else:
        assert isinstance(answer, Fault)
        assert node.orphaned(), f"a refusal for a call that was wanted: {answer.text}"


def run_to_the_end(world: World) -> None:
    """Move one thing at a time, drawn at random, until nothing can move."""
    left, right = world.ends
    for _ in range(STEPS):
        moves: list[Callable[[], None]] = []
        for here, there in ((left, right), (right, left)):
            if here.on_the_way:
                moves.append(partial(carry, here, there))
            moves += [partial(step, thread) for thread in here.threads]
        if not moves:
            return
        moves[world.chance.below(len(moves))]()
        left.check_books()
        right.check_books()
    raise AssertionError("the calls do not come to an end")


def carry(here: End, there: End) -> None:
    there.receive(here.on_the_way.popleft())


def step(thread: Thread) -> None:
    assert thread.steps is not None
    try:
        next(thread.steps)
    except StopIteration:
        thread.end.threads.remove(thread)


SHAPES: st.SearchStrategy[list[Any]] = st.recursive(
    st.just([]), lambda shapes: st.lists(shapes, max_size=3), max_leaves=12
)
USERS = st.lists(st.tuples(st.integers(0, 1), st.lists(SHAPES, min_size=1, max_size=3)), min_size=1, max_size=4)


@settings(max_examples=300, deadline=None)
@given(USERS, st.builds(Chance, st.binary(max_size=60), st.integers(0, 2**32)), st.sampled_from([0, 0, 5, 50]))
def test_every_call_is_answered_once_with_its_own_value_in_its_own_thread(
    users: list[tuple[int, list[Any]]], chance: Chance, impatience: int
) -> None:
    world = World(chance, impatience)
    world.ends += [End(world, initiator=True), End(world, initiator=False)]
    for side, shapes in users:
        end, nodes = world.ends[side], [world.grow(shape) for shape in shapes]
        end.start(partial(end.run_roots, nodes))

    run_to_the_end(world)

    for end in world.ends:
        end.check_quiet()
    if not impatience:
        assert all(node.caller is not None for node in world.nodes.values()), "a call was never made"


# --- hostile messages ------------------------------------------------------------------------------------------------

NUMBERS = st.integers(-1, 6)
BODY = Body([])
HOSTILE: st.SearchStrategy[Message] = st.one_of(
    st.builds(lambda call, chain: Call(call, chain, 1, Op.CALL, "run", [], BODY), NUMBERS, NUMBERS),
    st.builds(lambda call: Result(call, BODY), NUMBERS),
    st.builds(lambda call: Fault(call, "E", "", "", BODY), NUMBERS),
    st.builds(lambda call: Code(call, {}), NUMBERS),
    st.builds(lambda call, chain: NeedCode(call, chain, {}), NUMBERS, NUMBERS),
    st.builds(Cancel, NUMBERS),
    st.builds(lambda number: Release({number: number}), NUMBERS),
    st.builds(Ping, NUMBERS),
    st.builds(Pong, NUMBERS),
    st.just(Goodbye("")),
    st.just(Output("a", "b")),
)


@settings(max_examples=300, deadline=None)
@given(st.booleans(), st.data())
def test_a_hostile_peer_gets_an_instruction_or_a_protocol_error_and_nothing_else(
    initiator: bool, data: st.DataObject
) -> None:
    """Honest work goes on at this end meanwhile; whatever comes, the books stay consistent and bounded."""
    session = Session(initiator=initiator)
    mine: list[Pending] = []
    serving: list[Asked] = []
    for _ in range(data.draw(st.integers(1, 40))):
        match data.draw(st.sampled_from(["hear", "hear", "hear", "ask", "take", "abandon", "answer"])):
            case "ask":
                if serving and data.draw(st.sampled_from([True, False])):
                    mine.append(session.open_call(serving[-1].chain))
                else:
                    mine.append(session.open_own(mine[-1].chain if mine else None, Result))
            case "take" if mine and mine[-1].answer is not None:
                session.take(mine.pop())
            case "abandon" if mine:
                session.abandon(mine.pop())
            case "answer" if serving:
                session.answered(serving.pop())
            case "hear":
                try:
                    delivery = session.receive(data.draw(HOSTILE))
                except ProtocolError:
                    return  # the connection ends here
                if isinstance(delivery, Asked):
                    serving.append(delivery)
        for chain in session.chains.values():
            assert chain.open_calls >= len(chain.inbox)
        assert all(asked.chain.id in session.chains for asked in session.asked.values())
        assert {pending.id for pending in mine} <= set(session.pending)


@given(st.integers(MAX_INBOX, MAX_INBOX + 20))
def test_a_flood_in_one_chain_ends_the_connection(count: int) -> None:
    session = Session(initiator=False)
    session.receive(Call(1, 1, 1, Op.CALL, "run", [], BODY))

    with pytest.raises(ProtocolError, match="one thing at a time"):
        for call in range(2, count + 3):
            session.receive(Call(call, 1, 1, Op.CALL, "run", [], BODY))

    assert len(session.asked) == MAX_INBOX + 1


def test_a_flood_of_chains_is_refused_call_by_call() -> None:
    session = Session(initiator=False)
    for number in range(MAX_CHAINS + 500):
        session.receive(Call(number + 1, 2 * number + 1, 1, Op.CALL, "run", [], BODY))

    assert len(session.chains) == len(session.asked) == MAX_CHAINS
    assert [type(message) for message in session.outbox] == [Fault] * 500


# --- real threads ----------------------------------------------------------------------------------------------------


class Traveller:
    """The exposed object of each end: runs a tree, calling the other end for the subtrees."""

    def __init__(self) -> None:
        self.other: Any = None
        self.wrong: list[str] = []

    @expose
    def run(self, shape: list[Any], waiting: list[int]) -> int:
        """The number of nodes in `shape`. `waiting`: the thread that waits at the other end, and the one at this."""
        caller, mine = waiting
        if mine and mine != threading.get_ident():
            self.wrong.append("a nested call ran in another thread than the one that waits")
        counts: list[int] = [self.other.run(child, [threading.get_ident(), caller]) for child in shape]
        return 1 + sum(counts)

    @expose
    def hold(self, name: str) -> str:
        """Answer later than anybody waits, but not never."""
        HELD[name].wait(PATIENCE_S)
        return name


HELD: dict[str, threading.Event] = {}


class TravellerPeer(Peer):
    """An end whose directory gives its one object."""

    def __init__(self, where: str) -> None:
        super().__init__(where)
        self.root = Traveller()

    def directory(self, method: str, args: Sequence[Any], kwargs: Any) -> Any:
        return self.root


def transports(tls: bool) -> tuple[Transport, Transport]:
    """Two ends of a socketpair, with TLS 1.3 between them if wanted."""
    left, right = socket.socketpair()
    if not tls:
        return PlainTransport(left), PlainTransport(right)
    context = server_context().context
    hosts: list[ssl.SSLSocket] = []
    accepting = threading.Thread(target=lambda: hosts.append(context.wrap_socket(right, server_side=True)))
    accepting.start()
    client = client_context().wrap_socket(left)
    accepting.join(PATIENCE_S)
    return TLSTransport(client), TLSTransport(hosts[0])


@contextmanager
def connected(tls: bool, workers: int = 4) -> Iterator[tuple[TravellerPeer, TravellerPeer]]:
    """Two peers that know each other's root object; afterwards their books must be empty, and all threads ended."""
    peers = TravellerPeer("right"), TravellerPeer("left")
    machines = [(Parking("model"), Workers(workers, "model")) for _ in peers]
    for peer, transport, (parking, pool) in zip(peers, transports(tls), machines, strict=True):
        channel = Channel(transport, codecs=CODECS.values(), max_frame_bytes=2**24)
        peer.driver = Driver(channel, peer, initiator=peer is peers[0], parking=parking, workers=pool)
    try:
        for peer in peers:
            peer.driver.start()
        for peer in peers:
            peer.root.other = peer.call(DIRECTORY, Op.CALL, "root", (), {})
        yield peers
    finally:
        for peer in peers:
            peer.close()
        for parking, pool in machines:
            pool.close()
            parking.close()


def all_together(work: Sequence[Callable[[], object]]) -> None:
    """Run each piece on a thread of its own; fail with the first error, or if one does not come to an end."""
    errors: list[BaseException] = []

    def guarded(piece: Callable[[], object]) -> None:
        try:
            piece()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(piece,), daemon=True) for piece in work]
    for thread in threads:
        thread.start()
    until_s = time.monotonic() + PATIENCE_S
    for thread in threads:
        thread.join(max(0.0, until_s - time.monotonic()))
    if errors:
        raise errors[0]
    assert not any(thread.is_alive() for thread in threads), "threads wait for ever"


def until_quiet(*peers: Peer) -> None:
    """Wait until the books of all are empty: cancelled calls are answered a moment after their callers went on."""
    until_s = time.monotonic() + PATIENCE_S
    for peer in peers:
        session = peer.driver._session
        while session.chains or session.pending or session.asked or session.outbox:
            assert time.monotonic() < until_s, f"left over: {session.chains} {session.pending} {session.asked}"
            time.sleep(0.001)  # another thread has to get on: there is no event for "nothing more"
        assert session._abandoned == 0


def random_tree(source: random.Random, depth: int) -> list[Any]:
    return [random_tree(source, depth - 1) for _ in range(source.randrange(4))] if depth else []


def size(shape: list[Any]) -> int:
    return 1 + sum(map(size, shape))


def travel(peer: TravellerPeer, seed: int, rounds: int) -> None:
    source = random.Random(seed)
    for _ in range(rounds):
        shape = random_tree(source, 4)
        assert peer.root.other.run(shape, [threading.get_ident(), 0]) == size(shape)


def call_with_deadline(peer: TravellerPeer, name: str, wait_s: float) -> None:
    """A call that nobody answers in time, and the other end's late answer."""
    HELD[name] = threading.Event()
    other: Any = peer.root.other

    message = Call(0, 0, other._number, Op.CALL, "hold", [], Body([name]))
    with pytest.raises(CallTimeout):
        peer.driver.request(message, deadline_s=time.monotonic() + wait_s)
    HELD[name].set()


def run_late(peer: TravellerPeer, number: int) -> None:
    for turn in range(12):
        call_with_deadline(peer, f"{peer.where}-{number}-{turn}", 0.001 * (turn % 4))


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_threads_of_both_ends_call_each_other_through_random_trees(tls: bool) -> None:
    with connected(tls) as peers:
        all_together(
            [partial(travel, peer, seed, 60) for peer in peers for seed in range(4)]
        )

        assert [peer.root.wrong for peer in peers] == [[], []]
        until_quiet(*peers)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_calls_that_run_out_of_time_leave_nothing_behind_and_hold_nobody_up(tls: bool) -> None:
    with connected(tls, workers=8) as peers:
        late = [partial(run_late, peer, n) for peer in peers for n in range(2)]
        all_together([*late, *(partial(travel, peer, 7, 40) for peer in peers)])

        assert [peer.root.wrong for peer in peers] == [[], []]
        until_quiet(*peers)


def test_threads_that_change_hands_at_every_moment_lose_nothing() -> None:
    """A tiny switch interval moves the interpreter to another thread in the middle of nearly everything."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with connected(False) as peers:
            all_together(
                [partial(travel, peer, seed, 25) for peer in peers for seed in range(4)]
            )
            assert [peer.root.wrong for peer in peers] == [[], []]
            until_quiet(*peers)
    finally:
        sys.setswitchinterval(before)


def test_one_worker_at_each_end_is_enough_for_any_nesting() -> None:
    with connected(False, workers=1) as peers:
        all_together(
            [partial(travel, peer, seed, 25) for peer in peers for seed in range(3)]
        )
        until_quiet(*peers)


def test_a_connection_cut_among_many_calls_ends_every_one_of_them() -> None:
    with connected(False, workers=8) as peers:
        reached = threading.Barrier(7)
        ended: list[EmporionError] = []

        def wait_until_cut(peer: TravellerPeer, name: str) -> None:
            HELD[name] = threading.Event()
            reached.wait(PATIENCE_S)
            with pytest.raises(EmporionError) as caught:
                peer.root.other.hold(name)
            ended.append(caught.value)

        def cut() -> None:
            reached.wait(PATIENCE_S)
            peers[0].driver._channel.transport.abort()

        waiting = [partial(wait_until_cut, peer, f"cut-{peer.where}-{n}") for peer in peers for n in range(3)]
        all_together([*waiting, cut])
        for name in list(HELD):
            HELD[name].set()

        assert len(ended) == 6
