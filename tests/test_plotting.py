"""Pictures: what is drawn, by the artists; not how it looks."""

import os
import runpy
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import calibration_curve
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from softreg_fast import SoftmaxClassifier, SoftmaxClassifierCV, SoftmaxRegressor, softmax_path
from softreg_fast.plotting import (
    CoefficientDisplay,
    CVScoreDisplay,
    LossCurveDisplay,
    MulticlassCalibrationDisplay,
    RegularizationPathDisplay,
    ReliabilityCurve,
)

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture(autouse=True)
def _figures_without_a_screen(monkeypatch):
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    monkeypatch.setattr(pyplot, "show", lambda: pytest.fail("a display calls show"))
    yield
    pyplot.close("all")


def _axes(*shape):
    from matplotlib import pyplot

    return pyplot.subplots(*shape)[1]


def _tick_labels(axis):
    return [text.get_text() for text in axis.get_ticklabels()]


def _legend(display):
    return [text.get_text() for text in display.legend_.get_texts()]


@pytest.fixture(scope="module")
def flowers():
    """Iris in a data frame, with names of classes."""
    data = load_iris(as_frame=True)
    X = pd.DataFrame(StandardScaler().fit_transform(data.data), columns=data.data.columns)
    return X, data.target_names[data.target]


@pytest.fixture(scope="module")
def fitted(flowers):
    return SoftmaxClassifier(tol=1e-8).fit(*flowers)


@pytest.fixture(scope="module")
def searched(flowers):
    model = SoftmaxClassifierCV(
        Cs=[1.0, 0.1, 100.0, 10.0], l1_ratios=[0.0, 1.0], scoring="accuracy"
    )
    return model.fit(*flowers)


# Losses.


def test_losses_of_held_out_samples_have_their_lowest_marked(flowers):
    X, y = flowers
    model = SoftmaxClassifier(early_stopping=True, random_state=0, max_iter=100).fit(X, y)
    display = LossCurveDisplay.from_estimator(model)
    np.testing.assert_array_equal(display.line_.get_ydata(), model.loss_curve_)
    np.testing.assert_array_equal(display.line_.get_xdata(), np.arange(1, model.n_iter_ + 1))
    np.testing.assert_array_equal(display.validation_line_.get_ydata(), model.validation_curve_)
    best = model.validation_curve_.argmin()
    assert display.best_marker_.get_xydata().tolist() == [[best + 1, model.validation_curve_[best]]]
    assert _legend(display)[2] == f"lowest, epoch {best + 1}"
    assert display.ax_.get_xlabel() == "epoch"
    assert display.figure_ is display.ax_.figure


def test_distances_of_several_models_share_axes(flowers):
    X, y = flowers
    ax = _axes()
    models = [
        SoftmaxClassifier(solver=solver, tol=1e-6).fit(X, y) for solver in ("newton", "lbfgs")
    ]
    displays = [
        LossCurveDisplay.from_estimator(
            make_pipeline(model), name=model.solver, distance_to="best", ax=ax
        )
        for model in models
    ]
    assert ax.get_yscale() == "log"
    assert _legend(displays[1]) == ["newton", "lbfgs"]
    assert displays[0].line_.get_color() != displays[1].line_.get_color()
    for display, model in zip(displays, models, strict=True):
        shown = display.line_.get_ydata()
        curve = model.loss_curve_
        expected = np.ma.masked_less_equal(curve - curve.min(), 0.0)
        np.testing.assert_array_equal(shown.mask, expected.mask)
        np.testing.assert_array_equal(shown.compressed(), expected.compressed())
        assert shown.mask.any()


def test_distances_are_to_the_last_loss_or_to_a_number():
    display = LossCurveDisplay([3.0, 1.0, 2.0])
    assert display.plot(distance_to="last").line_.get_ydata().tolist() == [1.0, None, None]
    assert display.plot(distance_to=0.5).line_.get_ydata().tolist() == [2.5, 0.5, 1.5]
    assert display.ax_.get_ylabel() == "loss minus 0.5"


def test_accuracies_of_the_regressor_have_axes_of_their_own(iris):
    model = SoftmaxRegressor(0.5, random_state=0, verbose=False).fit(*iris, 5, 50)
    display = LossCurveDisplay.from_estimator(model)
    np.testing.assert_array_equal(display.line_.get_ydata(), model.losses_)
    np.testing.assert_array_equal(display.accuracy_line_.get_ydata(), model.accuracies_)
    assert display.accuracy_ax_ is not display.ax_
    assert display.legend_ is None
    again = LossCurveDisplay.from_estimator(
        model, name="again", ax=display.ax_, accuracy_ax=display.accuracy_ax_
    )
    assert len(again.accuracy_ax_.lines) == len(again.ax_.lines) == 2
    alone = LossCurveDisplay.from_estimator(model, ax=_axes())
    assert alone.accuracy_ax_ is alone.accuracy_line_ is None


