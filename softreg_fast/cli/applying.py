"""A model applied to the rows of a file, batch after batch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..blocks.tables import TableFile
from .console import name_some
from .errors import UserError
from .learning_rows import predict_quietly, rows_of_predictions
from .tables.columns import ColumnTable
from .tables.encoding import Counts, check_columns, encode
from .tables.files import ReadingOptions, batches_of, is_svmlight, open_table
from .tables.svmlight_file import open_svmlight_file


@dataclass(frozen=True)
class Predicted:
    """Rows and what a model says of them.

    Attributes
    ----------
    batch : pyarrow.RecordBatch or None
        The columns that were asked for; None of svmlight files.
    labels : ndarray or None
        Of svmlight files.
    probabilities : ndarray of shape (n_rows, n_classes)
    """

    batch: Any
    labels: Any
    probabilities: npt.NDArray[np.float64]


@dataclass
class Application:
    """The rows of a file, which a model can be applied to.

    Attributes
    ----------
    path : Path
    model : SoftmaxClassifier
    table : ColumnTable
    reading : ReadingOptions
    others : tuple of str
        Columns that are wanted besides those of the model.
    counts : Counts
        What was met; filled as rows are read.
    unused : list of str
        Columns of the file that are not used.
    """

    path: Path
    model: Any
    table: ColumnTable
    reading: ReadingOptions
    others: Sequence[str] = ()
    counts: Counts = field(default_factory=Counts)
    unused: list[str] = field(default_factory=list)
    _file: TableFile | None = None

    def open(self) -> None:
        """Open the file and check its columns.

        Raises
        ------
        UserError, ValueError, OSError
            It can't be read, or lacks columns.
        """
        if is_svmlight(self.path) != (self.table.n_sparse is not None):
            kind = "a svmlight file" if self.table.n_sparse is not None else "a table of columns"
            raise UserError(f"the model has learned from {kind}, but {self.path} is none")
        if self.table.n_sparse is not None:
            if self.others:
                raise UserError(f"{self.path} has no columns, such as {self.others[0]!r}")
            return
        self._file = open_table(self.path, self.reading)
        names = self._file.schema.names
        unused = check_columns(names, self.table, str(self.path))
        self.unused = [name for name in unused if name not in self.others]
        for name in self.others:
            if name not in names:
                raise UserError(f"{self.path} has no column {name!r}: it has {name_some(names)}")

    def type_of(self, name: str) -> Any:
        """The type of a column of the file."""
        assert self._file is not None
        return self._file.schema.field(name).type

    def predictions(self) -> Iterator[Predicted]:
        """All rows."""
        if self._file is None:
            yield from self._of_sparse_rows()
            return
        looks_up = hasattr(self.model, "categories_") or not self.table.categorical
        wanted = list(dict.fromkeys([*self.table.names, *self.others]))
        first = 0
        for batch in batches_of(self._file, wanted, len(self.model.classes_)):
            encoded = encode(
                batch, self.table, self.reading.decimal, self.counts,
                first_row=first, place=str(self.path),
            )  # fmt: skip
            first += batch.num_rows
            features = encoded.as_features(looks_up=looks_up)
            yield Predicted(batch, None, predict_quietly(self.model, features))

    def _of_sparse_rows(self) -> Iterator[Predicted]:
        table = self.table
        rows, _ = open_svmlight_file(self.path, table.n_sparse, table.first_index)
        with rows:
            for block in rows.labelled_blocks():
                step = rows_of_predictions(len(self.model.classes_))
                for start in range(0, block.features.shape[0], step):
                    part = slice(start, start + step)
                    probabilities = predict_quietly(self.model, block.features[part])
                    labels = None if block.labels is None else block.labels[part]
                    yield Predicted(None, labels, probabilities)
