"""Mixins in a diamond, super() in every method, attributes that log and that answer for others."""


class Base:
    def __init__(self, **rest):
        if rest:
            raise TypeError(f"unknown: {', '.join(sorted(rest))}")
        self.trail = ["base"]

    def describe(self):
        return ["thing"]

    def close(self):
        return "closed"


class Named(Base):
    def __init__(self, *, name, **rest):
        super().__init__(**rest)
        self.name = name
        self.trail.append("named")

    def describe(self):
        return [f"named {self.name}", *super().describe()]


class Priced(Base):
    tax = 0.2

    def __init__(self, *, price, **rest):
        super().__init__(**rest)
        self.price = price
        self.trail.append("priced")

    def describe(self):
        return [f"at {self.gross:.2f}"] + super(Priced, self).describe()

    @property
    def gross(self):
        return self.price * (1 + self.tax)


class LoudMixin:
    def describe(self):
        return [text.upper() for text in super().describe()]


class Product(LoudMixin, Named, Priced):
    tax = 0.1

    @property
    def gross(self):
        return round(super().gross, 1)

    @classmethod
    def sample(cls):
        return cls(name=cls.__name__, price=10)

    @staticmethod
    def kind():
        return __class__.__name__

    def each(self):
        return [super(Product, self).close() for _ in range(2)]

    def lazily(self):
        yield from super().describe()


class Wrapper:
    """Passes on what it does not know itself."""

    def __init__(self, inner):
        self.inner = inner
        self.asked = []

    def __getattr__(self, name):
        self.asked.append(name)
        return getattr(self.inner, name)


class Recorder:
    def __setattr__(self, name, value):
        print("set", name, value)
        super().__setattr__(name, value)

    def __delattr__(self, name):
        print("del", name)
        super().__delattr__(name)

    def __dir__(self):
        return ["seen", *vars(self)]


class Agent:
    def run(self):
        product = Product(name="kite", price=4)
        try:
            Product(name="x", price=1, colour="red")
        except TypeError as error:
            print(error)
        wrapper = Wrapper(product)
        recorder = Recorder()
        recorder.a = 1
        recorder.a += 1
        recorder.b = 3
        del recorder.b
        return (
            product.trail,
            product.describe(),
            list(product.lazily()),
            Product.sample().name,
            product.kind(),
            product.each(),
            [wrapper.price, wrapper.gross, wrapper.asked, hasattr(wrapper, "nothing")],
            [dir(recorder), vars(recorder)],
            [isinstance(product, Base), issubclass(Product, (Wrapper, Priced)), Named.describe(product)],
        )
