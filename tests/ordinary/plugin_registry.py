"""Plugins that register themselves: __init_subclass__, class bodies with loops, names computed at run time."""


class Plugin:
    registry = {}
    priority = 0

    def __init_subclass__(cls, /, name=None, **options):
        super().__init_subclass__(**options)
        cls.name = name or cls.__name__.lower()
        if cls.name in Plugin.registry:
            raise TypeError(f"{cls.name} is taken by {Plugin.registry[cls.name].__qualname__}")
        Plugin.registry[cls.name] = cls

    @classmethod
    def create(cls, name, *args):
        return cls.registry[name](*args)

    def apply(self, text):
        raise NotImplementedError(f"{type(self).__name__} does nothing")


class Upper(Plugin, name="up"):
    priority = 2

    def apply(self, text):
        return text.upper()


class Reverse(Plugin):
    def apply(self, text):
        return text[::-1]


class Repeat(Reverse, name="twice"):
    priority = 1

    def __init__(self, times=2):
        self.times = times

    def apply(self, text):
        return super().apply(text) * self.times


class Empty(Plugin):
    """Nothing yet."""


class Table:
    squares = {}
    for number in range(4):
        if number % 2:
            continue
        squares[number] = number**2
    del number
    names = [f"f{i}" for i in range(2)]
    try:
        limit = int("many")
    except ValueError:
        limit = 10
    if limit > 5:
        size = "large"
    else:
        size = "small"


class Agent:
    def run(self):
        chain = sorted(Plugin.registry.values(), key=lambda plugin: (-plugin.priority, plugin.name))
        text = "abc"
        for plugin in chain:
            try:
                text = plugin().apply(text)
            except NotImplementedError as error:
                print(error)
        try:

            class Again(Plugin, name="up"):
                pass

        except TypeError as error:
            print(error)
        made = Plugin.create("twice", 3)
        handlers = {name: getattr(made, name) for name in dir(made) if not name.startswith("_") and name != "registry"}
        return (
            text,
            [plugin.__name__ for plugin in chain],
            sorted(handlers),
            handlers["apply"]("xy"),
            Table.squares,
            Table.names,
            Table.size,
            hasattr(Table, "number"),
            issubclass(Repeat, Upper | Reverse),
        )
