"""Classes with __slots__: lists in C's clothing."""


class Node:
    __slots__ = ("value", "_next")

    def __init__(self, value, next=None):
        self.value = value
        self._next = next


class LinkedList:
    __slots__ = ["__size", "_head"]

    def __init__(self, items=()):
        self._head = None
        self.__size = 0
        for item in reversed(list(items)):
            self.push(item)

    def push(self, value):
        self._head = Node(value, self._head)
        self.__size += 1

    def pop(self):
        if self._head is None:
            raise IndexError("empty")
        value, self._head = self._head.value, self._head._next
        self.__size -= 1
        return value

    def reverse(self):
        previous, node = None, self._head
        while node:
            node._next, previous, node = previous, node, node._next
        self._head = previous

    def merge(self, other):
        head = tail = Node(None)
        a, b = self._head, other._head
        while a and b:
            if a.value <= b.value:
                tail._next, a = a, a._next
            else:
                tail._next, b = b, b._next
            tail = tail._next
        tail._next = a or b
        merged = LinkedList()
        merged._head, merged.__size = head._next, len(self) + len(other)
        return merged

    def __len__(self):
        return self.__size

    def __iter__(self):
        node = self._head
        while node is not None:
            yield node.value
            node = node._next

    def __repr__(self):
        return f"{type(self).__name__}({', '.join(map(repr, self))})"


class Labelled(LinkedList):
    __slots__ = {"label": "what it is about"}


class Loose(Node):
    pass


class Agent:
    def run(self):
        one, two = LinkedList([1, 4, 6]), LinkedList("")
        two.push(5)
        two.push(2)
        merged = one.merge(two)
        merged.reverse()
        labelled = Labelled([3])
        labelled.label = "three"
        problems = []
        for thing, name in ((Node(1), "extra"), (labelled, "other"), (Loose(1), "extra")):
            try:
                setattr(thing, name, 1)
            except AttributeError as error:
                problems.append(str(error))
        empty = Node.__new__(Node)
        problems.append(hasattr(empty, "value"))
        try:
            LinkedList().pop()
        except IndexError as error:
            print(error)
        print(merged, labelled, labelled.pop(), len(labelled))
        return list(merged), len(merged), labelled.label, problems, Node.__slots__