# Coefficients.


def test_heat_map_shows_features_by_classes(fitted):
    display = CoefficientDisplay.from_estimator(fitted)
    np.testing.assert_array_equal(display.image_.get_array(), fitted.coef_.T)
    low, high = display.image_.get_clim()
    assert -low == high == np.abs(fitted.coef_).max()
    assert _tick_labels(display.ax_.yaxis) == list(fitted.feature_names_in_)
    assert _tick_labels(display.ax_.xaxis) == list(fitted.classes_)
    assert display.texts_[0].get_text() == f"{fitted.coef_[0, 0]:.2f}".replace(
        "-", "\N{MINUS SIGN}"
    )


def test_largest_features_are_chosen():
    coef = np.random.default_rng(0).standard_normal((3, 50))
    for kind in ("heatmap", "bar"):
        display = CoefficientDisplay(coef).plot(kind=kind, n_features=4)
        expected = np.argsort(-np.abs(coef).max(axis=0))[:4]
        assert display.features_.tolist() == expected.tolist()
        assert _tick_labels(display.ax_.yaxis) == [f"x{feature}" for feature in expected]
        assert display.ax_.get_ylabel() == "4 largest of 50 features"
    assert len(CoefficientDisplay(coef).plot().features_) == 20
    assert CoefficientDisplay(coef).plot(n_features=None).features_.tolist() == list(range(50))


def test_one_row_of_coefficients_has_bars(flowers):
    X, y = flowers
    is_kept = y != "setosa"
    model = SoftmaxClassifier().fit(X[is_kept], y[is_kept])
    display = CoefficientDisplay.from_estimator(model)
    assert display.kind_ == "bar"
    assert display.legend_ is None
    assert [bar.get_width() for bar in display.bars_[0]] == model.coef_[0].tolist()
    assert display.ax_.get_xlabel() == "coefficient for virginica against versicolor"


def test_bars_of_classes_are_named_in_a_legend_or_beside_a_colour_bar(fitted):
    display = CoefficientDisplay.from_estimator(fitted, kind="bar", class_names=["a", "b", "c"])
    widths = [[bar.get_width() for bar in bars] for bars in display.bars_]
    np.testing.assert_array_equal(widths, fitted.coef_)
    assert _legend(display) == ["class a", "class b", "class c"]
    many = CoefficientDisplay(np.eye(26, 5), class_names=[*"ABCDEFGHIJKLMNOPQRSTUVWXYZ"])
    many.plot(kind="bar")
    assert many.legend_ is None
    assert _tick_labels(many.color_bar_.ax.yaxis) == many.class_names


def test_images_are_of_classes():
    coef = np.arange(-30.0, 30.0).reshape(5, 12)
    display = CoefficientDisplay(coef, class_names=[*"abcde"]).plot(image_shape=(3, 4))
    for image, row in zip(display.images_, coef, strict=True):
        np.testing.assert_array_equal(image.get_array(), row.reshape(3, 4))
        assert image.get_clim() == (-30.0, 30.0)
    assert [text.get_text() for text in display.texts_] == [*"abcde"]
    extents = [image.get_extent() for image in display.images_]
    # Side by side or one below the other.
    for first, second in pairwise(extents):
        assert first[1] < second[0] or first[2] < second[3]


def test_intervals_are_those_of_the_summary(flowers, fitted):
    summary = fitted.summary(*flowers, confidence=0.9)
    display = CoefficientDisplay.from_estimator(fitted, summary=summary)
    for row, container in enumerate(display.intervals_):
        points, _, (lines,) = container
        np.testing.assert_array_equal(points.get_xdata(), summary.coef[row, 1:])
        ends = [segment[:, 0] for segment in lines.get_segments()]
        expected = np.stack([summary.lower[row, 1:], summary.upper[row, 1:]], axis=1)
        np.testing.assert_allclose(ends, expected, rtol=1e-12)
    assert _legend(display) == list(fitted.classes_)
    assert display.ax_.get_xlabel() == "coefficient, with 90 % interval"


def test_intervals_of_contrasts_name_their_reference(flowers):
    X, y = flowers
    X, y = X.iloc[50:, :2], np.where(np.arange(100) % 3, y[50:], "rare")
    model = SoftmaxClassifier(C=np.inf, tol=1e-10).fit(X, y)
    names = ["r", "c", "v"]
    display = CoefficientDisplay.from_estimator(
        model, summary=model.summary(X, y), class_names=names
    )
    assert _legend(display) == ["class c", "class v"]
    assert display.ax_.get_xlabel() == "coefficient against class r, with 95 % interval"


