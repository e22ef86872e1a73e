"""The blocks that go by imports, consignment and sender, and the one that keeps its reasons from the peer."""

import gc
import threading
import time
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from emporion.errors import ConfigurationError, ProtocolError
from emporion.validators.code import (
    Block,
    Consignment,
    Signature,
    addresses,
    all_of,
    any_of,
    callers,
    check_validator,
    digests,
    downloads,
    imports,
    judge,
    judge_closure,
    max_modules,
    max_size,
    names,
    not_,
    quiet,
    rate,
    uploads,
)
from emporion.validators.code.visible import MAX_CHARS, MAX_LINES, MAX_TOKENS, Unreadable, visible_imports
from emporion.validators.consignment import MAX_SIGNATURES, check_signatures, signed_bytes
from emporion.validators.remembered import Remembered
from emporion.validators.verdict import Verdict

HERE = ("192.0.2.1", 4711)
TEXT = "x = 1\n"
GOODS = Consignment({"agent.shopping": "0" * 64, "agent.deep.tools": "1" * 64})


def coming(validator: Any, text: str = TEXT, address: Any = HERE, **options: Any) -> Verdict:
    return judge(validator, "agent.shopping", text, address, **options)


# --- consignments -----------------------------------------------------------------------------------------------


def test_who_has_a_parameter_consignment_is_given_it() -> None:
    def both(name: str, module: object, address: object, *, consignment: Any, caller: Any) -> bool:
        return consignment is GOODS and caller == "harry"

    for asked in (both, all_of(both), not_(not_(both)), quiet(both)):
        assert coming(asked, consignment=GOODS, caller="harry")
        assert not coming(asked, caller="harry")
    assert judge_closure(both, {"a": TEXT}, HERE, "harry", consignment=GOODS) is None
    assert all_of(both)("agent", TEXT, HERE, "harry", GOODS)


def test_a_consignment_keeps_what_it_was_made_of() -> None:
    manifest = {"a": "0" * 64}
    goods = Consignment(manifest)
    before = goods.id
    manifest["b"] = "1" * 64
    assert dict(goods.manifest) == {"a": "0" * 64}
    assert (goods.id, Consignment({"a": "0" * 64}).id) == (before, before)
    assert Consignment(manifest).id != before
    assert Consignment({"a": "0" * 64}) != goods  # by identity


def test_what_is_signed_is_the_manifest_in_the_order_of_its_names() -> None:
    manifest = {"b": "1" * 64, "a": "0" * 64, "ä": "2" * 64}
    text = f"emporion manifest 1\na\n{'0' * 64}\nb\n{'1' * 64}\nä\n{'2' * 64}\n"
    assert signed_bytes(manifest) == text.encode()


@pytest.mark.parametrize("manifest", [{"a\n" + "0" * 64 + "\nb": "0" * 64}, {"a": "0" * 63}, {"a": "0" * 64 + "\n"}])
def test_no_manifest_can_pass_for_another(manifest: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError):
        signed_bytes(manifest)
    with pytest.raises(ConfigurationError):
        Consignment(manifest).is_signed(Signature("0" * 64, "0" * 128))


PAIR = ["0" * 64, "1" * 128]


def test_a_peers_signatures_are_read_as_pairs() -> None:
    assert check_signatures([PAIR]) == (Signature(*PAIR),)
    assert check_signatures(()) == ()


@pytest.mark.parametrize(
    "pairs",
    [
        None, "", {}, 3, [None], [["0" * 64]], [PAIR, PAIR], [["A" * 64, PAIR[1]]], [[PAIR[0], "1" * 127]], [[0, 1]],
        [[PAIR[0] + "\n", PAIR[1]]], [[f"{n:064x}", PAIR[1]] for n in range(MAX_SIGNATURES + 1)],
    ],
)  # fmt: skip
def test_what_are_no_signatures_is_a_protocol_error(pairs: object) -> None:
    with pytest.raises(ProtocolError):
        check_signatures(pairs)


