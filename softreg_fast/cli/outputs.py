"""Files that commands write: checked before any work, and moved to their place when whole."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import UserError


def check_output(option: str, path: str, inputs: tuple[str, ...] = ()) -> Path:
    """The path of a file that can be written.

    Parameters
    ----------
    option : str
        For errors.
    path : str
    inputs : tuple of str
        Files that must not be overwritten.

    Raises
    ------
    UserError
        It is a folder, or in none, or one of the inputs.
    """
    target = Path(path)
    if target.is_dir():
        raise UserError(f"{option} {path} is a folder: give the path of a file")
    if not target.parent.is_dir():
        raise UserError(
            f"{option} {path}: there is no folder {str(target.parent)!r}; make it first"
        )
    if not os.access(target.parent, os.W_OK):
        raise UserError(f"{option} {path}: the folder {str(target.parent)!r} can't be written")
    for each in inputs:
        if Path(each).exists() and target.exists() and target.samefile(each):
            raise UserError(f"{option} {path} is what is read: give another file")
    return target


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file beside another, whose place it takes if nothing goes wrong."""
    number, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
    os.close(number)
    beside = Path(name)
    try:
        yield beside
        mask = os.umask(0)
        os.umask(mask)
        beside.chmod(0o666 & ~mask)  # mkstemp's files are the user's alone
        os.replace(beside, path)  # noqa: PTH105
    finally:
        with suppress(FileNotFoundError):
            beside.unlink()
