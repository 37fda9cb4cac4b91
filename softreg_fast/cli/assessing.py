"""How good a model will be: on held-out rows, or by cross-validation; and its calibration."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import UserError
from .holding_out import folds_of, hold_out
from .learning_rows import LearningRows, predict_quietly
from .scores import Scores

_MOST_KEPT = 200_000  # rows, for the temperature
_LEAST = 1e-300


@dataclass
class Assessment:
    """What is known of predictions for rows that a model hasn't learned from.

    Attributes
    ----------
    scores : Scores
        Of all of them together.
    folds : list of Scores
        Of each fold; one, if rows are held out.
    """

    scores: Scores
    folds: list[Scores] = field(default_factory=list)
    _kept: list[tuple[Any, Any, Any]] = field(default_factory=list)
    _n_kept: int = 0

    def add(
        self,
        fold: Scores,
        probabilities: npt.NDArray[np.float64],
        codes: npt.NDArray[Any],
        weights: npt.NDArray[np.float64] | None,
    ) -> None:
        """Add rows to a fold."""
        self.scores.add(probabilities, codes, weights)
        fold.add(probabilities, codes, weights)
        if self._n_kept < _MOST_KEPT:
            self._kept.append((probabilities, codes, weights))
            self._n_kept += len(codes)

    def temperature(self) -> float:
        """By what logits have to be divided for the smallest loss of these rows.

        Guo, Pleiss, Sun and Weinberger, On calibration of modern neural networks, 2017.
        """
        from scipy.optimize import minimize_scalar

        logits = np.log(np.maximum(np.concatenate([each[0] for each in self._kept]), _LEAST))
        codes = np.concatenate([each[1] for each in self._kept])
        are_weighted = self._kept[0][2] is not None
        weights = np.concatenate([each[2] for each in self._kept]) if are_weighted else None

        def loss(logarithm: float) -> float:
            cooled = logits * np.exp(-logarithm)
            highest = cooled.max(axis=1)
            sums = np.exp(cooled - highest[:, None]).sum(axis=1)
            losses = highest + np.log(sums) - cooled[np.arange(len(codes)), codes]
            return float(np.average(losses, weights=weights))

        return float(np.exp(minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded").x))


def assess_held_out(
    rows: LearningRows, new_model: Any, share: float, seed: int
) -> Assessment | None:
    """Hold out a share of each class, learn from the others, and score; None if that is nothing."""
    held_out = hold_out(rows.labels.codes, share, seed)
    if not _have_weight(rows, held_out) or not _have_weight(rows, ~held_out):
        return None
    assessment = Assessment(Scores(len(rows.labels.classes)))
    _assess(rows, new_model(), held_out, assessment)
    return assessment


def assess_by_folds(rows: LearningRows, new_model: Any, n_folds: int, seed: int) -> Assessment:
    """Score each fold by a model of the others.

    Raises
    ------
    UserError
        There are too few rows.
    """
    codes = rows.labels.codes
    too_many = UserError(
        f"--cv {n_folds} is too many folds for {len(codes):,} rows: give fewer, or --validation in "
        "place of it"
    )
    if n_folds > len(codes):
        raise too_many
    folds = folds_of(codes, n_folds, seed)
    for fold in range(n_folds):
        if not _have_weight(rows, folds == fold) or len(np.unique(codes[folds != fold])) < 2:
            raise too_many
    assessment = Assessment(Scores(len(rows.labels.classes)))
    for fold in range(n_folds):
        _assess(rows, new_model(), folds == fold, assessment)
    return assessment


def _have_weight(rows: LearningRows, mask: npt.NDArray[np.bool_]) -> bool:
    """Whether there are rows in a mask that count."""
    weights = rows.labels.weights
    return bool(mask.any() if weights is None else weights[mask].any())


def _assess(
    rows: LearningRows, model: Any, held_out: npt.NDArray[np.bool_], assessment: Assessment
) -> None:
    fold = Scores(len(rows.labels.classes))
    rows.fit(model, ~held_out)
    for block in rows.blocks(held_out):
        probabilities = _of_all_classes(
            predict_quietly(model, block.features), model.classes_, rows.labels.classes
        )
        assessment.add(fold, probabilities, block.codes, block.weights)
    assessment.folds.append(fold)


def _of_all_classes(probabilities: Any, own: Any, classes: Any) -> npt.NDArray[np.float64]:
    """Probabilities with a column for each class, also for those that a fold lacks."""
    if len(own) == len(classes):
        found: npt.NDArray[np.float64] = np.asarray(probabilities, np.float64)
        return found
    spread = np.zeros((len(probabilities), len(classes)))
    spread[:, np.searchsorted(classes, own)] = probabilities
    return spread
