"""Code validators: how they are asked, how strictly they are read, and the blocks."""

import functools
from typing import Any

import pytest
from emporion.agents.manifest import digest_of
from emporion.errors import ConfigurationError
from emporion.validators.code import (
    MAX_REASON_CHARS,
    Block,
    all_of,
    any_of,
    digests,
    downloads,
    judge,
    judge_closure,
    max_size,
    names,
    not_,
    uploads,
)
from emporion.validators.verdict import ACCEPT, Verdict

HERE = ("127.0.0.1", 7766)
TEXT = "x = 1\n"


def coming(validator: Any, name: str = "agent.shopping", text: str = TEXT, caller: object = None) -> Verdict:
    return judge(validator, name, text, HERE, caller=caller)


def going(validator: Any, name: str = "objects.tv") -> Verdict:
    return judge(validator, name, None, None)


def seeds(name: str, module: str | None, address: tuple[str, int] | None) -> bool:
    if module and address:
        return name == "agent.shopping"
    return name.startswith("objects.")


def test_a_plain_function_decides_both_directions() -> None:
    assert coming(seeds)
    assert not coming(seeds, "agent.robbing")
    assert going(seeds)
    assert not going(seeds, "secrets.keys")


def test_no_validator_denies() -> None:
    assert coming(None) == Verdict(False, "the object has no code validator")


def raising(name: str, module: object, address: object) -> bool:
    raise KeyError("the list")


async def later(name: str, module: object, address: object) -> bool:
    return True


@pytest.mark.parametrize(
    "validator",
    [
        lambda *_: None,
        lambda *_: 2,
        lambda *_: "yes",
        lambda *_: [1],
        lambda *_: 1.0,
        lambda: True,
        lambda name: True,
        raising,
        later,
        3,
    ],
)
def test_whatever_is_no_clear_yes_denies_also_when_inverted(validator: Any) -> None:
    for asked in (validator, *([] if validator == 3 else [not_(validator), not_(not_(validator)), all_of(validator),
                                                          not_(any_of(validator, names("no"))),
                                                          not_(all_of(names("*"), validator)),
                                                          not_(uploads(validator))])):  # fmt: skip
        verdict = coming(asked)
        assert type(verdict) is Verdict
        assert not verdict
        assert verdict.reason


@pytest.mark.parametrize(("answer", "accepted"), [(True, True), (1, True), (ACCEPT, True), (False, False), (0, False)])
def test_a_bool_a_bit_or_a_verdict_is_an_answer(answer: object, accepted: bool) -> None:
    assert coming(lambda *_: answer).accepted is accepted
    assert coming(not_(lambda *_: answer)).accepted is not accepted


def test_an_exception_is_the_reason_and_reaches_the_log() -> None:
    seen: list[Exception] = []
    verdict = judge(raising, "a", TEXT, HERE, on_error=seen.append)
    assert verdict.reason == "the validator raised KeyError: 'the list'"
    assert seen[0].__traceback__ is not None
    judge(all_of(not_(raising)), "a", TEXT, HERE, on_error=seen.append)
    assert len(seen) == 2

    def wordy(name: str, module: object, address: object) -> bool:
        raise ValueError("x" * 10_000)

    assert len(coming(wordy).reason) == MAX_REASON_CHARS


class Club:
    def __init__(self) -> None:
        self.seen: list[object] = []

    def __call__(self, name: str, module: object, address: object, caller: object = None) -> bool:
        self.seen.append(caller)
        return caller == "harry"

    def method(self, name: str, module: object, address: object, *, caller: object) -> bool:
        return caller == "harry"


