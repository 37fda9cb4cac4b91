"""How often what was predicted with some probability is true."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from .._typing import FloatArray


@dataclass(frozen=True)
class ReliabilityCurve:
    """Predicted probabilities of an event, and how often it happened, in bins.

    Attributes
    ----------
    name : str
        Of the event.
    prob_true, prob_pred : ndarray of shape (n_bins_with_samples,)
        Share of the samples that the event happened for, and mean predicted probability, as
        `sklearn.calibration.calibration_curve` gives them.
    expected_calibration_error : float
        Mean of their absolute differences, weighted by the samples in each bin (Naeini, Cooper and
        Hauskrecht, Obtaining well calibrated probabilities using Bayesian binning, 2015).
    probabilities : ndarray of shape (n_samples,), default=()
        Predicted probabilities, which only histograms need.
    """

    name: str
    prob_true: FloatArray
    prob_pred: FloatArray
    expected_calibration_error: float
    probabilities: FloatArray = field(default_factory=lambda: np.empty(0))


def reliability_curve(
    name: str,
    happened: npt.NDArray[np.bool_],
    probabilities: FloatArray,
    n_bins: int,
    strategy: str,
) -> ReliabilityCurve:
    """The curve of one event.

    Parameters
    ----------
    name : str
        Of the event.
    happened : ndarray of shape (n_samples,), bool
    probabilities : ndarray of shape (n_samples,)
    n_bins : int
    strategy : {"uniform", "quantile"}
        Whether bins are equally wide, or have equally many samples.
    """
    from sklearn.calibration import calibration_curve

    # Rounding may have taken a sum of probabilities above 1.
    probabilities = np.clip(probabilities, 0.0, 1.0)
    outcomes: Any = happened.astype(np.int8)
    prob_true, prob_pred = calibration_curve(
        outcomes, probabilities, pos_label=1, n_bins=n_bins, strategy=strategy
    )
    shares = _shares_of_bins(probabilities, n_bins, strategy)
    error = float(shares @ np.abs(prob_true - prob_pred))
    return ReliabilityCurve(name, prob_true, prob_pred, error, probabilities)


def _shares_of_bins(probabilities: FloatArray, n_bins: int, strategy: str) -> FloatArray:
    """Of all samples, in those of the bins of `calibration_curve` that have some."""
    edges = np.linspace(0.0, 1.0, n_bins + 1)
    if strategy == "quantile":
        edges = np.percentile(probabilities, 100.0 * edges)
    counts = np.bincount(np.searchsorted(edges[1:-1], probabilities), minlength=n_bins)
    shares: FloatArray = counts[counts > 0] / len(probabilities)
    return shares
