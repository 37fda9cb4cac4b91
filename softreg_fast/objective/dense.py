"""Loss and gradient over all rows of a problem, for one set of parameters after another."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from .._typing import FloatArray
from ..data.problem import Problem
from ..kernels import gradient as kernels
from ..runtime import tuning
from ..runtime.team import TeamContext
from ..runtime.threads import count_threads_for_pass
from ..runtime.workspace import (
    aligned_zeros,
    choose_cuts,
    columns_in_place,
    estimate_work,
    fill_parameters,
    make_chunk_sums,
    make_workspaces,
    pack_parameters,
    specialise,
    unpack_parameters,
)
from .loss import loss_of


@dataclass(frozen=True)
class LossAndGradient:
    """Sums over all rows, weighted.

    Attributes
    ----------
    loss : float
        In nats.
    weights_gradient : ndarray of shape (n_features, n_columns), float64
    bias_gradient : ndarray of shape (n_columns,), float64
    """

    loss: float
    weights_gradient: FloatArray
    bias_gradient: FloatArray


class Accumulator(TeamContext):
    """Passes over all rows of a problem; a context, which keeps its threads.

    Parameters
    ----------
    problem : Problem
    n_columns : int
        Of the model: one for each class; or one for two classes with a convex loss, whose logit is
        that of the second class, the first having the logit zero.
    n_threads : int or None, default=None
        See `threads.count_threads`. The sums have the same bits for any number.
    """

    def __init__(self, problem: Problem, n_columns: int, n_threads: int | None = None) -> None:
        self._problem = problem
        n_samples, n_features = problem.features.shape
        self._specialisation = specialise(problem.features, problem.dtype, n_columns)
        parameters = pack_parameters(
            np.zeros((n_features, n_columns)), np.zeros(n_columns), self._specialisation
        )
        cuts = choose_cuts(n_samples, n_features, parameters, self._specialisation)
        self._models = aligned_zeros((1, *parameters.shape), problem.dtype)
        n_used = min(
            count_threads_for_pass(n_threads, estimate_work(n_samples, parameters)), cuts.n_chunks
        )
        self._sums = make_chunk_sums(cuts, n_used, parameters)
        self._results = np.zeros(kernels.N_RESULTS)
        self._workspaces = make_workspaces(
            n_used, cuts.tile_rows, n_features, parameters, self._specialisation
        )
        self._settings = np.zeros(1, kernels.PASS_SETTINGS)
        self._settings["n_classes"] = n_columns
        self._settings["chunk_rows"] = cuts.chunk_rows
        self._settings["activation"] = loss_of(problem).code
        self._settings["round_rows"] = cuts.round_rows
        n_rounds = max(1, tuning.PRODUCTS_PER_CALL // (cuts.round_rows * parameters.size))
        self._rows_per_call = n_rounds * cuts.round_rows
        super().__init__(n_used, self._sums.shared)

    def turn_to(self, problem: Problem) -> None:
        """Take other weights, or as many other rows of the same kind."""
        self._team.wait()
        self._problem = problem
        for workspace in self._workspaces:
            workspace.forget_rows()

    def evaluate(self, weights: FloatArray, bias: FloatArray) -> LossAndGradient:
        """Sums for a model.

        Parameters
        ----------
        weights : ndarray of shape (n_features, n_columns)
        bias : ndarray of shape (n_columns,)
        """
        loss = self._run(weights, bias, only_loss=False)
        weights_gradient, bias_gradient = unpack_parameters(
            self._sums.totals, len(weights), len(bias), self._specialisation
        )
        return LossAndGradient(loss, weights_gradient, bias_gradient)

    def loss(self, weights: FloatArray, bias: FloatArray) -> float:
        """The loss of a model alone; see `evaluate`."""
        return self._run(weights, bias, only_loss=True)

    def _run(self, weights: FloatArray, bias: FloatArray, *, only_loss: bool) -> float:
        """The loss, and the gradient in the totals."""
        n_samples = self._problem.n_samples
        fill_parameters(weights, bias, self._specialisation, self._models[0])
        self._settings["only_loss"] = only_loss
        self._sums.totals[:] = 0.0
        self._results[:] = 0.0
        compiled = kernels.accumulate.specialise(self._specialisation)
        for start in range(0, n_samples, self._rows_per_call):
            stop = min(start + self._rows_per_call, n_samples)
            self._team.call(partial(self._call, compiled, start, stop))
        return float(self._results[kernels.LOSS])

    def _call(
        self, compiled: Any, start: int, stop: int, thread: int, n_threads: int, call: int
    ) -> None:
        compiled(
            self._problem.features,
            columns_in_place(self._problem.features, self._specialisation),
            self._problem.targets,
            self._problem.given_weights,
            self._settings,
            self._specialisation.blocks,
            start,
            stop,
            thread,
            n_threads,
            call,
            self._models,
            self._sums.gradients,
            *self._workspaces[thread].arguments,
            self._sums.chunk_results,
            self._sums.totals,
            self._results,
            self._sums.shared,
        )
