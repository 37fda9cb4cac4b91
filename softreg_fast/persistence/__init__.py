"""Models in files that are safe to open: data alone, and no code that runs.

A model file, format version 1
------------------------------
A model file is a zip archive. All members are stored without compression, so that reading takes no
more memory than the file is long. Their order, dates and permissions mean nothing. There are

- "model.json", the document,
- ``arrays/0.npy``, ``arrays/1.npy`` and so on: arrays in NumPy's format, version 1.0, which
  `numpy.lib.format` describes. Their dtypes are booleans, integers and floating-point numbers of 2,
  4 or 8 bytes, little-endian, and fixed-width strings (``"<U5"``, ``"|S5"``); never objects.

The document is JSON in ASCII, an object of these members:

``format``
    ``"softreg_fast model"``.
``format_version``
    The integer 1. Readers refuse a higher one.
``package_version``
    Version of softreg_fast that wrote the file, a string. For people.
``class``
    ``"SoftmaxClassifier"``, ``"SoftmaxClassifierCV"`` or ``"SoftmaxRegressor"``.
``parameters``
    An object: for each parameter of the constructor, a value. What lacks has its default.
``attributes``
    An object: for each fitted attribute, a value; see the class. Empty if the model isn't fitted.
    All numbers of `coef_` and `intercept_` (of `coeffs` and `biases`) are finite.
``columns``
    Null, or with `categorical_features` a list of an object for each column of X: its ``name``, a
    string, and its ``categories``, a value that is an array, or null if the column is a number. The
    columns of `coef_` are in this order: one for a number, and one for each category.
``stream``
    Null, or after `partial_fit` an object of what another call needs, each a value: ``n_samples``,
    ``total_weight``, ``means``, ``variances``, ``presence``, ``weights``, ``biases``, ``n_steps``,
    ``share_total``, ``caution`` and ``feature_steps``. Predictions don't need them.
``metadata_requests``
    An object: for each method, an object of what `set_fit_request` and the like were given.
``metadata``
    An object of whatever JSON, which `save` was given.

A value is one of these:

=================================================  =================================================
JSON                                               Python
=================================================  =================================================
null, true, false, a string                        the same
a number without ``.`` and exponent                int
another number                                     float; the nearest one in binary, and back
a list of values                                   list
``{"float": "inf"}``, ``"-inf"``, ``"nan"``        float
``{"tuple": [value, ...]}``                        tuple
``{"dict": [[key, value], ...]}``                  dict
``{"array": "arrays/0.npy"}``                      ndarray, in that member
``{"objects": [value, ...]}``                      ndarray of dtype object, one-dimensional
``{"scalar": value, "dtype": "float32"}``          scalar of NumPy
``{"dtype": "float32"}``                           numpy.dtype
``{"scalar_type": "float32"}``                     numpy.float32, the type; also ``"float"``
``{"RandomState": {...}}``                         numpy.random.RandomState with MT19937
``{"Generator": {...}}``                           numpy.random.Generator with PCG64
=================================================  =================================================

The object of "RandomState" has ``key`` (an array of 624 uint32), ``pos``, ``has_gauss`` and
``gauss``; that of "Generator" has ``state``, ``inc``, ``has_uint32`` and ``uinteger``. All are
those of NumPy's states.

The probabilities of a row x are ``softmax(activation(coef_ @ x + intercept_))``. A single row of
`coef_` is that of the second of two classes, and the logit of the first one is 0.
"""

from .errors import ModelFileError
from .files import load, load_with_metadata, save

__all__ = ["ModelFileError", "load", "load_with_metadata", "save"]
