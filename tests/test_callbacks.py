import subprocess
import sys

import numpy as np
import pytest
from sklearn import callback
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from softreg_fast._sklearn import has_callbacks
from softreg_fast.estimators.classifier import SoftmaxClassifier
from softreg_fast.estimators.classifier_cv import SoftmaxClassifierCV

SOLVERS = ["auto", "newton", "lbfgs", "sgd"]


class Recorder:
    """Remembers what it is told, and wants to stop after some iterations."""

    def __init__(self, stops_after=None):
        self.stops_after = stops_after
        self.events = []
        self.models = []
        self.n_iterations = 0

    def setup(self, estimator, context):
        self.events.append("setup")

    def teardown(self, estimator, context):
        self.events.append("teardown")

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None, metadata=None):
        self.events.append(f"begin {context.task_name}")
        self.metadata = metadata

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, fitted_estimator=None):
        self.events.append(f"end {context.task_name}")
        self.models.append(fitted_estimator)
        self.score = fitted_estimator.score(X, y)
        if context.task_name != "iteration":
            return False
        self.n_iterations += 1
        return self.n_iterations == self.stops_after


@pytest.mark.parametrize("solver", SOLVERS)
def test_callbacks_are_told_of_every_iteration(make_data, solver):
    X, y = make_data(300, 4, 3)
    recorder = Recorder()
    model = SoftmaxClassifier(solver=solver, random_state=0).set_callbacks(recorder)
    model.fit(X, y, sample_weight=np.ones(300))
    expected = ["setup", "begin fit"]
    expected += ["begin iteration", "end iteration"] * model.n_iter_
    assert recorder.events == [*expected, "end fit", "teardown"]
    assert list(recorder.metadata) == ["sample_weight"]
    for place in (-1, -2):
        np.testing.assert_array_equal(
            recorder.models[place].predict_proba(X), model.predict_proba(X)
        )
    assert not hasattr(model, "_callback_fit_ctx")


@pytest.mark.parametrize("solver", SOLVERS)
def test_watched_fit_has_the_bits_of_one_alone(make_data, solver):
    X, y = make_data(300, 4, 3)
    alone = SoftmaxClassifier(solver=solver, random_state=0).fit(X, y)
    watched = clone(alone).set_callbacks(Recorder()).fit(X, y)
    np.testing.assert_array_equal(watched.coef_, alone.coef_)
    np.testing.assert_array_equal(watched.loss_curve_, alone.loss_curve_)


@pytest.mark.parametrize("solver", SOLVERS)
def test_wish_to_stop_is_honoured_without_a_warning(make_data, solver):
    X, y = make_data(300, 4, 3)
    recorder = Recorder(stops_after=3)
    model = SoftmaxClassifier(solver=solver).set_callbacks(recorder).fit(X, y)
    assert model.n_iter_ == len(model.loss_curve_) == 3
    assert not model.converged_
    np.testing.assert_array_equal(recorder.models[2].coef_, model.coef_)


@pytest.mark.parametrize("solver", SOLVERS)
def test_failed_fit_is_torn_down_and_leaves_the_object_as_it_was(make_data, solver):
    X, y = make_data(300, 4, 3)

    class Failing(Recorder):
        def on_fit_task_end(self, estimator, context):
            raise RuntimeError("of the test")

    recorder = Failing()
    model = SoftmaxClassifier(solver=solver).set_callbacks(recorder)
    before = vars(model).copy()
    with pytest.raises(RuntimeError, match="of the test"):
        model.fit(X, y)
    assert recorder.events[-1] == "teardown"
    assert vars(model) == before


