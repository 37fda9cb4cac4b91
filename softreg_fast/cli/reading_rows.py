"""From a table and what its columns are to rows to learn from."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import vstack

from ..blocks.tables import TableFile
from .errors import UserError
from .learning_rows import BlockRows, Labels, LearningRows, MemoryRows
from .tables.columns import ColumnTable
from .tables.encoding import Counts, encode
from .tables.files import batches_of
from .tables.values import numbers_of

_BYTES_PER_NUMBER = 24
_MOST_BYTES = 512 << 20


def read_rows(
    table: TableFile,
    columns: ColumnTable,
    labels: Labels,
    decimal: str,
    *,
    in_blocks: bool | None,
) -> LearningRows:
    """The rows of a file that have a label.

    Parameters
    ----------
    table : TableFile
    columns : ColumnTable
    labels : Labels
    decimal : str
    in_blocks : bool or None
        None is only if they don't fit; see `fits_in_memory`.
    """

    def encode_all(looks_up: bool) -> Iterator[Any]:
        row = 0
        for read in batches_of(table, columns.names):
            first, row = row, row + read.num_rows
            are_labelled = labels.are_labelled
            batch = read if are_labelled is None else read.filter(are_labelled[first:row])
            encoded = encode(batch, columns, decimal, Counts(), first_row=first, place=table.place)
            if encoded.n_rows:
                yield encoded.as_features(looks_up=looks_up)

    if in_blocks is None:
        in_blocks = not fits_in_memory(len(labels.codes), len(columns.columns))
    if in_blocks:
        names = columns.coefficient_names
        return BlockRows(lambda: encode_all(False), labels, names, len(names))
    import pyarrow as pa

    parts = list(encode_all(not columns.has_references))
    if columns.has_references:
        return MemoryRows(vstack(parts, format="csr"), labels)
    return MemoryRows(pa.concat_tables(parts).unify_dictionaries().combine_chunks(), labels)


def fits_in_memory(n_rows: int, n_columns: int) -> bool:
    """Whether rows take little memory: at most 512 MiB, and half of what is free."""
    return n_rows * n_columns * _BYTES_PER_NUMBER <= min(_MOST_BYTES, free_bytes() // 2)


def free_bytes() -> int:
    """Memory that is free: of the machine, and of the container."""
    free = 4 << 30
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        found = dict(line.split(":") for line in lines)
        free = int(found["MemAvailable"].split()[0]) << 10
    except (OSError, KeyError, ValueError):
        if hasattr(os, "sysconf"):
            free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    try:
        group = Path("/sys/fs/cgroup")
        limit = (group / "memory.max").read_text(encoding="ascii").strip()
        used = (group / "memory.current").read_text(encoding="ascii").strip()
        return free if limit == "max" else max(0, min(free, int(limit) - int(used)))
    except (OSError, ValueError):
        return free


def read_weights(
    table: TableFile, name: str, missing: tuple[str, ...], decimal: str
) -> npt.NDArray[np.float64]:
    """The weights of all rows.

    Raises
    ------
    UserError
        One is missing, negative, infinite or no number, or all are zero.
    """
    parts: list[npt.NDArray[np.float64]] = []
    row = 0
    for batch in batches_of(table, [name]):
        values, are_wrong = numbers_of(batch.column(0), missing, decimal)
        wrong = ~(np.isfinite(values) & (values >= 0.0))
        if are_wrong is not None or wrong.any():
            place = int(wrong.argmax())
            found = batch.column(0)[place].as_py()
            shown = "missing" if found in (None, *missing) else repr(found)
            raise UserError(
                f"--weight {name!r} is {shown} in row {row + place + 1}: weights must be numbers "
                "of at least 0, none missing"
            )
        parts.append(values)
        row += len(values)
    weights = np.concatenate([*parts, np.empty(0)])
    with np.errstate(over="ignore"):
        if np.isinf(weights.sum()):
            raise UserError(f"--weight {name!r}: the sum overflows; divide all weights by a number")
    if not weights.any():
        raise UserError(f"--weight {name!r} is 0 in all rows: some must be above 0")
    return weights
