"""Exceptions of one's own, chained, noted, raised again; every clause of try."""


class ShopError(Exception):
    code = 0

    def __init__(self, message="", *, item=None):
        super().__init__(message)
        self.item = item

    def __str__(self):
        return f"[{self.code}] {super().__str__()}"


class SoldOut(ShopError):
    code = 1


class Refused(ShopError, PermissionError):
    code = 2


def buy(item, stock):
    try:
        stock[item] -= 1
    except KeyError as error:
        raise SoldOut(f"no {item}", item=item) from error
    except TypeError:
        raise Refused("not for sale") from None
    else:
        if stock[item] < 0:
            raise ShopError("debt")
    finally:
        stock["looked"] = stock.get("looked", 0) + 1
    return stock[item]


def again(times):
    try:
        return int("x" * times)
    except ValueError as error:
        error.add_note(f"tried {times} letters")
        raise


def first_error(*calls):
    for call in calls:
        try:
            call()
        except (ArithmeticError, LookupError) as error:
            yield type(error).__name__, str(error)
        except Exception as error:
            yield "other", repr(error)
        else:
            yield "fine", None


def nested():
    log = []
    try:
        try:
            raise KeyError("inner")
        finally:
            log.append("first")
    except KeyError as error:
        log.append(error.args)
        try:
            raise ValueError("second") from error
        except ValueError as second:
            log.append((str(second), repr(second.__cause__)))
    return log


class Agent:
    def run(self):
        stock = {"hat": 1, "till": None}
        results = []
        for item in ("hat", "hat", "boat", "till"):
            try:
                results.append(buy(item, stock))
            except SoldOut as error:
                results.append((str(error), error.item, type(error.__cause__).__name__))
            except ShopError as error:
                results.append((repr(error), error.__cause__, isinstance(error, OSError)))
        try:
            again(3)
        except ValueError as error:
            notes = error.__notes__
            print(error)
        try:
            error
        except NameError as unbound:
            print(type(unbound).__name__)
        try:
            assert not results, "there are results"
        except AssertionError as failed:
            print(failed)
        found = list(
            first_error(
                lambda: 1 / 0,
                lambda: [][3],
                lambda: {}["k"],
                lambda: None.missing,
                lambda: int("7"),
                lambda: "a" + 1,
                lambda: undefined,  # noqa: F821
                lambda: (_ for _ in ()).throw(ShopError("thrown")),
            )
        )
        try:
            raise SystemExit(3)
        except SystemExit as left:
            code = left.code
        return results, stock, notes, found, nested(), code
