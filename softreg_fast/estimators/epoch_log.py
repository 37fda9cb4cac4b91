"""What a training run tells while it goes on, and what remains of it."""

import numpy as np

from .._typing import FloatArray


class EpochLog:
    """Losses and accuracies of the finished epochs, printed in the notebook's form if wanted.

    Parameters
    ----------
    verbose : bool
        Whether to print a line for each epoch.
    """

    def __init__(self, *, verbose: bool) -> None:
        self._verbose = verbose
        self._curves: list[FloatArray] = []

    @property
    def n_epochs(self) -> int:
        """Epochs recorded."""
        return sum(curves.shape[1] for curves in self._curves)

    def record(self, losses: FloatArray, accuracies: FloatArray) -> None:
        """Add epochs.

        Parameters
        ----------
        losses, accuracies : ndarrays of shape (n,)
            One element for each epoch, in order. They are copied.
        """
        first = self.n_epochs
        self._curves.append(np.stack([losses, accuracies]))
        if self._verbose and len(losses):
            pairs = zip(losses, accuracies, strict=True)
            lines = [
                f"Epoch: #{epoch} - Loss: {loss} - Acc: {accuracy:.2f}"
                for epoch, (loss, accuracy) in enumerate(pairs, start=first)
            ]
            print("\n".join(lines), flush=True)

    @property
    def losses(self) -> FloatArray:
        """Loss of each epoch, shape (n_epochs,)."""
        return self._curve(0)

    @property
    def accuracies(self) -> FloatArray:
        """Accuracy after each epoch, shape (n_epochs,)."""
        return self._curve(1)

    def _curve(self, row: int) -> FloatArray:
        return np.concatenate([np.empty(0), *(curves[row] for curves in self._curves)])
