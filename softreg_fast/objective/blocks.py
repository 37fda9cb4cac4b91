"""Loss and gradient of many classes over dense rows, whose products are BLAS's."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .._typing import FloatArray
from ..data.problem import Problem
from ..kernels.groups import N_ROW_VALUES
from ..kernels.shapes import choose_specialisation_of_a_pass
from ..kernels.sparse_pass import SPARSE_PASS_SETTINGS
from ..kernels.tile_slopes import take_tile_slopes
from ..runtime import tuning
from ..runtime.blas import one_blas_thread
from ..runtime.claimed_map import cut_into_blocks
from ..runtime.workspace import aligned_zeros, round_up
from .parts import PartsAccumulator

# Logits of a block of rows, in as many numbers; and rows of a block.
_NUMBERS_OF_A_BLOCK = 1 << 18
_FEWEST_ROWS, _MOST_ROWS = 64, 1024
# Rows are summed in parts, each with a gradient of its own: as many numbers at most.
_MOST_NUMBERS = 1 << 23
_MOST_PARTS = 16


def suits(n_features: int, n_columns: int) -> bool:
    """Whether products by BLAS take less time than kernels that keep logits in the cache."""
    is_large = n_features * n_columns >= tuning.PRODUCTS_WORTH_BLAS
    return is_large and n_columns >= tuning.COLUMNS_WORTH_BLAS


@dataclass(frozen=True)
class _Workspace:
    """What a thread works in.

    Attributes
    ----------
    tile, numbers
        See `kernels.tile_slopes`.
    gradient : ndarray of shape (n_columns, n_features)
        That of a block.
    """

    tile: FloatArray
    numbers: npt.NDArray[np.int64]
    gradient: FloatArray


class BlockAccumulator(PartsAccumulator[_Workspace]):
    """Passes over all rows of a dense problem, in blocks of rows; see `Accumulator`.

    Parameters
    ----------
    problem, n_columns, n_threads
        See `Accumulator`.
    """

    def __init__(self, problem: Problem, n_columns: int, n_threads: int | None = None) -> None:
        n_samples, n_features = problem.features.shape
        self._specialisation = choose_specialisation_of_a_pass(
            problem.dtype, np.dtype(np.int32), problem.dtype, n_columns
        )
        rows = min(max(_NUMBERS_OF_A_BLOCK // n_columns, _FEWEST_ROWS), _MOST_ROWS)
        self._block_rows = round_up(rows, self._specialisation.row_multiple)
        n_parts = min(max(_MOST_NUMBERS // (n_features * n_columns), 1), _MOST_PARTS)
        part_rows = round_up(-(-n_samples // n_parts), self._block_rows)
        self._weights = np.zeros((n_columns, n_features), problem.dtype)
        self._bias = np.zeros(n_columns)
        super().__init__(
            problem,
            n_columns,
            cut_into_blocks(n_samples, part_rows),
            self._weights.shape,
            n_samples * n_features * n_columns,
            SPARSE_PASS_SETTINGS,
            n_threads,
        )

    def _make_workspace(self) -> _Workspace:
        n_columns, dtype = self._n_columns, self._problem.dtype
        return _Workspace(
            aligned_zeros((2 * n_columns + N_ROW_VALUES, self._block_rows), dtype),
            np.zeros(self._block_rows, np.int64),
            np.zeros(self._weights.shape, dtype),
        )

    def _fill(self, weights: FloatArray, bias: FloatArray) -> None:
        self._weights[:] = weights.T
        self._bias[:] = bias

    def _gradient_of(self, total: FloatArray) -> FloatArray:
        return np.ascontiguousarray(total.T)

    def _run(self, weights: FloatArray, bias: FloatArray, *, only_loss: bool) -> FloatArray:
        with np.errstate(all="ignore"), one_blas_thread():
            return super()._run(weights, bias, only_loss=only_loss)

    def _add_part(
        self,
        workspace: _Workspace,
        rows: tuple[int, int],
        gradient_out: FloatArray,
        sums_out: FloatArray,
    ) -> None:
        compiled = take_tile_slopes.specialise(self._specialisation)
        problem, tile = self._problem, workspace.tile
        first, last = rows
        for start in range(first, last, self._block_rows):
            n_rows = min(self._block_rows, last - start)
            block: Any = problem.features[start : start + n_rows]
            block = block.astype(problem.dtype, copy=False)
            logits = tile[: self._n_columns, :n_rows]
            if n_rows == tile.shape[1]:
                np.matmul(self._weights, block.T, out=logits)
            else:
                logits[:] = self._weights @ block.T
            compiled(
                problem.targets,
                problem.given_weights,
                self._settings,
                self._specialisation.blocks,
                start,
                n_rows,
                self._bias,
                workspace.numbers,
                tile,
                sums_out,
            )
            if not self._settings["only_loss"][0]:
                np.matmul(logits, block, out=workspace.gradient)
                gradient_out += workspace.gradient
