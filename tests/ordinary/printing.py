"""print with all its keywords, and into an object that takes text."""


class Screen:
    def __init__(self, width):
        self.width = width
        self.lines = [""]
        self.flushed = 0

    def write(self, text):
        for piece in text.splitlines(keepends=True):
            self.lines[-1] += piece.rstrip("\n")
            if piece.endswith("\n"):
                self.lines.append("")
        return len(text)

    def flush(self):
        self.flushed += 1


class Temperature:
    def __init__(self, degrees):
        self.degrees = degrees

    def __str__(self):
        return f"{self.degrees} C"

    def __repr__(self):
        return f"Temperature({self.degrees!r})"


def progress(steps, *, out=None):
    for step in range(steps):
        print("." * step, end="" if step < steps - 1 else "!\n", file=out, flush=True)


def table(rows, **options):
    for row in rows:
        print(*row, **options)


class Agent:
    def run(self):
        print()
        print("one", 2, 3.0, None, True, [Temperature(4)], Temperature(5))
        print("a", "b", sep="")
        print("a", "b", sep=", ", end=".\n")
        print("no newline", end=" ")
        print("until now")
        print(*range(5), sep="-")
        print("x", "y", sep=None, end=None, file=None, flush=True)
        print("two\nlines", "tab\there")
        print(*[], sep="unused")
        print("é", "日本", "€")
        progress(3)
        screen = Screen(10)
        print("to", "screen", file=screen)
        print("more", end="", file=screen, flush=True)
        progress(4, out=screen)
        table([(1, "a"), (2, "b")], sep=" | ", file=screen)
        table([(3, "c")], sep="\t", end=";\n")
        say = print
        say("by another name", end="\n\n")
        list(map(print, "mn"))
        try:
            print("x", sep=3)
        except TypeError as error:
            print(error)
        return screen.lines, screen.flushed, str(Temperature(1)), repr(Temperature("x"))