@pytest.mark.parametrize("solver", SOLVERS)
def test_scores_of_every_iteration_alone_in_a_pipeline_and_in_a_search(make_data, solver):
    X, y = make_data(300, 4, 3)
    classifier = SoftmaxClassifier(solver=solver, random_state=0)

    monitor = callback.ScoringMonitor(scoring="neg_log_loss")
    model = classifier.set_callbacks(monitor).fit(X, y)
    scores = [entry["neg_log_loss"] for entry in monitor.get_logs().data if "neg_log_loss" in entry]
    assert len(scores) == model.n_iter_ + 1
    assert scores[-1] > scores[1]
    classifier.set_callbacks()

    monitor = callback.ScoringMonitor(scoring="accuracy")
    pipeline = make_pipeline(StandardScaler(), classifier.set_callbacks(monitor)).fit(X, y)
    assert len(monitor.get_logs().data) == pipeline[-1].n_iter_ + 1

    search = GridSearchCV(pipeline, {"softmaxclassifier__C": [0.1, 1.0]}, cv=2).fit(X, y)
    assert search.best_score_ > 0.5


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("where", ["alone", "pipeline", "search"])
def test_progress_bar_shows_the_fit_up_to_its_end(make_data, capsys, solver, where):
    X, y = make_data(300, 4, 3)
    model = SoftmaxClassifier(solver=solver, random_state=0)
    bar = callback.ProgressBar(max_propagation_depth=None)
    if where == "alone":
        model.set_callbacks(bar)
    else:
        model = make_pipeline(StandardScaler(), model)
    if where == "search":
        model = GridSearchCV(model, {"softmaxclassifier__C": [0.1, 1.0]}, cv=2)
    model.set_callbacks(bar).fit(X, y)
    lines = [line for line in capsys.readouterr().out.splitlines() if "SoftmaxClassifier" in line]
    assert len(lines) == {"alone": 1, "pipeline": 1, "search": 5}[where]
    assert all("- fit" in line and "100%" in line for line in lines)


@pytest.mark.parametrize("n_features", [4, 40])
@pytest.mark.parametrize("solver", ["newton", "lbfgs"])
def test_callbacks_are_told_of_every_fit_of_cross_validation(make_data, solver, n_features):
    X, y = make_data(300, n_features, 3)
    settings = {"Cs": [0.1, 1.0, 0.1], "l1_ratios": [0.0], "cv": 3, "solver": solver}
    recorder = Recorder()
    model = SoftmaxClassifierCV(**settings).set_callbacks(recorder)
    model.fit(X, y, sample_weight=np.ones(300))
    expected = ["setup", "begin fit", *["begin fit-of-fold", "end fit-of-fold"] * 6]
    expected += ["begin refit", "end refit", "end fit", "teardown"]
    assert recorder.events == expected
    assert list(recorder.metadata) == ["sample_weight"]
    found = {each.coef_.tobytes() for each in recorder.models[:6]}
    paths = np.ascontiguousarray(model.coefs_paths_[:, 0, :2, :, :-1])
    assert found == {path.tobytes() for of_fold in paths for path in of_fold}
    assert {each.C_ for each in recorder.models[:6]} == {0.1, 1.0}
    for last in recorder.models[-2:]:
        np.testing.assert_array_equal(last.predict_proba(X), model.predict_proba(X))
    alone = SoftmaxClassifierCV(**settings).fit(X, y, sample_weight=np.ones(300))
    np.testing.assert_array_equal(model.coef_, alone.coef_)
    np.testing.assert_array_equal(model.scores_, alone.scores_)
    assert not hasattr(model, "_callback_fit_ctx")


def test_callbacks_of_cross_validation_without_a_refit(make_data):
    X, y = make_data(60, 3, 2)
    recorder = Recorder()
    SoftmaxClassifierCV(Cs=2, cv=2, refit=False).set_callbacks(recorder).fit(X, y)
    assert recorder.events.count("end fit-of-fold") == 4
    assert "begin refit" not in recorder.events


def test_failed_cross_validation_is_torn_down_and_leaves_the_object_as_it_was(make_data):
    X, y = make_data(60, 3, 2)

    class Failing(Recorder):
        def on_fit_task_end(self, estimator, context):
            raise RuntimeError("of the test")

    recorder = Failing()
    model = SoftmaxClassifierCV(Cs=2, cv=2).set_callbacks(recorder)
    before = vars(model).copy()
    with pytest.raises(RuntimeError, match="of the test"):
        model.fit(X, y)
    assert recorder.events[-1] == "teardown"
    assert vars(model) == before


