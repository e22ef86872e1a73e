"""Sorting by keys of all kinds, with comparison functions, stably; binary search in what is sorted."""

import bisect
from functools import cmp_to_key
from operator import attrgetter, itemgetter


class Runner:
    def __init__(self, name, club, seconds):
        self.name, self.club, self.seconds = name, club, seconds

    def __repr__(self):
        return self.name


class Reversed:
    """Turns an order round, for one part of a key."""

    def __init__(self, value):
        self.value = value

    def __lt__(self, other):
        return other.value < self.value

    def __eq__(self, other):
        return self.value == other.value


def natural(text):
    parts, digits = [], ""
    for character in text + " ":
        if character.isdigit():
            digits += character
            continue
        if digits:
            parts.append((0, int(digits), ""))
            digits = ""
        parts.append((1, 0, character))
    return parts


def merge_sort(items, *, key=lambda item: item):
    if len(items) < 2:
        return items[:]
    middle = len(items) // 2
    left, right = merge_sort(items[:middle], key=key), merge_sort(items[middle:], key=key)
    out = []
    while left and right:
        out.append((left if key(left[0]) <= key(right[0]) else right).pop(0))
    return out + left + right


def quick(items):
    match items:
        case []:
            return []
        case [pivot, *rest]:
            return [*quick([x for x in rest if x < pivot]), pivot, *quick([x for x in rest if x >= pivot])]


class Agent:
    def run(self):
        runners = [
            Runner("ann", "north", 12.5),
            Runner("bob", "south", 11.9),
            Runner("cid", "north", 11.9),
            Runner("dee", "south", 13),
        ]
        by_time = sorted(runners, key=attrgetter("seconds"))
        by_club = sorted(by_time, key=attrgetter("club"))
        by_both = sorted(runners, key=lambda r: (r.club, Reversed(r.seconds)))
        print(by_time, by_club, by_both)
        words = "banana Apple cherry apple Banana".split()
        compared = sorted(words, key=cmp_to_key(lambda a, b: len(a) - len(b) or (a > b) - (a < b)))
        places = [11.9, 12.5, 13]
        bisect.insort(places, 12)
        records = [("b", 2), ("a", 2), ("c", 1)]
        records.sort(key=itemgetter(1), reverse=True)
        mixed = [3, "a"]
        try:
            mixed.sort()
        except TypeError as error:
            print(error)
        numbers = [5, 3, 9, 3, 1]
        return (
            [str(r) for r in by_club + by_both],
            sorted(words),
            sorted(words, key=str.casefold),
            compared,
            sorted(["item10", "item9", "item1b", "item1a"], key=natural),
            records,
            [merge_sort(numbers), quick(numbers), numbers, merge_sort(words, key=len)],
            [places, bisect.bisect_left(places, 12), bisect.bisect_right(places, 12), bisect.bisect("abd", "c")],
            [bisect.bisect_left(by_time, 12.5, key=attrgetter("seconds")), list(reversed(numbers))],
            sorted({"b": 1, "a": 2}.items(), key=itemgetter(1)),
        )
