"""From hostile source text to a code object, or to every complaint about it at once.

Runs only in a jailed compile process (and in tests): the parser and the compiler themselves are attacked here.
Source: the design page, "Visits"; docs/threats.md.
"""

import ast
import hashlib
import sys
import types
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from .complaints import Complaint, PolicyRefused
from .transformer import AgentTransformer

__all__ = ["MAX_SOURCE_BYTES", "POLICY_VERSION", "Complaint", "PolicyRefused", "compile_module"]

# Raise it whenever the same source compiles to other code: code objects are cached by it.
POLICY_VERSION: Final = 3

# Parsing takes up to 150 times the source in memory (measured: a list of small ints); a million bytes stay within the
# compile jail's address space, and no module written by hand comes near it.
MAX_SOURCE_BYTES: Final = 1_000_000

# The transformer recurses, three Python frames a level; sums of a thousand terms are ordinary (tables of text), and
# pure Python recursion takes no C stack. The parser and the compiler keep the interpreter's own limit: theirs does.
_TRANSFORM_DEPTH: Final = 12_000


def compile_module(source: str, *, name: str, digest: str = "", language: bool = True) -> types.CodeType:
    """Compile one module of an agent.

    Args:
        source: The module's text, at most `MAX_SOURCE_BYTES` as UTF-8.
        name: Its dotted name; complaints and tracebacks show it.
        digest: SHA-256 of the text in hex; computed when empty.
        language: False switches the language wall off, to test the other wall alone.

    Raises:
        PolicyRefused: The text is too large, is not Python, nests too deeply, or uses what agents may not use.
    """
    data = _encoded(source, name)
    filename = f"<{name} {(digest or hashlib.sha256(data).hexdigest())[:8]}>"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a SyntaxWarning is the author's business, not the host's
        with _syntax_errors(name):
            tree = ast.parse(source, filename)
        if language:
            tree = _transformed(tree, name)
        with _syntax_errors(name):
            return compile(tree, filename, "exec", dont_inherit=True, optimize=0)


def _encoded(source: str, name: str) -> bytes:
    try:
        data = source.encode()
    except UnicodeEncodeError as error:
        raise _refused(name, "text", "it holds half of a surrogate pair, which is no character", "send text") from error
    if len(data) > MAX_SOURCE_BYTES:
        why = f"{len(data)} bytes are more than the {MAX_SOURCE_BYTES} a module may have"
        raise _refused(name, "size", why, "split the module")
    if b"\0" in data:
        raise _refused(name, "NUL byte", "source text has none", "write \\0 in a string literal")
    return data


def _refused(name: str, construct: str, why: str, instead: str, line: int = 1, column: int = 1) -> PolicyRefused:
    return PolicyRefused(name, (Complaint(line, column, construct, why, instead),))


@contextmanager
def _syntax_errors(name: str) -> Iterator[None]:
    """Whatever the parser or the compiler raises about hostile text becomes one refusal."""
    try:
        yield
    except SyntaxError as error:
        line, column = error.lineno or 1, error.offset or 1
        raise _refused(name, "syntax", error.msg or "invalid syntax", "", line, max(column, 1)) from None
    except (RecursionError, MemoryError):
        raise _refused(name, "nesting", "the code is nested too deeply", "use names for its parts") from None
    except (ValueError, OverflowError, SystemError) as error:
        raise _refused(name, "syntax", f"the compiler refuses it: {error}", "") from None


def _transformed(tree: ast.Module, name: str) -> ast.Module:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, _TRANSFORM_DEPTH))
    try:
        with _syntax_errors(name):
            transformer = AgentTransformer(tree, name)
            changed = transformer.visit(tree)
            ast.fix_missing_locations(changed)
    finally:
        sys.setrecursionlimit(limit)
    if transformer.complaints:
        raise PolicyRefused(name, tuple(sorted(set(transformer.complaints), key=lambda c: (c.line, c.column))))
    assert isinstance(changed, ast.Module)
    return changed
