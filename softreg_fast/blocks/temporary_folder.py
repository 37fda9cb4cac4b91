"""Folders that hold what is read again, and go with what reads it."""

import errno
import os
import shutil
import tempfile
import weakref
from pathlib import Path

_DISK_IS_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


def is_disk_full(error: OSError) -> bool:
    """Whether an error says that there is no room for what is written."""
    return error.errno in _DISK_IS_FULL


class TemporaryFolder:
    """A folder that goes when this object does, in the process that has made it.

    Parameters
    ----------
    parent : Path or None, default=None
        In which it is made; None for the folder of temporary files.

    Attributes
    ----------
    path : Path
    """

    def __init__(self, parent: Path | None = None) -> None:
        if parent is not None:
            parent.mkdir(parents=True, exist_ok=True)
        self.path = Path(tempfile.mkdtemp(prefix="softreg_fast-", dir=parent))
        self._finalizer = weakref.finalize(self, _remove, self.path, os.getpid())

    def remove(self) -> None:
        """Remove it now."""
        self._finalizer()


def _remove(path: Path, owner: int) -> None:
    if os.getpid() == owner:
        shutil.rmtree(path, ignore_errors=True)
