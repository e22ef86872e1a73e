"""Saves and loads a small document store as JSON, with types of its own."""

import json
from datetime import date
from json import JSONDecodeError


class Note:
    def __init__(self, text, written, tags=()):
        self.text, self.written, self.tags = text, written, set(tags)

    def __eq__(self, other):
        return isinstance(other, Note) and vars(self) == vars(other)


class NoteEncoder(json.JSONEncoder):
    def default(self, o):
        match o:
            case Note():
                return {"__note__": o.text, "written": o.written, "tags": o.tags}
            case set() | frozenset():
                return sorted(o)
            case date():
                return {"__date__": o.isoformat()}
        return super().default(o)


def revive(data):
    if "__date__" in data:
        return date.fromisoformat(data["__date__"])
    if "__note__" in data:
        return Note(data["__note__"], data["written"], data["tags"])
    return data


class Sheet:
    """Enough of a file."""

    def __init__(self):
        self._pieces = []

    def write(self, text):
        self._pieces.append(text)

    def read(self):
        return "".join(self._pieces)


class Agent:
    def run(self):
        notes = {"notes": [Note("buy rope", date(2024, 2, 29), {"shop", "boat"})], "version": 2, "open": None}
        text = json.dumps(notes, cls=NoteEncoder, sort_keys=True)
        print(text)
        back = json.loads(text, object_hook=revive)
        sheet = Sheet()
        json.dump([1, {"a": True}], sheet, indent=2)
        problems = []
        for bad in ('{"a": }', "[1, 2", "nul"):
            try:
                json.loads(bad)
            except JSONDecodeError as error:
                problems.append((error.msg, error.lineno, error.colno))
        try:
            json.dumps({1, 2})
        except TypeError as error:
            problems.append(str(error))
        return {
            "same": back["notes"] == notes["notes"],
            "problems": problems,
            "sheet": sheet.read(),
            "loaded": json.load(sheet),
            "floats": json.loads("[1.10, 2e3]", parse_float=str),
            "pairs": json.loads('{"b": 1, "a": 2}', object_pairs_hook=list),
            "compact": json.dumps({"ä": [1, None, float("inf")]}, ensure_ascii=False, separators=(",", ":")),
            "escaped": json.dumps("ä\n\u2028"),
            "keys": json.dumps({1: 2, None: 3, 2.5: 4}),
            "fallback": json.dumps(1j, default=str),
            "raw": json.JSONDecoder().raw_decode("[1] and more"),
        }
