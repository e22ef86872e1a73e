"""Slices: of a program's text, what one of its definitions needs, as a module of its own.

A script that opens files and connects somewhere has its agent in the middle of that. Only the definition travels, with
the top-level definitions, constants and imports that it reaches, word for word and in their order.
"""

import builtins
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from types import FunctionType
from typing import Final

from ..errors import ConfigurationError
from .modules import Namespace
from .proof import code_objects, functions_in, print_of
from .statements import Kind, Statement

__all__ = ["Slice", "fits", "slice_of"]

# What every module has by itself, at the other end too.
_GIVEN: Final = frozenset(
    {"__annotations__", "__builtins__", "__cached__", "__debug__", "__dict__", "__doc__", "__file__", "__loader__",
     "__name__", "__package__", "__path__", "__spec__"}
)  # fmt: skip
# `dataclass` knows annotations by these modules' names; other names in annotations that stay text nobody looks up.
_HINTING: Final = frozenset({"dataclasses", "typing", "typing_extensions"})
_ALONE: Final = ("@", "class ", "def ", "async def ")  # what stands between blank lines


@dataclass(frozen=True, slots=True)
class Slice:
    """The `text` of a slice, the `statements` in it, and the `names` that mean in it what they mean in the program."""

    text: str
    statements: tuple[Statement, ...]
    names: tuple[str, ...]


def slice_of(
    name: str,
    statements: Sequence[Statement],
    namespace: Namespace,
    exports: Callable[[Statement], Iterable[str]],
    where: str,
) -> Slice:
    """The slice around the top-level `name` of a program.

    Names that are needed while a statement runs mean what stood there before it; names that functions need when they
    are called mean what stands there in the end. Statements under ``if __name__ == "__main__":`` never travel, nor do
    calls that stand alone, whatever they alter. A statement that was run again unchanged counts once.

    Args:
        statements: Of the whole program, in the order in which they ran.
        namespace: The program's, as it is now.
        exports: The names that a ``from ... import *`` brings.
        where: The program, for errors.

    Raises:
        ConfigurationError: a name that is needed was made where no statement shows how; the text says what to do.
    """
    slicer = _Slicer(statements, exports)
    slicer.start(name)
    for missing in sorted(slicer.missing - _GIVEN):
        who = repr(name) if missing == name else f"{missing!r}, which {name!r} needs,"
        if missing in slicer.guarded:
            raise ConfigurationError(
                f'{who} is bound only under if __name__ == "__main__" in {where}, and nothing of that travels: '
                "move it above, to the top level"
            )
        if missing in namespace:
            raise ConfigurationError(
                f"{who} is bound by no statement in {where} (by exec, globals() or a magic command, perhaps), so there "
                "is no text of it to send: write it out as an ordinary statement"
            )
    chosen = [statements[number] for number in sorted(slicer.chosen)]
    for statement in chosen:
        if statement.awaits:
            first = statement.text.partition("\n")[0]
            raise ConfigurationError(
                f"{name} needs a top-level statement that awaits ({first!r} in {where}), and modules cannot: keep what "
                "it gives in an attribute of the agent"
            )
    return Slice(_written(chosen, statements), tuple(chosen), tuple(sorted(slicer.final_names())))


def fits(found: Slice, namespace: Namespace) -> bool:
    """Whether what a slice's names stand for, in the program that runs, was made by the slice's statements."""
    prints = frozenset().union(*(statement.prints for statement in found.statements))
    values = [namespace[name] for name in found.names if name in namespace]
    return all(
        print_of(code) in prints
        for function in functions_in(values, str(namespace.get("__name__")))
        if function.__globals__ is namespace and _typed(function)
        for code in code_objects(function.__code__)
    )


def _typed(function: FunctionType) -> bool:
    """Whether somebody typed a function: a dataclass's ``__init__`` was made up, its file is called ``<string>``."""
    filename = function.__code__.co_filename
    return not filename.startswith("<") or filename.startswith(("<ipython-input", "<python-input"))


