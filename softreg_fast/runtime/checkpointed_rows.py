"""Rows whose sums are kept in a file, so that a fit that was stopped finds them there."""

from ..data.blocked import BlockedRows, Work, WrappedRows
from ..data.tree_sums import Sums
from .checkpoint import Checkpoint, key_of


class CheckpointedRows(WrappedRows):
    """Rows in blocks, with a checkpoint.

    A sum that has been kept is not taken again. A solver that begins anew is given the same sums as
    before, so it takes the same steps, without reading the rows, to where it was.

    Parameters
    ----------
    rows : BlockedRows
    checkpoint : Checkpoint
    """

    def __init__(self, rows: BlockedRows, checkpoint: Checkpoint) -> None:
        super().__init__(rows)
        self.checkpoint = checkpoint

    def reduce(self, work: Work[Sums], n_threads: int | None = None) -> Sums:
        """See `BlockedRows.reduce`."""
        key = key_of(work)
        kept = self.checkpoint.get(key)
        if kept is None:
            sums = self._rows.reduce(work, n_threads)
            self.checkpoint.keep(key, sums)
            return sums
        return tuple(array if array.ndim else array[()] for array in kept)
