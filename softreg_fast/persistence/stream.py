"""What `partial_fit` has learnt, beside the coefficients, as a value and back."""

from typing import Any

import numpy as np

from ..solvers.sgd.iteration import Snapshot
from ..solvers.sgd.stream import Stream
from .errors import ModelFileError

_OF_STREAM = ("n_samples", "total_weight", "means", "variances", "presence")
_OF_SNAPSHOT = ("weights", "biases", "n_steps", "share_total", "caution", "feature_steps")


def parts_of(stream: Stream) -> dict[str, Any]:
    """The values of a stream, by names.

    Those of `Stream` and of its `Snapshot`: see there for their shapes. `weights` and `biases` are
    of the working set, the fast one and the average.
    """
    parts = {name: getattr(stream, name) for name in _OF_STREAM}
    return {**parts, **{name: getattr(stream.snapshot, name) for name in _OF_SNAPSHOT}}


def stream_of(parts: dict[str, Any], n_features: int, n_columns: int) -> Stream:
    """The stream of values, whose shapes kernels rely on.

    Raises
    ------
    ModelFileError
        A part lacks or has another shape or dtype.
    """
    if set(parts) != {*_OF_STREAM, *_OF_SNAPSHOT}:
        raise ModelFileError("the parts of 'stream' are not those of a stream")
    is_sparse = parts["presence"] is not None
    shapes = {
        "means": (n_features,),
        "variances": (n_features,),
        "weights": (3, n_features, n_columns),
        "biases": (3, n_columns),
    }
    if is_sparse:
        shapes["presence"] = (n_features,)
    for name, shape in shapes.items():
        array = parts[name]
        is_array = isinstance(array, np.ndarray) and array.dtype in (np.float32, np.float64)
        if not is_array or array.shape != shape or not np.isfinite(array).all():
            raise ModelFileError(f"{name!r} of 'stream' is not an array of numbers, {shape}")
    for name in ("variances", "presence"):
        if parts[name] is not None and parts[name].min(initial=0.0) < 0.0:
            raise ModelFileError(f"{name!r} of 'stream' has negative numbers")
    steps = parts["feature_steps"]
    if is_sparse:
        if not isinstance(steps, np.ndarray) or (steps.dtype, steps.shape) != (
            np.dtype(np.int32),
            (n_features,),
        ):
            raise ModelFileError("'feature_steps' of 'stream' is not an array of integers")
        if steps.min(initial=0) < 0:
            raise ModelFileError("'feature_steps' of 'stream' has negative numbers")
    elif steps is not None:
        raise ModelFileError("'feature_steps' of 'stream' is only known of sparse features")
    for name in ("n_samples", "n_steps"):
        if type(parts[name]) is not int or not 0 <= parts[name] < 2**62:
            raise ModelFileError(f"{name!r} of 'stream' is not a number of something")
    for name in ("total_weight", "share_total", "caution"):
        number = parts[name]
        if not isinstance(number, float | np.floating) or not 0.0 <= number < np.inf:
            raise ModelFileError(f"{name!r} of 'stream' is not a finite number")
    snapshot = Snapshot(**{name: parts[name] for name in _OF_SNAPSHOT})
    return Stream(**{name: parts[name] for name in _OF_STREAM}, snapshot=snapshot)
