"""A state machine: enumerations of every kind, transitions in a match statement."""

from enum import Enum, Flag, IntEnum, IntFlag, StrEnum, auto, unique


@unique
class Light(Enum):
    RED = "stop"
    AMBER = "wait"
    GREEN = "go"
    DARK = None

    @property
    def seconds(self):
        return {"stop": 30, "wait": 3, "go": 25}.get(self.value, 0)

    @classmethod
    def _missing_(cls, value):
        return cls.DARK

    def __str__(self):
        return self.name.lower()


class Event(StrEnum):
    TICK = auto()
    FAULT = auto()
    RESET = "re-set"


class Priority(IntEnum):
    LOW = 1
    HIGH = 5


class Lamp(Flag):
    TOP = auto()
    MIDDLE = auto()
    BOTTOM = auto()
    OUTER = TOP | BOTTOM


class Mode(IntFlag):
    READ = 4
    WRITE = 2


class Planet(Enum):
    EARTH = (5.976e24, 6.37814e6)
    MARS = (6.421e23, 3.3972e6)

    def __init__(self, mass, radius):
        self.mass = mass
        self.radius = radius

    @property
    def gravity(self):
        return round(6.673e-11 * self.mass / self.radius**2, 3)


def step(light, event, *, busy=False):
    match light, event:
        case Light.RED, Event.TICK if busy:
            return Light.RED
        case Light.RED, Event.TICK:
            return Light.GREEN
        case Light.GREEN, Event.TICK:
            return Light.AMBER
        case Light.AMBER, Event.TICK:
            return Light.RED
        case Light.DARK, Event.RESET:
            return Light.RED
        case _, Event.FAULT:
            return Light.DARK
        case other, _:
            return other


class Agent:
    def run(self):
        light, seen = Light.RED, []
        for event in (Event.TICK, Event.TICK, Event.TICK, Event.FAULT, Event.TICK, Event.RESET):
            light = step(light, event)
            seen.append(light.name)
            print(f"{event:>7} -> {light!s:<6} {light.seconds:2}s {light!r}")
        try:
            Light.RED.value = "go"
        except AttributeError:
            seen.append("constant")
        return {
            "seen": seen,
            "busy": str(step(Light.RED, Event.TICK, busy=True)),
            "lookup": [Light("go").name, Light["RED"].value, Light("purple").name],
            "priority": [sorted(Priority, reverse=True)[0].name, Priority.LOW < 3, Priority.HIGH + 1],
            "lamp": [Lamp.TOP in Lamp.OUTER, (Lamp.TOP | Lamp.MIDDLE).value, [lamp.name for lamp in Lamp.OUTER]],
            "mode": [int(Mode.READ | 2), bool(Mode.READ & Mode.WRITE), (~Lamp.TOP).value],
            "planets": {planet.name.title(): planet.gravity for planet in Planet},
            "members": list(Light.__members__),
            "type": type(light).__name__,
            "event": Event.RESET.upper(),
        }
