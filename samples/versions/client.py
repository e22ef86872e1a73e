"""Sends version 1, edits and reloads its module, sends version 2, then both at once: ``python client.py URI``."""

import importlib
import shutil
import sys
import tempfile
from pathlib import Path

import emporion

with (
    tempfile.TemporaryDirectory() as folder,
    emporion.connect(sys.argv[1], passphrase="abacus", mobile_code=True) as house,
):
    module = Path(shutil.copy(Path(__file__).with_name("counter.py"), folder))
    sys.path.insert(0, folder)
    import counter

    old = counter.Counter()
    print("version 1:", house.ask(old))
    print("again:", house.ask(old))

    text = module.read_text(encoding="utf-8")
    text = text.replace("version 1: counts letters", "version 2: counts words")
    module.write_text(text.replace('{len(text)} letters', '{len(text.split())} words'), encoding="utf-8")
    importlib.reload(counter)

    new = counter.Counter()
    print("version 2:", house.ask(new))
    print("both at once:", house.ask(old, new))