def test_callbacks_that_propagate_see_the_iterations_of_the_refit(make_data):
    X, y = make_data(300, 4, 3)

    class Propagating(Recorder):
        max_propagation_depth = None

        def on_fit_task_end(self, estimator, context):
            self.events.append(f"end {context.task_name}")
            return context.task_name == "iteration"

    recorder = Propagating()
    model = SoftmaxClassifierCV(Cs=2, cv=2).set_callbacks(recorder).fit(X, y)
    assert recorder.events.count("end fit-of-fold") == 4
    assert recorder.events.count("end iteration") <= 1  # it wanted to stop
    assert recorder.events.count("setup") == recorder.events.count("teardown") == 1
    assert model.n_iter_.shape == (2, 1, 2)


def test_scores_of_every_fit_of_cross_validation(make_data):
    X, y = make_data(120, 3, 3)
    monitor = callback.ScoringMonitor(scoring="accuracy")
    model = SoftmaxClassifierCV(Cs=2, cv=2).set_callbacks(monitor)
    make_pipeline(StandardScaler(), model).fit(X, y)
    scores = [entry["accuracy"] for entry in monitor.get_logs().data if "accuracy" in entry]
    assert len(scores) == 6  # four, the refit and all
    assert all(0.0 <= score <= 1.0 for score in scores)


@pytest.mark.parametrize("where", ["alone", "pipeline", "search"])
def test_progress_bar_of_cross_validation(make_data, where, capsys):
    X, y = make_data(120, 3, 3)
    model = SoftmaxClassifierCV(Cs=2, cv=2)
    if where != "alone":
        model = make_pipeline(StandardScaler(), model)
    if where == "search":
        model = GridSearchCV(model, {"softmaxclassifiercv__tol": [1e-3, 1e-4]}, cv=2)
    model.set_callbacks(callback.ProgressBar()).fit(X, y)
    name = "GridSearchCV" if where == "search" else "SoftmaxClassifierCV"
    assert f"{name} - fit" in capsys.readouterr().out


@pytest.mark.full
def test_without_callbacks_in_scikit_learn_everything_else_works():
    script = """
import io, os, sys
import numpy as np
import sklearn.linear_model
sys.modules["sklearn.callback"] = None  # what softreg_fast imports from now on
from softreg_fast.estimators.classifier import SoftmaxClassifier
X = np.random.default_rng(0).standard_normal((100, 3))
y = (X[:, 0] > 0).astype(int)
for solver in ("auto", "newton", "lbfgs", "sgd"):
    model = SoftmaxClassifier(solver=solver, verbose=2).fit(X, y)
    assert model.score(X, y) > 0.9
assert not hasattr(model, "set_callbacks")
from softreg_fast.estimators import progress
from softreg_fast.estimators.classifier_cv import SoftmaxClassifierCV
progress._SECONDS_BEFORE = 0.0
os.environ["TERM"] = "xterm"
sys.stderr = io.StringIO()
sys.stderr.isatty = lambda: True
for model in (SoftmaxClassifier(verbose=1), SoftmaxClassifierCV(Cs=2, cv=2, verbose=1)):
    model.fit(X, y)
    assert f"{type(model).__name__}: " in sys.stderr.getvalue()
"""
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)


class KeepsCallbacksElsewhere(SoftmaxClassifier):
    """As of a scikit-learn that keeps them under another name."""

    def set_callbacks(self, *callbacks):
        self.callbacks = callbacks
        return self


@pytest.mark.parametrize("solver", SOLVERS)
def test_whoever_may_have_callbacks_has_the_bits_of_who_has_none(make_data, solver):
    X, y = make_data(200, 4, 3)
    unknown = KeepsCallbacksElsewhere(solver=solver, random_state=0)
    known = SoftmaxClassifier(solver=solver, random_state=0)
    assert has_callbacks(unknown)
    assert not has_callbacks(known)
    assert has_callbacks(clone(known).set_callbacks(Recorder()))
    np.testing.assert_array_equal(unknown.fit(X, y).coef_, known.fit(X, y).coef_)
