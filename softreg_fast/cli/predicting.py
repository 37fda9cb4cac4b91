"""What ``softreg-fast predict`` writes."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ..blocks.columns import is_string_view
from ..persistence.replacing import replacing
from .applying import Application, Predicted
from .console import Console, name_of, name_some
from .errors import UserError
from .tables.files import kind_of

_PARQUET = (".parquet", ".pq")


def check_kind(path: str) -> None:
    """Raise UserError if the name of an output is of no kind that is written."""
    if path != "-" and kind_of(Path(path)) not in (".csv", *_PARQUET):
        raise UserError(f"-o {path} must end in .csv or .parquet, or be - for standard output")


def run_prediction(
    application: Application, output: Path | None, *, with_probabilities: bool, console: Console
) -> None:
    """Predict all rows, and write what is predicted.

    Parameters
    ----------
    application : Application
    output : Path or None
        None is standard output.
    with_probabilities : bool
    console : Console
    """
    labels = application.model.classes_
    names = [name_of(label) for label in labels.tolist()]
    heads = [*application.others, "prediction"]
    if with_probabilities:
        heads += [f"probability_{name}" for name in names]
    twice = next((head for head in heads if heads.count(head) > 1), None)
    if twice is not None:
        raise UserError(f"--id {twice!r} is what a column of predictions is called: rename it")
    application.open()
    if not _is_parquet(output):
        _check_identifiers(application)
    if application.unused:
        console.note(f"columns that are not used: {name_some(application.unused)}")
    predicted = np.zeros(len(labels), np.int64)
    with console.stage(f"predicting {application.path}"), _writer(output) as write:
        for rows in application.predictions():
            codes = rows.probabilities.argmax(axis=1)
            predicted += np.bincount(codes, minlength=len(labels))
            write(_batch_of(rows, application, codes, heads, with_probabilities))
        if not predicted.sum():
            raise UserError(f"{application.path} has no rows below its header")
    for note in application.counts.notes(application.table):
        console.note(note)
    if output is not None:
        console.note(f"{predicted.sum():,} rows, written to {output}")


def _batch_of(
    rows: Predicted, application: Application, codes: Any, heads: list[str], with_all: bool
) -> Any:
    import pyarrow as pa

    labels = application.model.classes_
    columns = [
        _plain(rows.batch.column(rows.batch.schema.get_field_index(name)))
        for name in application.others
    ]
    columns.append(pa.array(labels[codes]))
    if with_all:
        columns += [pa.array(column) for column in rows.probabilities.T.copy()]
    return pa.RecordBatch.from_arrays(columns, heads)


def _plain(column: Any) -> Any:
    """A column that can be written to any file, and has the same type in all batches."""
    from pyarrow import string, types

    if types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return column.cast(string()) if is_string_view(column.type) else column


def _check_identifiers(application: Application) -> None:
    """Raise UserError if CSV has no form of the values of an identifier."""
    import pyarrow as pa
    from pyarrow.csv import write_csv

    for name in application.others:
        kind = application.type_of(name)
        try:
            column = _plain(pa.nulls(0, kind))
            write_csv(pa.RecordBatch.from_arrays([column], [name]), pa.BufferOutputStream())
        except pa.ArrowException as error:
            raise UserError(
                f"--id {name!r} is a column of type {kind}, which CSV doesn't have: leave it out, "
                "or give -o FILE.parquet"
            ) from error


def _is_parquet(output: Path | None) -> bool:
    return output is not None and kind_of(output) in _PARQUET


@contextmanager
def _writer(output: Path | None) -> Iterator[Any]:
    """A function that writes record batches."""
    if output is None:
        with _writing(sys.stdout.buffer, is_parquet=False) as write:
            yield write
        sys.stdout.buffer.flush()
        return
    with (
        replacing(output) as beside,
        beside.open("wb") as file,
        _writing(file, is_parquet=_is_parquet(output)) as write,
    ):
        yield write


@contextmanager
def _writing(file: Any, *, is_parquet: bool) -> Iterator[Any]:
    import pyarrow as pa
    from pyarrow.csv import CSVWriter
    from pyarrow.parquet import ParquetWriter

    sink = pa.PythonFile(file, "w")
    writer: Any = None

    def write(batch: Any) -> None:
        nonlocal writer
        if writer is None:
            kind = ParquetWriter if is_parquet else CSVWriter
            writer = kind(sink, batch.schema)
        writer.write_batch(batch)

    yield write
    if writer is not None:
        writer.close()
