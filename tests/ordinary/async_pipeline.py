"""An agent whose `run` is async: whoever calls it gets its result."""

from contextlib import AsyncExitStack, asynccontextmanager


class Passing:
    """Lets others run for a moment."""

    def __await__(self):
        yield
        return "passed"


class Feed:
    def __init__(self, *items):
        self._items = list(items)

    def __aiter__(self):
        return self

    async def __anext__(self):
        if not self._items:
            raise StopAsyncIteration
        await Passing()
        return self._items.pop(0)


class Session:
    async def __aenter__(self):
        print("session opens")
        return self

    async def __aexit__(self, kind, error, traceback):
        print("session closes", kind and kind.__name__)
        return kind is KeyError

    async def fetch(self, key):
        await Passing()
        return {"a": 1, "b": 2}[key]


@asynccontextmanager
async def tagged(name):
    print("<", name)
    try:
        yield name.upper()
    finally:
        print(">", name)


async def countdown(n):
    while n:
        reply = yield n
        if reply:
            print("was told", reply)
        n -= 1


class Agent:
    def __init__(self):
        self.seen = []

    async def step(self, key):
        async with Session() as session:
            return await session.fetch(key)

    async def run(self):
        async for item in Feed(1, 2, 3):
            self.seen.append(item)
        else:
            self.seen.append("end")
        values = [await self.step(key) for key in "abc"]
        doubled = {n: n * 2 async for n in countdown(3) if n != 2}
        async with tagged("x") as tag, AsyncExitStack() as stack:
            inner = await stack.enter_async_context(tagged("y"))
        down = countdown(2)
        told = [await anext(down), await down.asend("hello"), await anext(down, "over")]
        lazy = (n async for n in Feed(7, 8))
        first = await anext(lazy)
        await lazy.aclose()
        return self.seen, values, doubled, tag + inner, told, first, await Passing()
