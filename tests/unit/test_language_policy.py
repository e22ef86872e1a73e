"""The compiler's side of the language wall: what it refuses, how it says so, and what it compiles to."""

import ast
import types
from collections.abc import Iterator

import pytest
from emporion.errors import EmporionError
from emporion.runtime.sandbox.language.policy import MAX_SOURCE_BYTES, Complaint, PolicyRefused, compile_module
from emporion.runtime.sandbox.language.scopes import build_scopes
from emporion.runtime.sandbox.language.trial import try_source
from hypothesis import given
from hypothesis import strategies as st


def refusal(source: str) -> PolicyRefused:
    with pytest.raises(PolicyRefused) as refused:
        compile_module(source, name="m")
    return refused.value


def test_all_complaints_come_at_once_in_order() -> None:
    refused = refusal("x = int.__base__\ndef f(__import__): pass\n\ny = x.tb_frame\n")

    assert [(c.line, c.column) for c in refused.complaints] == [(1, 5), (2, 7), (4, 5)]
    assert str(refused.complaints[0]).startswith("line 1, column 5: attribute __base__: ")
    assert "instead: " in str(refused.complaints[0])
    assert isinstance(refused, EmporionError) and refused.module == "m" and str(refused.complaints[2]) in str(refused)


@pytest.mark.parametrize(
    ("source", "construct"),
    [
        ("def (", "syntax"),
        ("x = '\0'", "NUL byte"),
        ("x = '\ud800'", "text"),
        ("#" * (MAX_SOURCE_BYTES + 1), "size"),
        ("x = " + "(" * 300 + ")" * 300, "syntax"),
        ("x = " + "-" * 50_000 + "1", "nesting"),
        ("x = a" + ".b" * 50_000, "nesting"),
        ("return 1", "syntax"),
        ("x = 1_000_000 ** 2 if 1 else " + "9" * 5_000, "syntax"),
        ("async def f():\n  try: pass\n  except* ValueError: pass", "except*"),
    ],
)
def test_what_is_no_source_of_an_agent_is_refused(source: str, construct: str) -> None:
    assert construct in [complaint.construct for complaint in refusal(source).complaints]


@pytest.mark.parametrize(("source", "instead"), [
    ("class A:\n    def __del__(self): pass", "use a with statement, or a method that is called at the end"),
    ("class A:\n    def __reduce__(self): pass", "define __getstate__ and __setstate__"),
    ("class A:\n    __tablename__ = 'a'", "use a name without the underscores on both sides"),
    ("__init__ = 1", "use an ordinary name"),
    ("def f(x): return x.__tablename__", "for what is your own, a name without the underscores"),
])  # fmt: skip
def test_a_refused_special_name_comes_with_what_to_write_instead(source: str, instead: str) -> None:
    (complaint,) = refusal(source).complaints
    assert str(complaint).endswith(instead)


def test_a_sum_of_many_terms_is_ordinary() -> None:
    assert try_source("x = " + " + ".join(["1"] * 700) + "\nprint(x)") == "700\n"


def test_the_file_name_says_which_text_it_was() -> None:
    assert compile_module("x = 1", name="a.b", digest="0123456789abcdef").co_filename == "<a.b 01234567>"
    assert compile_module("x = 1", name="a.b").co_filename != compile_module("x = 2", name="a.b").co_filename


def test_switched_off_the_policy_lets_everything_through() -> None:
    assert compile_module("x = (1).__class__.__base__", name="m", language=False)


def codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from codes(constant)


def test_no_guard_of_the_base_class_is_compiled_in() -> None:
    """Its guards cost 4.5 times, and they are not defined here: a method we forgot to replace would show."""
    source = """
for a, (b, c) in x: a.b[1] += 2; a[1] = 3; print(a, *b, **c)
[y for (y, z) in x if y[1:2]]
with x as (a, b): n += 1
def f(*, a: int = 1) -> None:
    (a, b), c = d = x
    return {k: v for k, v in a.items()}
class A(B, k=1):
    def __init__(self): super().__init__(); self.x, self.y = 1, 2
async def g():
    async for a, b in x: await b
    async with x as (a, b): pass
match x:
    case {"a": [1, *r], **m}: pass
"""
    names = {name for code in codes(compile_module(source, name="m")) for name in code.co_names}

    assert not {name for name in names if name.startswith("_") and not name.startswith("_.") and name.endswith("_")} - {
        *("__init__", "__name__", "__module__", "__qualname__", "__class__", "__classcell__"),
        *("__firstlineno__", "__static_attributes__"),  # since 3.13
    }


def test_a_variable_that_another_function_can_rebind_is_not_steady() -> None:
    source = """
x = 0
def f(a, b, c, d):
    x = a
    def g():
        nonlocal b
        b = [c := 1 for _ in "a"]
    [d := 1 for _ in "a"]
    def h():
        global y
        y = 1
"""
    tree = ast.parse(source)
    scopes, bound = build_scopes(tree)
    module, function = scopes[tree], scopes[tree.body[1]]

    assert {name for name in "abcdxyz" if function.is_steady(name)} == {"a", "x"}  # c could be: any doubt counts
    assert {name for name in "abcdxyz" if function.is_constant(name)} == {"a"}
    assert not module.is_steady("x") and {"a", "g", "y"} <= bound


def test_the_right_side_of_a_chained_unpacking_runs_once() -> None:
    assert try_source("n = []\na, b = c, d = [n.append(1), 2]\nprint(len(n), b, d)") == "1 2 2\n"


def test_class_keywords_reach_init_subclass() -> None:
    source = "class A:\n    def __init_subclass__(cls, k): print(k)\nclass B(A, k=3): pass"

    assert try_source(source) == "3\n"


def test_docstrings_stay_docstrings() -> None:
    source = 'class A:\n    "doc"\n    def f(self):\n        "text"\n        self._x = 1\nprint(A.__doc__, A.f.__doc__)'

    assert try_source(source) == "doc text\n"


def test_an_alias_that_answers_for_another_class_opens_nothing() -> None:
    """Compiled checks read `__class__`; C's `GenericAlias` passes attributes through to what it stands for."""
    source = """
import typing
class A:
    def put(self): self._x = 1
    def get(self): return self._x
alias = type(typing.List[int])(A(), ())
try: A.put(alias)
except (AttributeError, TypeError): print("not written")
try: A.get(alias)
except AttributeError: print("not read")
"""
    assert try_source(source) == "not written\nnot read\n"


@given(st.text(max_size=200))
def test_any_text_compiles_or_is_refused(source: str) -> None:
    try:
        assert isinstance(compile_module(source, name="m"), types.CodeType)
    except PolicyRefused as refused:
        assert refused.complaints and all(isinstance(complaint, Complaint) for complaint in refused.complaints)


PIECES = [
    *("x", ".", "__class__", "_y", "(", ")", ":", "=", " ", "\n", "\n    ", "class A", "def f", "self", "lambda"),
    *("match x", "case", "import", "from", "*", "{", "}", "f'{x.__a__}'", "yield", "await", "async ", "del ", "1"),
    *("for", "in", "global "),
]


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_whatever_compiles_names_no_denied_attribute(source: str) -> None:
    try:
        compiled = compile_module(source, name="m")
    except PolicyRefused:
        return
    ours = {"__class__", "__module__", "__name__", "__qualname__", "__doc__", "__annotations__"}
    ours |= {"__firstlineno__", "__static_attributes__"}  # since 3.13
    names = {name for code in codes(compiled) for name in code.co_names}
    assert {name for name in names if name.startswith("__") and name.endswith("__")} <= ours
