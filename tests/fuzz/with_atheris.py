"""The visit's side of the protocol under atheris, which is led by coverage: for long runs, where it is installed.

``python tests/fuzz/with_atheris.py -max_len=96 -max_total_time=3600``; the options are libFuzzer's.
"""

import importlib
import sys
from typing import Final

ROUND: Final = 250
LED_BY: Final = ("wire", "peer", "visits", "session", "driver", "channel", "exports")


def main() -> None:
    """Fuzz until libFuzzer's options say stop, or something is found."""
    try:
        atheris = importlib.import_module("atheris")
    except ImportError:
        sys.exit("atheris is not installed: pip install atheris; without it, `make fuzz` has hypothesis do this")
    # Nothing of ours may be imported before: what is, is not watched.
    with atheris.instrument_imports(include=[f"emporion.runtime.{name}" for name in LED_BY]):
        ordeal = importlib.import_module("emporion.tests.fuzz.ordeal").ordeal
    with ordeal() as under:

        def one(data: bytes) -> None:
            under.one(data)
            if under.examples % ROUND == 0:
                under.settle()

        atheris.Setup(sys.argv, one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