def test_labels_say_what_the_numbers_are_on_as_many_lines_as_they_need():
    names = ["first of two long names", "and the second one of them"]
    display = CoefficientDisplay(
        [[1.0, 2.0]], class_names=names[:1], reference=names[1], feature_names=names,
        quantity="change by one $sd$",
    )  # fmt: skip
    label = display.plot().ax_.get_xlabel()
    assert label.replace("\n", " ") == (
        "change by one $sd$ for first of two long names against and the seco…one of them"
    )
    assert len(label.split("\n")) == 2
    display = CoefficientDisplay(np.eye(3), quantity="change by one $sd$").plot()
    assert display.color_bar_.ax.get_ylabel() == "change by one $sd$"


def test_cells_have_numbers_where_names_leave_room():
    coef = np.random.default_rng(0).standard_normal((8, 4))
    for name, n_texts in (("", 32), ("w" * 24, 0)):
        display = CoefficientDisplay(coef, feature_names=[name] * 4).plot()
        assert len(display.texts_) == n_texts


def test_names_of_features_come_from_the_model_or_its_pipeline(flowers):
    X, y = flowers
    pipeline = make_pipeline(StandardScaler(), SoftmaxClassifier()).fit(X, y)
    assert CoefficientDisplay.from_estimator(pipeline).feature_names == list(X.columns)
    plain = make_pipeline(StandardScaler(), SoftmaxClassifier()).fit(X.to_numpy(), y)
    assert CoefficientDisplay.from_estimator(plain).feature_names == ["x0", "x1", "x2", "x3"]
    given = CoefficientDisplay.from_estimator(plain, feature_names=pd.Index([*"abcd"]))
    assert given.feature_names == [*"abcd"]


def test_names_that_matplotlib_would_read_otherwise_are_shown_as_they_are(tmp_path):
    names = ["_hidden", "$x$ in $", "a\nb", "the beginning of a long name and its end"]
    display = CoefficientDisplay(np.eye(4), class_names=names, feature_names=names)
    display.plot(kind="bar")
    assert _tick_labels(display.ax_.yaxis)[:3] == [" _hidden", "$x$ in $", "a b"]
    assert _legend(display)[:3] == [" _hidden", "$x$ in $", "a b"]
    short, longer = _legend(display)[3], _tick_labels(display.ax_.yaxis)[3]
    assert len(short) == 16
    assert len(longer) == 24
    for label in (short, longer):
        assert label.startswith("the beg")
        assert label.endswith("its end")
    display.figure_.savefig(tmp_path / "names.png")


# Regularization paths.


def test_paths_are_means_of_folds_or_those_of_one(searched):
    order = np.argsort(searched.Cs_)
    best = list(searched.l1_ratios_).index(searched.l1_ratio_)
    coefs = searched.coefs_paths_[..., :-1]  # without the intercept
    display = RegularizationPathDisplay.from_estimator(searched)
    norms = np.linalg.norm(coefs[:, best].mean(axis=0), axis=1)
    for line in display.lines_:
        feature = list(searched.feature_names_in_).index(line.get_label())
        np.testing.assert_array_equal(line.get_xdata(), searched.Cs_[order])
        np.testing.assert_allclose(line.get_ydata(), norms[order, feature], rtol=1e-12)
    assert display.ax_.get_xscale() == "log"
    assert display.chosen_line_.get_xdata()[0] == searched.C_
    display = RegularizationPathDisplay.from_estimator(
        searched, l1_ratio=1.0, fold=2, class_name="virginica", n_features=1
    )
    shown = coefs[2, 1, order, 2]
    largest = np.abs(shown).max(axis=0).argmax()
    np.testing.assert_array_equal(display.lines_[0].get_ydata(), shown[:, largest])
    assert len(display.other_lines_.get_segments()) == 3
    assert "3 other features" in _legend(display)
    assert display.ax_.get_ylabel() == "coefficient for virginica"


def test_paths_of_two_classes_are_coefficients_and_infinity_has_a_place():
    path = SimpleNamespace(Cs=[0.1, np.inf, 1.0], coefs=[[[1.0, 5.0]], [[3.0, 6.0]], [[-2.0, 4.0]]])
    display = RegularizationPathDisplay.from_path(path, C=np.inf)
    assert display.lines_[1].get_ydata().tolist() == [1.0, -2.0, 3.0]
    positions = display.lines_[1].get_xdata()
    assert positions[:2].tolist() == [0.1, 1.0]
    assert 1.0 < positions[2] < np.inf
    assert display.chosen_line_.get_xdata()[0] == positions[2]
    assert _tick_labels(display.ax_.xaxis)[-1] == "∞"


# Scores.


