"""Properties with setters and deleters, inherited and extended; class and static methods."""


class Celsius:
    zero = -273.15

    def __init__(self, degrees=0.0):
        self.degrees = degrees

    @property
    def degrees(self):
        """In centigrade."""
        return self._degrees

    @degrees.setter
    def degrees(self, value):
        if value < self.zero:
            raise ValueError(f"{value} is below {self.zero}")
        self._degrees = value

    @degrees.deleter
    def degrees(self):
        self._degrees = 0.0

    @property
    def fahrenheit(self):
        return self.degrees * 9 / 5 + 32

    @fahrenheit.setter
    def fahrenheit(self, value):
        self.degrees = (value - 32) * 5 / 9

    @classmethod
    def from_text(cls, text):
        return cls(float(text.rstrip("C")))

    @staticmethod
    def mean(*temperatures):
        return sum(t.degrees for t in temperatures) / len(temperatures)

    def _get_kelvin(self):
        return self.degrees - self.zero

    def _set_kelvin(self, value):
        self.degrees = value + self.zero

    kelvin = property(_get_kelvin, _set_kelvin, doc="Absolute.")
    parse = from_text


class Oven(Celsius):
    _made = 0

    def __init__(self, *args):
        Oven._made += 1
        super().__init__(*args)

    @property
    def degrees(self):
        return super().degrees + 1

    @degrees.setter
    def degrees(self, value):
        Celsius.degrees.fset(self, min(value, 250))

    @Celsius.fahrenheit.getter
    def fahrenheit(self):
        return "too hot"

    @classmethod
    def made(cls):
        return f"{cls._made} of {cls.__name__}"


class Agent:
    def run(self):
        t = Celsius(20)
        t.degrees += 5
        steps = [t.fahrenheit]
        t.fahrenheit = 50
        steps.append(round(t.degrees, 6))
        t.kelvin = 300
        steps.append(round(t.degrees, 6))
        try:
            t.degrees = -300
        except ValueError as error:
            print(error)
        try:
            del t.kelvin
        except AttributeError as error:
            print(type(error).__name__)
        del t.degrees
        steps.append(t.degrees)
        oven = Oven.from_text("300C")
        oven2 = oven.parse("10C")
        return (
            steps,
            [oven.degrees, oven.fahrenheit, oven.kelvin, oven2.degrees, Oven.made()],
            [Celsius.mean(t, oven), Celsius.degrees.__doc__, Celsius.kelvin.__doc__],
            [type(Celsius.parse("1C")).__name__, type(Oven.parse("1C")).__name__],
        )
