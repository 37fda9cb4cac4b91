"""Models with their table of columns, in files."""

from pathlib import Path
from typing import Any

from ..persistence import load_with_metadata, save
from .errors import UserError
from .tables.columns import ColumnTable, from_json

_KEY = "softreg-fast"


def save_model(model: Any, table: ColumnTable, training: dict[str, Any], path: Path) -> None:
    """Write a model, its table of columns, and what is known of its training."""
    save(model, path, metadata={_KEY: {"table": table.to_json(), "training": training}})


def load_model(path: Path) -> tuple[Any, ColumnTable, dict[str, Any]]:
    """Read what `save_model` has written.

    Raises
    ------
    UserError, ModelFileError
        There is no such file, or it was not written by ``softreg-fast train``.
    """
    if path.is_dir():
        raise UserError(f"{path} is a folder: give the path of a model")
    if not path.exists():
        raise UserError(f"there is no model {str(path)!r}: make one with softreg-fast train")
    if not path.is_file():
        raise UserError(f"{path} is no regular file: save the model in one first")
    model, metadata = load_with_metadata(path)
    if _KEY not in metadata:
        raise UserError(
            f"{path} is a model without a table of columns: make one with softreg-fast train, or "
            "use this one in Python with softreg_fast.persistence.load"
        )
    document = metadata[_KEY]
    return model, from_json(document["table"]), document["training"]
