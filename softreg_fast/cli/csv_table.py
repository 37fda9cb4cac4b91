"""Tables to demonstrate on: iris, and CSV files."""

import csv
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


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
    """

    name: str
    features: npt.NDArray[np.float64]
    labels: npt.NDArray[np.int64]
    feature_names: tuple[str, ...]
    class_names: tuple[str, ...]


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


def _number(text: str, path: str, line: int, column: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(
            f"{path}, line {line}: {text!r} in column {column!r} is no finite number; "
            "all columns but the target must be numeric and complete"
        )
    return number


def _label_order(label: str) -> tuple[bool, float, str]:
    """Numbers first, by value; then everything else, as text."""
    try:
        number = float(label)
    except ValueError:
        number = math.nan
    return (True, 0.0, label) if math.isnan(number) else (False, number, label)


def _read_records(
    reader: Any, path: str, target: str
) -> tuple[list[str], list[str], list[list[float]]]:
    """The header, and each line's label and features."""
    header = [name.strip() for name in next(reader, [])]
    if header.count(target) != 1:
        raise ValueError(
            f"--target {target!r} names {header.count(target)} columns of {path}; "
            f"it must name one of {header}"
        )
    position = header.index(target)
    feature_names = header[:position] + header[position + 1 :]
    labels: list[str] = []
    rows: list[list[float]] = []
    for record in reader:
        if not record:
            continue
        if len(record) != len(header):
            raise ValueError(
                f"{path}, line {reader.line_num}: {len(record)} columns; "
                f"the header has {len(header)}"
            )
        label = record.pop(position).strip()
        if not label:
            raise ValueError(f"{path}, line {reader.line_num}: no label in column {target!r}")
        labels.append(label)
        rows.append(
            [
                _number(text, path, reader.line_num, name)
                for text, name in zip(record, feature_names, strict=True)
            ]
        )
    return header, labels, rows


def read_table(path: str, target: str) -> Table:
    """Read a CSV file with a header line.

    Parameters
    ----------
    path : str
        Of the file, in UTF-8.
    target : str
        The column with the labels, of any kind: they are compared as text and encoded in sorted
        order, numbers in the order of their values. All other columns are features.

    Returns
    -------
    Table

    Raises
    ------
    OSError
        The file can't be read.
    ValueError
        There is no such column, a feature is no number, or there are fewer than two rows, two
        classes or two columns.
    """
    with Path(path).open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file, skipinitialspace=True)
        try:
            header, labels, rows = _read_records(reader, path, target)
        except (csv.Error, UnicodeDecodeError) as error:
            raise ValueError(f"{path}, about line {reader.line_num}: {error}") from error
    feature_names = [name for name in header if name != target]
    class_names = sorted(set(labels), key=_label_order)
    if len(class_names) < 2 or not feature_names:
        raise ValueError(
            f"{path} has {len(class_names)} classes in column {target!r} and "
            f"{len(feature_names)} other columns; there must be at least 2 and 1"
        )
    codes = {name: code for code, name in enumerate(class_names)}
    return Table(
        Path(path).name,
        np.array(rows),
        np.array([codes[label] for label in labels]),
        tuple(feature_names),
        tuple(class_names),
    )
