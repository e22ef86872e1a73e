"""In which order mobile objects get their states: those that others contain before these."""

from collections.abc import Sequence

from .kinds import Item, Kind, Row

__all__ = ["inner_first", "references"]


def inner_first(rows: Sequence[Row], shells: Sequence[int]) -> list[int]:
    """The mobile rows `shells`, each behind those that can be reached from it. No recursion; cycles are cut anywhere.

    Args:
        rows: The rows as they are on the wire; lists of scalars may have lost their kind.
        shells: The numbers of the MOBILE rows.
    """
    wanted = frozenset(shells)
    order: list[int] = []
    seen = bytearray(len(rows))
    stack = [(number, False) for number in reversed(shells)]
    while stack:
        number, left = stack.pop()
        if left:
            order.append(number)
        elif not seen[number]:
            seen[number] = 1
            if number in wanted:
                stack.append((number, True))
            if rows[number][:1] != [Kind.CAPABILITY]:  # its lists are payload
                stack += ((child, False) for child in references(rows[number], len(rows)))
    return order


def references(items: Sequence[Item], count: int) -> list[int]:
    """The numbers of rows that `items`, or the items of a row, refer to; wrong ones are left out."""
    numbers = (item[0] for item in items if type(item) is list and len(item) == 1)
    return [number for number in numbers if type(number) is int and 0 <= number < count]
