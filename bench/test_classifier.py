"""Timings of `SoftmaxClassifier` beside `LogisticRegression`: `pytest bench --benchmark-only`."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits, load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler

from softreg_fast import SoftmaxClassifier

SIDES = {
    "softreg_fast lbfgs": lambda: SoftmaxClassifier(solver="lbfgs"),
    "softreg_fast sgd": lambda: SoftmaxClassifier(solver="sgd", random_state=0),
    "LogisticRegression": lambda: LogisticRegression(max_iter=1000),
}
LOADERS = {"iris": load_iris, "breast_cancer": load_breast_cancer, "digits": load_digits}


def _objective(model, features, labels):
    penalty = 0.5 * (model.coef_**2).sum() / len(labels)
    return log_loss(labels, model.predict_proba(features)) + penalty


@pytest.mark.parametrize("name", LOADERS)
@pytest.mark.parametrize("side", SIDES)
def test_fit_of_classifier(benchmark, name, side):
    """Default parameters; all sides must be within a percent of the lowest objective."""
    features, labels = LOADERS[name](return_X_y=True)
    features = StandardScaler().fit_transform(features)
    benchmark.group = f"classifier's fit: {name}"
    benchmark.name = side
    model = benchmark.pedantic(
        lambda: SIDES[side]().fit(features, labels), rounds=5, warmup_rounds=1
    )
    exact = SoftmaxClassifier(tol=1e-8, max_iter=5000).fit(features, labels)
    found = _objective(model, features, labels)
    np.testing.assert_allclose(found, _objective(exact, features, labels), rtol=0.01)
