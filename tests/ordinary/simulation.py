"""A queue at a counter, simulated with a seeded generator: the same seed gives the same day."""

import random
from collections import deque
from itertools import count


class Customer:
    _numbers = count(1)

    def __init__(self, arrives, patience):
        self.number = next(self._numbers)
        self.arrives, self.patience = arrives, patience

    def __repr__(self):
        return f"#{self.number}"


class Counter:
    def __init__(self, rng):
        self.rng = rng
        self.queue: deque[Customer] = deque()
        self.busy_until = 0
        self.served, self.lost = [], []

    def minute(self, now):
        if self.rng.random() < 0.4:
            self.queue.append(Customer(now, self.rng.randint(3, 9)))
        while self.queue and now - self.queue[0].arrives > self.queue[0].patience:
            self.lost.append(self.queue.popleft())
        if now >= self.busy_until and self.queue:
            self.served.append((self.queue.popleft(), now))
            self.busy_until = now + max(1, round(self.rng.gauss(3, 1)))


class Agent:
    def __init__(self, seed=7):
        self.seed = seed

    def run(self):
        rng = random.Random(self.seed)
        counter = Counter(rng)
        for now in range(120):
            counter.minute(now)
        waits = [now - customer.arrives for customer, now in counter.served]
        print("served", len(counter.served), "lost", counter.lost)
        state = rng.getstate()
        first = [rng.uniform(1, 2) for _ in range(3)]
        rng.setstate(state)
        again = [rng.uniform(1, 2) for _ in range(3)]
        deck = list(range(8))
        rng.shuffle(deck)
        random.seed(3)
        return {
            "longest": max(waits),
            "mean": sum(waits) / len(waits),
            "repeats": first == again,
            "deck": deck,
            "draws": [rng.choice("abc"), rng.sample(range(50), 3), rng.choices("xy", weights=[1, 9], k=4)],
            "more": [rng.randrange(0, 100, 10), rng.getrandbits(12), rng.triangular(0, 1), rng.expovariate(2)],
            "shared": [random.random(), random.randint(1, 6), random.sample([1, 2, 3], 2)],
        }
