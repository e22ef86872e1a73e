"""Things with pages."""

from objects.goods import Goods


class Book(Goods):
    """Paper that talks."""

    kind = "book"
    title = "untitled"
    pages = 0

    def description(self) -> str:
        return f'"{self.title}", {self.pages} pages'


class Atlas(Book):
    """The world, flattened."""

    title = "Atlas of Trading Posts"
    pages = 212


class Cookbook(Book):
    """Not that kind of cookie."""

    title = "One Hundred Soups"
    pages = 128
