"""Which imports a module's text shows, read from its tokens: foreign source is never parsed in a host's own process.

A tokenizer builds nothing and nests nothing; what it costs is bounded here. Whatever cannot be read without doubt is
"cannot tell": text that Python would refuse, and names that import what no reader can see.

Source: docs.python.org, "Lexical analysis" and "The import statement"; lines end as CPython's compiler has them.
"""

import hashlib
import io
import re
import tokenize
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ..remembered import Remembered

__all__ = ["Imported", "Unreadable", "visible_imports"]

MAX_CHARS: Final = 256 * 1024  # digits take longest, 1 us each on 3.11. Few modules that people write have as much
# What a tokenizer costs goes by its tokens (1.5 to 2.5 us each), its lines (0.5 us) and, in early versions of 3.12, for
# each token by the length of the line that it stands on.
MAX_TOKENS: Final = 100_000  # 15,000 lines of ordinary code; 0.25 s
MAX_LINES: Final = 50_000
MAX_LINE_WORK: Final = 32 * 1024 * 1024  # characters: for each token those of its line
MAX_NAME_CHARS: Final = 200  # folding a name (NFKC) takes quadratic time where it has many accents

# Whoever mentions one of these can import what no reader of the text can tell.
_HIDDEN: Final = frozenset({"__import__", "import_module", "exec", "eval", "__builtins__", "__loader__"})
_HIDDEN_IN_TEXT: Final = re.compile(rf"\b(?:{'|'.join(sorted(_HIDDEN))})\b")
_NOT_ASCII: Final = re.compile(r"[^\x00-\x7f]")
_FORMATTED: Final = re.compile(r"[a-zA-Z]*[fFtT][a-zA-Z]*['\"]")  # the beginning of an f-string
_PASSED_OVER: Final = frozenset({tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT})
_NEVER_PLAIN: Final = frozenset({tokenize.NEWLINE, tokenize.ENDMARKER})


@dataclass(frozen=True, slots=True)
class Imported:
    """What one import names: a dotted name, "" after ``from .``, and its number of leading dots."""

    name: str
    level: int = 0


class Unreadable(Exception):
    """The imports cannot be told; the text says why."""


def visible_imports(source: str) -> frozenset[Imported]:
    """Every import statement of a module's text, wherever it stands: ``from a import b`` counts as one of ``a``.

    At most 0.3 s for the worst text; remembered by the text's digest.

    Raises:
        Unreadable: The text is no Python, or too much of it, or it mentions what imports unseen.
    """
    if len(source) > MAX_CHARS:
        raise Unreadable(f"it has more than {MAX_CHARS} characters")
    try:
        digest = hashlib.sha256(source.encode()).digest()
    except UnicodeEncodeError:
        raise Unreadable("it has characters that UTF-8 cannot write") from None
    found = _READ.get(digest, lambda: _read(source))
    if isinstance(found, str):
        raise Unreadable(found)
    return found


_READ: Final[Remembered[bytes, frozenset[Imported] | str]] = Remembered(1_000)


def _read(source: str) -> frozenset[Imported] | str:
    """The imports, or why they cannot be told."""
    try:
        return frozenset(_imports(_tokens(source)))
    except Unreadable as error:
        return str(error)
    except (tokenize.TokenError, SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return f"it cannot be read as Python ({type(error).__name__})"


def _tokens(source: str) -> Iterator[tokenize.TokenInfo]:
    """The tokens that matter, within bounds, none of them a sign of what imports unseen."""
    text = source.replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        raise Unreadable("it has null characters")  # on which the tokenizers of 3.12 and 3.13 break (SystemError)
    if text.count("\n") > MAX_LINES:
        raise Unreadable(f"it has more than {MAX_LINES} lines")
    work = 0
    # Only "\n" ends a line here; str.splitlines would also split at form feeds and U+2028, and see other statements.
    for count, token in enumerate(tokenize.generate_tokens(io.StringIO(text, newline="\n").readline)):
        work += len(token.line)
        if count >= MAX_TOKENS or work > MAX_LINE_WORK:
            raise Unreadable("it has too many tokens, or too many on one line")
        if _is_no_python(token):
            raise Unreadable(f"line {token.start[0]} has characters that are no Python")
        if token.type not in _PASSED_OVER:
            _check(token)
            yield token


def _is_no_python(token: tokenize.TokenInfo) -> bool:
    """Before 3.12 that is a kind of its own; since then it is an operator, or part of a name."""
    text = token.string
    if token.type == tokenize.NAME:
        return not text.isidentifier()
    unknown = token.type == tokenize.OP and text not in tokenize.EXACT_TOKEN_TYPES
    return unknown or token.type == tokenize.ERRORTOKEN


def _check(token: tokenize.TokenInfo) -> None:
    if token.type == tokenize.NAME:
        if _folded(token) in _HIDDEN:
            raise Unreadable(f"line {token.start[0]} mentions {_folded(token)}, which can import unseen")
    elif token.type == tokenize.STRING and _FORMATTED.match(token.string):
        # Before 3.12 an f-string is one token, code inside included. Letters that fold into ASCII do so one by one.
        text = _NOT_ASCII.sub(lambda found: unicodedata.normalize("NFKC", found[0]), token.string)
        hidden = _HIDDEN_IN_TEXT.search(text)
        if hidden:
            raise Unreadable(f"line {token.start[0]} mentions {hidden[0]}, which can import unseen")


def _folded(token: tokenize.TokenInfo) -> str:
    """A name as Python compares it."""
    name = token.string
    if name.isascii():
        return name
    if len(name) > MAX_NAME_CHARS:
        raise Unreadable(f"line {token.start[0]} has a name of more than {MAX_NAME_CHARS} characters")
    return unicodedata.normalize("NFKC", name)


def _imports(tokens: Iterator[tokenize.TokenInfo]) -> Iterator[Imported]:
    """``import`` is a keyword: each is an import statement, of the ``from`` kind when a name lies between the two."""
    origin: list[str] | None = None  # what followed the last `from`: names and dots
    for token in tokens:
        if token.type == tokenize.NAME and token.string == "from":
            origin = []
        elif token.type == tokenize.NAME and token.string == "import":
            if origin:
                path = "".join(origin)
                name = path.lstrip(".")
                yield Imported(name, len(path) - len(name))
            else:
                yield from _plain(tokens, token.start[0])
            origin = None
        elif origin is not None and token.type == tokenize.NAME:
            origin.append(_folded(token))
        elif origin is not None and token.string in (".", "..."):
            origin.append(token.string)
        else:
            origin = None


def _plain(tokens: Iterator[tokenize.TokenInfo], line: int) -> Iterator[Imported]:
    """The names of ``import a, b.c as d``, to the end of the statement."""
    name: list[str] = []
    alias = False
    for token in tokens:
        over = token.type in _NEVER_PLAIN or token.string == ";"
        if over or token.string == ",":
            yield _module(name, line)
            name, alias = [], False
            if over:
                return
        elif token.type == tokenize.NAME and token.string == "as":
            alias = True
        elif token.type != tokenize.NAME and token.string != ".":
            break
        elif not alias:
            if token.type == tokenize.NAME and name and name[-1] != ".":
                break
            name.append(_folded(token))
    raise Unreadable(f"line {line} has an import that is no Python")


def _module(parts: list[str], line: int) -> Imported:
    name = "".join(parts)
    if not all(part.isidentifier() for part in name.split(".")):
        raise Unreadable(f"line {line} has an import that is no Python")
    return Imported(name)
