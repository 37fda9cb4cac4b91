"""Loss and gradient over rows that are read in blocks."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

from .._typing import FloatArray
from ..data.blocked import Block, BlockedProblem, BlockKind
from ..data.problem import Problem
from ..data.tree_sums import Sums
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
    """Accumulators that go from one block to the next of as many rows.

    One is kept for each thread that has used some at the same time; of another length it makes room
    for a new one. What is sent to another process keeps its own.

    Parameters
    ----------
    make : callable
        Makes one for a problem in memory, a number of columns, and one of threads.
    n_columns : int
    """

    def __init__(self, make: MakeAccumulator, n_columns: int) -> None:
        self._make = make
        self._n_columns = n_columns
        self._free: list[tuple[int, RowsInMemory, ExitStack]] = []

    def __reduce__(self) -> tuple[Any, ...]:
        return KeptAccumulators, (self._make, self._n_columns)

    @contextmanager
    def of(self, problem: Problem, n_threads: int | None) -> Iterator[RowsInMemory]:
        """A context with one for a block's problem, which other threads don't use meanwhile."""
        n_rows = problem.n_samples
        try:
            kept_rows, found, context = self._free.pop()
        except IndexError:
            kept_rows, context = -1, ExitStack()
        if kept_rows == n_rows:
            found.turn_to(problem)
        else:
            context.close()
            made = self._make(problem, self._n_columns, n_threads)
            found = context.enter_context(made)
        try:
            yield found
        except BaseException:
            context.close()
            raise
        self._free.append((n_rows, found, context))

    def close(self) -> None:
        """Have their threads end."""
        while self._free:
            *_, context = self._free.pop()
            context.close()


@dataclass(frozen=True)
class _EvaluateBlock:
    """What an accumulator gives for a block: the loss, and the gradient if it is wanted."""

    kind: BlockKind
    weights: FloatArray
    bias: FloatArray
    only_loss: bool
    make: MakeAccumulator
    kept: KeptAccumulators

    def __call__(self, block: Block, n_threads: int | None) -> Sums:
        problem = self.kind.problem_of(block)
        if not problem.is_sparse:
            with self.kept.of(problem, n_threads) as kept:
                return self._evaluate(kept)
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
        self._kept = KeptAccumulators(make, n_columns)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
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
