"""Models as texts that other languages run."""

from dataclasses import replace
from typing import Any

import numpy as np

from ..export import to_c, to_json, to_python, to_sql
from ..export.linear_model import Feature, LinearModel, Scalar, read_model
from ..export.onnx_graph import to_onnx_graph
from .console import need_extra
from .errors import UserError
from .tables.columns import BOOLEAN, CATEGORY, NUMBER, Column, ColumnTable
from .tables.values import order_of

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
    TypeError, ValueError
        The format has no such labels or names.
    UserError
        A name is empty in SQL, or the format needs an extra that isn't installed.
    """
    if kind == "onnx":
        return _to_onnx(model, table)
    known = _linear_model(model, table)
    if kind == "sql":
        assert sql_table is not None
        _check_names(sql_table, identifiers, table)
        return to_sql(known, sql_table, dialect, keep=identifiers).encode()
    return {"python": to_python, "c": to_c, "json": to_json}[kind](known).encode()


def _linear_model(model: Any, table: ColumnTable) -> LinearModel:
    """The model as one of the columns of the table, also if it has learned columns of ones."""
    known = read_model(model)
    if not table.categorical or hasattr(model, "categories_"):
        return known
    coefficients = iter([each.coefficients for each in known.features])
    features = []
    for column in table.columns:
        if column.kind == NUMBER:
            features.append(Feature(column.name, None, next(coefficients)))
            continue
        categories: list[Scalar] = list(column.categories)
        own = [next(coefficients) for _ in categories]
        if column.reference is not None:
            categories.insert(0, column.reference)
            own.insert(0, np.zeros(known.n_columns))
        features.append(Feature(column.name, categories, np.array(own)))
    return replace(known, features=features)


def _check_names(sql_table: str, identifiers: tuple[str, ...], table: ColumnTable) -> None:
    """Raise UserError if a name is empty, which SQL doesn't allow."""
    if "" in (sql_table, *identifiers):
        raise UserError("--table and --id must be names, not empty")
    if "" in table.names:
        raise UserError("a column has no name, which SQL needs: name it, and train again")


def _to_onnx(model: Any, table: ColumnTable) -> bytes:
    need_extra("--format onnx", "onnx", "skl2onnx")
    if table.categorical:
        return to_onnx_graph(_linear_model(model, table), table.missing)
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
    numbers = [repr(each.name) for each in table.columns if _are_numbers(each)]
    if numbers:
        found.append(f"numbers that are categories are texts, as in '2': {', '.join(numbers)}")
    return found


def _are_numbers(column: Column) -> bool:
    """Whether a column has categories that are numbers alone."""
    texts = [each for each in (column.reference, *column.categories) if each is not None]
    return column.kind == CATEGORY and texts != [] and not any(order_of(each)[0] for each in texts)
