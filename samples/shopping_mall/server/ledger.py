"""The mall's own books: no concern of customers, and no module that leaves the house."""


class Takings:
    """What each shop has earned."""

    def __init__(self, by_shop: dict[str, int]) -> None:
        self.by_shop = by_shop