def test_modules_are_counted_by_consignment() -> None:
    assert coming(max_modules(2), consignment=GOODS)
    verdict = coming(max_modules(1), consignment=GOODS)
    assert (verdict.accepted, verdict.reason) == (False, "'agent.shopping' is one of 2 modules, 1 are allowed")
    assert not coming(max_modules(2))
    assert not coming(not_(max_modules(2)))


def test_what_is_remembered_is_bounded_and_the_least_used_goes_first() -> None:
    cache: Remembered[int, int] = Remembered(2)
    asked: list[int] = []

    def find(key: int) -> int:
        asked.append(key)
        return -key

    for key in (1, 2, 1, 3, 1, 2):
        assert cache.get(key, partial(find, key)) == -key
    assert asked == [1, 2, 3, 2]
    assert len(cache) == 2


# --- imports ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        ("import math\n", True),
        ("import math, collections.abc as c\n", True),
        ("from collections.abc import Set\nfrom math import *\n", True),
        ("from . import tools\nfrom .. import json\nfrom ...socket import x\n", True),
        ("import agent.deep.tools, agent.deep, agent\nfrom agent import other\n", True),
        ("import agents\n", False),
        ("import agent.other\n", False),
        ("import os\n", False),
        ("import math as os, os as math\n", False),
        ("def f():\n    if 0: import os\n", False),
        ("from os import path\n", False),
        ("import collections\n", False),
        ("x = '''\nimport os\n'''\n# import os\n", True),
        ("x = 1\u2028import os\n", False),
        ("x = 1 \\\nimport os", False),
        ("'''\\'''\r; import os\r'''", True),
        ("'''\r'''; import os\r", False),
    ],
)
def test_imports_are_held_against_the_patterns(text: str, accepted: bool) -> None:
    verdict = coming(imports("math", "collections.*"), text, consignment=GOODS)
    assert verdict.accepted is accepted, verdict.reason


def test_a_denial_names_what_is_imported() -> None:
    verdict = coming(imports("math"), "import a, b, c, d, math\n")
    assert verdict.reason == "'agent.shopping' imports 'a', 'b', 'c' and 1 more; 'math' may be imported"


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')\n",
        "importlib.import_module('os')\n",
        "exec('import os')\n",
        "x = eval\n",
        "__builtins__['open']\n",
        "x = \uff45val\n",
        "f'{__import__(1)}'\n",
        "rf'''{\neval(x)}'''\n",
        "F'{\uff45val(x)}'\n",
        "_\uff3fimport__('os')\n",
        "this is (no python\n",
        "import\n",
        "import a.b c\n",
        "import 1\n",
        "import (a)\n",
        "x = $\n",
        "x = 'a\n",
        "if x:\n        a\n    b\n",
        "x = '\ud800'\n",
        "x = '\0'\n",
        "\\",
        "\ufeffimport math\n",
    ],
)
def test_where_imports_cannot_be_told_nothing_is_accepted_nor_its_opposite(text: str) -> None:
    assert not coming(imports("*"), text)
    assert not coming(not_(imports("nothing")), text)
    with pytest.raises(Unreadable):
        visible_imports(text)


