"""The table of metrics, and how those are taken that are not seconds of a call."""

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

ROWS_OF_A_BLOCK = 20_000


@dataclass(frozen=True)
class Metric:
    """A quantity that is measured.

    Attributes
    ----------
    title : str
        Heading in tables.
    unit : str
        Of values in tables.
    scale : float
        Factor from values in records, which are in SI units, to `unit`.
    """

    title: str
    unit: str
    scale: float = 1.0


METRICS = {
    "seconds": Metric("time", "ms", 1e3),
    "seconds_per_epoch": Metric("time of an epoch", "ms", 1e3),
    "seconds_per_row": Metric("time of a row", "ns", 1e9),
    "seconds_per_call": Metric("time of a call", "us", 1e6),
    "seconds_to_gap": Metric("time to the wanted gap", "ms", 1e3),
    "seconds_to_loss": Metric("time to the test loss", "s"),
    "test_loss": Metric("last test loss", ""),
    "seconds_first_empty": Metric("first fit, empty cache", "s"),
    "seconds_first_filled": Metric("first fit, filled cache", "s"),
    "seconds_first_built": Metric("first fit, kernels of the package", "s"),
    "seconds_import": Metric("import", "s"),
    "seconds_to_interrupt": Metric("Ctrl-C answered after", "s"),
    "rows_per_second": Metric("throughput", "million rows/s", 1e-6),
    "peak_bytes": Metric("memory beside the features", "MiB", 2.0**-20),
    "gap": Metric("objective above the lowest, relative", ""),
    "ratio": Metric("ratio", ""),
    "fraction": Metric("fraction of the ceiling", ""),
    "bytes_per_second": Metric("memory", "GB/s", 1e-9),
    "flops_per_second": Metric("products", "GFLOP/s", 1e-9),
    "exponentials_per_second": Metric("exponentials", "billion/s", 1e-9),
}


def mean_loss(X, y, coef, intercept, sample_weight=None):
    """Mean cross-entropy in float64, whatever the dtype of the features.

    Parameters
    ----------
    X : ndarray or sparse array of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,)
        Integers from 0.
    coef : ndarray of shape (n_classes, n_features) or (1, n_features)
    intercept : ndarray of shape (n_classes,) or (1,)
    sample_weight : ndarray of shape (n_samples,), default=None
    """
    coef, intercept = np.asarray(coef, np.float64), np.asarray(intercept, np.float64)
    total = 0.0
    for start in range(0, X.shape[0], ROWS_OF_A_BLOCK):
        rows = slice(start, start + ROWS_OF_A_BLOCK)
        logits = X[rows].astype(np.float64) @ coef.T + intercept
        if len(coef) == 1:
            logits = np.hstack([np.zeros_like(logits), logits])
        losses = logsumexp(logits, axis=1) - logits[np.arange(len(logits)), y[rows]]
        total += losses.sum() if sample_weight is None else losses @ sample_weight[rows]
    return float(total / (X.shape[0] if sample_weight is None else sample_weight.sum()))


def objective(X, y, coef, intercept, C=1.0, l1_ratio=0.0, penalty_groups=None):
    """The objective of `LogisticRegression`, divided by `C`, in float64.

    With `penalty_groups`, the L1 term is the sum of the norms of the features' coefficients.
    """
    coef = np.asarray(coef, np.float64)
    sizes = np.abs(coef) if penalty_groups is None else np.linalg.norm(coef, axis=0)
    penalty = 0.5 * (1.0 - l1_ratio) * np.sum(coef**2) + l1_ratio * sizes.sum()
    return X.shape[0] * mean_loss(X, y, coef, intercept) + float(penalty) / C


def gap(value, lowest):
    """How far an objective is above the lowest one, relatively."""
    return max(value - lowest, 0.0) / lowest


def difference(found, expected):
    """Largest difference of two arrays or numbers, as a share of the largest expected number."""
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    if found.shape != expected.shape or not np.isfinite(found).all():
        return float("inf")
    largest = np.abs(expected).max(initial=0.0)
    return float(np.abs(found - expected).max(initial=0.0) / (largest or 1.0))
