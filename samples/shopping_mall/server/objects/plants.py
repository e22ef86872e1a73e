"""Things with roots."""

from objects.goods import Goods


class Fern(Goods):
    """Green, and content with little light."""

    kind = "fern"


class Cactus(Goods):
    """Green, and content with little of everything."""

    kind = "cactus"

    def description(self) -> str:
        return "a cactus that nobody needs to water before spring"
