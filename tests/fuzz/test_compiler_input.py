"""Mutated agents: whatever becomes of an ordinary source, it is refused by name, or runs and finds nothing.

`EMPORION_FUZZ_SECONDS` sets for how long (30): two thirds of it at a host, the rest in the compiler alone; ``make fuzz
SECONDS=3600`` runs it for an hour. What is found becomes a row of the tables in `tests/escapes`; a source that led
somewhere new becomes a file of the corpus.
"""

import os
import random
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from emporion.runtime.sandbox.language.policy import PolicyRefused, compile_module
from emporion.tests.scene import PLAIN, Scene, open_scene
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

SECONDS: Final = float(os.environ.get("EMPORION_FUZZ_SECONDS", "30"))
ROUND: Final = 200  # examples of one seed
_FOLDER: Final = Path(__file__).with_name("corpus_sources")
CORPUS: Final = {path.stem: path.read_text() for path in sorted(_FOLDER.glob("*.txt"))}
TOKEN: Final = re.compile(r"\w+|[^\w\s]+|\s+")
LINES: Final = [line for text in CORPUS.values() for line in text.splitlines()]
WORDS: Final = sorted({token for text in CORPUS.values() for token in TOKEN.findall(text) if token.strip()})
# What an attacker would put there.
HOSTILE: Final = """
    __class__ __base__ __mro__ __subclasses__ __globals__ __builtins__ __dict__ __code__ __import__ __build_class__
    __getattribute__ __reduce_ex__ __init__ __new__ __set__ __get__ __slots__ __match_args__ __annotations__ __module__
    __wrapped__ __self__ __func__ __closure__ __spec__ __loader__ __name__ __traceback__ __context__ __prepare__
    __mro_entries__ __class_getitem__ __instancecheck__ __subclasshook__ metaclass gi_frame f_back f_builtins tb_frame
    f_globals cr_frame mro format format_map register obj eval exec compile open globals locals vars dir getattr setattr
    delattr hasattr type super object property classmethod staticmethod global nonlocal del await async yield lambda
    _create_ _randbelow _make _missing_ self cls None True ... * ** := @ -> == |
""".split()
FRAGMENTS: Final = [
    "print(open('CANARY').read())", "x = getattr(x, 'gi_frame', None)", "print(x.__class__.__base__.__subclasses__())",
    "print('{0.__globals__}'.format(counter))", "x = collections.Counter.copy(Sub)", "print(x('X', (), {}))",
    "print(type(x).__call__(x))", "import os, sys", "from json import *", "setattr(x, '__class__', Own)",
    "x = functools.update_wrapper(counter, print, assigned=['__globals__'])", "print(vars(x), dir(x))", "x = type(x)",
    "class M(type(x)): pass", "match x:\n    case object(gi_frame=f, f_builtins=b): print(f, b)", "x = it",
    "try: x.nothing\nexcept AttributeError as e: print(e.obj)", "x = copy.copy(x)", "def g(): yield x\nx = g()",
    "class D(dict):\n    def __missing__(self, k): return k\nx = D()", "class K(**{'metaclass': type}): pass",
]  # fmt: skip
# Nothing of the kind is ever an agent's to print.
TELLTALE: Final = re.compile(
    r"<frame |<code object |<module '[\w.]+' \(?(from|built-in|frozen)|<cell at |<member '__|root:x:0"
)


@st.composite
def mutants(draw: st.DrawFn) -> str:
    """A source of the corpus with some tokens and lines put in, taken out, doubled or exchanged."""
    lines = draw(st.sampled_from(sorted(CORPUS.values()))).splitlines()
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(lines)))
        match draw(st.integers(0, 5)):
            case 0:
                lines[at:at] = draw(st.sampled_from(FRAGMENTS)).splitlines()
            case 1:
                lines[at:at] = [draw(st.sampled_from(LINES))]
            case 2:
                del lines[at : at + 1]
            case _ if at < len(lines):
                tokens = TOKEN.findall(lines[at]) or [""]
                spot = draw(st.integers(0, len(tokens) - 1))
                word = draw(st.sampled_from(HOSTILE) | st.sampled_from(WORDS) | st.text(max_size=3))
                tokens[spot : spot + draw(st.integers(0, 1))] = [word]
                lines[at] = "".join(tokens)
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with open_scene(tmp_path_factory.mktemp("fuzz")) as scene:
        yield scene


@pytest.mark.parametrize("name", CORPUS)
def test_what_is_mutated_runs_as_it_stands(scene: Scene, name: str) -> None:
    assert scene.attack("the language alone", CORPUS[name] + PLAIN).endswith("worked")


def _rounds(seconds: float, one: Callable[[str], None]) -> None:
    """`one` mutant after the other for so long; a failure is shrunk. The same seed gives the same mutants."""
    until_s, number, tried = time.monotonic() + seconds, random.randrange(2**32), 0
    print(f"first seed: {number}")

    def each(source: str) -> None:
        nonlocal tried
        if time.monotonic() < until_s + 30:  # shrinking may take its time, but not for ever
            tried += 1
            one(source)

    while time.monotonic() < until_s:
        options: Any = {"max_examples": ROUND, "database": None, "deadline": None}
        seed(number)(settings(**options, suppress_health_check=list(HealthCheck))(given(mutants())(each)))()
        number += 1
    print(f"{tried} mutants")


def test_a_mutant_is_refused_by_name_or_finds_nothing(scene: Scene) -> None:
    _rounds(SECONDS * 2 / 3, lambda source: _attack(scene, source))


def _attack(scene: Scene, source: str) -> None:
    if "\0" in source or any("\ud800" <= letter <= "\udfff" for letter in source):
        return  # no text that could travel
    said = scene.attack("the language alone", f"{source.replace('CANARY', str(scene.canary))}\n{PLAIN}")
    assert scene.evidence(said, language=False) == [], said
    assert TELLTALE.search(said) is None, said
    assert "did not survive" not in said and "the compiler gave no code" not in said
    assert re.search(r"^(worked$|AgentError: |CodeDenied: |LimitExceeded: )", said, re.MULTILINE), said


def test_a_mutant_compiles_to_code_or_to_complaints() -> None:
    _rounds(SECONDS / 3, _compile)


def _compile(source: str) -> None:
    try:
        code = compile_module(source, name="agent.mutant")
    except PolicyRefused as refused:
        assert refused.complaints and all(each.why and each.line >= 1 for each in refused.complaints)
    else:
        assert code.co_name == "<module>"


def test_the_telltales_are_what_escapes_print() -> None:
    frames: Any = iter(each for each in "")
    for value in (frames.gi_frame, frames.gi_code, os, re):
        assert TELLTALE.search(repr(value))
    assert not TELLTALE.search("<module 'json' for agents> <class 'type'> <function f at 0x1>")
