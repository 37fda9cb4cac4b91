"""Confidence intervals of predicted probabilities."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit, logsumexp

from .._typing import FloatArray
from .second_derivatives import NUMBERS_PER_BLOCK, scale_features
from .standard_errors import Estimate, quantile_of


@dataclass(frozen=True, eq=False)
class ProbabilityIntervals:
    """Predicted probabilities and how sure they are.

    All arrays are of shape (n_samples, n_classes), float64.

    Attributes
    ----------
    probabilities : ndarray
    std_err : ndarray
        Of the probabilities, by the delta method.
    lower, upper : ndarrays
        Limits of a confidence interval of each probability alone, between 0 and 1.
    classes : tuple
        What the columns are of.
    confidence : float
    """

    probabilities: FloatArray
    std_err: FloatArray
    lower: FloatArray
    upper: FloatArray
    classes: tuple[Any, ...]
    confidence: float


def _log_odds_and_slopes(logits: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Logits of the probabilities, and their derivatives by the model's columns.

    Parameters
    ----------
    logits : ndarray of shape (n_rows, n_columns)

    Returns
    -------
    log_odds : ndarray of shape (n_rows, n_classes)
    slopes : ndarray of shape (n_rows, n_classes, n_columns)
    """
    n_rows, n_columns = logits.shape
    if n_columns == 1:
        slopes = np.broadcast_to(np.array([[-1.0], [1.0]]), (n_rows, 2, 1))
        return np.hstack([-logits, logits]), slopes
    others = np.repeat(logits[:, None, :], n_columns, axis=1)
    classes = np.arange(n_columns)
    others[:, classes, classes] = -np.inf
    totals = logsumexp(others, axis=2)
    slopes = -np.exp(others - totals[:, :, None])
    slopes[:, classes, classes] = 1.0
    return logits - totals, slopes


def find_probability_intervals(
    estimate: Estimate, features: Any, confidence: float
) -> ProbabilityIntervals:
    """Probabilities of rows, and intervals of their logits that are transformed back.

    Parameters
    ----------
    estimate : Estimate
    features : ndarray, csr_array or Table of shape (n_samples, n_features)
    confidence : float

    Raises
    ------
    ValueError
        A row's linear function or its variance overflows.
    """
    n_samples, n_classes = features.shape[0], len(estimate.classes)
    roots = estimate.roots
    n_contrasts, n_unknowns, n_roots = roots.shape
    by_unknown = roots.transpose(1, 0, 2).reshape(n_unknowns, -1)
    log_odds, errors = np.empty((2, n_samples, n_classes))
    step = max(1, NUMBERS_PER_BLOCK // (n_classes * (n_roots + n_classes)))
    for start in range(0, n_samples, step):
        rows = slice(start, start + step)
        block = features[rows]
        block = np.asarray(
            block if isinstance(block, np.ndarray) else block.toarray(), dtype=np.float64
        )
        with np.errstate(over="ignore", invalid="ignore"):  # looked at
            logits = block @ estimate.weights + estimate.bias
            log_odds[rows], slopes = _log_odds_and_slopes(logits)
            scaled = scale_features(block, estimate.coordinates)
            of_contrasts = (scaled @ by_unknown).reshape(len(block), n_contrasts, n_roots)
            of_classes = (slopes @ estimate.contrasts.T) @ of_contrasts
            errors[rows] = np.sqrt(np.sum(of_classes**2, axis=2))
    is_wrong = ~(np.isfinite(log_odds) & np.isfinite(errors)).all(axis=1)
    if is_wrong.any():
        raise ValueError(
            f"row {is_wrong.argmax()} of X is too large for this model: its linear function or "
            "the variance of that overflows float64"
        )
    reach = quantile_of(confidence) * errors
    probabilities: FloatArray = expit(log_odds)
    return ProbabilityIntervals(
        probabilities,
        probabilities * expit(-log_odds) * errors,
        expit(log_odds - reach),
        expit(log_odds + reach),
        estimate.classes,
        confidence,
    )
