"""A host's log on stderr: a readable line for each record, or a line of JSON."""

import json
import logging
import sys
from dataclasses import asdict
from datetime import UTC, datetime

from .screen import plain

__all__ = ["JsonLines", "TextLines", "log_to_stderr"]


class TextLines(logging.Formatter):
    """``07:10:23 code      upload of agent.shopping ...``; warnings and errors say so."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created).strftime("%H:%M:%S")
        level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        text = record.getMessage() + (f"\n{self.formatException(record.exc_info)}" if record.exc_info else "")
        first, *more = [plain(line) for line in text.splitlines()] or [""]
        # What follows is indented: whatever text a peer gets into a message, no line of it looks like a record.
        return "\n    ".join([f"{time} {record.name.removeprefix('emporion.'):<10} {level}{first}", *more])


class JsonLines(logging.Formatter):
    """One object a line: time, level, logger, message, and for typed events `event` with its fields and its `kind`."""

    def format(self, record: logging.LogRecord) -> str:
        event = getattr(record, "event", None)
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "event": None if event is None else {"kind": type(event).__name__, **asdict(event)},
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


def log_to_stderr(*, as_json: bool) -> None:
    """Send this program's log to stderr: ours from INFO on, everybody else's warnings."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if as_json else TextLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("emporion").setLevel(logging.INFO)
