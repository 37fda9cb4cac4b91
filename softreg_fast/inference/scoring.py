"""Scores of many models on the same held-out rows."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse
from scipy.special import log_softmax
from sklearn.metrics import get_scorer

from .._sklearn import metric_of, with_arguments
from .._typing import FloatArray, Model
from ..data.blocked import Block, BlockedProblem, BlockKind
from ..data.problem import drop_weightless
from ..data.tree_sums import Sums
from ..objective.loss import LOSSES
from ..runtime.blas import matrix_product

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
    metadata : mapping
        What the scorer is given beside the rows, of all rows; `sample_weight` is without the
        weights of classes.
    rows : ndarray of int
        Which of them.
    """

    features: Any
    labels: npt.NDArray[Any]
    targets: npt.NDArray[np.int32]
    metadata: Mapping[str, Any]
    rows: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Candidate:
    """A model to score.

    Attributes
    ----------
    C, l1_ratio : float
        What it was fitted with.
    model : Model
        Weights, of shape (n_features, n_columns), and bias.
    """

    C: float
    l1_ratio: float
    model: Model


Scoring = Callable[[HeldOutRows, Sequence[Candidate]], FloatArray]
"""Gives the scores of models."""


def choose_scorer(scoring: Any, classes: npt.NDArray[Any] | None = None) -> Any:
    """scikit-learn's scorer; that of accuracy for None.

    If classes are given, it is told of all of them: rows to score may lack some.
    """
    scorer = get_scorer("accuracy" if scoring is None else scoring)
    return scorer if classes is None else _with_labels(scorer, classes)


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


