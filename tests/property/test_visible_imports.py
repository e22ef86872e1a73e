"""What is read from tokens is what the parser reads: no text hides an import from the one and shows it to the other."""

import ast
import warnings

from emporion.validators.code.visible import Imported, Unreadable, visible_imports
from hypothesis import assume, event, given
from hypothesis import strategies as st

NAMES = ["os", "a.b", "json", "größe", "ﬁle", "a . b", "x.\\\n  y", "_", "match", "type", "fr\u043em", "importer", "é"]
name = st.sampled_from(NAMES)
alias = st.one_of(st.just(""), st.just(" as z"), st.just("\tas \\\n\f q"))
dots = st.sampled_from(["", "", "", ".", "..", "...", ". .", "....", ".\\\n."])


@st.composite
def statements(draw: st.DrawFn) -> str:
    """One line or several that have an import, look as if they had one, or hide one behind something else."""
    one, other, level = draw(name), draw(name), draw(dots)
    plain = f"import {one}{draw(alias)}"
    several = f"import {one}{draw(alias)} , {other}"
    taken = f"from {level}{one} import c{draw(alias)}"
    inner = draw(st.sampled_from([plain, several, taken]))
    return draw(
        st.sampled_from(
            [
                plain,
                several,
                taken,
                f"from {level} import c" if level else plain,
                f"from{level}import(c, d,)" if level else several,
                f"from {level}{one} import (c, # import hidden\n   d as\n e,)",
                f"from {one} import *",
                f"x = 1; {inner}; y = 2",
                f"if x: {inner}",
                f"def f():\n    '''import doc'''\n    {inner}\n    yield from g\n    raise A from b",
                f"class C:\n\tdef f(self):\n\t\t{inner}",
                f"s = 'import {one}'; t = '''\nimport {one}\n'''",
                f"s = 'a\\\nimport {one}'",
                f"s = '''\\'''\nimport {one}\n\\\\'''; {inner}",
                f's = """it\'s " \\""" {inner} """',
                f"f'import {{x}} {one}'; {inner}",
                f"f'''\n{inner} {{x!r:>{{w}}}}\n'''",
                f"# {inner}",
                f"x = [\n1, # {inner}\n2]\n{inner}",
                f"rb'\\'; import os #'; {inner}",
                "x.imports = y.from_ = 1",
                f"def g():\n    yield from x; {inner}",
                f"try:\n  {inner}\nexcept ImportError: pass",
                f"\f{inner}",
                f"\\\n{inner}",
                f"x = 0xfor 1\n{inner}",
                f"lambda: (yield)\n\n\n{inner}",
                f"match x:\n case 1: {inner}",
                f"async def f():\n async with a as b: {inner}",
                f"x = '\u2028{inner}'",
                f"x = 1 # \u2028{inner}\x0c{inner}",
                f"{inner} # \x1c{inner}",
            ]
        )
    )


ends = st.sampled_from(["\n", "\n", "\r\n", "\r", "\n\n", "\n \t\n", ";", "\\\n", "\x0c\n", "\u2028", "\x0b"])
texts = st.lists(st.tuples(statements(), ends)).map(lambda parts: "".join(a + b for a, b in parts))
WORDS = ["import", "from", ".", "...", "a", "b", ",", "(", ")", "*", "as", ";", "\n", "\r", " ", "    ", "\t", "\f",
         "\\", "\\\n", "'", '"', "'''", '"""', "#", "f'", "rb'", "{", "}", "if x:", "0", "x=", "é", "ﬁ", "\u2028",
         "\x00", "·", "yield ", "raise "]  # fmt: skip
soups = st.lists(st.sampled_from(WORDS)).map("".join)


def parsed(source: str) -> frozenset[Imported] | None:
    """What the parser finds; None for what is no Python."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError):
            return None
    found: set[Imported] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {Imported(alias.name) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(Imported(node.module or "", node.level))
    return frozenset(found)


@given(texts)
def test_tokens_show_the_imports_that_the_parser_finds(source: str) -> None:
    expected = parsed(source)
    assume(expected is not None)
    event(f"{min(len(expected or ()), 3)} imports")
    assert visible_imports(source) == expected


@given(st.one_of(soups, st.text()))
def test_whatever_the_text_no_import_is_hidden(source: str) -> None:
    """What is no Python may be read or refused; what is Python is refused only for letters unknown to the tokenizer."""
    expected = parsed(source)
    try:
        found = visible_imports(source)
    except Unreadable:
        assert expected is None or not source.isascii()
    else:
        assert expected is None or found == expected
