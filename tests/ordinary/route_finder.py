"""Shortest routes with Dijkstra's algorithm, on a road map with one-way streets."""

import heapq
import math
from collections import deque

ROADS = [
    ("harbour", "market", 4), ("harbour", "mill", 2), ("mill", "market", 1), ("market", "castle", 5),
    ("mill", "castle", 8), ("castle", "farm", 3), ("farm", "harbour", 20),
]


class RoadMap:
    def __init__(self, roads=()):
        self.roads = {}
        for start, end, length in roads:
            self.add(start, end, length)

    def add(self, start, end, length, *, both_ways=False):
        self.roads.setdefault(start, {})[end] = length
        self.roads.setdefault(end, {})
        if both_ways:
            self.add(end, start, length)

    def __contains__(self, place):
        return place in self.roads

    def __iter__(self):
        yield from sorted(self.roads)

    def distances(self, start):
        best = dict.fromkeys(self, math.inf)
        before = {}
        best[start] = 0
        waiting = [(0, start)]
        while waiting:
            so_far, place = heapq.heappop(waiting)
            if so_far > best[place]:
                continue
            for neighbour, length in self.roads[place].items():
                if (length_there := so_far + length) < best[neighbour]:
                    best[neighbour] = length_there
                    before[neighbour] = place
                    heapq.heappush(waiting, (length_there, neighbour))
        return best, before

    def route(self, start, end):
        best, before = self.distances(start)
        if best[end] == math.inf:
            raise LookupError(f"no way from {start} to {end}")
        steps = deque([end])
        while steps[0] != start:
            steps.appendleft(before[steps[0]])
        return list(steps), best[end]

    def fewest_hops(self, start, end):
        seen, queue = {start}, deque([(start, 0)])
        while queue:
            place, hops = queue.popleft()
            if place == end:
                return hops
            for neighbour in self.roads[place]:
                if neighbour not in seen:
                    seen.add(neighbour)
                    queue.append((neighbour, hops + 1))
        return None


class Agent:
    def run(self):
        roads = RoadMap(ROADS)
        roads.add("farm", "island", 1)
        roads.add("cave", "mill", 1, both_ways=False)
        for place in roads:
            print(place, end=" ")
        print()
        try:
            roads.route("island", "mill")
        except LookupError as error:
            trouble = str(error)
        far = heapq.nlargest(2, ((d, p) for p, d in roads.distances("harbour")[0].items() if d < math.inf))
        return roads.route("harbour", "farm"), roads.fewest_hops("harbour", "castle"), trouble, far, "cave" in roads
