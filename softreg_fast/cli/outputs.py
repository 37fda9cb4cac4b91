"""Files that commands write, checked before any work."""

import os
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
    if target.exists() and not target.is_file():
        raise UserError(f"{option} {path} is no regular file, which could be replaced")
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
