"""Tables to demonstrate on: iris, and CSV files."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import UserError
from .tables.index_columns import FEWEST_IN_SEQUENCE, is_identifier, is_unnamed
from .tables.labels import check_number_of_classes, number_of
from .tables.text import TextLayout, describe_text, hint_of_delimiter, read_rows, shortened
from .tables.values import order_of


@dataclass(frozen=True)
class Table:
    """Features and encoded labels.

    Attributes
    ----------
    name : str
    features : ndarray of shape (n_samples, n_features), float64
    labels : ndarray of shape (n_samples,), int64
        Positions in `class_names`.
    feature_names, class_names : tuple of str
    left_out : tuple of str, default=()
        Columns that number the rows.
    """

    name: str
    features: npt.NDArray[np.float64]
    labels: npt.NDArray[np.int64]
    feature_names: tuple[str, ...]
    class_names: tuple[str, ...]
    left_out: tuple[str, ...] = ()


def iris_table() -> Table:
    """The iris flowers that scikit-learn ships."""
    from sklearn.datasets import load_iris

    iris: Any = load_iris()
    return Table(
        "iris",
        iris.data,
        iris.target.astype(np.int64),
        tuple(iris.feature_names),
        tuple(str(name) for name in iris.target_names),
    )


def _number(text: str, path: Path, line: int, column: str) -> float:
    try:
        number = number_of(text.strip())
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UserError(
            f"{path}, line {line}: {shortened(text.strip())} in column {column!r} is no finite "
            "number; all columns but the target must be numeric and complete; softreg-fast train "
            "takes others too"
        )
    return number


def _read_records(layout: TextLayout, target: str) -> tuple[list[str], list[list[float]]]:
    """Each line's label and features."""
    names = list(layout.names)
    if names.count(target) != 1:
        raise UserError(
            f"--target {target!r} names {names.count(target)} columns of {layout.path}; "
            f"it must name one of {names}{hint_of_delimiter(names)}"
        )
    position = names.index(target)
    del names[position]
    labels: list[str] = []
    rows: list[list[float]] = []
    for line, record in read_rows(layout):
        if len(record) != len(layout.names):
            raise UserError(
                f"{layout.path}, line {line}: {len(record)} columns; the header has "
                f"{len(layout.names)}"
            )
        label = record.pop(position).strip()
        if not label:
            raise UserError(f"{layout.path}, line {line}: no label in column {target!r}")
        labels.append(label)
        rows.append(
            [
                _number(text, layout.path, line, name)
                for text, name in zip(record, names, strict=True)
            ]
        )
    return labels, rows


def _numbers_the_rows(name: str, values: npt.NDArray[np.float64]) -> bool:
    """Whether a column is an index, or identifies the rows."""
    if not (values == np.rint(values)).all():
        return False
    if len(values) >= FEWEST_IN_SEQUENCE and np.isin(np.diff(values), (1.0, -1.0)).all():
        return len(np.unique(values)) == len(values)
    is_named_so = is_unnamed(name) or is_identifier(name)
    return is_named_so and len(np.unique(values)) == len(values)


def read_table(path: str, target: str, encoding: str | None = None) -> Table:
    """Read a CSV file with a header line.

    Parameters
    ----------
    path : str
        Of the file, which may be compressed by gzip, bzip2 or xz.
    target : str
        The column with the labels, of any kind: they are compared as text and encoded in sorted
        order, numbers in the order of their values. All other columns are features, but for those
        that number the rows.
    encoding : str, default=None
        None is UTF-8, or UTF-16 if the file begins with its mark.

    Returns
    -------
    Table

    Raises
    ------
    OSError
        The file can't be read.
    UserError
        There is no such column, a feature is no number, labels are quantities, or there are fewer
        than two rows, two classes or two columns.
    """
    layout = describe_text(Path(path), encoding)
    labels, rows = _read_records(layout, target)
    names = [name for name in layout.names if name != target]
    class_names = sorted(set(labels), key=order_of)
    if len(class_names) < 2 or not names:
        raise UserError(
            f"{path} has {len(class_names)} classes in column {target!r} and "
            f"{len(names)} other columns; there must be at least 2 and 1"
        )
    check_number_of_classes(target, class_names, len(labels))
    features = np.array(rows)
    are_kept = [not _numbers_the_rows(name, features[:, at]) for at, name in enumerate(names)]
    if not any(are_kept):
        raise UserError(f"{path} has no column that is a feature: {names} number the rows")
    codes = {name: code for code, name in enumerate(class_names)}
    return Table(
        Path(path).name,
        np.ascontiguousarray(features[:, are_kept]),
        np.array([codes[label] for label in labels]),
        _names_where(names, are_kept, wanted=True),
        tuple(class_names),
        _names_where(names, are_kept, wanted=False),
    )


def _names_where(
    names: Sequence[str], are_kept: Sequence[bool], *, wanted: bool
) -> tuple[str, ...]:
    return tuple(
        name or "(unnamed)"
        for name, is_kept in zip(names, are_kept, strict=True)
        if is_kept == wanted
    )
