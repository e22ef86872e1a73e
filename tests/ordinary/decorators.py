"""Decorators: plain, with arguments, as classes, stacked, on methods and on classes."""

import functools


def retry(times=2, *, on=(ValueError,)):
    def decorate(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            wrapper.attempts += 1
            for left in reversed(range(times)):
                try:
                    return function(*args, **kwargs)
                except on as error:
                    if not left:
                        raise RuntimeError(f"{function.__name__} failed {times} times") from error
            return None

        wrapper.attempts = 0
        return wrapper

    return decorate


def optional(function=None, /, *, mark="*"):
    if function is None:
        return functools.partial(optional, mark=mark)

    @functools.wraps(function)
    def wrapper(*args):
        return f"{mark}{function(*args)}{mark}"

    return wrapper


class Counted:
    def __init__(self, function):
        functools.update_wrapper(self, function)
        self.function = function
        self.calls = 0

    def __call__(self, *args, **kwargs):
        self.calls += 1
        return self.function(*args, **kwargs)

    def __get__(self, instance, owner=None):
        return self if instance is None else functools.partial(self, instance)


class Flaky:
    def __init__(self, *answers):
        self.answers = list(answers)

    @retry(times=3)
    def ask(self):
        answer = self.answers.pop(0)
        if answer is None:
            raise ValueError("no answer")
        return answer

    @Counted
    def shout(self, text):
        return text.upper()


@optional
@optional(mark="-")
def greet(name):
    """Says hello."""
    return f"hello {name}"


@Counted
def area(w: int, h: int = 2) -> int:
    return w * h


COMMANDS = {}


def command(*names):
    def register(function):
        for name in names or (function.__name__,):
            COMMANDS[name] = function
        return function

    return register


@command()
def stop():
    return "stopped"


@command("go", "run")
def start(speed=1):
    return f"at {speed}"


def with_repr(cls):
    def describe(self):
        return f"<{cls.__name__} {vars(self)}>"

    cls.describe = describe
    cls.__repr__ = lambda self: f"{describe(self)}!"
    return cls


def tagged(**tags):
    def decorate(cls):
        cls.tags = {**getattr(cls, "tags", {}), **tags}
        return cls

    return decorate


@with_repr
@tagged(kind="boat")
@tagged(wheels=0)
class Boat:
    def __init__(self):
        self.name = "Ida"


class Agent:
    def run(self):
        flaky = Flaky(None, None, "yes", None, None, None)
        answers = [flaky.ask()]
        try:
            flaky.ask()
        except RuntimeError as error:
            answers += [str(error), repr(error.__cause__)]
        print(greet("Olga"), greet.__name__, greet.__doc__, area.__name__, flaky.shout("hey"))
        area(2), area(3, h=3)
        print({name: function() for name, function in COMMANDS.items()})
        wrapped = [Flaky.ask.__wrapped__.__name__, area.__wrapped__(5), functools.cache(stop).__wrapped__ is stop]
        print(Boat())
        return answers, Flaky.ask.attempts, area.calls, Flaky.shout.calls, Boat().describe(), Boat.tags, wrapped
