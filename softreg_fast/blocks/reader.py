"""The blocks of a source, checked and cut, as often as they are needed."""

from collections.abc import Iterator
from itertools import chain

from .checking import PieceChecks
from .cutting import Part, cut_into_blocks, join, rows_of_dense_blocks
from .labels import LabelCodes
from .read_ahead import read_ahead
from .source import Request, Source

NO_ROWS = "there are no rows: a source must give one block at least"


class BlockReader:
    """Reads the rows of a source in blocks.

    Parameters
    ----------
    source : Source
    block_rows : int or None
        Rows of a block but the last; None for as many as take 32 MiB at most.
    """

    def __init__(self, source: Source, block_rows: int | None) -> None:
        self.source = source
        self.block_rows = block_rows

    def blocks(self, labels: LabelCodes | None, *, check_values: bool) -> Iterator[Part]:
        """All blocks, in order.

        Parameters
        ----------
        labels : LabelCodes or None
            Encodes the labels, if they are wanted.
        check_values : bool
            Whether features and weights are looked at.

        Raises
        ------
        TypeError, ValueError
            See `PieceChecks.take`; or there are no rows.
        """
        blocks = self._blocks(labels, check_values=check_values)
        return blocks if self.source.is_cheap and not check_values else read_ahead(blocks)

    def _blocks(self, labels: LabelCodes | None, *, check_values: bool) -> Iterator[Part]:
        source, block_rows = self.source, self.block_rows
        if block_rows is None and source.dtype is not None and source.n_features:
            block_rows = rows_of_dense_blocks(source.n_features, source.dtype)
        checks = PieceChecks(source.feature_names)
        request = Request(labels=labels is not None, block_rows=block_rows)
        parts = (
            checks.take(piece, labels, check_values=check_values)
            for piece in source.pieces(request)
        )
        first = next(parts, None)
        if first is None:
            raise ValueError(NO_ROWS)
        if block_rows is None and not checks.is_sparse:
            block_rows = rows_of_dense_blocks(first.features.shape[1], first.features.dtype)
        for held in cut_into_blocks(chain([first], parts), block_rows):
            yield join(held)
