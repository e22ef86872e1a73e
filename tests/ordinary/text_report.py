"""A report in plain text: tables, wrapped paragraphs, templates, and every common format specification."""

import string
import textwrap

TEXT = """
    The harbour master reports that the season was a good one: more ships than last year,
    fewer accidents, and hardly any fog.
"""
ROWS = [("Alma", 3, 1234.5, 0.25), ("Bertrand", 12, 99.999, 0.5), ("Cy", 107, 1e6, 1)]


def table(rows, *, widths=(10, 5, 14, 8)):
    head = "".join(f"{title:<{width}}" for title, width in zip(("name", "n", "sum", "share"), widths))
    yield head.rstrip()
    yield "-" * sum(widths)
    for name, count, amount, share in rows:
        yield f"{name:.<{widths[0]}}{count:>{widths[1]}}{amount:>{widths[2]},.2f}{share:>{widths[3]}.1%}"


def paragraphs(text, width=40):
    wrapper = textwrap.TextWrapper(width=width, initial_indent="* ", subsequent_indent="  ")
    return wrapper.fill(" ".join(textwrap.dedent(text).split()))


class Percent(string.Template):
    delimiter = "%"


class Agent:
    def run(self):
        for line in table(ROWS):
            print(line)
        print(paragraphs(TEXT))
        print(textwrap.indent("first\nsecond", "> "), textwrap.shorten(TEXT, 40, placeholder=" ..."), sep="\n")
        name, number = "x", 42
        return [
            f"{number:05d}|{number:+}|{number:x}|{number:#o}|{number:b}|{number:e}|{number!r:>6}|{number=}",
            "{0:>8}|{0:^8}|{0:<8}|{1:,}|{2:.3g}".format(name, 1234567, 3.14159),
            "{row[0]} {obj.real} {0!s} {key:{width}}".format("a", row=[7], obj=3 + 4j, key="k", width=4),
            "{a}-{b}".format_map({"a": 1, "b": [2]}),
            "%-6s|%6.2f|%03d|%s" % ("ab", 2.5, 7, [1]),
            string.Template("$who owes $$${amount}").substitute(who="Cy", amount=5),
            string.Template("$who and $nobody").safe_substitute(who="Cy"),
            Percent("%a of %b").substitute(a=1, b=2),
            string.capwords("the old mill"),
            textwrap.wrap("aaa bbb ccc ddd", 7),
            format(0.1 + 0.2, ".20f"),
            f"{'nested ' + f'{name!r}'} {{braces}} { {'k': 1}['k'] }",
            "a,b;c".translate(str.maketrans(",;", "  ", "c")),
            "Straße".casefold(), "title case".title(), "x".center(5, "*"), "1\t2".expandtabs(4),
            string.ascii_lowercase[:3] + string.digits[-1] + string.punctuation[0],
        ]