def choose_scoring(
    scoring: Any,
    classes: npt.NDArray[Any],
    activation: str,
    make_estimator: Callable[[Candidate], Any],
) -> Scoring:
    """The function that scores models.

    Parameters
    ----------
    scoring : str, callable or None
        As scikit-learn knows it; None is accuracy.
    classes : ndarray of shape (n_classes,)
        All there are: rows held out may lack some of them.
    activation : str
    make_estimator : callable
        Gives a fitted estimator that has a model, for scorers that are not known here.
    """
    name = "accuracy" if scoring is None else scoring
    of_rows = _OF_ROWS.get(name) if isinstance(name, str) else None
    if of_rows is None:
        return _of_scorer(choose_scorer(scoring, classes), scoring, make_estimator)

    def score(held_out: HeldOutRows, candidates: Sequence[Candidate]) -> FloatArray:
        # Rows are read once for all models.
        all_weights = np.hstack([candidate.model[0] for candidate in candidates])
        all_bias = np.hstack([candidate.model[1] for candidate in candidates])
        sums, total = np.zeros(len(candidates)), 0.0
        sample_weight = held_out.metadata.get("sample_weight")
        n_samples, n_features = held_out.features.shape
        if issparse(held_out.features):
            n_features = -(-held_out.features.nnz // n_samples)
        step = max(1, _NUMBERS_PER_BLOCK // max(n_features, len(all_bias)))
        for start in range(0, len(held_out.rows), step):
            rows = held_out.rows[start : start + step]
            values = _decide(held_out.features[rows], all_weights, all_bias, activation)
            weights = np.ones(len(rows)) if sample_weight is None else sample_weight[rows]
            total += weights.sum()
            for place, of_model in enumerate(np.split(values, len(candidates), axis=1)):
                sums[place] += weights @ of_rows(of_model, held_out.targets[rows])
        return sums / total

    return score


def check_scoring_of_blocks(scoring: Any) -> str:
    """The name of a score that is a mean over rows.

    Raises
    ------
    ValueError
        It is another one.
    """
    name = "accuracy" if scoring is None else scoring
    if isinstance(name, str) and name in _OF_ROWS:
        return name
    allowed = " or ".join(repr(each) for each in _OF_ROWS)
    raise ValueError(
        f"scoring={scoring!r} is not allowed with rows in blocks: it must be {allowed}"
    )


def score_blocks(
    scoring: Any,
    held_out: Sequence[BlockedProblem],
    candidates: Sequence[Sequence[Candidate]],
    n_threads: int | None,
) -> FloatArray:
    """Scores of models on rows that are read in blocks, once for all.

    Parameters
    ----------
    scoring : str or None
        "accuracy", which None means too, or "neg_log_loss".
    held_out : sequence of BlockedProblem
        Of the rows to score on, for each fold; all of the same rows.
    candidates : sequence of sequences of Candidate
        The models of each fold, as many of each.
    n_threads : int or None

    Returns
    -------
    ndarray of shape (n_folds, n_candidates)

    Raises
    ------
    ValueError
        See `check_scoring_of_blocks`.
    """
    name = check_scoring_of_blocks(scoring)
    works = []
    for problem, models in zip(held_out, candidates, strict=True):
        kind = replace(problem.kind, class_factors=None)
        weights = np.hstack([candidate.model[0] for candidate in models])
        bias = np.hstack([candidate.model[1] for candidate in models])
        works.append(_ScoreBlock(kind, name, weights, bias, len(models)))
    sums, totals = held_out[0].rows.reduce(_ScoreFolds(tuple(works)), n_threads)
    return np.asarray(sums / totals[:, None])


@dataclass(frozen=True)
class _ScoreBlock:
    """Sums of scores over the rows of a block that are held out of a fold, and of their weights."""

    kind: BlockKind
    name: str
    weights: FloatArray
    bias: FloatArray
    n_candidates: int

    def __call__(self, block: Block) -> tuple[FloatArray, float]:
        problem = drop_weightless(self.kind.problem_of(block))
        sums = np.zeros(self.n_candidates)
        step = max(1, _NUMBERS_PER_BLOCK // max(problem.features.shape[1], len(self.bias)))
        for start in range(0, problem.n_samples, step):
            rows = slice(start, start + step)
            values = _decide(problem.features[rows], self.weights, self.bias, self.kind.activation)
            weights = problem.weights(rows)
            for place, of_model in enumerate(np.split(values, self.n_candidates, axis=1)):
                sums[place] += weights @ _OF_ROWS[self.name](of_model, problem.targets[rows])
        return sums, problem.total_weight


@dataclass(frozen=True)
class _ScoreFolds:
    """The same for all folds."""

    works: tuple[_ScoreBlock, ...]

    def __call__(self, block: Block, n_threads: int | None) -> Sums:
        found = [work(block) for work in self.works]
        return np.array([sums for sums, _ in found]), np.array([total for _, total in found])


def _decide(features: Any, weights: FloatArray, bias: FloatArray, activation: str) -> FloatArray:
    """What the softmax is taken of, of dense or sparse rows.

    By BLAS: for as many columns as all models have, kernels would be compiled anew.
    """
    with np.errstate(all="ignore"):  # looked at
        values: FloatArray = np.asarray(matrix_product(features, weights) + bias)
    if np.isnan(values).any():
        raise ValueError(
            "a row of X is too large for the models that were found: their linear functions "
            "overflow; scale the features"
        )
    return LOSSES[activation].activate(values)


def _with_labels(scorer: Any, classes: npt.NDArray[Any]) -> Any:
    """The scorer, told of all classes if its function of the labels can be.

    What it was made with counts for more.
    """
    of_metric = metric_of(scorer)
    if of_metric is None:
        return scorer
    metric, given = of_metric
    known = inspect.signature(metric).parameters
    if "labels" not in known:
        return scorer
    told: dict[str, Any] = {"labels": classes}
    if len(classes) == 2 and "pos_label" in known:
        # Averages over classes have no positive one, and metrics warn if they are told of one.
        is_of_one_class = given.get("average", "binary") == "binary"
        told["pos_label"] = classes[-1] if is_of_one_class else None
    return with_arguments(scorer, {**told, **given})


def _is_of_rows(value: Any, n_samples: int) -> bool:
    """Whether metadata has an element for each row, which is indexed as the rows are."""
    if isinstance(value, str | bytes | Mapping):
        return False
    shape = getattr(value, "shape", None)
    if shape is not None:
        return len(shape) > 0 and shape[0] == n_samples
    return hasattr(value, "__len__") and len(value) == n_samples


def _take(value: Any, rows: npt.NDArray[np.int64]) -> Any:
    """These rows of an array, a matrix, a frame or a sequence."""
    if hasattr(value, "iloc"):
        return value.iloc[rows]
    if issparse(value):
        return value.tocsr()[rows]
    if hasattr(value, "shape"):
        return value[rows]
    return [value[row] for row in rows]


def _of_scorer(scorer: Any, scoring: Any, make_estimator: Callable[[Candidate], Any]) -> Scoring:
    def score(held_out: HeldOutRows, candidates: Sequence[Candidate]) -> FloatArray:
        rows = held_out.rows
        features, labels = held_out.features[rows], held_out.labels[rows]
        n_samples = held_out.features.shape[0]
        metadata = {
            name: _take(value, rows) if _is_of_rows(value, n_samples) else value
            for name, value in held_out.metadata.items()
        }
        scores = [
            scorer(make_estimator(candidate), features, labels, **metadata)
            for candidate in candidates
        ]
        return np.array([_check_score(scoring, each) for each in scores])

    return score


def _check_score(scoring: Any, score: Any) -> float:
    """Raise TypeError if a scorer gives no number."""
    number = score.item() if isinstance(score, np.ndarray) and score.size == 1 else score
    if isinstance(number, Real):
        return float(number)
    raise TypeError(
        f"scoring={scoring!r} is not allowed: it must give a number, and gave {score!r}"
    )
