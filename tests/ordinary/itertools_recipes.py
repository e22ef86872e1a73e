"""Recipes with iterators."""

import itertools
import operator
from collections import deque
from itertools import chain, islice


def take(n, iterable):
    return list(islice(iterable, n))


def chunks(iterable, size):
    iterator = iter(iterable)
    while chunk := tuple(islice(iterator, size)):
        yield chunk


def sliding(iterable, size):
    iterator = iter(iterable)
    window = deque(islice(iterator, size - 1), maxlen=size)
    for item in iterator:
        window.append(item)
        yield "".join(window)


def round_robin(*iterables):
    pending = len(iterables)
    nexts = itertools.cycle(iter(it).__next__ for it in iterables)
    while pending:
        try:
            for step in nexts:
                yield step()
        except StopIteration:
            pending -= 1
            nexts = itertools.cycle(islice(nexts, pending))


def partition(predicate, iterable):
    one, two = itertools.tee(iterable)
    return list(itertools.filterfalse(predicate, one)), list(filter(predicate, two))


def power_set(items):
    return chain.from_iterable(itertools.combinations(items, r) for r in range(len(items) + 1))


def unique(iterable, key=None):
    seen = set()
    for item in iterable:
        mark = item if key is None else key(item)
        if mark not in seen:
            seen.add(mark)
            yield item


def run_lengths(text):
    return [(letter, sum(1 for _ in group)) for letter, group in itertools.groupby(text)]


class Agent:
    def run(self):
        evens = itertools.count(0, 2)
        print(take(3, evens), take(2, evens), take(4, itertools.repeat("x")), take(5, itertools.cycle("ab")))
        balance = list(itertools.accumulate([100, -30, 20], initial=5))
        by_length = {k: list(g) for k, g in itertools.groupby(sorted(["aa", "b", "cc", "d"], key=len), key=len)}
        return {
            "chunks": list(chunks("abcdefg", 3)),
            "sliding": list(sliding("abcde", 3)),
            "robin": "".join(round_robin("ABC", "D", "EF")),
            "partition": partition(lambda n: n % 2, range(6)),
            "power": list(power_set("abc")),
            "unique": ["".join(unique("AAAbbCca")), "".join(unique("AAAbbCca", str.lower))],
            "runs": run_lengths("aaabccd"),
            "balance": [balance, list(itertools.accumulate([3, 1, 4, 1, 5], max))],
            "lengths": by_length,
            "pairs": list(itertools.pairwise("abc")),
            "product": ["".join(p) for p in itertools.product("ab", "xy")] + list(itertools.product([0, 1], repeat=2)),
            "permutations": len(list(itertools.permutations(range(4), 2))),
            "repeated": list(itertools.combinations_with_replacement("ab", 2)),
            "picked": list(itertools.compress("abcd", [1, 0, 1, 0])),
            "edges": [list(itertools.dropwhile(str.islower, "abCd")), list(itertools.takewhile(str.islower, "abCd"))],
            "filled": list(itertools.zip_longest("ab", "xyz", fillvalue="-")),
            "dot": sum(map(operator.mul, [1, 2, 3], [4, 5, 6])),
            "star": list(itertools.starmap(pow, [(2, 5), (3, 2)])),
            "stepped": list(islice("abcdefgh", 1, 7, 2)),
        }
