"""The data that benchmarks run on: iris, digits, and synthetic sets made from a seed."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from sklearn.datasets import load_digits, load_iris


@dataclass(frozen=True)
class Dataset:
    """A set and how it is trained on.

    Attributes
    ----------
    name : str
    load : callable
        Gives features and labels.
    batch_size, n_epochs : int
    learning_rate : float
    is_long : bool
        Whether one repetition of all implementations takes more than a few seconds.
    """

    name: str
    load: Callable[[], tuple[np.ndarray, np.ndarray]]
    batch_size: int
    n_epochs: int
    learning_rate: float = 0.1
    is_long: bool = False

    def __str__(self):
        features, labels = self.load()
        shape = f"{features.shape[0]:,} x {features.shape[1]} x {labels.max() + 1}"
        return f"{self.name}, {shape}, batches of {self.batch_size:,}"


def _scaled(data):
    features = data.data
    return (features - features.min()) / (features.max() - features.min()), data.target


@cache
def iris():
    """Iris, scaled as the notebook does, in a random order."""
    features, labels = _scaled(load_iris())
    order = np.random.default_rng(0).permutation(len(labels))
    return features[order], labels[order]


@cache
def digits():
    """The digits that scikit-learn ships, scaled to 0..1."""
    return _scaled(load_digits())


def synthetic(n_samples, n_features, n_classes):
    """Normal features with labels that depend on them.

    Parameters
    ----------
    n_samples, n_features, n_classes : int

    Returns
    -------
    callable
        Makes the set at its first call.
    """

    @cache
    def load():
        random = np.random.default_rng(0)
        features = random.standard_normal((n_samples, n_features))
        weights = random.standard_normal((n_features, n_classes))
        labels = np.concatenate(
            [
                (block @ weights + random.gumbel(size=(len(block), n_classes))).argmax(axis=1)
                for block in np.array_split(features, -(-n_samples // 10_000))
            ]
        )
        labels[-1] = n_classes - 1
        return features, labels

    return load


DATASETS = [
    Dataset("iris", iris, 150, 1000),
    Dataset("iris", iris, 16, 1000),
    Dataset("digits", digits, 64, 20),
    Dataset("synthetic", synthetic(20_000, 784, 10), 128, 5),
    Dataset("synthetic", synthetic(100_000, 100, 10), 1024, 5),
    Dataset("synthetic", synthetic(20_000, 200, 100), 256, 2, is_long=True),
    Dataset("synthetic", synthetic(1_000_000, 20, 5), 256, 2, is_long=True),
]
