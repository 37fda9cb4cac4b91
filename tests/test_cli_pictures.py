"""Pictures of ``softreg-fast train`` and ``evaluate``: what they show, and that it can be read."""

from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.text import Text

from softreg_fast.cli import pictures
from softreg_fast.cli.scores import N_BINS, Scores
from softreg_fast.cli.tables.columns import CATEGORY, NUMBER, Column, ColumnTable


@pytest.fixture
def figures(monkeypatch):
    """Those that were drawn."""
    found = []
    monkeypatch.setattr(pictures, "_png", found.append)
    return found


def _scores(n_classes):
    random = np.random.default_rng(0)
    codes = random.integers(0, n_classes, 60 * n_classes)
    probabilities = random.dirichlet(np.full(n_classes, 0.3), len(codes))
    probabilities[np.arange(len(codes)), codes] += 0.7
    scores = Scores(n_classes)
    scores.add(probabilities / probabilities.sum(axis=1, keepdims=True), codes)
    return scores


def _model(n_classes, n_columns, name):
    """A model of numbers and of a column of categories, which one of them is compared with."""
    numbers = [Column(f"{place} {name}", NUMBER, scale=2.0) for place in range(n_columns)]
    categories = Column("job", CATEGORY, ("clerk", "nurse"), reference="smith")
    shape = (1 if n_classes == 2 else n_classes, n_columns + 2)
    coef = np.random.default_rng(0).standard_normal(shape)
    return SimpleNamespace(coef_=coef), ColumnTable((*numbers, categories), "y", "text")


def _labels(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def test_picture_shows_scores_and_coefficients(figures):
    scores, (model, table) = _scores(3), _model(3, 2, "number")
    pictures.draw_training(scores, ["a", "$b$", "c"], model, table)
    confusion, calibration, coefficients = figures[0].axes[:3]
    shares = scores.confusion / scores.confusion.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(confusion.images[0].get_array(), 100.0 * shares, rtol=1e-14)
    shown = [text for text in confusion.texts if text.get_visible()]
    assert [text.get_text() for text in shown] == [
        f"{100.0 * share:.0f}" for share in shares.ravel() if share
    ]
    for text, share in zip(confusion.texts, shares.ravel(), strict=True):
        assert text.get_color() == ("white" if share > 0.5 else "black")
    assert _labels(confusion.xaxis) == _labels(confusion.yaxis) == ["a", "$b$", "c"]

    weights, sums, n_right = scores.bins[:, scores.bins[0] > 0]
    assert 2 < len(weights) <= N_BINS
    points = calibration.lines[1].get_xydata()
    np.testing.assert_allclose(points, np.column_stack([sums, n_right]) / weights[:, None])
    legend = [text.get_text() for text in calibration.get_legend().get_texts()]
    error = scores.metrics()["calibration_error"]
    assert legend == ["perfectly calibrated", f"predicted class (ECE {error:.3f})"]

    effects = model.coef_ * [2.0, 2.0, 1.0, 1.0]
    np.testing.assert_array_equal(coefficients.images[0].get_array(), effects.T)
    assert _labels(coefficients.yaxis)[:2] == ["0 number", "1 number"]
    assert _labels(coefficients.yaxis)[2] == "job_clerk (a…inst smith)"


def test_picture_without_scores_has_the_largest_coefficients(figures):
    model, table = _model(2, 30, "number")
    pictures.draw_training(None, ["low", "high"], model, table)
    (axes,) = figures[0].axes
    effects = model.coef_[0] * [*[2.0] * 30, 1.0, 1.0]
    order = np.argsort(-np.abs(effects), kind="stable")[:12]
    np.testing.assert_array_equal([bar.get_width() for bar in axes.patches[-12:]], effects[order])
    assert axes.get_ylabel() == "12 largest of 32 features"
    assert axes.get_xlabel().replace("\n", " ") == (
        "change of the logit by one standard deviation or category for high against low"
    )


def test_classes_with_most_rows_are_shown_of_many(figures):
    scores = _scores(26)
    pictures.draw_scores(scores, [f"{place:02}" for place in range(26)])
    confusion, _ = figures[0].axes
    sums = scores.confusion.sum(axis=1)
    shown = [int(label) for label in _labels(confusion.yaxis)]
    assert len(shown) == 12
    assert shown == sorted(shown)
    assert sums[shown].min() >= np.delete(sums, shown).max()
    assert "12 largest of 26" in confusion.get_title()


def _visible_texts(figure):
    """Of all that is drawn, but labels of ticks outside of their axes."""
    figure.canvas.draw()
    hidden = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                if not low - 1e-9 <= tick.get_loc() <= high + 1e-9:
                    hidden |= {tick.label1, tick.label2}
    return [
        text for text in figure.findobj(Text)
        if text.get_visible() and text.get_text().strip() and text not in hidden
    ]  # fmt: skip


CASES = [
    (n_classes, length, has_scores)
    for n_classes in (2, 3, 5, 8, 12, 26)
    for length in (1, 8, 12, 40)
    for has_scores in (False, True)
]
QUICK = [(2, 40, False), (2, 40, True), (5, 12, True), (26, 40, False)]


@pytest.mark.parametrize(
    ("n_classes", "length", "has_scores"),
    [case if case in QUICK else pytest.param(*case, marks=pytest.mark.full) for case in CASES],
)
def test_no_text_is_cut_off_or_lies_on_another(n_classes, length, has_scores, figures):
    classes = [f"{place:0{length}}" for place in range(n_classes)]
    model, table = _model(n_classes, 3 if length < 10 else 200, "w" * length)
    scores = _scores(n_classes) if has_scores else None
    pictures.draw_training(scores, classes, model, table)
    (figure,) = figures
    texts = _visible_texts(figure)
    boxes = [text.get_window_extent() for text in texts]
    for text, box in zip(texts, boxes, strict=True):
        assert min(box.x0, box.y0) > -1.0, text
        assert max(box.x1 - figure.bbox.x1, box.y1 - figure.bbox.y1) < 1.0, text
    for (text, box), (other, its) in combinations(zip(texts, boxes, strict=True), 2):
        width = min(box.x1, its.x1) - max(box.x0, its.x0)
        height = min(box.y1, its.y1) - max(box.y0, its.y0)
        assert min(width, height) < 1.0, (text, other)
