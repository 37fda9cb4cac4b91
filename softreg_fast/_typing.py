"""The terms that all modules share: links, gradients, arrays."""

from typing import Literal

import numpy as np
import numpy.typing as npt

Link = Literal["identity", "sigmoid"]
Gradient = Literal["exact", "notebook"]
FloatArray = npt.NDArray[np.floating]
Model = tuple[FloatArray, FloatArray]  # weights and bias


def check_gradient(gradient: Gradient, link: Link) -> None:
    """Raise ValueError where the gradient has no bound: the notebook's with the identity link."""
    if gradient == "notebook" and link != "sigmoid":
        raise ValueError(
            f"gradient='notebook' with link={link!r} is not allowed: it has no bound there; "
            "it must be gradient='exact' or link='sigmoid'"
        )
