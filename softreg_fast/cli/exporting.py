"""Models as texts that other languages run."""

from typing import Any

from ..export import to_c, to_json, to_python, to_sql
from .console import need_extra
from .errors import UserError
from .tables.columns import BOOLEAN, ColumnTable

_MOST_FILLS = 10


def export(
    model: Any,
    table: ColumnTable,
    kind: str,
    sql_table: str | None,
    dialect: str,
    identifiers: tuple[str, ...],
) -> bytes:
    """A model as a file.

    Parameters
    ----------
    model : SoftmaxClassifier
    table : ColumnTable
    kind : {"python", "c", "json", "sql", "onnx"}
    sql_table : str or None
        Name of the table with the features, for SQL.
    dialect : {"sqlite", "duckdb"}
    identifiers : tuple of str
        Columns of that table to have beside the predictions.

    Raises
    ------
    UserError
        Categories are columns of ones in the model, or not possible in ONNX.
    """
    if kind == "onnx":
        return _to_onnx(model, table)
    if table.categorical and not hasattr(model, "categories_"):
        raise UserError(
            "the model's categories are columns of ones, which can't be exported: learn it in "
            "memory (without --in-blocks), and with a finite --C"
        )
    if kind == "sql":
        assert sql_table is not None
        return to_sql(model, sql_table, dialect, keep=identifiers).encode()
    return {"python": to_python, "c": to_c, "json": to_json}[kind](model).encode()


def _to_onnx(model: Any, table: ColumnTable) -> bytes:
    if table.categorical:
        raise UserError(
            "--format onnx takes numbers alone, but the model has categories, such as "
            f"{table.categorical[0].name!r}: give another --format, or --drop them in training"
        )
    need_extra("--format onnx", "onnx", "skl2onnx")
    import numpy as np
    from skl2onnx import to_onnx

    from ..onnx import register

    register()
    rows = np.zeros((1, model.coef_.shape[1]))
    content: bytes = to_onnx(model, rows, options={"zipmap": False}).SerializeToString()
    return content


def notes_of(table: ColumnTable) -> list[str]:
    """What has to be done to columns before the model is applied to them."""
    found = []
    fills = [f"{each.name!r} {each.fill:.6g}" for each in table.numbers if each.fill is not None]
    if fills:
        more = f" and {len(fills) - _MOST_FILLS} more" if len(fills) > _MOST_FILLS else ""
        found.append(f"missing numbers are filled first: {', '.join(fills[:_MOST_FILLS])}{more}")
    booleans = [repr(each.name) for each in table.columns if each.kind == BOOLEAN]
    if booleans:
        found.append(f"booleans are the texts 'true' and 'false': {', '.join(booleans)}")
    return found
