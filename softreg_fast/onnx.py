"""Conversion of models to ONNX by skl2onnx (extra `onnx`).

A model that is fitted after skl2onnx has been imported can be converted, also in a pipeline. In
other cases, such as of a model that was loaded, call `register` first.

Examples
--------
>>> import numpy as np
>>> from skl2onnx import to_onnx
>>> from sklearn.datasets import load_iris
>>> from softreg_fast import SoftmaxClassifier
>>> from softreg_fast.onnx import register
>>> register()
>>> X, y = load_iris(return_X_y=True)
>>> X = X.astype(np.float32)
>>> model = SoftmaxClassifier().fit(X, y)
>>> converted = to_onnx(model, X[:1], options={"zipmap": False})
>>> [output.name for output in converted.graph.output]
['label', 'probabilities']
"""

from .estimators.classifier import SoftmaxClassifier
from .estimators.classifier_cv import SoftmaxClassifierCV
from .inference import onnx_converter

__all__ = ["register"]


def register() -> None:
    """Have skl2onnx convert `SoftmaxClassifier` and `SoftmaxClassifierCV`.

    Converters have the options of the one for `LogisticRegression`: ``zipmap``, ``nocl``,
    ``output_class_labels`` and ``raw_scores``. Raw scores are the activated logits, or their
    negation and themselves where two classes share a row of coefficients. Labels are int64 or
    strings. Features in float64 are calculated with in float64, others in float32. With
    `categorical_features`, conversion raises ValueError: convert what `to_sklearn` gives.

    Calling it again changes nothing.

    Raises
    ------
    ImportError
        skl2onnx isn't installed.
    """
    for estimator in (SoftmaxClassifier, SoftmaxClassifierCV):
        onnx_converter.register(estimator)
