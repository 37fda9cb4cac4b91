"""The last steps with an L1 penalty, on all rows: they give a model exact zeros."""

from dataclasses import replace

import numpy as np

from ..._typing import FloatArray, Model
from ...data.blocked import BlockedProblem
from ...objective.loss import loss_of
from ...objective.passes import accumulator_of
from ...runtime.blas import inner_product, matrix_product
from .options import SgdSettings
from .scaling import bound_curvature
from .windows import SAMPLED_ROWS, SEED, scaling_of_blocks

N_STEPS = 10
_LEAST_LOSS = 1e-12


def full_batch_settings(settings: SgdSettings, n_samples: int) -> SgdSettings:
    """Those of a descent by a few plain steps on all rows."""
    return replace(
        settings,
        schedule="auto",
        learning_rate=None,
        batch_size=n_samples,
        n_epochs=N_STEPS,
        patience=0,
        method="plain",
        momentum=0.0,
        shuffle_seed=None,
    )


def sharpen_blocks(
    problem: BlockedProblem,
    settings: SgdSettings,
    weights: FloatArray,
    bias: FloatArray,
    n_threads: int | None,
) -> Model:
    """A model some proximal gradient steps later, each by a pass over rows that are read in blocks.

    They end where the objective doesn't fall any more. See `solver.sharpen` for the arguments.
    """
    scaling = scaling_of_blocks(problem, settings, problem.n_samples, n_threads)
    sample = problem.take_sample(SAMPLED_ROWS, SEED, n_threads)
    curvature = bound_curvature(
        sample,
        scaling,
        n_columns=len(bias),
        batch_size=sample.n_samples,
        fit_intercept=settings.fit_intercept,
    )
    total = problem.total_weight
    l2_penalty, l1_penalty = problem.l2_penalty / total, problem.l1_penalty / total
    means = scaling.means
    best: Model = weights, bias
    here = weights.astype(np.float64), bias.astype(np.float64)
    lowest = np.inf
    with accumulator_of(problem, len(bias), n_threads) as accumulator:
        for _ in range(N_STEPS):
            totals = accumulator.evaluate(*here)
            loss = totals.loss / total
            objective = loss + 0.5 * l2_penalty * inner_product(here[0], here[0])
            objective += l1_penalty * float(np.abs(here[0]).sum())
            if not objective < lowest:
                break
            lowest = objective
            best = here[0].astype(weights.dtype), here[1].astype(bias.dtype)
            rate = 1.0 / curvature
            if loss_of(problem).curvature_follows_loss:
                rate /= max(min(4.0 * loss, 1.0), _LEAST_LOSS)
            rates = (rate * scaling.factors)[:, None]
            bias_slopes = totals.bias_gradient / total
            slopes = totals.weights_gradient / total - np.outer(means, bias_slopes)
            moved = here[0] - rates * slopes
            moved -= np.clip(moved, -rates * l1_penalty, rates * l1_penalty)
            moved /= 1.0 + rates * l2_penalty
            moved_bias = here[1]
            if settings.fit_intercept:
                moved_bias = moved_bias - rate * bias_slopes
                moved_bias = moved_bias - matrix_product(means, moved - here[0])
            here = moved, moved_bias
    return best
