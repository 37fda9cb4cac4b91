"""Rows whose sums are kept in a file, so that a fit that was stopped finds them there."""

from collections.abc import Iterator, Sequence

from ..data.blocked import Block, BlockedRows, Result, Sums, Work
from .checkpoint import Checkpoint, key_of


class CheckpointedRows(BlockedRows):
    """Rows in blocks, with a checkpoint.

    A sum that has been kept is not taken again. A solver that begins anew is given the same sums as
    before, so it takes the same steps, without reading the rows, to where it was.

    Parameters
    ----------
    rows : BlockedRows
    checkpoint : Checkpoint
    """

    def __init__(self, rows: BlockedRows, checkpoint: Checkpoint) -> None:
        super().__init__(
            rows.shape[1],
            rows.dtype,
            is_sparse=rows.is_sparse,
            firsts=rows.firsts,
            n_elements=rows.n_elements,
            class_counts=rows.class_counts,
            class_weights=rows.class_weights,
            is_weighted=rows.is_weighted,
        )
        self.are_here = rows.are_here
        self.checkpoint = checkpoint
        self._rows = rows

    def map(
        self,
        work: Work[Result],
        numbers: Sequence[int] | None = None,
        n_threads: int | None = None,
        *,
        needs_features: bool = True,
    ) -> list[Result]:
        """See `BlockedRows.map`."""
        return self._rows.map(work, numbers, n_threads, needs_features=needs_features)

    def reduce(self, work: Work[Sums], n_threads: int | None = None) -> Sums:
        """See `BlockedRows.reduce`."""
        key = key_of(work)
        kept = self.checkpoint.get(key)
        if kept is None:
            sums = self._rows.reduce(work, n_threads)
            self.checkpoint.keep(key, sums)
            return sums
        return tuple(array if array.ndim else array[()] for array in kept)

    def windows(self, n_rows: int, seed: int | None, n_done: int = 0) -> Iterator[Block]:
        """See `BlockedRows.windows`."""
        return self._rows.windows(n_rows, seed, n_done)
