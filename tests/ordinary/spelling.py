"""Corrects spelling, shows differences between texts, and takes Unicode apart."""

import difflib
import unicodedata
from difflib import SequenceMatcher, get_close_matches

WORDS = ["apple", "maple", "ample", "grape", "pear"]
OLD = "the quick brown fox\njumps over\nthe dog\n"
NEW = "the quick red fox\njumps over\nthe lazy dog\n"


def edits(word, letters="aelp"):
    splits = [(word[:i], word[i:]) for i in range(len(word) + 1)]
    for left, right in splits:
        if right:
            yield left + right[1:]
        if len(right) > 1:
            yield left + right[1] + right[0] + right[2:]
        for letter in letters:
            yield left + letter + right
            if right:
                yield left + letter + right[1:]


def distance(a, b):
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (x != y))
    return row[-1]


def plain(text):
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c)).casefold()


class Agent:
    def run(self):
        print(*difflib.unified_diff(OLD.splitlines(), NEW.splitlines(), "old", "new", lineterm=""), sep="\n")
        matcher = SequenceMatcher(None, "harbour", "harbor")
        compared = list(difflib.ndiff(OLD.splitlines(), NEW.splitlines()))
        return {
            "close": [get_close_matches("appel", WORDS, n=2), get_close_matches("zzz", WORDS)],
            "edits": sorted(set(edits("aple")) & set(WORDS)),
            "distances": [distance("kitten", "sitting"), distance("", "ab")],
            "ratio": [round(matcher.ratio(), 6), matcher.get_opcodes(), tuple(matcher.find_longest_match())],
            "restored": list(difflib.restore(compared, 2)) == NEW.splitlines(),
            "context": len(list(difflib.context_diff(OLD.splitlines(), NEW.splitlines(), lineterm=""))),
            "differ": list(difflib.Differ().compare(["a\n"], ["b\n"])),
            "plain": [plain("Crème Brûlée ﬁn"), plain("Straße") == plain("STRASSE")],
            "names": [unicodedata.name("é"), unicodedata.lookup("BULLET"), "\N{SNOWMAN}"],
            "kinds": [unicodedata.category(c) for c in "aA1 €\n"],
            "numbers": [unicodedata.numeric("½"), unicodedata.digit("²"), "४".isdigit(), int("४")],
            "widths": [unicodedata.east_asian_width(c) for c in "aあ"] + [unicodedata.bidirectional("א")],
            "lengths": [len(unicodedata.normalize(form, "é")) for form in ("NFC", "NFD")],
            "encoded": [
                "é€".encode(),
                "é".encode("latin-1"),
                b"\xff".decode("utf-8", "replace"),
                "é".encode("ascii", "ignore"),
            ],
        }
