"""Loss and gradient of many classes over dense rows, whose products are BLAS's."""

from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

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
from ..runtime.claimed_map import claimed_map, cut_into_blocks
from ..runtime.threads import count_threads_for_pass
from ..runtime.workspace import aligned_zeros, round_up
from .dense import LossAndGradient
from .loss import loss_of

_NO_WEIGHTS = np.zeros(0)
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


class BlockAccumulator:
    """Passes over all rows of a dense problem, in blocks of rows; see `Accumulator`.

    Parameters
    ----------
    problem, n_columns, n_threads
        See `Accumulator`.
    """

    def __init__(self, problem: Problem, n_columns: int, n_threads: int | None = None) -> None:
        n_samples, n_features = problem.features.shape
        self._problem = problem
        self._n_columns = n_columns
        self._specialisation = choose_specialisation_of_a_pass(
            problem.dtype, np.dtype(np.int32), problem.dtype, n_columns
        )
        rows = min(max(_NUMBERS_OF_A_BLOCK // n_columns, _FEWEST_ROWS), _MOST_ROWS)
        self._block_rows = round_up(rows, self._specialisation.row_multiple)
        n_parts = min(max(_MOST_NUMBERS // (n_features * n_columns), 1), _MOST_PARTS)
        part_rows = round_up(-(-n_samples // n_parts), self._block_rows)
        self._parts = cut_into_blocks(n_samples, part_rows)
        shape = len(self._parts), n_columns, n_features
        self._gradients = np.zeros(shape, problem.dtype)
        self._sums = np.zeros((len(self._parts), 1 + n_columns))
        n_used = count_threads_for_pass(n_threads, n_samples * n_features * n_columns)
        self._n_used = min(n_used, len(self._parts))
        self._settings = np.zeros(1, SPARSE_PASS_SETTINGS)
        self._settings["n_classes"] = n_columns
        self._settings["activation"] = loss_of(problem).code
        self._workspaces = [self._make_workspace() for _ in range(self._n_used)]
        self._weights = np.zeros((n_columns, n_features), problem.dtype)
        self._bias = np.zeros(n_columns)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass

    def weigh(self, sample_weight: npt.NDArray[np.float64] | None) -> None:
        """Give the rows other weights."""
        self._problem = replace(self._problem, sample_weight=sample_weight)

    def evaluate(self, weights: FloatArray, bias: FloatArray) -> LossAndGradient:
        """Sums for a model; see `Accumulator.evaluate`."""
        sums = self._run(weights, bias, only_loss=False)
        gradient = self._gradients.sum(axis=0, dtype=np.float64)
        return LossAndGradient(float(sums[0]), np.ascontiguousarray(gradient.T), sums[1:])

    def loss(self, weights: FloatArray, bias: FloatArray) -> float:
        """The loss of a model alone; see `Accumulator.loss`."""
        return float(self._run(weights, bias, only_loss=True)[0])

    def _run(self, weights: FloatArray, bias: FloatArray, *, only_loss: bool) -> FloatArray:
        """The loss, and the gradient by the biases."""
        self._weights[:] = weights.T
        self._bias[:] = bias
        self._settings["only_loss"] = only_loss
        self._sums[:] = 0.0
        with np.errstate(all="ignore"), one_blas_thread():
            claimed_map(self._run_part, range(len(self._parts)), self._n_used)
        sums: FloatArray = self._sums.sum(axis=0)
        return sums

    def _run_part(self, number: int) -> None:
        try:
            workspace = self._workspaces.pop()
        except IndexError:  # other threads have them
            workspace = self._make_workspace()
        compiled = take_tile_slopes.specialise(self._specialisation)
        problem, tile = self._problem, workspace.tile
        sample_weight = problem.sample_weight
        first, last = self._parts[number]
        gradient = self._gradients[number]
        gradient[:] = 0.0
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
                _NO_WEIGHTS if sample_weight is None else sample_weight,
                self._settings,
                self._specialisation.blocks,
                start,
                n_rows,
                self._bias,
                workspace.numbers,
                tile,
                self._sums[number],
            )
            if not self._settings["only_loss"][0]:
                np.matmul(logits, block, out=workspace.gradient)
                gradient += workspace.gradient
        self._workspaces.append(workspace)

    def _make_workspace(self) -> _Workspace:
        n_columns, n_features = self._n_columns, self._problem.features.shape[1]
        dtype = self._problem.dtype
        return _Workspace(
            aligned_zeros((2 * n_columns + N_ROW_VALUES, self._block_rows), dtype),
            np.zeros(self._block_rows, np.int64),
            np.zeros((n_columns, n_features), dtype),
        )