def wrapped(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


def closed_wrapper(function: Any) -> Any:
    @functools.wraps(function)
    def wrapper(*args: Any) -> Any:
        return function(*args, "harry")

    return wrapper


@pytest.mark.parametrize(
    "validator",
    [
        Club(),
        Club().method,
        lambda name, module, address, caller: caller == "harry",
        functools.partial(lambda extra, name, module, address, caller: caller == "harry", 1),
        wrapped(lambda name, module, address, caller: caller == "harry"),
    ],
)
def test_who_has_a_parameter_caller_is_told_the_caller(validator: Any) -> None:
    for asked in (validator, all_of(validator), any_of(names("no"), not_(not_(validator))), uploads(validator)):
        assert coming(asked, caller="harry")
        assert not coming(asked, caller="sally")


def test_who_has_no_parameter_caller_is_not_told() -> None:
    assert coming(seeds, caller="harry")
    assert coming(lambda *arguments: len(arguments) == 3, caller="harry")
    assert coming(closed_wrapper(lambda name, module, address, caller: caller == "harry"), caller="sally")
    assert coming(lambda name, module, address, /, **other: not other, caller="harry")


@pytest.mark.parametrize(
    ("pattern", "name", "accepted"),
    [
        ("agent.*", "agent.shopping", True),
        ("agent.*", "agent.deep.er", True),
        ("agent.*", "agent", False),
        ("agent.*", "agents.shopping", False),
        ("agent.*", "Agent.shopping", False),
        ("agent.*", "my.agent.shopping", False),
        ("agent.?", "agent.x", True),
        ("agent.shopping", "agent.shopping", True),
        ("agent.shopping", "agentXshopping", False),
    ],
)
def test_name_patterns(pattern: str, name: str, accepted: bool) -> None:
    for verdict in (coming(names("no", pattern), name), going(names("no", pattern), name)):
        assert verdict.accepted is accepted
        assert accepted or repr(pattern) in verdict.reason


def test_directions() -> None:
    both = any_of(uploads(names("agent.*")), downloads(names("objects.*")))
    assert coming(both)
    assert going(both)
    assert not coming(both, "objects.tv")
    assert not going(both, "agent.shopping")
    assert coming(both, "objects.tv").reason == "the name 'objects.tv' fits none of 'agent.*'"
    assert going(both, "agent.shopping").reason == "the name 'agent.shopping' fits none of 'objects.*'"
    assert coming(any_of(downloads(names("*")))).reason == "'agent.shopping' is no download"
    assert not coming(downloads(names("*")))
    assert not going(uploads(names("*")))
    for module, address in [(None, HERE), (TEXT, None), ("", HERE)]:
        for half in (uploads(names("*")), downloads(names("*")), not_(uploads(names("no"))), not_(downloads(raising))):
            assert not judge(half, "agent", module, address)


def test_digests_allow_and_deny() -> None:
    mine, other = digest_of(TEXT), digest_of("y = 2\n")
    assert coming(digests(allow=[mine]))
    assert not coming(digests(allow=[other]))
    assert not coming(digests(allow=[mine], deny=[mine]))
    assert coming(digests(deny=[other]))
    assert "deny list" in coming(digests(deny=[mine])).reason
    assert not coming(digests(allow=[]))


def test_sizes_are_counted_in_bytes() -> None:
    assert coming(max_size(6))
    assert not coming(max_size(6), text="x='ä'\n")
    assert "7 bytes, 6 are allowed" in coming(max_size(6), text="x='ä'\n").reason


@pytest.mark.parametrize("block", [digests(allow=["0" * 64]), digests(deny=["0" * 64]), max_size(9)])
def test_what_needs_a_source_denies_where_there_is_none_also_when_inverted(block: Block) -> None:
    assert not going(block)
    assert not going(not_(block))
    assert coming(not_(not_(block))).accepted is coming(block).accepted


def test_an_undecided_part_does_not_keep_others_from_deciding() -> None:
    assert coming(any_of(raising, names("agent.*")))
    assert coming(not_(all_of(raising, names("no"))))
    verdict = coming(all_of(raising, names("no")))
    assert "fits none" in verdict.reason


def test_a_block_that_is_overridden_is_asked_as_overridden() -> None:
    class Strict(names):
        def __call__(self, *question: Any) -> Verdict:
            return Verdict(False, "closed today")

    assert coming(Strict("*")).reason == "closed today"
    assert coming(any_of(Strict("*"))).reason == "closed today"


def test_blocks_show_what_they_are_and_explain_themselves() -> None:
    reason = f"the digest {digest_of(TEXT)[:16]}... of 'agent.shopping' is not on the allow list"
    block = all_of(uploads(names("agent.*")), not_(max_size(3)), seeds, digests(allow=["0" * 64]))
    assert repr(block) == "all_of(uploads(names('agent.*')), not_(max_size(3)), seeds, digests(allow=<1>))"
    assert block.explain("agent.shopping", TEXT, HERE).splitlines() == [
        f"{block!r} denies: {reason}",
        "  uploads(names('agent.*')) accepts",
        "    names('agent.*') accepts",
        "  not_(max_size(3)) accepts",
        "    max_size(3) denies: 'agent.shopping' has 6 bytes, 3 are allowed",
        "  seeds accepts",
        f"  digests(allow=<1>) denies: {reason}",
    ]
    assert "max_size(3) cannot tell" in block.explain("agent.shopping", None, None)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: names(),
        lambda: names(""),
        lambda: names(3),  # type: ignore[arg-type]
        lambda: digests(),
        lambda: digests(allow=["abc"]),
        lambda: digests(deny="0" * 64),
        lambda: digests(allow=""),
        lambda: max_size(0),
        lambda: max_size(True),
        lambda: all_of(),
        lambda: any_of(),
        lambda: all_of("agent.*"),  # type: ignore[arg-type]
        lambda: not_(None),  # type: ignore[arg-type]
    ],
)
def test_a_block_that_cannot_be_right_is_refused_when_made(wrong: Any) -> None:
    with pytest.raises(ConfigurationError):
        wrong()


def test_a_closure_is_judged_whole_in_the_order_of_names() -> None:
    sources = {"b": TEXT, "c": TEXT, "a": TEXT}
    asked: list[str] = []

    def watching(name: str, module: str | None, address: object) -> bool:
        asked.append(name)
        return name != "b"

    found = judge_closure(watching, sources, HERE)
    assert found is not None
    assert found[0] == "b"
    assert asked == ["a", "b"]
    assert judge_closure(names("?"), sources, HERE) is None
    assert judge_closure(downloads(names("?")), dict.fromkeys(sources), None) is None
    assert judge_closure(Club(), {"a": TEXT}, HERE, "harry") is None
