"""The same training three times: compiled kernels, plain NumPy, and the notebook's form."""

from dataclasses import dataclass

import notebook_form
import numpy as np

from softreg_fast import SoftmaxRegressor, reference

SEED = 0


def _start(features, labels):
    random = np.random.RandomState(SEED)
    n_classes = int(labels.max()) + 1
    weights = random.uniform(0, 1, (features.shape[1], n_classes))
    return weights, random.uniform(0, 1, n_classes)


@dataclass
class Kernels:
    """`SoftmaxRegressor`."""

    name = "kernels"
    n_threads: int | None = None

    def fit(self, features, labels, learning_rate, n_epochs, batch_size):
        """Train and keep the parameters; gives the losses."""
        self.model = SoftmaxRegressor(
            learning_rate, random_state=SEED, verbose=False, n_threads=self.n_threads
        )
        return self.model.fit(features, labels, n_epochs, batch_size).losses_

    def predict(self, features):
        """Probabilities."""
        return self.model.predict(features)


class Reference:
    """`softreg_fast.reference`: NumPy, ``X.T @ G``."""

    name = "reference"

    def fit(self, features, labels, learning_rate, n_epochs, batch_size):
        """Train and keep the parameters; gives the losses."""
        self.weights, self.bias = _start(features, labels)
        losses = []
        for _ in range(n_epochs):
            loss, _, self.weights, self.bias = reference.epoch(
                features,
                labels,
                self.weights,
                self.bias,
                learning_rate,
                batch_size,
                "sigmoid",
                "notebook",
            )
            losses.append(loss)
        return np.array(losses)

    def predict(self, features):
        """Probabilities."""
        return reference.predict(features, self.weights, self.bias, "sigmoid")[0]


class Notebook:
    """The notebook's form: NumPy, features repeated for every class."""

    name = "notebook"

    def fit(self, features, labels, learning_rate, n_epochs, batch_size):
        """Train and keep the parameters; gives the losses."""
        losses, _, self.weights, self.bias = notebook_form.train(
            features, labels, *_start(features, labels), learning_rate, n_epochs, batch_size
        )
        return losses

    def predict(self, features):
        """Probabilities."""
        return notebook_form.predict(features, self.weights, self.bias)


IMPLEMENTATIONS = [Kernels, Reference, Notebook]
