"""Models with their table of columns, in files."""

from pathlib import Path
from typing import Any

import numpy as np

from ..persistence import load_with_metadata, save
from .errors import UserError
from .tables.columns import ColumnTable, from_json

_KEY = "softreg-fast"
_OF_COEFFICIENTS = ("std_err", "p_value", "lower", "upper")


def save_model(model: Any, table: ColumnTable, training: dict[str, Any], path: Path) -> None:
    """Write a model, its table of columns, and what is known of its training."""
    save(model, path, metadata={_KEY: {"table": table.to_json(), "training": training}})


def load_model(path: Path) -> tuple[Any, ColumnTable, dict[str, Any]]:
    """Read what `save_model` has written.

    Raises
    ------
    UserError, ModelFileError
        There is no such file, it was not written by ``softreg-fast train``, or it is damaged.
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
    if not isinstance(document, dict) or not {"table", "training"} <= set(document):
        raise UserError(f"{path} is damaged: what it says of its table isn't whole")
    table, training = from_json(document["table"]), document["training"]
    _check_table(path, model, table)
    _check_training(path, model, training)
    return model, table.as_learned(model), training


def _check_table(path: Path, model: Any, table: ColumnTable) -> None:
    """Raise UserError if the table's columns aren't those of the model."""
    n_names = len(table.coefficient_names) if table.n_sparse is None else table.n_sparse
    found = np.shape(getattr(model, "coef_", ()))
    if len(found) != 2 or found[1] != n_names:
        raise UserError(
            f"{path} is damaged: its table has {n_names} coefficients of each class, its model "
            f"{found[1] if len(found) == 2 else 'none'}"
        )
    if not hasattr(model, "categories_"):
        return
    own = [set(column.categories) for column in table.categorical]
    if (
        len(own) != len(model.categories_)
        or [set(column.categories) for column in table.as_learned(model).categorical] != own
    ):
        raise UserError(f"{path} is damaged: its table has other categories than its model")


def _check_training(path: Path, model: Any, training: Any) -> None:
    """Raise UserError if what is used of the training isn't there."""
    try:
        shares = np.array([each["share"] for each in training["classes"]], np.float64)
        is_whole = shares.shape == model.classes_.shape
        is_whole &= bool(((shares >= 0.0) & (shares <= 1.0)).all())
        summary = training.get("summary")
        if summary and len(model.coef_) == 1:
            shape = 1, model.coef_.shape[1] + 1
            arrays = [np.array(summary[name], np.float64) for name in _OF_COEFFICIENTS]
            is_whole &= all(
                array.shape == shape and bool(np.isfinite(array).all()) for array in arrays
            )
            is_whole &= 0.0 < float(summary["confidence"]) < 1.0
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise UserError(f"{path} is damaged: what it says of its training isn't whole") from error
    if not is_whole:
        raise UserError(f"{path} is damaged: what it says of its training isn't whole")
