"""Copies, shallow and deep, with hooks, cycles and containers of one's own."""

import copy
from collections import OrderedDict, defaultdict, deque


class Node:
    def __init__(self, name, *children):
        self.name, self.children, self.parent = name, list(children), None
        for child in children:
            child.parent = self


class Connection:
    """Shared, however often it is copied."""

    def __init__(self):
        self.copies = 0

    def __copy__(self):
        self.copies += 1
        return self

    def __deepcopy__(self, memo):
        self.copies += 10
        return self


class Document:
    def __init__(self, text, connection):
        self.text, self.connection = text, connection
        self.history = [text]
        self.cache = {"words": len(text.split())}

    def __getstate__(self):
        state = dict(self.__dict__)
        del state["cache"]
        return state

    def __setstate__(self, state):
        self.__dict__.update(state)
        self.cache = {"rebuilt": True}


class Stamped:
    def __init__(self, *marks):
        self.marks = list(marks)

    def __deepcopy__(self, memo):
        new = type(self)()
        memo[id(self)] = new
        new.marks = copy.deepcopy(self.marks, memo) + ["copied"]
        return new


class Tagged(list):
    tag = "none"


class Slotted:
    __slots__ = ("a", "b")

    def __init__(self, a):
        self.a = a


class Agent:
    def run(self):
        tree = Node("root", Node("left"), Node("right", Node("leaf")))
        shallow, deep = copy.copy(tree), copy.deepcopy(tree)
        deep.children[0].name = "changed"
        connection = Connection()
        document = Document("some words here", connection)
        twin, clone = copy.copy(document), copy.deepcopy(document)
        twin.history.append("more")
        stamped = Stamped([1], 2)
        both = copy.deepcopy([stamped, stamped])
        tagged = Tagged([[1]])
        tagged.tag = "mine"
        tagged2 = copy.deepcopy(tagged)
        tagged2[0].append(2)
        slotted = copy.copy(Slotted([1]))
        loop = [1]
        loop.append(loop)
        loop2 = copy.deepcopy(loop)
        inner = [0]
        nested = copy.deepcopy({"a": (1, inner), "b": inner, "c": {frozenset([1]): deque([2])}})
        print(
            shallow.children is tree.children,
            deep.children[1].parent is deep,
            deep.children[0].name,
            tree.children[0].name,
        )
        return (
            [
                connection.copies,
                twin.history,
                clone.history,
                document.cache,
                clone.cache,
                clone.connection is connection,
            ],
            [both[0] is both[1], both[0].marks, stamped.marks],
            [list(tagged), list(tagged2), tagged2.tag, type(tagged2).__name__],
            [slotted.a, hasattr(slotted, "b"), loop2[1] is loop2, loop2 is loop],
            [nested["a"][1] is nested["b"], nested["b"] is inner, nested["c"][frozenset([1])] == deque([2])],
            [copy.copy(x) == x for x in ([1], {1: 2}, {1}, (1,), "a", 1.5, None, range(3), OrderedDict(a=1))],
            copy.deepcopy(defaultdict(list, a=[1]))["b"],
            copy.copy(len) is len,
        )
