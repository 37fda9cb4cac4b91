"""Fitted models as texts that other languages run, and pipelines without this package.

`to_python`, `to_c`, `to_sql` and `to_json` take a fitted `SoftmaxClassifier`,
`SoftmaxClassifierCV` or `SoftmaxRegressor`. What they give needs nothing of this package, and
agrees with `predict_proba` in float64 but for rounding. Labels and categories are strings,
integers, floating-point numbers, booleans or None; others are refused. A category that the model
doesn't know contributes nothing.

`to_sklearn` replaces the models in fitted pipelines.

Examples
--------
>>> from sklearn.datasets import load_iris
>>> from softreg_fast import SoftmaxClassifier
>>> from softreg_fast.export import to_python
>>> X, y = load_iris(return_X_y=True)
>>> names = {}
>>> exec(to_python(SoftmaxClassifier().fit(X, y)), names)
>>> names["predict_proba_label"](X[0].tolist())
0
"""

from .c_source import to_c
from .json_text import to_json
from .pipelines import to_sklearn
from .python_source import to_python
from .sql import to_sql

__all__ = ["to_c", "to_json", "to_python", "to_sklearn", "to_sql"]
