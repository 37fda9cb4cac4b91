"""Loss and gradient over rows that are read in blocks."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

from .._typing import FloatArray
from ..data.blocked import Block, BlockedProblem, BlockKind, Sums
from ..data.problem import Problem
from .dense import LossAndGradient


class RowsInMemory(Protocol):
    """An accumulator of rows that are in memory; see `Accumulator`."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exception: Any) -> None: ...

    def turn_to(self, problem: Problem) -> None:
        """Take as many other rows of the same kind."""

    def evaluate(self, weights: FloatArray, bias: FloatArray) -> LossAndGradient:
        """Sums for a model."""

    def loss(self, weights: FloatArray, bias: FloatArray) -> float:
        """The loss of a model alone."""


MakeAccumulator = Callable[[Problem, int, "int | None"], Any]


class KeptAccumulators:
    """Accumulators that go from one block to the next of as many rows; a context.

    Parameters
    ----------
    make : callable
        Makes one for a problem in memory, a number of columns, and one of threads.
    n_columns : int
    """

    def __init__(self, make: MakeAccumulator, n_columns: int) -> None:
        self._make = make
        self._n_columns = n_columns
        self._kept: dict[int, RowsInMemory] = {}
        self._context = ExitStack()

    def of(self, problem: Problem, n_threads: int | None) -> RowsInMemory:
        """The one for a block's problem."""
        n_rows = problem.n_samples
        kept = self._kept.get(n_rows)
        if kept is None:
            made = self._make(problem, self._n_columns, n_threads)
            kept = self._kept[n_rows] = self._context.enter_context(made)
        else:
            kept.turn_to(problem)
        return kept

    def close(self) -> None:
        """Have their threads end."""
        self._context.close()
        self._kept = {}


@dataclass(frozen=True)
class _EvaluateBlock:
    """What an accumulator gives for a block: the loss, and the gradient if it is wanted."""

    kind: BlockKind
    weights: FloatArray
    bias: FloatArray
    only_loss: bool
    make: MakeAccumulator
    kept: KeptAccumulators | None

    def __call__(self, block: Block, n_threads: int | None) -> Sums:
        problem = self.kind.problem_of(block)
        if self.kept is not None and not problem.is_sparse:
            return self._evaluate(self.kept.of(problem, n_threads))
        with self.make(problem, len(self.bias), n_threads) as accumulator:
            return self._evaluate(accumulator)

    def _evaluate(self, accumulator: RowsInMemory) -> Sums:
        if self.only_loss:
            return (accumulator.loss(self.weights, self.bias),)
        sums = accumulator.evaluate(self.weights, self.bias)
        return sums.loss, sums.weights_gradient, sums.bias_gradient


class BlockwiseAccumulator:
    """Passes over all blocks of a problem; a context, as `Accumulator` is.

    Parameters
    ----------
    problem : BlockedProblem
    n_columns : int
        Of the model.
    n_threads : int or None
        See `threads.count_threads`.
    make : callable
        See `KeptAccumulators`.
    """

    def __init__(
        self, problem: BlockedProblem, n_columns: int, n_threads: int | None, make: MakeAccumulator
    ) -> None:
        self._problem = problem
        self._n_threads = n_threads
        self._make = make
        self._kept = KeptAccumulators(make, n_columns) if problem.rows.are_here else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._kept is not None:
            self._kept.close()

    def turn_to(self, problem: Problem) -> None:
        """Take other weights of the same rows."""
        assert isinstance(problem, BlockedProblem)
        self._problem = problem

    def evaluate(self, weights: FloatArray, bias: FloatArray) -> LossAndGradient:
        """Sums for a model; see `Accumulator.evaluate`."""
        return LossAndGradient(*self._sum(weights, bias, only_loss=False))

    def loss(self, weights: FloatArray, bias: FloatArray) -> float:
        """The loss of a model alone; see `Accumulator.loss`."""
        (loss,) = self._sum(weights, bias, only_loss=True)
        return float(loss)

    def _sum(self, weights: FloatArray, bias: FloatArray, *, only_loss: bool) -> Sums:
        work = _EvaluateBlock(self._problem.kind, weights, bias, only_loss, self._make, self._kept)
        return self._problem.rows.reduce(work, self._n_threads)
