"""Descriptors that know their names: fields that check what is put into them."""


class Field:
    def __init__(self, kind, *, default=None, least=None):
        self.kind, self.default, self.least = kind, default, least

    def __set_name__(self, owner, name):
        self.public, self.private = name, "_" + name
        owner.fields = (*getattr(owner, "fields", ()), name)

    def __get__(self, instance, owner=None):
        if instance is None:
            return self
        return getattr(instance, self.private, self.default)

    def __set__(self, instance, value):
        if not isinstance(value, self.kind):
            raise TypeError(f"{self.public} takes {self.kind.__name__}, not {type(value).__name__}")
        if self.least is not None and value < self.least:
            raise ValueError(f"{self.public} is at least {self.least}")
        setattr(instance, self.private, value)

    def __delete__(self, instance):
        if not hasattr(instance, self.private):
            raise AttributeError(self.public)
        delattr(instance, self.private)


class Lazy:
    """Computed once, then kept in the instance."""

    def __init__(self, function):
        self.function = function
        self.__doc__ = function.__doc__

    def __set_name__(self, owner, name):
        self.name = name

    def __get__(self, instance, owner=None):
        if instance is None:
            return self
        value = instance.__dict__[self.name] = self.function(instance)
        return value


class Ship:
    name = Field(str, default="nameless")
    crew = Field(int, default=1, least=1)

    def __init__(self, **values):
        for name, value in values.items():
            if name not in self.fields:
                raise TypeError(f"a ship has no {name!r}")
            setattr(self, name, value)

    @Lazy
    def motto(self):
        """What is painted on the bow."""
        print("painting the motto")
        return f"{self.name} forever"


class Ferry(Ship):
    cars = Field(int, default=0)


class Agent:
    def run(self):
        ship = Ship(name="Ida")
        ferry = Ferry(name="Olga", cars=12, crew=4)
        problems = []
        for attempt in (
            lambda: setattr(ship, "crew", 0),
            lambda: setattr(ship, "name", 3),
            lambda: Ship(sails=3),
            lambda: delattr(ship, "crew"),
        ):
            try:
                attempt()
            except (TypeError, ValueError, AttributeError) as error:
                problems.append(f"{type(error).__name__}: {error}")
        del ferry.cars
        print(ship.motto, ship.motto, sep=" / ")
        return (
            problems,
            vars(ship),
            ferry.cars,
            Ferry.fields,
            Ship.fields,
            Ship.name.public,
            Ship.motto.__doc__,
            ship.crew,
        )
