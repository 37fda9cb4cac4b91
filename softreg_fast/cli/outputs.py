"""Files that commands write, checked before any work."""

import os
import sys
from pathlib import Path

from .errors import UserError


def check_standard_output() -> None:
    """Raise UserError if standard output was closed when the process began."""
    if sys.__stdout__ is None:
        raise UserError("-o - is standard output, which is closed")


def check_output(
    option: str, path: str, inputs: tuple[str, ...] = (), others: tuple[str | None, ...] = ()
) -> Path:
    """The path of a file that can be written.

    Parameters
    ----------
    option : str
        For errors.
    path : str
    inputs : tuple of str
        Files that must not be overwritten.
    others : tuple of str or None
        Other files that are written.

    Raises
    ------
    UserError
        It is a folder, or in none, or one of the inputs or of the other outputs.
    """
    target = Path(path)
    if target.is_dir():
        raise UserError(f"{option} {path} is a folder: give the path of a file")
    if target.exists() and not target.is_file():
        raise UserError(f"{option} {path} is no regular file, which could be replaced")
    if not target.parent.is_dir():
        raise UserError(
            f"{option} {path}: there is no folder {str(target.parent)!r}; make it first"
        )
    if not os.access(target.parent, os.W_OK):
        raise UserError(f"{option} {path}: the folder {str(target.parent)!r} can't be written")
    if any(os.path.realpath(path) == os.path.realpath(each) for each in others if each):
        raise UserError(f"{option} {path} is also given as another output: give another file")
    for each in inputs:
        if Path(each).exists() and target.exists() and target.samefile(each):
            raise UserError(f"{option} {path} is what is read: give another file")
    return target
