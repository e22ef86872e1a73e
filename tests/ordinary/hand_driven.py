"""Coroutines driven by hand: a small scheduler that answers what they ask for."""

from collections import deque


class Ask:
    def __init__(self, what, **details):
        self.what, self.details = what, details

    def __await__(self):
        return (yield self)


async def worker(name, jobs):
    done = []
    while (job := await Ask("job")) is not None:
        if job == "bad":
            try:
                await Ask("help", about=job)
            except RuntimeError as error:
                done.append(f"{name} gave up: {error}")
                continue
        done.append(f"{name} did {job}")
    await Ask("sleep", turns=jobs)
    return done


class Scheduler:
    def __init__(self, jobs):
        self.jobs = deque(jobs)
        self.ready = deque()
        self.results = {}

    def spawn(self, name, coroutine):
        self.ready.append((name, coroutine, None))

    def _answer(self, ask):
        match ask:
            case Ask(what="job"):
                return self.jobs.popleft() if self.jobs else None
            case Ask(what="help", details={"about": subject}):
                return RuntimeError(f"nobody helps with {subject}")
            case Ask(what="sleep", details={"turns": int(turns), **rest}) if not rest:
                return turns

    def run(self):
        turns = 0
        while self.ready:
            name, coroutine, answer = self.ready.popleft()
            turns += 1
            try:
                if isinstance(answer, Exception):
                    ask = coroutine.throw(answer)
                else:
                    ask = coroutine.send(answer)
            except StopIteration as stop:
                self.results[name] = stop.value
            else:
                self.ready.append((name, coroutine, self._answer(ask)))
        return turns


class Agent:
    def run(self):
        scheduler = Scheduler(["dig", "bad", "plant", "water"])
        for number, name in enumerate(("ann", "bob")):
            scheduler.spawn(name, worker(name, number))
        turns = scheduler.run()
        unused = worker("never", 0)
        unused.close()
        for name, done in scheduler.results.items():
            print(name, done)
        return scheduler.results, turns