def test_scores_have_their_best_and_the_one_standard_error_rule_marked(searched):
    display = CVScoreDisplay.from_estimator(make_pipeline(searched))
    order = np.argsort(searched.Cs_)
    for place, line in enumerate(display.lines_):
        np.testing.assert_array_equal(line.get_xdata(), searched.Cs_[order])
        means = searched.scores_[:, place].mean(axis=0)
        np.testing.assert_array_equal(line.get_ydata(), means[order])
    assert display.best_C_ == searched.C_
    assert display.best_l1_ratio_ == searched.l1_ratio_
    best = list(searched.l1_ratios_).index(searched.l1_ratio_)
    scores = searched.scores_[:, best]
    error = scores[:, searched.Cs_ == searched.C_].std(ddof=1) / np.sqrt(5)
    allowed = [
        C for C, mean in zip(searched.Cs_, scores.mean(axis=0), strict=True)
        if mean >= scores.mean(axis=0).max() - error
    ]  # fmt: skip
    assert display.one_standard_error_C_ == min(allowed) < searched.C_
    assert display.best_line_.get_xdata()[0] == searched.C_
    assert display.one_standard_error_line_.get_xdata()[0] == min(allowed)
    assert display.ax_.get_ylabel() == "accuracy (mean of 5 folds)"


def test_bands_are_one_standard_error_wide():
    scores = np.random.default_rng(0).standard_normal((5, 1, 3))
    for spread, divisor in (("standard_error", np.sqrt(5)), ("std", 1.0)):
        display = CVScoreDisplay([1.0, 2.0, 3.0], scores).plot(spread=spread)
        heights = display.bands_[0].get_paths()[0].vertices[:, 1]
        deviations = scores[:, 0].std(axis=0, ddof=1) / divisor
        means = scores[:, 0].mean(axis=0)
        for value in (*(means - deviations), *(means + deviations)):
            assert np.abs(heights - value).min() < 1e-12
    assert CVScoreDisplay([1.0, 2.0, 3.0], scores).plot(spread="none").bands_ == []


def test_many_ratios_have_a_colour_bar_and_one_fold_no_spread():
    scores = np.random.default_rng(0).standard_normal((4, 12, 3))
    display = CVScoreDisplay([1.0, 2.0, np.inf], scores, l1_ratios=np.linspace(0, 1, 12)).plot()
    assert len(_tick_labels(display.color_bar_.ax.yaxis)) == 12
    assert len(display.bands_) == 1
    display = CVScoreDisplay([1.0, 2.0, 3.0], scores[:1, :1]).plot()
    assert display.bands_ == []
    assert display.one_standard_error_C_ is display.one_standard_error_line_ is None


def test_scores_that_are_not_finite_are_left_out_with_a_warning():
    scores = np.array([[[1.0, np.nan, 3.0]], [[1.0, 9.0, 2.0]]])
    with pytest.warns(UserWarning, match="1 of 6 scores are not finite"):
        display = CVScoreDisplay([1.0, 2.0, 3.0], scores)
    assert display.plot().lines_[0].get_ydata().tolist() == [1.0, None, 2.5]
    assert display.best_C_ == 3.0


# Calibration.


def _predictions(n_samples, n_classes, seed=0):
    random = np.random.default_rng(seed)
    proba = random.dirichlet(np.ones(n_classes), n_samples)
    y = (proba.cumsum(axis=1) > random.random((n_samples, 1))).argmax(axis=1)
    return y, proba


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
def test_reliability_curves_are_those_of_scikit_learn(strategy):
    y, proba = _predictions(500, 3)
    classes = np.array(["c", "a", "b"])  # in the order of the columns, not sorted
    display = MulticlassCalibrationDisplay.from_predictions(
        classes[y], proba, classes, n_bins=7, strategy=strategy
    )
    for place, (line, curve) in enumerate(zip(display.lines_, display.curves, strict=True)):
        expected = calibration_curve(y == place, proba[:, place], n_bins=7, strategy=strategy)
        np.testing.assert_array_equal(line.get_ydata(), expected[0])
        np.testing.assert_array_equal(line.get_xdata(), expected[1])
        error = f"(ECE {curve.expected_calibration_error:.3f})"
        assert _legend(display)[place + 1] == f"class {classes[place]}\n{error}"
    is_right = proba.argmax(axis=1) == y
    expected = calibration_curve(is_right, proba.max(axis=1), n_bins=7, strategy=strategy)
    np.testing.assert_array_equal(display.top_label_line_.get_ydata(), expected[0])
    np.testing.assert_array_equal(display.top_label_line_.get_xdata(), expected[1])


