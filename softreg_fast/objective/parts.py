"""Passes over all rows in fixed parts, of which each is summed by one thread."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from types import TracebackType
from typing import Generic, Self, TypeVar

import numpy as np

from .._typing import FloatArray
from ..data.problem import Problem
from ..runtime.claimed_map import claimed_map
from ..runtime.threads import count_threads_for_pass
from ..runtime.workspace import aligned_zeros, borrowed
from .dense import LossAndGradient
from .loss import loss_of

Workspace = TypeVar("Workspace")


class PartsAccumulator(ABC, Generic[Workspace]):
    """Passes over all rows of a problem; a context, as `Accumulator` is.

    Parameters
    ----------
    problem : Problem
    n_columns : int
        Of the model.
    parts : sequence of tuple
        The first row of each part, and the one after its last. They must not depend on the number
        of threads, so that the sums have the same bits for any.
    shape : tuple of int
        Of a gradient by the weights, as parts sum it.
    n_products : int
        Of all rows.
    settings : numpy.dtype
        Of the kernels, with `n_classes`, `activation` and `only_loss`.
    n_threads : int or None
        See `threads.count_threads`.
    """

    def __init__(
        self,
        problem: Problem,
        n_columns: int,
        parts: Sequence[tuple[int, int]],
        shape: tuple[int, int],
        n_products: int,
        settings: np.dtype,
        n_threads: int | None,
    ) -> None:
        self._problem = problem
        self._n_columns = n_columns
        self._parts = parts
        self._gradients = aligned_zeros((len(parts), *shape), problem.dtype)
        self._sums = np.zeros((len(parts), 1 + n_columns))
        self._n_used = min(count_threads_for_pass(n_threads, n_products), len(parts))
        self._settings = np.zeros(1, settings)
        self._settings["n_classes"] = n_columns
        self._settings["activation"] = loss_of(problem).code
        self._workspaces: list[Workspace] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass

    @abstractmethod
    def _make_workspace(self) -> Workspace:
        """What a thread works in."""

    @abstractmethod
    def _fill(self, weights: FloatArray, bias: FloatArray) -> None:
        """Set the model."""

    @abstractmethod
    def _add_part(
        self,
        workspace: Workspace,
        rows: tuple[int, int],
        gradient_out: FloatArray,
        sums_out: FloatArray,
    ) -> None:
        """Add the gradient of some rows by the weights; their loss, and that by the biases."""

    @abstractmethod
    def _gradient_of(self, total: FloatArray) -> FloatArray:
        """The gradient by the weights, shape (n_features, n_columns), as it is in a part."""

    def turn_to(self, problem: Problem) -> None:
        """Take other weights, or as many other rows of the same kind."""
        self._problem = problem

    def evaluate(self, weights: FloatArray, bias: FloatArray) -> LossAndGradient:
        """Sums for a model; see `Accumulator.evaluate`."""
        sums = self._run(weights, bias, only_loss=False)
        gradient = self._gradient_of(self._gradients.sum(axis=0, dtype=np.float64))
        return LossAndGradient(float(sums[0]), gradient, sums[1:])

    def loss(self, weights: FloatArray, bias: FloatArray) -> float:
        """The loss of a model alone; see `Accumulator.loss`."""
        return float(self._run(weights, bias, only_loss=True)[0])

    def _run(self, weights: FloatArray, bias: FloatArray, *, only_loss: bool) -> FloatArray:
        """The loss, and the gradient by the biases."""
        self._fill(weights, bias)
        self._settings["only_loss"] = only_loss
        self._sums[:] = 0.0
        claimed_map(self._run_part, range(len(self._parts)), self._n_used)
        sums: FloatArray = self._sums.sum(axis=0)
        return sums

    def _run_part(self, number: int) -> None:
        gradient = self._gradients[number]
        if not self._settings["only_loss"][0]:
            gradient[:] = 0.0
        with borrowed(self._workspaces, self._make_workspace) as workspace:
            self._add_part(workspace, self._parts[number], gradient, self._sums[number])
