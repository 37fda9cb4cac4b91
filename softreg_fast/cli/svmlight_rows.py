"""Rows of svmlight files, whose features have no names and no kinds."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from .console import Console
from .errors import UserError
from .learning_rows import BlockRows, Labels, LearningRows, MemoryRows
from .preparing import Prepared, Training
from .reading_rows import fits_in_memory
from .tables.columns import ColumnTable
from .tables.labels import LabelReader
from .tables.svmlight_file import open_svmlight_file

_ELEMENTS_PER_ROW = 64  # a guess, for how much memory they take


def prepare_svmlight(training: Training, console: Console) -> Prepared:
    """Read a svmlight file; see `preparing.prepare`."""
    import pyarrow as pa

    for option, given in (
        ("--weight", training.weight), ("--id", training.identifiers), ("--drop", training.dropped),
        ("--keep", training.kept), ("--categorical", training.categorical),
        ("--standardize", training.standardizes),
    ):  # fmt: skip
        if given:
            raise UserError(f"{option} is not allowed with {training.data}, which has no columns")

    opened, first_index = open_svmlight_file(training.data)

    def blocks() -> Iterator[Any]:
        yield from opened.labelled_blocks()

    reader: LabelReader | None = None
    n_features = 0
    with console.stage(f"reading {training.data}"):
        for block in blocks():
            column = pa.array(block.labels)
            reader = reader or LabelReader("label", column.type, ())
            reader.add(column)
            n_features = block.features.shape[1]
    assert reader is not None  # files without rows are refused
    classes, codes, kind = reader.finish()
    labels = Labels(classes, codes, None, None)
    in_blocks = training.in_blocks
    if in_blocks is None:
        in_blocks = not fits_in_memory(len(codes), _ELEMENTS_PER_ROW)
    rows: LearningRows
    if in_blocks:
        rows = BlockRows(lambda: (each.features for each in blocks()), labels, None, n_features)
    else:
        from scipy.sparse import vstack

        rows = MemoryRows(vstack([each.features for each in blocks()], format="csr"), labels)
    table = ColumnTable((), "", kind, (), n_sparse=n_features, first_index=first_index)
    described = [
        {
            "name": f"x0 to x{n_features - 1}",
            "role": "feature",
            "text": f"{n_features:,} sparse numbers",
        }
    ]
    return Prepared(rows, table, described, int(np.size(codes)), 0)
