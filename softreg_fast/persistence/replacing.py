"""Files that are written whole, or not at all."""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """The path of a file beside another, whose place it takes if nothing goes wrong.

    A link stays one: the file that it leads to is replaced.

    Parameters
    ----------
    path : Path
        Of a file, which need not be there.

    Raises
    ------
    IsADirectoryError, ValueError
        The path is there, and is a folder, or no regular file.
    FileNotFoundError
        There is no folder to hold it.
    """
    path = Path(os.path.realpath(path))
    if path.is_dir():
        raise IsADirectoryError(f"path={str(path)!r} is a folder: it must be a file")
    if path.exists() and not path.is_file():
        raise ValueError(f"path={str(path)!r} is not a regular file: it would be replaced by one")
    if not path.parent.is_dir():
        raise FileNotFoundError(
            errno.ENOENT, "there is no folder to hold the file: make it first", str(path.parent)
        )
    unfinished = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        yield unfinished
        unfinished.replace(path)
    except BaseException:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise
