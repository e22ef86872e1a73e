"""In which order to build things that need each other, with graphlib and by hand."""

from graphlib import CycleError, TopologicalSorter

NEEDS = {
    "app": {"network", "ui"},
    "ui": {"fonts", "core"},
    "network": {"core"},
    "fonts": set(),
    "core": set(),
}


def waves(graph):
    """What can be built at the same time, wave after wave."""
    sorter = TopologicalSorter(graph)
    sorter.add("docs", "app")
    sorter.prepare()
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        yield ready
        sorter.done(*ready)


def depth_first(graph):
    order, marks = [], {}

    def visit(node, path=()):
        mark = marks.get(node)
        if mark == "done":
            return
        if mark == "open":
            raise ValueError(" -> ".join([*path[path.index(node):], node]))
        marks[node] = "open"
        for other in sorted(graph.get(node, ())):
            visit(other, (*path, node))
        marks[node] = "done"
        order.append(node)

    for node in sorted(graph):
        visit(node)
    return order


class Agent:
    def run(self):
        plan = list(waves(NEEDS))
        for number, wave in enumerate(plan, start=1):
            print(f"{number}.", *wave, sep=" ")
        circular = {**NEEDS, "core": {"app"}}
        try:
            list(TopologicalSorter({"a": ["b"], "b": ["a"]}).static_order())
        except CycleError as error:
            cycle = sorted(set(error.args[1]))
        try:
            depth_first(circular)
        except ValueError as error:
            by_hand = str(error)
        line = list(TopologicalSorter({3: [2], 2: [1]}).static_order())
        return plan, depth_first(NEEDS), cycle, by_hand, line
