"""How good predictions are, summed over rows that come in blocks."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

N_BINS = 10
_LEAST = 1e-15  # of a probability, so that a single sure mistake isn't infinite


@dataclass
class Scores:
    """Sums over rows of what scores are made of.

    Parameters
    ----------
    n_classes : int

    Attributes
    ----------
    confusion : ndarray of shape (n_classes, n_classes)
        Weights of rows by their class and by the one that is predicted.
    loss, brier : float
        Sums of the cross-entropy and of the squared error of the probabilities.
    bins : ndarray of shape (3, N_BINS)
        By the probability of the predicted class: weights, sums of these probabilities, and
        weights of rows that are predicted rightly.
    """

    n_classes: int
    loss: float = 0.0
    brier: float = 0.0
    confusion: npt.NDArray[np.float64] = field(init=False)
    bins: npt.NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        self.confusion = np.zeros((self.n_classes, self.n_classes))
        self.bins = np.zeros((3, N_BINS))

    def add(
        self,
        probabilities: npt.NDArray[np.float64],
        codes: npt.NDArray[Any],
        weights: npt.NDArray[np.float64] | None = None,
    ) -> None:
        """Add rows.

        Parameters
        ----------
        probabilities : ndarray of shape (n_rows, n_classes)
        codes : ndarray of shape (n_rows,)
            Numbers of the classes.
        weights : ndarray of shape (n_rows,), default=None
        """
        weights = np.ones(len(codes)) if weights is None else weights
        rows, predicted = np.arange(len(codes)), probabilities.argmax(axis=1)
        np.add.at(self.confusion, (codes, predicted), weights)
        own = probabilities[rows, codes].astype(np.float64)
        self.loss -= float(weights @ np.log(np.maximum(own, _LEAST)))
        squares = (probabilities.astype(np.float64) ** 2).sum(axis=1) - 2.0 * own + 1.0
        self.brier += float(weights @ squares)
        highest = probabilities[rows, predicted].astype(np.float64)
        places = np.minimum((highest * N_BINS).astype(np.int64), N_BINS - 1)
        for row, values in enumerate((weights, weights * highest, weights * (predicted == codes))):
            self.bins[row] += np.bincount(places, values, minlength=N_BINS)

    @property
    def total(self) -> float:
        """Weight of all rows."""
        return float(self.confusion.sum())

    def metrics(self) -> dict[str, float]:
        """Scores of all rows; see `baseline` for those to compare with."""
        total, hits = self.total, np.diag(self.confusion)
        supports = self.confusion.sum(axis=1)
        are_there = supports > 0
        n_there, sums, n_right = self.bins
        return {
            "accuracy": float(hits.sum() / total),
            "balanced_accuracy": float((hits[are_there] / supports[are_there]).mean()),
            "log_loss": self.loss / total,
            # Of two classes half of it, as in scikit-learn.
            "brier_score": self.brier / total / (2.0 if self.n_classes == 2 else 1.0),
            "calibration_error": float(np.abs(sums - n_right).sum() / n_there.sum()),
        }

    def baseline(self, shares: npt.NDArray[np.float64]) -> dict[str, float]:
        """Scores of the same rows if the classes' shares were each row's probabilities."""
        supports = self.confusion.sum(axis=1)
        of_rows = Scores(self.n_classes)
        of_rows.add(np.tile(shares, (self.n_classes, 1)), np.arange(self.n_classes), supports)
        return of_rows.metrics()

    def by_class(self) -> list[dict[str, float]]:
        """Precision, recall, F1 and support of each class; 0 where one is not defined."""
        hits = np.diag(self.confusion)
        predicted, supports = self.confusion.sum(axis=0), self.confusion.sum(axis=1)
        found = []
        for hit, of_predicted, support in zip(hits, predicted, supports, strict=True):
            precision = hit / of_predicted if of_predicted else 0.0
            recall = hit / support if support else 0.0
            both = precision + recall
            found.append(
                {
                    "precision": float(precision),
                    "recall": float(recall),
                    "f1": float(2.0 * precision * recall / both if both else 0.0),
                    "support": float(support),
                }
            )
        return found
