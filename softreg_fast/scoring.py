"""Scores of many models on the same held-out rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit, log_softmax
from sklearn.metrics import get_scorer

from .definitions import FloatArray, Link, Model

_NUMBERS_PER_BLOCK = 1 << 20


@dataclass(frozen=True)
class HeldOutRows:
    """Rows that no model has seen.

    Attributes
    ----------
    features : ndarray or scipy.sparse.csr_array, of shape (n_samples, n_features)
        Those of all rows.
    labels : ndarray of shape (n_samples,)
    targets : ndarray of shape (n_samples,), int32
        Indices of the labels' classes.
    sample_weight : ndarray of shape (n_samples,), or None
        As they were given, without those of classes.
    rows : ndarray of int
        Which of them.
    """

    features: Any
    labels: npt.NDArray[Any]
    targets: npt.NDArray[np.int32]
    sample_weight: npt.NDArray[np.float64] | None
    rows: npt.NDArray[np.int64]


Scoring = Callable[[HeldOutRows, Sequence[Model]], FloatArray]
"""Gives the scores of models: weights, of shape (n_features, n_columns), and bias."""


def _accuracies(values: FloatArray, targets: npt.NDArray[np.int32]) -> FloatArray:
    found = values[:, 0] > 0.0 if values.shape[1] == 1 else values.argmax(axis=1)
    accuracies: FloatArray = (found == targets).astype(np.float64)
    return accuracies


def _log_likelihoods(values: FloatArray, targets: npt.NDArray[np.int32]) -> FloatArray:
    """Those of scikit-learn's log loss, which takes no probability for less than epsilon."""
    if values.shape[1] == 1:
        values = np.hstack([np.zeros_like(values), values])
    logarithms = log_softmax(values, axis=1)[np.arange(len(targets)), targets]
    least = np.log(np.finfo(values.dtype).eps)
    likelihoods: FloatArray = np.maximum(logarithms, least).astype(np.float64)
    return likelihoods


_OF_ROWS = {"accuracy": _accuracies, "neg_log_loss": _log_likelihoods}


def choose_scoring(scoring: Any, link: Link, make_estimator: Callable[[Model], Any]) -> Scoring:
    """The function that scores models.

    Parameters
    ----------
    scoring : str, callable or None
        As scikit-learn knows it; None is accuracy.
    link : {"identity", "sigmoid"}
    make_estimator : callable
        Gives a fitted estimator that has a model, for scorers that are not known here.
    """
    name = "accuracy" if scoring is None else scoring
    of_rows = _OF_ROWS.get(name) if isinstance(name, str) else None
    if of_rows is None:
        return _of_scorer(get_scorer(name), make_estimator)

    def score(held_out: HeldOutRows, models: Sequence[Model]) -> FloatArray:
        # Rows are read once for all models.
        all_weights = np.hstack([weights for weights, _ in models])
        all_bias = np.hstack([bias for _, bias in models])
        sums, total = np.zeros(len(models)), 0.0
        step = max(1, _NUMBERS_PER_BLOCK // max(all_weights.shape))
        for start in range(0, len(held_out.rows), step):
            rows = held_out.rows[start : start + step]
            values = _decide(held_out.features[rows], all_weights, all_bias, link)
            weights = np.ones(len(rows))
            if held_out.sample_weight is not None:
                weights = held_out.sample_weight[rows]
            total += weights.sum()
            for place, of_model in enumerate(np.split(values, len(models), axis=1)):
                sums[place] += weights @ of_rows(of_model, held_out.targets[rows])
        if not total > 0.0:
            raise ValueError(
                "the rows that cv holds out weigh nothing: sample_weight must be above 0 for some "
                "of them"
            )
        return sums / total

    return score


def _decide(features: Any, weights: FloatArray, bias: FloatArray, link: Link) -> FloatArray:
    """What the softmax is taken of, of dense or sparse rows.

    By BLAS: for as many columns as all models have, kernels would be compiled anew.
    """
    with np.errstate(all="ignore"):  # looked at
        values: FloatArray = np.asarray(features @ weights + bias)
    if np.isnan(values).any():
        raise ValueError(
            "a row of X is too large for the models that were found: their linear functions "
            "overflow; scale the features"
        )
    return expit(values) if link == "sigmoid" else values


def _of_scorer(scorer: Any, make_estimator: Callable[[Model], Any]) -> Scoring:
    def score(held_out: HeldOutRows, models: Sequence[Model]) -> FloatArray:
        features, labels = held_out.features[held_out.rows], held_out.labels[held_out.rows]
        weights = {}
        if held_out.sample_weight is not None:
            weights["sample_weight"] = held_out.sample_weight[held_out.rows]
        scores = [scorer(make_estimator(model), features, labels, **weights) for model in models]
        return np.array(scores, dtype=np.float64)

    return score
