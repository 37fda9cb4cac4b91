"""Pictures of fitted models, drawn with matplotlib, which the extra "plot" installs.

Each display follows scikit-learn's conventions: the constructor takes what is to be drawn, `plot`
draws it and keeps the artists as attributes, and class methods such as `from_estimator` do both.

Examples
--------
>>> import matplotlib
>>> matplotlib.use("Agg")
>>> from sklearn.datasets import load_iris
>>> from softreg_fast import SoftmaxClassifier
>>> from softreg_fast.plotting import CoefficientDisplay
>>> model = SoftmaxClassifier().fit(*load_iris(return_X_y=True, as_frame=True))
>>> display = CoefficientDisplay.from_estimator(model)
>>> display.figure_.savefig("coefficients.png")  # doctest: +SKIP
"""

from .calibration import MulticlassCalibrationDisplay
from .coefficients import CoefficientDisplay
from .cv_scores import CVScoreDisplay
from .loss_curve import LossCurveDisplay
from .regularization_path import RegularizationPathDisplay
from .reliability import ReliabilityCurve

__all__ = [
    "CVScoreDisplay",
    "CoefficientDisplay",
    "LossCurveDisplay",
    "MulticlassCalibrationDisplay",
    "RegularizationPathDisplay",
    "ReliabilityCurve",
]
