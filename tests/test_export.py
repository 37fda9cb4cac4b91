"""Models as scikit-learn's own."""

import numpy as np
import pandas
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression

from softreg_fast import SoftmaxClassifier


@pytest.mark.parametrize(
    ("n_classes", "settings"),
    [
        (2, {}),
        (4, {}),
        (4, {"C": np.inf}),
        *(
            pytest.param(n_classes, settings, marks=pytest.mark.full)
            for n_classes, settings in [
                (2, {"C": np.inf}),
                (2, {"solver": "sgd", "l1_ratio": 0.5}),
                (4, {"solver": "sgd", "l1_ratio": 0.5}),
            ]
        ),
    ],
)
def test_gives_a_fitted_logistic_regression(make_data, n_classes, settings):
    X, y = make_data(200, 3, n_classes)
    frame = pandas.DataFrame(X, columns=["a", "b", "c"])
    labels = np.array(list("qwer"))[y]
    ours = SoftmaxClassifier(random_state=0, **settings).fit(frame, labels)
    model = ours.to_sklearn()
    assert type(model) is LogisticRegression
    np.testing.assert_allclose(
        model.predict_proba(frame), ours.predict_proba(frame), rtol=0, atol=1e-14
    )
    np.testing.assert_array_equal(model.predict(frame), ours.predict(frame))
    np.testing.assert_array_equal(model.feature_names_in_, ["a", "b", "c"])
    assert model.n_iter_.tolist() == [ours.n_iter_]
    assert (model.C, model.fit_intercept) == (ours.C, True)
    model.coef_[:] = 0.0
    assert ours.coef_.any()


def test_can_be_fitted_again(make_data):
    X, y = make_data(200, 3, 3)
    ours = SoftmaxClassifier(tol=1e-8).fit(X, y)
    again = clone(ours.to_sklearn()).fit(X, y)
    np.testing.assert_allclose(again.coef_, ours.coef_, rtol=1e-4, atol=1e-5)


def test_refuses_what_it_can_not_be(make_data):
    with pytest.raises(ValueError, match="got activation='sigmoid'"):
        SoftmaxClassifier(activation="sigmoid").fit(*make_data(100, 3, 3)).to_sklearn()
    with pytest.raises(NotFittedError):
        SoftmaxClassifier().to_sklearn()
