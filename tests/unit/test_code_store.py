"""Code at rest: bounded, checked, pinned."""

import threading

import pytest
from emporion.agents.manifest import digest_of
from emporion.errors import LimitExceeded, ProtocolError
from emporion.runtime.code.store import CodeStore, MemoryCodeStore


def text(number: int, size: int = 100) -> str:
    return f"n = {number:06}\n".ljust(size, "#")


def put(store: CodeStore, number: int, size: int = 100) -> str:
    source = text(number, size)
    store.put(digest_of(source), source)
    return digest_of(source)


def test_a_text_comes_back_by_its_digest() -> None:
    store: CodeStore = MemoryCodeStore()
    digest = put(store, 1)
    assert store.get(digest) == text(1)
    assert store.get(digest_of("other")) is None


def test_a_text_under_a_foreign_digest_is_a_protocol_error() -> None:
    store = MemoryCodeStore()
    for attempt in (store.put, store.check):
        with pytest.raises(ProtocolError, match="digest"):
            attempt(digest_of("x = 1"), "x = 2")
    with pytest.raises(ProtocolError):
        store.put("0" * 64, "x = '\udc80'")
    assert len(store) == 0


def test_a_text_that_has_changed_inside_the_store_is_gone() -> None:
    store = MemoryCodeStore()
    digest = put(store, 1)
    store._entries[digest].source = text(2)
    assert store.get(digest) is None
    assert digest not in store
    assert store.used_bytes == 0


def test_what_was_unused_for_longest_goes_first() -> None:
    store = MemoryCodeStore(max_bytes=300)
    first, second, third = (put(store, n) for n in range(3))
    store.get(first)
    put(store, 3)
    assert (first in store, second in store, third in store) == (True, False, True)
    assert store.used_bytes == 300


def test_the_number_of_texts_is_bounded_too() -> None:
    store = MemoryCodeStore(max_modules=2)
    first, *_ = (put(store, n) for n in range(3))
    assert first not in store
    assert len(store) == 2


def test_pinned_texts_stay_and_a_full_store_says_so() -> None:
    store = MemoryCodeStore(max_bytes=250)
    first = put(store, 1)
    store.hold([first])
    with store.holding([first]):
        put(store, 2)
        put(store, 3)
        assert first in store
    with pytest.raises(LimitExceeded) as caught:
        put(store, 4, 200)
    assert (caught.value.limit, caught.value.used, caught.value.allowed) == ("max_bytes", 300, 250)
    assert len(store) == 2, "a text that does not fit must not push others out"
    store.release([first])
    put(store, 4, 200)
    assert first not in store


def test_a_pin_may_come_before_the_text() -> None:
    store = MemoryCodeStore(max_modules=1)
    store.hold([digest_of(text(1))])
    put(store, 1)
    with pytest.raises(LimitExceeded, match="max_modules"):
        put(store, 2)


def test_compiled_code_belongs_to_a_text_and_a_key() -> None:
    store = MemoryCodeStore()
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


def test_the_same_text_twice_counts_once() -> None:
    store = MemoryCodeStore()
    put(store, 1)
    put(store, 1)
    assert (len(store), store.used_bytes) == (1, 100)


def test_many_threads_leave_the_books_in_order() -> None:
    store = MemoryCodeStore(max_bytes=2_000)

    def work(seed: int) -> None:
        for step in range(200):
            digest = put(store, (seed * step) % 50)
            store.put_compiled(digest, "k", b"x" * (step % 90))
            store.get(digest)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in (3, 7, 11, 13)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = [store._entries[digest] for digest in store._entries]
    assert store.used_bytes == sum(e.size + sum(map(len, e.compiled.values())) for e in kept) <= 2_000
