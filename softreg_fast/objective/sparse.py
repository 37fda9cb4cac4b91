"""Loss and gradient over all rows of a sparse problem, for one set of parameters after another."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from .._typing import FloatArray
from ..data.problem import Problem
from ..kernels import sparse_pass as kernels
from ..kernels.shapes import choose_specialisation_of_a_pass
from ..kernels.threads.claims import make_shared
from ..runtime import tuning
from ..runtime.sparse_workspace import (
    Panel,
    choose_panel_rows,
    estimate_sparse_work,
    make_sparse_workspaces,
    no_panel,
    take_panel,
)
from ..runtime.team import TeamContext
from ..runtime.threads import count_threads_for_pass
from ..runtime.workspace import aligned_zeros, round_up
from .dense import LossAndGradient
from .loss import loss_of


class SparseAccumulator(TeamContext):
    """Passes over all rows of a problem with sparse features; a context, as `Accumulator` is.

    Gradients take the elements by columns too: a copy of them, made for the first one.

    Parameters
    ----------
    problem, n_columns, n_threads
        See `Accumulator`.
    keeps_slopes : bool, default=False
        Whether the slopes of all rows are kept, rather than those of a panel.

    Attributes
    ----------
    specialisation : SparseSpecialisation
    panel_rows, chunk_rows : int
        Rows of a panel, and of a chunk of it.
    model : ndarray of shape (n_features + 1, n_padded)
        That of the last pass, the biases last.
    slopes : ndarray of shape (n_samples or panel_rows, n_padded)
        Derivatives of the loss by the logits, of the last pass.
    """

    def __init__(
        self,
        problem: Problem,
        n_columns: int,
        n_threads: int | None = None,
        *,
        keeps_slopes: bool = False,
    ) -> None:
        self._problem = problem
        features = problem.features
        n_samples, n_features = features.shape
        self.specialisation = choose_specialisation_of_a_pass(
            features.dtype, features.indices.dtype, problem.dtype, n_columns
        )
        self._pointers = features.indptr.astype(features.indices.dtype, copy=False)
        self._n_columns = n_columns
        n_padded = self.specialisation.pad(n_columns)
        self.panel_rows = choose_panel_rows(features, problem.sample_weight, n_padded)
        starts = range(0, n_samples, self.panel_rows)
        self._panels: list[Panel | None] = [None for _ in starts]
        chunk_rows = -(-self.panel_rows // tuning.MOST_CHUNKS)
        self.chunk_rows = round_up(chunk_rows, self.specialisation.row_multiple)
        n_used = count_threads_for_pass(n_threads, estimate_sparse_work(features, n_padded))
        self._workspaces = make_sparse_workspaces(n_used, n_padded, self.specialisation)
        dtype = problem.dtype
        self.model = aligned_zeros((n_features + 1, n_padded), dtype)
        self._keeps_slopes = keeps_slopes
        n_kept = n_samples if keeps_slopes else self.panel_rows
        self.slopes = aligned_zeros((n_kept, n_padded), dtype)
        self._gradients: list[FloatArray] = []
        self._no_gradients = [np.zeros((0, n_padded), dtype) for _ in range(2)]
        self._nothing = no_panel(features.dtype)
        self._chunk_sums = self.chunk_sums()
        self._settings = np.zeros(1, kernels.SPARSE_PASS_SETTINGS)
        self._settings["n_classes"] = n_columns
        self._settings["activation"] = loss_of(problem).code
        self._settings["chunk_rows"] = self.chunk_rows
        super().__init__(n_used, make_shared(tuning.MOST_CHUNKS, n_used))

    def chunk_sums(self) -> FloatArray:
        """Where chunks of the rows of a panel may write a number, and one for each column."""
        n_chunks = -(-self.panel_rows // self.chunk_rows)
        return np.zeros((n_chunks, 1 + self.model.shape[1]))

    def turn_to(self, problem: Problem) -> None:
        """Take other weights of the same rows."""
        self._team.wait()
        self._problem = problem

    def evaluate(self, weights: FloatArray, bias: FloatArray) -> LossAndGradient:
        """Sums for a model; see `Accumulator.evaluate`."""
        loss, bias_gradient = self._run(weights, bias, only_loss=False)
        gradient = self.gradient[:, : self._n_columns].astype(np.float64)
        return LossAndGradient(loss, gradient, bias_gradient)

    def loss(self, weights: FloatArray, bias: FloatArray) -> float:
        """The loss of a model alone; see `Accumulator.loss`."""
        return self._run(weights, bias, only_loss=True)[0]

    def columns(
        self, features: npt.NDArray[np.int64]
    ) -> tuple[FloatArray, npt.NDArray[np.int32], npt.NDArray[np.int64]]:
        """Copies of the columns of some features.

        Returns
        -------
        data : ndarray of shape (n_elements,)
            The elements of one feature after the other.
        rows : ndarray of shape (n_elements,), int32
            The rows that they are in, in order.
        lengths : ndarray of shape (n_features,)
            Elements of each feature.
        """
        panels = [self._panel(number, *self._bounds(number)) for number in range(len(self._panels))]
        all_lengths = np.array([np.diff(panel.pointers)[features] for panel in panels])
        lengths = all_lengths.sum(axis=0)
        firsts = np.cumsum(lengths) - lengths
        n_elements = int(lengths.sum())
        data = np.empty(n_elements, self._problem.features.dtype)
        rows = np.empty(n_elements, np.int32)
        for number, panel in enumerate(panels):
            own = all_lengths[number]
            within = np.arange(own.sum()) - np.repeat(np.cumsum(own) - own, own)
            source = np.repeat(panel.pointers[features], own) + within
            target = np.repeat(firsts, own) + within
            data[target] = panel.data[source]
            rows[target] = panel.rows[source] + self._bounds(number)[0]
            firsts = firsts + own
        return data, rows, lengths

    @property
    def row_arguments(self) -> tuple[Any, ...]:
        """Features, targets and weights of the rows, as entry points take them."""
        features = self._problem.features
        return (
            features.data,
            features.indices,
            self._pointers,
            self._problem.targets,
            self._problem.given_weights,
        )

    @property
    def gradient(self) -> FloatArray:
        """That by the weights, of the last pass; of shape (n_features, n_padded)."""
        return self._gradients[(len(self._panels) - 1) % 2]

    @property
    def n_panels(self) -> int:
        """Panels that the rows are taken in."""
        return len(self._panels)

    def _bounds(self, number: int) -> tuple[int, int]:
        """The rows of a panel."""
        start = number * self.panel_rows
        return start, min(start + self.panel_rows, self._problem.n_samples)

    def wait(self) -> None:
        """Wait until what calls read and write may be changed."""
        self._team.wait()

    def panels(self, *, by_columns: bool = True) -> Iterator[tuple[int, int, Panel]]:
        """The rows of each panel, and these by columns, when no thread is in a call any more."""
        for number in range(len(self._panels)):
            self._team.wait()
            start, stop = self._bounds(number)
            yield start, stop, self._panel(number, start, stop) if by_columns else self._nothing

    def call(
        self,
        compiled: Any,
        panel: Panel,
        settings: npt.NDArray[Any],
        bounds: tuple[int, int],
        arguments: Sequence[Any],
        results: Sequence[Any],
    ) -> None:
        """Call an entry point for a panel in all threads.

        Parameters
        ----------
        compiled : callable
        panel : Panel
        settings : ndarray of shape (1,)
        bounds : tuple of int
            The first row, and the one after the last.
        arguments, results : sequences
            What it takes before the thread's workspace, and after it.
        """
        self._team.call(partial(self._call, compiled, panel, settings, bounds, arguments, results))

    def _run(
        self, weights: FloatArray, bias: FloatArray, *, only_loss: bool
    ) -> tuple[float, FloatArray]:
        """The loss and the gradient by the biases of a model."""
        self._team.wait()
        self.model[:-1, : self._n_columns] = weights
        self.model[-1, : self._n_columns] = bias
        return self.run(only_loss=only_loss)

    def run(self, *, only_loss: bool = False) -> tuple[float, FloatArray]:
        """The loss and the gradient by the biases of the model that is there.

        The gradient by the weights, if it is wanted, is in `gradient` afterwards.
        """
        if not (only_loss or self._gradients):
            shape = self.model[:-1].shape
            n_gradients = min(len(self._panels), 2)
            self._gradients = [aligned_zeros(shape, self.model.dtype) for _ in range(n_gradients)]
        compiled = kernels.accumulate_sparse.specialise(self.specialisation)
        sums = np.zeros(1 + self._n_columns)
        for number, (start, stop, panel) in enumerate(self.panels(by_columns=not only_loss)):
            self._settings["only_loss"] = only_loss
            self._settings["is_first"] = number == 0
            before, gradient = self._no_gradients
            if not only_loss:
                gradient = self._gradients[number % 2]
                before = self._gradients[(number - 1) % len(self._gradients)]
            slopes = self.slopes[start:stop] if self._keeps_slopes else self.slopes
            results = slopes, self._chunk_sums, gradient
            bounds = start, stop
            self.call(compiled, panel, self._settings, bounds, (self.model, before), results)
            n_chunks = -(-(stop - start) // self.chunk_rows)
            sums += self._chunk_sums[:n_chunks, : 1 + self._n_columns].sum(axis=0)
        return float(sums[0]), sums[1:]

    def _panel(self, number: int, start: int, stop: int) -> Panel:
        panel = self._panels[number]
        if panel is None:
            features = self._problem.features
            panel = take_panel(features, self._pointers, start, stop, len(self._workspaces))
            self._panels[number] = panel
        return panel

    def _call(
        self,
        compiled: Any,
        panel: Panel,
        settings: npt.NDArray[Any],
        bounds: tuple[int, int],
        arguments: Sequence[Any],
        results: Sequence[Any],
        thread: int,
        n_threads: int,
        call: int,
    ) -> None:
        compiled(
            *self.row_arguments,
            *panel.arguments,
            settings,
            self.specialisation.blocks,
            *bounds,
            thread,
            n_threads,
            call,
            *arguments,
            *self._workspaces[thread].arguments,
            *results,
            self._shared,
        )
