"""Code at rest: bounded, checked, held and pinned, labelled and yanked; in memory and in a file alike."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from emporion.agents.manifest import digest_of
from emporion.errors import ConfigurationError, LimitExceeded, ProtocolError
from emporion.runtime.code.disk import DiskCodeStore
from emporion.runtime.code.kept import MAX_LABELS, Kept
from emporion.runtime.code.store import CodeStore, MemoryCodeStore

Store = MemoryCodeStore | DiskCodeStore
Make = Callable[..., Store]


def text(number: int, size: int = 100) -> str:
    return f"n = {number:06}\n".ljust(size, "#")


def put(store: CodeStore, number: int, size: int = 100) -> str:
    source = text(number, size)
    store.put(digest_of(source), source)
    return digest_of(source)


def line_of(store: CodeStore, digest: str) -> Kept:
    (found,) = [kept for kept in store.listing() if kept.digest == digest]
    return found


@pytest.fixture(params=["memory", "disk"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """Makes the one store of a test, with these bounds."""
    made: list[Store] = []

    def make(**options: Any) -> Store:
        made.append(MemoryCodeStore(**options) if request.param == "memory" else DiskCodeStore(tmp_path, **options))
        return made[-1]

    yield make
    for store in made:
        store.close()


# --- texts


def test_a_text_comes_back_by_its_digest(make: Make) -> None:
    store: CodeStore = make()
    digest = put(store, 1)
    assert store.get(digest) == text(1)
    assert store.get(digest_of("other")) is None


def test_a_text_under_a_foreign_digest_is_a_protocol_error(make: Make) -> None:
    store = make()
    known = put(store, 1)
    for attempt in (store.put, store.check):
        for digest in (digest_of("x = 1"), known):
            with pytest.raises(ProtocolError, match="digest"):
                attempt(digest, "x = 2")
    with pytest.raises(ProtocolError):
        store.put("0" * 64, "x = '\udc80'")
    assert len(store) == 1


def test_a_text_that_has_changed_in_memory_is_gone() -> None:
    store = MemoryCodeStore()
    digest = put(store, 1)
    store._entries[digest].source = text(2)
    assert store.text(digest) is None
    assert store.get(digest) is None
    assert digest not in store
    assert store.used_bytes == 0


def test_what_was_unused_for_longest_goes_first(make: Make) -> None:
    store = make(max_bytes=300)
    first, second, third = (put(store, n) for n in range(3))
    store.get(first)
    put(store, 3)
    assert (first in store, second in store, third in store) == (True, False, True)
    assert store.get(second) is None
    assert store.used_bytes == 300


def test_the_number_of_texts_is_bounded_too(make: Make) -> None:
    store = make(max_modules=2)
    first, *_ = (put(store, n) for n in range(3))
    assert first not in store
    assert len(store) == 2


def test_held_texts_stay_and_a_full_store_says_so(make: Make) -> None:
    store = make(max_bytes=250)
    first = put(store, 1)
    store.hold([first])
    store.hold([first])
    put(store, 2)
    put(store, 3)
    assert first in store
    store.release([first])
    with pytest.raises(LimitExceeded) as caught:
        put(store, 4, 200)
    assert (caught.value.limit, caught.value.used, caught.value.allowed) == ("max_bytes", 300, 250)
    assert len(store) == 2, "a text that does not fit must not push others out"
    store.release([first])
    put(store, 4, 200)
    assert first not in store


def test_a_hold_may_come_before_the_text(make: Make) -> None:
    store = make(max_modules=1)
    store.hold([digest_of(text(1))])
    put(store, 1)
    with pytest.raises(LimitExceeded, match="max_modules"):
        put(store, 2)


def test_compiled_code_belongs_to_a_text_and_a_key(make: Make) -> None:
    store = make()
    digest = put(store, 1)
    store.put_compiled(digest, "policy 1", b"code")
    assert store.compiled(digest, "policy 1") == b"code"
    assert store.compiled(digest, "policy 2") is None
    store.put_compiled(digest_of("absent"), "policy 1", b"code")
    assert store.compiled(digest_of("absent"), "policy 1") is None


def test_compiled_code_counts_and_goes_with_its_text() -> None:
    store = MemoryCodeStore(max_bytes=1000)
    first = put(store, 1)
    store.put_compiled(first, "k", b"x" * 500)
    store.put_compiled(first, "k", b"x" * 600)
    assert store.used_bytes == 700
    second = put(store, 2, 400)
    assert first not in store
    assert store.used_bytes == 400
    store.put_compiled(second, "k", b"x" * 5000)
    assert store.compiled(second, "k") is None
    assert second in store


def test_the_same_text_twice_counts_once(make: Make) -> None:
    store = make()
    put(store, 1)
    put(store, 1)
    assert (len(store), store.used_bytes) == (1, 100)


def test_many_threads_leave_the_books_in_order(make: Make) -> None:
    store = make(max_bytes=2_000)
    wrong: list[object] = []

    def work(seed: int) -> None:
        try:
            for step in range(200):
                digest = put(store, (seed * step) % 50)
                store.put_compiled(digest, "k", b"x" * (step % 90))
                store.record({f"m{seed}": digest}, f"p{step}")
                wrong.extend({store.get(digest)} - {None, text((seed * step) % 50)})
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in (3, 7, 11, 13)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    memory = store if isinstance(store, MemoryCodeStore) else store._memory
    assert memory.used_bytes == sum(entry.weight for entry in memory._entries.values())
    put(store, 50)  # labels are counted as they come, and make way with the next text
    assert store.used_bytes <= 2_000
    assert len(store) == len(store.listing())


# --- labels


def test_a_store_remembers_under_which_names_and_from_whom_a_text_came(make: Make) -> None:
    now = iter(range(1_000, 2_000))
    store = make(clock=lambda: float(next(now)))
    digest = put(store, 1)
    assert store.record({"trip.a": digest}, "nora@192.0.2.1") == [("trip.a", digest)]
    assert store.record({"trip.b": digest}, "otto@192.0.2.2") == [("trip.b", digest)]
    assert store.record({"trip.a": digest}, "nora@192.0.2.1") == []
    labels = line_of(store, digest).labels
    nora, otto = ("trip.a", "nora@192.0.2.1"), ("trip.b", "otto@192.0.2.2")
    assert [(label.name, label.peer) for label in labels] == [nora, otto]
    assert labels[0].first_s < labels[1].first_s == labels[1].last_s < labels[0].last_s


def test_labels_are_bounded_and_the_last_seen_stay(make: Make) -> None:
    store = make()
    digest = put(store, 1)
    for number in range(MAX_LABELS + 5):
        store.record({f"name{number}": digest}, "p" * 5_000 + "\n\x1b")
    labels = line_of(store, digest).labels
    assert [label.name for label in labels] == [f"name{number}" for number in reversed(range(5, MAX_LABELS + 5))]
    assert all(len(label.peer) < 300 and label.peer.isprintable() for label in labels)


def test_labels_go_with_their_text(make: Make) -> None:
    store = make(max_modules=1)
    first = put(store, 1)
    store.record({"trip.a": first}, "nora")
    second = put(store, 2)
    store.record({"trip.a": first}, "nora")
    assert [(kept.digest, kept.labels) for kept in store.listing()] == [(second, ())]
    put(store, 1)
    assert line_of(store, first).labels == ()


# --- the operator's hand


def test_pinned_texts_stay_until_they_are_unpinned_however_calls_come_and_go(make: Make) -> None:
    store = make(max_modules=2)
    first = put(store, 1)
    store.pin(first)
    store.pin(first)
    store.hold([first])
    store.release([first])
    put(store, 2)
    put(store, 3)
    assert first in store
    assert line_of(store, first).pinned
    store.unpin(first)
    put(store, 4)
    put(store, 5)
    assert first not in store


def test_a_yanked_text_is_not_here_for_anybody_but_the_operator(make: Make) -> None:
    store = make()
    digest = put(store, 1)
    other = put(store, 2)
    store.put_compiled(digest, "k", b"code")
    store.yank(digest, " steals\nboots ")
    assert store.yanked(digest) == "steals\\nboots"
    assert (store.get(digest), store.compiled(digest, "k")) == (None, None)
    put(store, 1)
    assert store.get(digest) is None, "uploaded again it would be back"
    assert store.get(other) == text(2)
    assert store.text(digest) == text(1)
    assert line_of(store, digest).yanked == "steals\\nboots"
    store.unyank(digest)
    assert store.yanked(digest) is None
    assert store.get(digest) == text(1)


def test_what_never_came_can_be_yanked_and_does_not_come(make: Make) -> None:
    store = make(max_modules=1)
    digest = digest_of(text(1))
    store.yank(digest, "known from elsewhere")
    put(store, 1)
    assert len(store) == 0
    put(store, 2)
    put(store, 3)
    assert (digest in store, store.yanked(digest)) == (False, "known from elsewhere")
    assert line_of(store, digest) == Kept(digest, None, None, False, "known from elsewhere")


def test_yanks_are_the_same_object_until_something_changes(make: Make) -> None:
    store = make()
    digest = put(store, 1)
    none = store.yanks()
    put(store, 2)
    assert store.yanks() is none
    store.yank(digest, "bad")
    some = store.yanks()
    assert (dict(none), dict(some)) == ({}, {digest: "bad"})
    put(store, 3)
    assert store.yanks() is some
    store.unyank(digest)
    assert dict(store.yanks()) == {}


def test_decisions_want_a_digest_and_a_reason(make: Make) -> None:
    store = make()
    for wrong in ("", "ab" * 31, "AB" * 32, "zz" * 32, "ab" * 32 + "\n"):
        for decide in (store.pin, store.unpin, store.unyank, lambda digest: store.yank(digest, "why")):
            with pytest.raises(ConfigurationError, match="64"):
                decide(wrong)
    with pytest.raises(ConfigurationError, match="say why"):
        store.yank("ab" * 32, "  ")
    assert store.listing() == []


def test_a_list_begins_with_what_was_used_last(make: Make) -> None:
    store = make()
    first, second, third = (put(store, n) for n in range(3))
    store.get(first)
    store.pin("ab" * 32)
    assert [kept.digest for kept in store.listing()] == [first, third, second, "ab" * 32]
    assert [kept.size for kept in store.listing()] == [100, 100, 100, None]
