"""Files with secrets in them: closed to others from their first byte, and whole or not there at all."""

import os
import secrets
from pathlib import Path

__all__ = ["write_private"]


def write_private(path: Path, data: bytes, *, over: bool) -> bool:
    """Write a file that only this user can read and write, by way of a draft beside it; whoever reads sees no half.

    Args:
        over: In the place of a file that is there; without it that one stays, and the answer is False.

    Raises:
        OSError: It cannot be written. What was there is still there.
    """
    draft = path.with_name(f".{path.name[:100]}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if over:
            draft.rename(path)
        else:
            os.link(draft, path)  # unlike a rename, this never replaces
    except FileExistsError:
        return False
    finally:
        draft.unlink(missing_ok=True)
    _sync(path.parent)
    return True


def _sync(folder: Path) -> None:
    """Make a new name in `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
