"""Plans what a shop has to order: stock on hand against sales, with a safety margin."""

from collections import defaultdict
from dataclasses import dataclass, field

SAFETY = 1.25
REORDER_DAYS = 7


@dataclass
class Item:
    name: str
    stock: int
    pack: int = 1
    sales: list[int] = field(default_factory=list)

    def daily(self) -> float:
        return sum(self.sales) / len(self.sales) if self.sales else 0.0

    def days_left(self) -> float:
        daily = self.daily()
        return self.stock / daily if daily else float("inf")


@dataclass(order=True)
class Order:
    urgency: float
    item: str = field(compare=False)
    packs: int = field(compare=False, default=0)


class Planner:
    def __init__(self, items):
        self._items = {item.name: item for item in items}
        self._orders = []
        self.by_supplier = defaultdict(list)

    def plan(self, days=REORDER_DAYS):
        for item in self._items.values():
            wanted = item.daily() * days * SAFETY
            short = wanted - item.stock
            if short <= 0:
                continue
            packs = -(-int(short + 0.999) // item.pack)
            self._orders.append(Order(item.days_left(), item.name, packs))
            item.stock += packs * item.pack
        self._orders.sort()
        return self._orders

    def assign(self, suppliers):
        for order in self._orders:
            for supplier, goods in suppliers.items():
                if order.item in goods:
                    self.by_supplier[supplier].append(order.item)
                    break
            else:
                self.by_supplier["nobody"].append(order.item)
        return dict(self.by_supplier)


class Agent:
    def run(self):
        items = [
            Item("apples", 40, 25, [10, 12, 9, 14]),
            Item("pears", 200, 10, [3, 4, 2]),
            Item("plums", 5, 12, [8, 8, 8]),
            Item("quinces", 3),
        ]
        planner = Planner(items)
        orders = planner.plan()
        for order in orders:
            print(f"{order.item:<10}{order.packs:>3} packs, {order.urgency:.1f} days left")
        assigned = planner.assign({"north": {"plums"}, "south": {"pears", "cherries"}})
        stock = {item.name: item.stock for item in items}
        return [(order.item, order.packs) for order in orders], assigned, stock, repr(items[3])