class _Slicer:
    """One search through a program's statements, which are known by their numbers."""

    def __init__(self, statements: Sequence[Statement], exports: Callable[[Statement], Iterable[str]]) -> None:
        self.statements = statements
        self.end = len(statements)
        self.chosen: set[int] = set()
        self.missing: set[str] = set()
        self.guarded: set[str] = set()
        self._binding: dict[str, list[int]] = {}
        self._grounds: dict[int, list[str]] = {}  # of statements whose text comes several times
        for number, statement in enumerate(statements):
            names = statement.full | statement.partial
            if statement.kind is Kind.GUARDED:
                self.guarded |= names
                continue
            for name in exports(statement) if statement.kind is Kind.STAR else names:
                self._binding.setdefault(name, []).append(number)
        times = Counter(statement.text for statement in statements)
        for number, statement in enumerate(statements):  # upwards: the ground of one builds on those before it
            if times[statement.text] > 1:
                self._grounds[number] = self._ground(number)

    def start(self, name: str) -> None:
        """Choose all that `name` needs. Afterwards `missing` are the names that no statement binds."""
        waiting: list[tuple[int, int]] = []
        seen: set[tuple[int, int]] = set()

        def need(name: str, before: int, *, now: bool) -> None:
            found = self.bindings(name, before)
            if not found and (self._unbound(name) if now else name not in self._binding):
                self.missing.add(name)
            for number in found:
                # Its functions may be called from `before` on, and as long as the module lives.
                waiting.extend({(number, before), (number, self.end)})

        need(name, self.end, now=True)
        while waiting:
            step = waiting.pop()
            if step in seen:
                continue
            seen.add(step)
            number, before = step
            statement = self.statements[number]
            if number not in self.chosen:
                self.chosen.add(number)
                for needed in statement.now:
                    need(needed, number, now=True)
                for hint in statement.hints:
                    waiting += [(one, self.end) for one in self.bindings(hint, self.end) if self._explains(one)]
            for needed in statement.later:
                need(needed, before, now=False)

    def _unbound(self, name: str) -> bool:
        """Whether a name that no statement has bound by the time it is read must come from elsewhere."""
        return name not in self._binding or not hasattr(builtins, name)

    def _explains(self, number: int) -> bool:
        statement = self.statements[number]
        return statement.kind is Kind.IMPORT and not statement.level and statement.module in _HINTING

    def bindings(self, name: str, before: int) -> list[int]:
        """What gives `name` its meaning just before statement `before`: its last full binding, and later partial ones.

        Of a binding that was run again unchanged, the first; ``import a.b`` adds to an earlier ``import a``.
        """
        found: list[int] = []
        numbers = [number for number in self._binding.get(name, ()) if number < before]
        while numbers:
            number = numbers.pop()
            statement = self.statements[number]
            if statement.kind is Kind.DELETE and name in statement.full:
                break
            if statement.kind is not Kind.STAR and name not in statement.full:
                found.append(number)
                continue
            while numbers and self._same(numbers[-1], number):
                number = numbers.pop()
            found.append(number)
            if not self._adds_to(name, statement):
                break
            numbers = [one for one in numbers if self._adds_to(name, self.statements[one])]
        return found

    def _adds_to(self, name: str, statement: Statement) -> bool:
        """Whether it is an import of module `name`, or of one below it, under its own name."""
        inside = statement.module == name or statement.module.startswith(name + ".")
        return statement.kind is Kind.IMPORT and statement.text == f"import {statement.module}" and inside

    def _same(self, earlier: int, later: int) -> bool:
        """Whether two statements have the same text and rest on the same texts: run again, they change nothing."""
        grounds = self._grounds
        return self.statements[earlier].text == self.statements[later].text and grounds[earlier] == grounds[later]

    def _ground(self, number: int) -> list[str]:
        """The texts of all that must have run before a statement can."""
        ground: set[int] = set()
        waiting = [(name, number) for name in self.statements[number].now]
        while waiting:
            for one in self.bindings(*waiting.pop()):
                if one not in ground:
                    ground.add(one)
                    waiting += [(name, one) for name in self.statements[one].now]
                    waiting += [(name, number) for name in self.statements[one].later]
        return [self.statements[one].text for one in sorted(ground)]

    def final_names(self) -> Iterator[str]:
        """The names whose last meaning is in the slice; not those of imports."""
        for name in {name for number in self.chosen for name in self._bound(number)}:
            last = self.bindings(name, self.end)
            if last and self.chosen.issuperset(last):
                yield name

    def _bound(self, number: int) -> frozenset[str]:
        statement = self.statements[number]
        return frozenset() if statement.kind is Kind.IMPORT else statement.full | statement.partial


def _written(chosen: Sequence[Statement], statements: Sequence[Statement]) -> str:
    """The text of a module: imports from ``__future__`` first, then what was chosen."""
    parts = list(dict.fromkeys(one.text for one in statements if one.kind is Kind.FUTURE))
    for whole, group in groupby(chosen, key=lambda one: one.whole):
        members = list(group)
        complete = whole and len(members) == members[0].names
        parts += [whole] if complete else [one.text for one in members]
    text = ""
    spaced = False
    for part in parts:
        alone = part.startswith(_ALONE)
        text += ("" if not text else "\n\n\n" if alone or spaced else "\n") + part
        spaced = alone
    return text + "\n"
