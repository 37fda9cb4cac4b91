"""The terms that all modules share: arrays, models, gradients."""

from typing import Literal

import numpy as np
import numpy.typing as npt

Gradient = Literal["exact", "notebook"]
FloatArray = npt.NDArray[np.floating]
Model = tuple[FloatArray, FloatArray]  # weights and bias
