"""Slices of everything, and classes that are sliced."""


class Grid:
    def __init__(self, width, height):
        self.rows = [[x + y * width for x in range(width)] for y in range(height)]

    def __getitem__(self, key):
        if key is ...:
            return [cell for row in self.rows for cell in row]
        if isinstance(key, tuple):
            rows, columns = key
            if isinstance(rows, slice):
                return [row[columns] for row in self.rows[rows]]
            return self.rows[rows][columns]
        if isinstance(key, slice):
            return f"{key.start}:{key.stop}:{key.step}"
        return self.rows[key]

    def __setitem__(self, key, value):
        rows, columns = key
        for row in self.rows[rows]:
            row[columns] = [value] * len(row[columns])

    def __delitem__(self, key):
        del self.rows[key]


class Window:
    """A view on part of a sequence."""

    def __init__(self, data, part=slice(None)):
        self._data, self._part = data, part

    def __len__(self):
        return len(range(*self._part.indices(len(self._data))))

    def __getitem__(self, index):
        if isinstance(index, slice):
            return (
                Window(self[:] if index == slice(None) else list(self), index) if len(self) > 99 else list(self)[index]
            )
        return self._data[range(*self._part.indices(len(self._data)))[index]]


class Agent:
    def run(self):
        n = list(range(10))
        taken = [n[2:5], n[:3], n[7:], n[-3:], n[::3], n[::-1], n[8:2:-2], n[20:], n[:-8]]
        n[2:4] = "ab"
        n[6:] = []
        n[::2] = [0, 0, 0]
        n[1:1] = [5, 5]
        del n[::3]
        grid = Grid(4, 3)
        grid[1:, :2] = -1
        sliced = [grid[0], grid[1, 2], grid[:2, 1:3], grid[...], grid[1:2:3], grid[:]]
        del grid[0]
        text = "mobile agents"
        window = Window("abcdefgh", slice(1, 7, 2))
        part = slice(1, None, 2)
        print(text[part], text[-6:].title(), text[:6][::-1], part, part.indices(7))
        data = bytearray(b"0123456789")
        view = memoryview(data)
        view[2:4] = b"XY"
        data2 = bytes(view[::2])
        view.release()
        data[5:] = b""
        numbers = range(0, 100, 7)
        return [
            taken,
            n,
            sliced,
            len(grid.rows),
            [len(window), list(window), window[-1], window[1:]],
            [bytes(data), data2],
            [list(numbers[2:5]), numbers[-1], numbers[::-5]],
            [(1, 2, 3)[1:], b"abc"[0], b"abc"[:1]],
            slice(1, 2) == slice(1, 2),
        ]
