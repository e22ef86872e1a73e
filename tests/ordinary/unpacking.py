"""Unpacking and chained assignment, with every side effect counted."""


class Probe:
    """Says when it is asked for something."""

    log = []

    def __init__(self, *values):
        self.values = values

    def __iter__(self):
        self.log.append(f"iter{len(self.values)}")
        return iter(self.values)

    def __getitem__(self, key):
        self.log.append(f"get {key}")
        return self.values[key]

    def __setitem__(self, key, value):
        self.log.append(f"set {key}={value}")

    def keys(self):
        self.log.append("keys")
        return range(len(self.values))


def noted(value, log):
    log.append(value)
    return value


class Holder:
    pass


class Agent:
    def run(self):
        log = []
        a = b, (c, *d) = noted((1, (2, 3, 4)), log)
        first = second = third = noted([], log)
        first.append("shared")
        holder, table = Holder(), {}
        holder.x = table["k"] = holder.y = noted(5, log)
        [p, q], r = noted(("pq", "r"), log)
        for holder.x, (i, *table["rest"]) in [(1, "abc"), (2, "d")]:
            log.append((holder.x, i, table["rest"]))
        left, right = 1, 2
        left, right = right, left
        index, row = 0, [7, 8, 9]
        index, row[index] = 2, "set"
        probe = Probe(1, 2)
        x, y = probe
        z, *_ = w = Probe(3, 4, 5)
        probe[noted(0, log)], probe[noted(1, log)] = noted("v", log), noted("w", log)
        print(*probe, *w, sep="-")
        merged = {**{"a": 1}, "b": 2, **{"a": 3}}
        combined = [*range(2), *"xy", *{5: 6}], (*probe, 0), {*[1, 1, 2]}
        head, *middle, tail = range(6)
        *init, last = "only"
        try:
            u, v = probe.values + (3,)
        except ValueError as error:
            print(error)
        try:
            u, v, *t = [1]  # noqa: F841
        except ValueError as error:
            print(error)

        def starred():
            rest = [2, 3]
            return 1, *rest

        def yielded():
            yield 0, *[1]

        spread = (lambda *args, k=0, **named: (args, k, named))(*probe, *"z", **{"k": 1}, other=2)
        for n in 1, *starred():
            log.append(n)
        key = table[1, 2] = table["k"]
        return {
            "log": log,
            "probe": Probe.log,
            "names": [a, b, c, d, p, q, r, x, y, z, left, right, index, row, key],
            "shared": first is second is third and third,
            "merged": merged,
            "combined": [combined[0], combined[1], sorted(combined[2])],
            "ends": [head, middle, tail, init, last],
            "star": [starred(), next(yielded()), spread, table[(1, 2)]],
        }