def test_expected_calibration_error_is_weighted_by_samples():
    proba = np.array([[0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [0.4, 0.6]])
    y = np.array([0, 0, 1, 1])
    display = MulticlassCalibrationDisplay.from_predictions(y, proba, [0, 1], n_bins=10)
    # Of 0.9, two of three are right; of 0.6, all.
    expected = 0.75 * (0.9 - 2 / 3) + 0.25 * 0.4
    assert display.top_label.expected_calibration_error == pytest.approx(expected, rel=1e-12)
    assert [curve.name for curve in display.curves] == ["1"]


def test_reliability_of_a_pipeline_with_a_histogram(flowers):
    X, y = flowers
    model = make_pipeline(StandardScaler(), SoftmaxClassifier()).fit(X[::2], y[::2])
    display = MulticlassCalibrationDisplay.from_estimator(
        model, X[1::2], y[1::2], n_bins=4, histogram=True
    )
    assert [curve.name for curve in display.curves] == list(model.classes_)
    proba = model.predict_proba(X[1::2])
    np.testing.assert_array_equal(display.curves[1].probabilities, proba[:, 1])
    heights = [bar.get_height() for bar in display.histogram_ax_.containers[0]]
    assert heights == np.histogram(proba.max(axis=1), np.linspace(0, 1, 21))[0].tolist()
    upper, lower = _axes(2, 1)
    display.plot(upper, histogram_ax=lower)
    assert (display.ax_, display.histogram_ax_) == (upper, lower)


def test_reliability_of_many_classes_has_a_colour_bar():
    y, proba = _predictions(500, 12)
    display = MulticlassCalibrationDisplay.from_predictions(y, proba)
    assert len(display.lines_) == 12
    assert len(_legend(display)) == 3
    assert _tick_labels(display.color_bar_.ax.yaxis) == [str(label) for label in range(12)]


def test_reliability_of_the_predicted_class_alone():
    curve = ReliabilityCurve("predicted class", np.array([0.4, 0.9]), np.array([0.5, 0.8]), 0.1)
    display = MulticlassCalibrationDisplay([], curve).plot()
    assert display.lines_ == []
    assert display.color_bar_ is None
    assert display.top_label_line_.get_xydata().tolist() == [[0.5, 0.4], [0.8, 0.9]]
    assert _legend(display) == ["perfectly calibrated", "predicted class (ECE 0.100)"]
    display.figure_.canvas.draw()
    assert display.legend_.get_window_extent().y0 >= display.ax_.get_window_extent().y1
    upper, lower = _axes(2, 1)
    for arguments in ({"histogram": True}, {"ax": upper, "histogram_ax": lower}):
        with pytest.raises(ValueError, match="the curves have no probabilities"):
            display.plot(**arguments)


# What is refused.

_COEF = np.eye(3, 4)


@pytest.mark.parametrize(
    ("draw", "error", "message"),
    [
        (lambda: LossCurveDisplay([1.0, np.nan]), ValueError, r"losses\[1\] is NaN"),
        (lambda: LossCurveDisplay([]), ValueError, "losses has shape"),
        (lambda: LossCurveDisplay(["a"]), TypeError, "must hold real numbers"),
        (lambda: LossCurveDisplay([1.0], accuracies=[1.0, 2.0]), ValueError, "accuracies has"),
        (lambda: LossCurveDisplay([1.0], unit="hour"), ValueError, "unit='hour'"),
        (lambda: LossCurveDisplay([1.0]).plot(distance_to="x"), ValueError, "distance_to='x'"),
        (lambda: LossCurveDisplay([1.0]).plot(distance_to=np.nan), ValueError, "distance_to=nan"),
        (lambda: LossCurveDisplay([1.0]).plot(ax=3), TypeError, "ax=3"),
        (lambda: LossCurveDisplay([1.0]).plot(accuracy_ax=_axes()), ValueError, "no accuracies"),
        (
            lambda: LossCurveDisplay([1.0], accuracies=[1.0]).plot(accuracy_ax=_axes()),
            ValueError,
            "without ax",
        ),
        (lambda: LossCurveDisplay.from_estimator("model"), TypeError, "estimator='model'"),
        (lambda: CoefficientDisplay([1.0, 2.0]), ValueError, "coef has shape"),
        (lambda: CoefficientDisplay([[np.inf]]), ValueError, r"coef\[0, 0\] is inf"),
        (lambda: CoefficientDisplay(_COEF, feature_names=["a"]), ValueError, "has 1 names"),
        (lambda: CoefficientDisplay(_COEF, feature_names="abcd"), TypeError, "a list of names"),
        (lambda: CoefficientDisplay(_COEF, lower=_COEF), ValueError, "given together"),
        (lambda: CoefficientDisplay(_COEF, lower=_COEF + 1, upper=_COEF), ValueError, "between"),
        (lambda: CoefficientDisplay(_COEF, confidence=2), ValueError, "confidence=2"),
        (lambda: CoefficientDisplay(_COEF).plot(kind="pie"), ValueError, "kind='pie'"),
        (lambda: CoefficientDisplay(_COEF).plot(kind="interval"), ValueError, "give a summary"),
        (lambda: CoefficientDisplay(_COEF).plot(kind="image"), ValueError, "image_shape=None"),
        (lambda: CoefficientDisplay(_COEF).plot(n_features=0), ValueError, "n_features=0"),
        (lambda: CoefficientDisplay(_COEF).plot(n_features="all"), TypeError, "n_features='all'"),
        (lambda: CoefficientDisplay(_COEF).plot(image_shape=(3, 3)), ValueError, "9 pixels"),
        (lambda: CoefficientDisplay(_COEF).plot(image_shape=(2, 1, 2)), ValueError, "channels"),
        (lambda: CoefficientDisplay(_COEF).plot(image_shape=(4,)), ValueError, "height, width"),
        (lambda: CoefficientDisplay(_COEF).plot(image_shape=4), TypeError, "height, width"),
        (
            lambda: CoefficientDisplay(_COEF).plot(kind="bar", image_shape=(2, 2)),
            ValueError,
            "must be None",
        ),
        (lambda: RegularizationPathDisplay([0.0], [[[1.0]]]), ValueError, "must be above 0"),
        (lambda: RegularizationPathDisplay([1.0, 2.0], [[[1.0]]]), ValueError, "has 1 models"),
        (lambda: RegularizationPathDisplay([1.0], [[[np.nan]]]), ValueError, "is NaN"),
        (lambda: RegularizationPathDisplay([1.0], [[[1.0]]], C=-1), ValueError, "C=-1"),
        (
            lambda: RegularizationPathDisplay([1.0], [[[1.0]]]).plot(class_name="z"),
            ValueError,
            "class_name='z'",
        ),
        (
            lambda: RegularizationPathDisplay([1.0], [[[1.0]]]).plot(n_features=99),
            ValueError,
            "n_features=99",
        ),
        (lambda: RegularizationPathDisplay.from_path([1.0]), TypeError, "no attribute Cs"),
        (lambda: CVScoreDisplay([1.0], [[1.0]]), ValueError, "scores has shape"),
        (lambda: CVScoreDisplay([1.0], [[["a"]]]), ValueError, "must hold real numbers"),
        (lambda: CVScoreDisplay([1.0], [[[np.nan]]]), ValueError, "no finite number"),
        (lambda: CVScoreDisplay([1.0], [[[1.0]]]).plot(spread="se"), ValueError, "spread='se'"),
        (
            lambda: MulticlassCalibrationDisplay.from_predictions([0, 1], [[0.5, 0.6]] * 2),
            ValueError,
            "the sum 1.1",
        ),
        (
            lambda: MulticlassCalibrationDisplay.from_predictions([0, 1], [[-0.5, 1.5]] * 2),
            ValueError,
            "from 0 to 1",
        ),
        (
            lambda: MulticlassCalibrationDisplay.from_predictions([0, 1], [[1.0]] * 2),
            ValueError,
            "at least 2 columns",
        ),
        (
            lambda: MulticlassCalibrationDisplay.from_predictions([0, 1], [[0.5, 0.5]]),
            ValueError,
            "y has shape",
        ),
        (
            lambda: MulticlassCalibrationDisplay.from_predictions([0], [[0.5, 0.5]]),
            ValueError,
            "y has 1 classes",
        ),
        (
            lambda: MulticlassCalibrationDisplay.from_predictions([7], [[0.5, 0.5]], [0, 1]),
            ValueError,
            "label 7",
        ),
        (
            lambda: MulticlassCalibrationDisplay.from_predictions([np.nan], [[0.5, 0.5]], [0, 1]),
            ValueError,
            r"y\[0\] is NaN",
        ),
        (
            lambda: MulticlassCalibrationDisplay.from_estimator(SoftmaxRegressor(1.0), [[1]], [0]),
            TypeError,
            "from_predictions",
        ),
        (lambda: MulticlassCalibrationDisplay([], None), TypeError, "must be of ReliabilityCurve"),
    ],
)  # fmt: skip
def test_bad_input_is_refused(draw, error, message):
    with pytest.raises(error, match=message):
        draw()


@pytest.mark.parametrize(
    "draw",
    [
        LossCurveDisplay.from_estimator,
        CoefficientDisplay.from_estimator,
        RegularizationPathDisplay.from_estimator,
        CVScoreDisplay.from_estimator,
        lambda model: MulticlassCalibrationDisplay.from_estimator(model, [[1.0]], [0]),
    ],
)
@pytest.mark.parametrize("model", [SoftmaxClassifier(), SoftmaxClassifierCV()])
def test_models_that_are_not_fitted_are_refused(draw, model):
    with pytest.raises(NotFittedError, match="is not fitted"):
        draw(model)
    with pytest.raises(NotFittedError, match="is not fitted"):
        draw(make_pipeline(StandardScaler(), model))


def test_models_without_what_is_drawn_are_refused(flowers, fitted, searched):
    X, y = flowers
    rows = np.ascontiguousarray(X)
    stream = SoftmaxClassifier(solver="sgd").partial_fit(rows, y, classes=np.unique(y))
    with pytest.raises(ValueError, match=r"no attribute loss_curve_.*partial_fit does not"):
        LossCurveDisplay.from_estimator(stream)
    with pytest.raises(ValueError, match="no attribute scores_"):
        CVScoreDisplay.from_estimator(fitted)
    with pytest.raises(NotFittedError):
        LossCurveDisplay.from_estimator(SoftmaxRegressor(0.5))
    with pytest.raises(ValueError, match=r"l1_ratio=0.5 .* one of \[0.0, 1.0\]"):
        RegularizationPathDisplay.from_estimator(searched, l1_ratio=0.5)
    with pytest.raises(ValueError, match="fold=5"):
        RegularizationPathDisplay.from_estimator(searched, fold=5)
    with pytest.raises(TypeError, match="summary is a str"):
        CoefficientDisplay.from_estimator(fitted, summary="table")
    other = SoftmaxClassifier(tol=1e-8).fit(X.iloc[:, :2], y)
    summary = other.summary(X.iloc[:, :2], y)
    with pytest.raises(ValueError, match="of another model"):
        CoefficientDisplay.from_estimator(fitted, summary=summary)


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    display = LossCurveDisplay([1.0])
    with pytest.raises(ImportError, match=r'pip install "softreg-fast\[plot\]"'):
        display.plot()


# What takes long.


def _overlap(first, second):
    return (
        first.x0 < second.x1 - 1
        and second.x0 < first.x1 - 1
        and (first.y0 < second.y1 - 1 and second.y0 < first.y1 - 1)
    )


def _texts_that_overlap(axis):
    boxes = [label.get_window_extent() for label in axis.get_ticklabels() if label.get_text()]
    return [pair for pair in pairwise(boxes) if _overlap(*pair)]


def _check_what_can_be_read(display, tmp_path):
    """Names don't cover each other, legends cover no data, and nothing is small."""
    from matplotlib.text import Text

    figure = display.figure_
    figure.savefig(tmp_path / "picture.png")
    axes = figure.axes
    for each in axes:
        if each.axison:
            assert not _texts_that_overlap(each.xaxis)
            assert not _texts_that_overlap(each.yaxis)
    for text in figure.findobj(Text):
        if text.get_text() and text.get_visible():
            assert text.get_fontsize() >= 9
    if getattr(display, "legend_", None) is not None and not isinstance(display, LossCurveDisplay):
        box = display.legend_.get_window_extent()
        assert not any(_overlap(box, each.get_window_extent()) for each in axes)
        width, height = figure.get_size_inches() * figure.dpi
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= width
        assert box.y1 <= height


_LONG = "a name that is much longer than any name of a feature should be, number {}"


@pytest.mark.full
@pytest.mark.parametrize("kind", ["heatmap", "bar", "interval"])
@pytest.mark.parametrize(
    ("n_classes", "n_features"),
    [(1, 1), (1, 30), (3, 500), (7, 10), (26, 16), (100, 20)],
)
@pytest.mark.parametrize("name", ["{}", _LONG])
def test_coefficients_of_all_sizes_can_be_read(kind, n_classes, n_features, name, tmp_path):
    coef = np.random.default_rng(0).standard_normal((n_classes, n_features))
    display = CoefficientDisplay(
        coef,
        class_names=[name.format(place) for place in range(n_classes)],
        feature_names=[name.format(place) for place in range(n_features)],
        lower=coef - 1.0,
        upper=coef + 1.0,
    )
    for n_shown in ("auto", None) if n_classes * n_features < 100 else ("auto",):
        _check_what_can_be_read(display.plot(kind=kind, n_features=n_shown), tmp_path)


@pytest.mark.full
@pytest.mark.parametrize("image_shape", [(8, 8), (4, 20), (20, 4)])
@pytest.mark.parametrize("n_classes", [1, 3, 10, 100])
@pytest.mark.parametrize("name", ["{}", _LONG])
def test_images_of_all_sizes_can_be_read(image_shape, n_classes, name, tmp_path):
    random = np.random.default_rng(0)
    coef = random.standard_normal((n_classes, int(np.prod(image_shape))))
    names = [name.format(place) for place in range(n_classes)]
    display = CoefficientDisplay(coef, class_names=names).plot(image_shape=image_shape)
    _check_what_can_be_read(display, tmp_path)
    boxes = [text.get_window_extent() for text in display.texts_]
    assert not [pair for pair in pairwise(boxes) if _overlap(*pair)]


@pytest.mark.full
@pytest.mark.parametrize(("name", "n_features"), [("{}", 1), (_LONG, 500)])
@pytest.mark.parametrize("Cs", [[1.0], np.logspace(-4, 4, 30), [0.5, 0.7, np.inf], [np.inf]])
def test_paths_and_scores_of_all_sizes_can_be_read(name, n_features, Cs, tmp_path):
    random = np.random.default_rng(0)
    names = [name.format(place) for place in range(n_features)]
    coefs = random.standard_normal((len(Cs), 3, n_features))
    for C, n_shown in ((None, 28), (Cs[0], 1), (np.inf, 7)):
        display = RegularizationPathDisplay(Cs, coefs, feature_names=names, C=C)
        _check_what_can_be_read(display.plot(n_features=n_shown), tmp_path)
    for n_ratios in (1, 7, 12):
        scores = random.standard_normal((5, n_ratios, len(Cs)))
        display = CVScoreDisplay(Cs, scores, l1_ratios=np.linspace(0, 1, n_ratios))
        _check_what_can_be_read(display.plot(), tmp_path)


@pytest.mark.full
@pytest.mark.parametrize("name", ["{}", _LONG])
@pytest.mark.parametrize("n_classes", [2, 7, 26, 100])
@pytest.mark.parametrize("histogram", [False, True])
def test_calibration_of_all_sizes_can_be_read(name, n_classes, histogram, tmp_path):
    y, proba = _predictions(1_000, n_classes)
    display = MulticlassCalibrationDisplay.from_predictions(
        y,
        proba,
        range(n_classes),
        class_names=[name.format(place) for place in range(n_classes)],
        histogram=histogram,
    )
    _check_what_can_be_read(display, tmp_path)


@pytest.mark.full
def test_displays_of_scikit_learn_take_the_estimators(flowers):
    from sklearn.inspection import DecisionBoundaryDisplay
    from sklearn.metrics import ConfusionMatrixDisplay

    X, y = flowers
    for model in (SoftmaxClassifier(), SoftmaxClassifierCV(Cs=3)):
        model.fit(X.iloc[:, :2], y)
        for method in ("predict", "predict_proba", "decision_function", "auto"):
            DecisionBoundaryDisplay.from_estimator(
                model, X.iloc[:, :2], response_method=method, grid_resolution=20
            )
        display = ConfusionMatrixDisplay.from_estimator(model, X.iloc[:, :2], y)
        assert display.confusion_matrix.sum() == len(y)
        assert list(display.display_labels) == list(model.classes_)


@pytest.mark.full
@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_examples_run(path, monkeypatch, capsys):
    from matplotlib import pyplot

    monkeypatch.setattr(pyplot, "show", lambda: None)
    runpy.run_path(str(path), run_name="__main__")
    assert pyplot.get_fignums()
    text = path.read_text("utf-8")
    title, line, *_ = text.partition('"""')[2].strip().splitlines()
    assert line == "=" * len(title)
    assert "\n# %%\n" in text


@pytest.mark.full
def test_matplotlib_is_imported_when_something_is_drawn():
    program = (
        "import sys, softreg_fast.plotting as plotting\n"
        "display = plotting.LossCurveDisplay([2.0, 1.0])\n"
        "assert 'matplotlib' not in sys.modules\n"
        "display.plot()\n"
        "assert 'matplotlib' in sys.modules\n"
    )
    environment = {**os.environ, "MPLBACKEND": "Agg"}
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, env=environment)


def test_sparse_coefficients_and_paths_of_softmax_path():
    iris = load_iris(return_X_y=True)
    model = SoftmaxClassifier(C=0.1, l1_ratio=1.0).fit(*iris)
    expected = CoefficientDisplay.from_estimator(model)
    found = CoefficientDisplay.from_estimator(model.sparsify())
    np.testing.assert_array_equal(found.coef, expected.coef)
    path = softmax_path(*iris, Cs=3, l1_ratio=1.0)
    np.testing.assert_array_equal(RegularizationPathDisplay.from_path(path).Cs, path.Cs)


@pytest.mark.parametrize("quantity", [3, None, ["x"], b"x"])
def test_quantity_that_is_no_string_is_refused(quantity):
    with pytest.raises(TypeError, match=r"quantity=.* is not allowed: it must be a string"):
        CoefficientDisplay(np.eye(3), quantity=quantity)
