"""An agent that nobody wants in their mall."""

from typing import Any


class Pickpocket:
    """Would like to see the till."""

    def visit_shop(self, shop: Any) -> None:
        """Look for what is not for sale."""
        print(shop.takings())
