"""Manifests: the lock file of an agent's code, {dotted module name: SHA-256 of its source}. Pure: no files, no imports.

What a peer sends as a manifest is hostile until `check_manifest` has read it.
"""

import hashlib
import keyword
import re
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final

from ..errors import ProtocolError

__all__ = [
    "MAX_CLOSURE_BYTES",
    "MAX_MODULES",
    "MAX_MODULE_BYTES",
    "MAX_NAME_CHARS",
    "check_manifest",
    "check_module_name",
    "check_qualname",
    "closure_id",
    "digest_of",
    "joined",
    "packages_of",
]

MAX_MODULES: Final = 500  # modules in one closure: ten times the largest agent we know of, and a manifest under 150 KB
MAX_MODULE_BYTES: Final = 1024 * 1024  # UTF-8 bytes of one module; the standard library's largest has half of that
MAX_CLOSURE_BYTES: Final = 8 * 1024 * 1024  # UTF-8 bytes of all modules of one closure
MAX_NAME_CHARS: Final = 200  # of a dotted name: room for eight packages inside each other

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_EMPTY_TEXT: Final = hashlib.sha256(b"").hexdigest()
_NEVER_LABELS: Final = sys.stdlib_module_names | {"emporion"}


def digest_of(source: str) -> str:
    """The identity of a module: SHA-256 of the source's UTF-8 bytes, as 64 lowercase hexadecimal digits.

    Raises:
        ProtocolError: `source` has lone surrogates, so that there are no such bytes.
    """
    try:
        return hashlib.sha256(source.encode()).hexdigest()
    except UnicodeEncodeError:
        raise ProtocolError("a module's source has characters that UTF-8 cannot write") from None


def check_module_name(name: object) -> str:
    """Give back `name` when it can label a mobile module: dotted identifiers, at most `MAX_NAME_CHARS` characters.

    Names of the standard library's modules and of this package are refused at the top level. A validator that reads
    ``json`` or ``emporion.errors`` would take a stranger's text for something it knows, and inside the agent's own
    closure such a module would stand in front of the real one. Two spellings of one name are refused as well: Python
    itself folds identifiers to NFKC, and a validator that compares text would see another name than the importer.

    Raises:
        ProtocolError: any other value; the text says which rule.
    """
    if type(name) is not str or not 0 < len(name) <= MAX_NAME_CHARS:
        raise ProtocolError(f"a module's name must be text of 1 to {MAX_NAME_CHARS} characters")
    fault = _fault(name)
    if fault:
        raise ProtocolError(f"module name {name!a} {fault}")
    return name


@lru_cache(maxsize=4_096)  # the same names come with every call
def _fault(name: str) -> str:
    """What is wrong with a name of permitted length, "" when nothing is."""
    parts = name.split(".")
    if not all(part.isidentifier() for part in parts):
        return "is not a dotted name made of identifiers"
    if not name.isascii() and unicodedata.normalize("NFKC", name) != name:
        return "has another spelling once normalised (NFKC): use that one"
    if any(map(keyword.iskeyword, parts)):
        return "contains a keyword of Python"
    if "__main__" in parts or "__init__" in parts:
        return "contains __main__ or __init__, which no module is imported as"
    if parts[0] in _NEVER_LABELS:
        return f"belongs to {'this package' if parts[0] == 'emporion' else 'the standard library'}: rename the module"
    return ""


def check_qualname(qualname: object) -> str:
    """Give back `qualname` when it can lead from a module to a class in it: dotted identifiers, none of them local.

    Raises:
        ProtocolError: any other value.
    """
    if type(qualname) is not str or not 0 < len(qualname) <= MAX_NAME_CHARS:
        raise ProtocolError(f"a class's name must be text of 1 to {MAX_NAME_CHARS} characters")
    if not all(part.isidentifier() for part in qualname.split(".")):
        raise ProtocolError(f"class name {qualname!a} is not made of identifiers")
    return qualname


def check_manifest(manifest: object) -> dict[str, str]:
    """Read a peer's manifest: 1 to `MAX_MODULES` good names, each with a digest of 64 lowercase hexadecimal digits.

    The digest of the empty text is refused: a validator tells an upload by its source being there, and "" is not.

    Raises:
        ProtocolError: anything else.
    """
    if type(manifest) is not dict:
        raise ProtocolError(f"a manifest must be a dict, not {type(manifest).__name__}")
    if not 0 < len(manifest) <= MAX_MODULES:
        raise ProtocolError(f"a manifest lists 1 to {MAX_MODULES} modules, not {len(manifest)}")
    for name, digest in manifest.items():
        check_module_name(name)
        if type(digest) is not str or not _DIGEST.fullmatch(digest) or digest == _EMPTY_TEXT:
            raise ProtocolError(f"the manifest gives no usable digest for module {name!a}")
    return manifest


def closure_id(manifest: Mapping[str, str]) -> str:
    """The identity of a whole closure: SHA-256 over ``name\\ndigest\\n`` of each module, names in code point order."""
    text = "".join(f"{name}\n{manifest[name]}\n" for name in sorted(manifest))
    return hashlib.sha256(text.encode()).hexdigest()


def packages_of(names: Iterable[str]) -> frozenset[str]:
    """Every package that the modules `names` (a manifest does) imply: all their parents, listed or not.

    Those that a manifest does not list have no code and are made up where the closure is loaded.
    """
    found: set[str] = set()
    for name in names:
        while (name := name.rpartition(".")[0]) and name not in found:
            found.add(name)
    return frozenset(found)


def joined(manifests: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """The same number of manifests, those that share a module, and agree on all they share, replaced by their union.

    For the objects of one message: an agent and the basket it carries come from closures of which one may be a part
    of the other. Loaded apart, the basket's class would exist twice and ``isinstance`` would say no. Manifests without
    a common module stay as they are: each may have been signed so. Two versions of one module stay apart, and a union
    never grows beyond what `check_manifest` takes.
    """
    groups: list[tuple[dict[str, str], list[int]]] = []
    for number, manifest in enumerate(manifests):
        union, members = dict(manifest), [number]
        apart = []
        for group in groups:
            if _join(union, group[0]):
                members += group[1]
            else:
                apart.append(group)
        groups = [*apart, (union, members)]
    chosen = {number: union for union, members in groups for number in members}
    return [chosen[number] for number in range(len(manifests))]


def _join(union: dict[str, str], other: Mapping[str, str]) -> bool:
    """Add `other` to `union` if they belong together."""
    shared = union.keys() & other.keys()
    if not shared or any(union[name] != other[name] for name in shared):
        return False
    if len(union) + len(other) - len(shared) > MAX_MODULES:
        return False
    union.update(other)
    return True