@pytest.mark.parametrize(
    "text",
    [
        "#" * (MAX_CHARS + 1),
        "\n" * (MAX_LINES + 1),
        "()()()()\n" * (MAX_TOKENS // 8),
        "x;" * (MAX_CHARS // 2),
        "import " + "a," * 100_000,
        "x;" * 500 + "'" + "a" * 200_000 + "'",
        "é" * 201,
    ],
)
def test_what_is_too_much_to_read_cannot_be_told(text: str) -> None:
    with pytest.raises(Unreadable, match=r"more than|too many"):
        visible_imports(text)


def filled(unit: str) -> str:
    """As much of it as is read."""
    return (unit * (MAX_CHARS // len(unit)))[: MAX_CHARS - 8]


@pytest.mark.parametrize(
    "text",
    [
        filled("1"), filled("1_"), filled("1" * 100 + "\n"), filled("0") + "1", filled(" "), filled("a"), filled("("),
        "'" + filled("a"), "'" + filled("\\a"), '"""' + filled('\\"'), "'''" + filled("abcdef\n"), filled("x=1+2\n"),
        "'" + filled("\\\n"), "(" + filled("a,bcdef\n"), "f'" + filled("\ufdfa") + "'", filled("1e1j\n"),
        "".join(" " * depth + "if 1:\n" for depth in range(600)), filled("e\u0301"), filled("a\u0327\u0301;"),
    ],
)  # fmt: skip
def test_the_worst_text_costs_a_fraction_of_a_second(text: str) -> None:
    begun_s = time.thread_time()
    coming(imports("*"), text)
    assert time.thread_time() - begun_s < 3  # 0.3 s where nobody else is at work; without bounds some take minutes


def test_a_text_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "import math  # read once\n"
    assert coming(imports("math"), text)
    monkeypatch.setattr("emporion.validators.code.visible._tokens", None)
    assert coming(imports("math"), text)
    assert not coming(imports("os"), text)


# --- senders ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("identity", "accepted"),
    [("nora", True), ("staff-1", True), ("Nora", False), ("otto", False), (None, False), (7, False)],
)
def test_callers_fit_by_their_identity(identity: object, accepted: bool) -> None:
    caller = SimpleNamespace(identity=identity)
    block = callers("nora", "staff-*")
    assert coming(block, caller=caller).accepted is accepted
    assert judge(block, "objects.tv", None, None, caller=caller).accepted is accepted
    assert accepted or coming(block, caller=caller).told_reason == "not for this caller"


def test_nobody_fits_no_pattern() -> None:
    assert not coming(callers("*"))
    assert not coming(callers("*"), caller=SimpleNamespace(identity=None))
    assert "without identity" in coming(callers("*"), caller=None).reason


@pytest.mark.parametrize(
    ("ip", "accepted"),
    [
        ("10.1.2.3", True), ("::ffff:10.1.2.3", True), ("11.1.2.3", False), ("2001:db8::1", True), ("::1", False),
        ("fe80::1%eth0", True), ("a socket", False), ("", False),
    ],
)  # fmt: skip
def test_addresses_lie_in_networks(ip: str, accepted: bool) -> None:
    verdict = coming(addresses("10.0.0.0/8", "2001:db8::1", "fe80::/10"), address=(ip, 1))
    assert verdict.accepted is accepted
    assert accepted or verdict.told_reason == "not from this address"
    assert accepted or "2001:db8::1" in verdict.reason


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def goods() -> Consignment:
    return Consignment({"agent.shopping": "0" * 64})


def test_a_rate_counts_consignments_by_address() -> None:
    clock = Clock()
    block = rate(2, 10, clock=clock)
    kept = [goods(), goods()]
    for one in kept:
        for _ in range(5):  # five modules
            assert coming(block, consignment=one)
        clock.now_s += 1
    verdict = coming(block, consignment=goods())
    assert (verdict.accepted, verdict.reason) == (
        False, "2 consignments from 192.0.2.1 in 10 s are the most: try again later",
    )  # fmt: skip
    assert coming(block, address=("192.0.2.2", 1), consignment=goods())
    assert coming(block, consignment=kept[0])  # its last module
    clock.now_s = 109.9
    assert not coming(block, consignment=goods())
    clock.now_s = 110.0
    assert coming(block, consignment=goods())  # denied ones did not count
    assert not coming(block, consignment=goods())


def test_a_rate_counts_modules_that_come_without_a_consignment() -> None:
    block = rate(2, 10, clock=Clock())
    assert [coming(block).accepted for _ in range(3)] == [True, True, False]


def test_looking_does_not_count() -> None:
    block = all_of(names("*"), not_(not_(rate(1, 10, clock=Clock()))))
    for _ in range(3):
        assert "rate(1, 10) accepts" in block.explain("a", TEXT, HERE)
        assert coming(block, peek=True)
    assert coming(block)
    assert not coming(block, peek=True)
    assert "rate(1, 10) denies: 1 consignments from 192.0.2.1" in block.explain("a", TEXT, HERE)


def test_addresses_of_one_subscriber_count_as_one() -> None:
    block = rate(1, 10, clock=Clock())
    assert coming(block, address=("2001:db8::1", 1))
    assert not coming(block, address=("2001:db8::ffff:2", 2))
    assert coming(block, address=("2001:db8:0:1::1", 1))
    assert coming(block, address=("192.0.2.1", 1))
    assert not coming(block, address=("::ffff:192.0.2.1", 1))


def test_a_rate_forgets_what_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    block = rate(1, 10, clock=clock)
    for number in range(100):
        coming(block, address=(f"10.0.0.{number}", 1), consignment=goods())
    gc.collect()
    assert len(block._let_in) == 0  # nobody holds the goods any longer
    clock.now_s += 10
    coming(block)
    assert (len(block._window), len(block._window._counts)) == (1, 1)
    monkeypatch.setattr("emporion.validators.window.MAX_COUNTED", 2)
    assert coming(block, address=("10.0.0.1", 1))
    assert "try again later" in coming(block, address=("10.0.0.2", 1)).reason
    assert len(block._window) == 2


def test_a_rate_holds_for_many_threads() -> None:
    block = rate(50, 1000)
    begin = threading.Barrier(4)
    accepted: list[bool] = []

    def ask() -> None:
        begin.wait(10)
        accepted.extend(coming(block).accepted for _ in range(100))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (len(accepted), sum(accepted)) == (400, 50)


@pytest.mark.parametrize("block", [addresses("::/0"), rate(1, 1), imports("*")])
def test_what_needs_incoming_code_denies_going_out_also_when_inverted(block: Block) -> None:
    assert not judge(block, "objects.tv", None, None)
    assert not judge(not_(block), "objects.tv", None, None)


# --- what peers hear --------------------------------------------------------------------------------------------


def raising(name: str, module: object, address: object) -> bool:
    raise RuntimeError("password")


HIDDEN = "denied by the host's policy"


@pytest.mark.parametrize(
    ("block", "heard"),
    [
        (quiet(names("secret")), HIDDEN),
        (all_of(names("*"), quiet(names("secret"))), HIDDEN),
        (any_of(names("open"), quiet(names("secret"))), f"the name 'agent.shopping' fits none of 'open'; {HIDDEN}"),
        (any_of(quiet(names("secret")), quiet(names("secret"))), HIDDEN),
        (not_(quiet(not_(names("secret")))), HIDDEN),
        (not_(all_of(names("*"), any_of(quiet(not_(names("secret")))))), HIDDEN),
        (quiet(raising), HIDDEN),
        (all_of(raising), "the validator failed"),
        (any_of(raising, names("o")), "the validator failed; the name 'agent.shopping' fits none of 'o'"),
    ],
)
def test_the_log_gets_reasons_that_the_peer_does_not(block: Block, heard: str) -> None:
    verdict = coming(block)
    assert not verdict
    assert verdict.told_reason == heard
    assert "secret" in verdict.reason or "RuntimeError: password" in verdict.reason
    assert verdict.reason in block.explain("agent.shopping", TEXT, HERE)
    assert block("agent.shopping", TEXT, HERE) == verdict  # asked by a function of the operator's


def test_a_quiet_block_decides_like_the_one_inside() -> None:
    assert coming(quiet(names("*")))
    assert not coming(not_(quiet(max_modules(1))))  # it cannot tell
    assert coming(not_(quiet(names("no"))))


@pytest.mark.parametrize(
    ("field", "value"), [("accepted", 1), ("accepted", "no"), ("reason", None), ("told", 1), ("instead", b"")]
)
def test_a_verdict_of_wrong_types_denies(field: str, value: Any) -> None:
    wrong = Verdict(**{"accepted": True, field: value})
    assert not coming(lambda *_: wrong)
    assert not coming(not_(lambda *_: wrong))


def test_a_block_that_raises_denies_also_when_inverted() -> None:
    class Broken(names):
        def _weigh(self, question: Any) -> Any:
            raise KeyError("x")

    for block in (Broken("*"), not_(Broken("*")), not_(not_(Broken("*")))):
        verdict = coming(block)
        assert not verdict
        assert (verdict.reason, verdict.told_reason) == ("the validator raised KeyError: 'x'", "the validator failed")
    assert not Broken("*")("a", TEXT, HERE)


# --- the checker ------------------------------------------------------------------------------------------------


def forgetful(name: str, module: str | None, address: object) -> bool | None:
    if module:
        return True
    return None if name == "objects.goods" else False


async def later(name: str, module: object, address: object) -> bool:
    return True


def test_the_checker_finds_answers_that_are_none() -> None:
    (found,) = check_validator(forgetful)
    why = "the validator returned NoneType, not a bool or a Verdict"
    assert found == f"forgetful, asked about 'objects.goods' going out: {why}"
    assert check_validator(all_of(names("*"), any_of(names("*"), forgetful))) == [found]
    assert "coroutine" in check_validator(later)[0]
    assert "RuntimeError: password" in check_validator(not_(raising))[0]
    wants = "takes 1 positional argument"
    assert any(wants in line for line in check_validator(lambda name: True))


def test_the_checker_asks_about_the_names_it_is_given() -> None:
    def picky(name: str, module: object, address: object, caller: Any) -> bool:
        return bool({"mine": 3}[name]) if name == "mine" else caller.identity == "nora" and 1 / len(name) > 0

    assert check_validator(picky, "mine") == []
    assert check_validator(lambda name, module, address: 2 if name == "mine" else True, "mine")
    assert check_validator(lambda name, module, address: 2 if name == "mine" else True) == []


def test_the_checker_has_nothing_against_blocks_and_spends_nothing() -> None:
    limited = rate(1, 10, clock=Clock())
    every = (names("*"), digests(deny=["0" * 64]), max_size(1), imports("*"), max_modules(1), callers("*"),
             addresses("::/0"), limited)  # fmt: skip
    assert check_validator(any_of(downloads(names("*")), uploads(all_of(*every)), quiet(not_(any_of(*every))))) == []
    assert coming(limited)


# --- what cannot be right, and what is shown --------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: imports(),
        lambda: imports(""),
        lambda: callers(),
        lambda: callers(None),  # type: ignore[arg-type]
        lambda: addresses(),
        lambda: addresses("10.0.0.1/8"),
        lambda: addresses("home"),
        lambda: addresses(10),  # type: ignore[arg-type]
        lambda: max_modules(0),
        lambda: max_modules(True),
        lambda: rate(0, 1),
        lambda: rate(1, 0),
        lambda: rate(1, float("nan")),
        lambda: rate(1, float("inf")),
        lambda: rate(10**9, 1),
        lambda: rate(1, 1, clock=3),  # type: ignore[arg-type]
        lambda: quiet("no"),  # type: ignore[arg-type]
        lambda: Signature("0" * 63, "0" * 128),
        lambda: Signature("0" * 64, b"0" * 128),  # type: ignore[arg-type]
    ],
)
def test_a_block_that_cannot_be_right_is_refused_when_made(wrong: Any) -> None:
    with pytest.raises(ConfigurationError):
        wrong()


def test_blocks_show_what_they_are_and_explain_what_they_would_decide() -> None:
    caller = SimpleNamespace(identity="nora")
    block = quiet(all_of(imports("math"), max_modules(9), callers("n*"), addresses("192.0.2.0/24"), rate(5, 60)))
    inner = "all_of(imports('math'), max_modules(9), callers('n*'), addresses('192.0.2.0/24'), rate(5, 60))"
    assert repr(block) == f"quiet({inner})"
    lines = block.explain("agent.shopping", "import os\n", HERE, caller, GOODS).splitlines()
    why = "'agent.shopping' imports 'os'; 'math' may be imported"
    assert lines == [
        f"quiet({inner}) denies: {why}",
        f"  {inner} denies: {why}",
        f"    imports('math') denies: {why}",
        "    max_modules(9) accepts",
        "    callers('n*') accepts",
        "    addresses('192.0.2.0/24') accepts",
        "    rate(5, 60) accepts",
    ]
