"""Many classes of wide dense features: the way to a test loss, beside PyTorch's L-BFGS.

Features are synthetic, with a spectrum and norms as embeddings of images have, in float32; classes
overlap. A part of the rows is for testing. The test loss that is wanted is 2 % above the last one
of the side that has got less far. The time is that of the iteration from which on no loss is
higher: losses go up and down on the way. They are recomputed in float64 after each iteration, which
is not timed.
"""

import time
import warnings

import numpy as np

from softreg_fast import SoftmaxClassifier

from ..cases import Case
from ..metrics import mean_loss
from ..options import add_common, select
from ..record import Record
from ..sides.base import Side

C = 0.316
N_TEST = 10_000
MOST_ITERATIONS = 40
TOLERANCE = 1e-6
WANTED = 1.02
# Of the centers of classes, in standard deviations of a feature.
SEPARATION = 0.25
SHAPES = (5_000, 256, 100), (50_000, 768, 1_000)


def make(n_samples, n_features, n_classes):
    """Features and labels of training and test rows."""
    random = np.random.default_rng(0)
    centers = SEPARATION * random.standard_normal((n_classes, n_features))
    spectrum = np.arange(1.0, n_features + 1.0) ** -0.5
    rotation, _ = np.linalg.qr(random.standard_normal((n_features, n_features)))
    y = random.integers(0, n_classes, n_samples + N_TEST)
    X = np.empty((len(y), n_features), np.float32)
    for start in range(0, len(y), 10_000):
        rows = slice(start, start + 10_000)
        block = centers[y[rows]] + random.standard_normal((len(y[rows]), n_features))
        block = (block * spectrum) @ rotation
        X[rows] = 10.0 * block / np.linalg.norm(block, axis=1, keepdims=True)
    return (X[:n_samples], y[:n_samples]), (X[n_samples:], y[n_samples:])


class _Course:
    """Seconds and test losses of iterations; what it does itself isn't timed."""

    def __init__(self, test):
        self._test = test
        self._started = time.perf_counter()
        self.seconds, self.losses = [], []

    def add(self, coef, intercept):
        """Note a model."""
        now = time.perf_counter()
        self.seconds.append(now - self._started)
        self.losses.append(mean_loss(*self._test, coef, intercept))
        self._started += time.perf_counter() - now

    def seconds_to(self, loss):
        """To the first model from which on no loss is higher."""
        n_higher = max((place for place, own in enumerate(self.losses, 1) if own > loss), default=0)
        return self.seconds[n_higher] if n_higher < len(self.seconds) else float("nan")


class _Follower:
    """A callback of scikit-learn that notes the model of each iteration."""

    def __init__(self, course):
        self._course = course

    def setup(self, estimator, context):
        """Nothing to do."""

    def teardown(self, estimator, context):
        """Nothing to do."""

    def on_fit_task_begin(self, estimator, context):
        """Nothing to do."""

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        """Note the model."""
        self._course.add(fitted_estimator.coef_, fitted_estimator.intercept_)


class OursOnTheWay(Side):
    """`SoftmaxClassifier`; the result of a run is its course."""

    name = "softreg_fast"

    def prepare(self, training, test):
        self.X, self.y = training
        self.test = test
        few = np.concatenate([np.flatnonzero(self.y == label)[:2] for label in np.unique(self.y)])
        self._model(1).fit(self.X[few], self.y[few])  # compiles everything

    def _model(self, max_iter):
        return SoftmaxClassifier(C=C, tol=TOLERANCE, max_iter=max_iter)

    def run(self):
        course = _Course(self.test)
        self._model(MOST_ITERATIONS).set_callbacks(_Follower(course)).fit(self.X, self.y)
        return course


class TorchOnTheWay(Side):
    """PyTorch's L-BFGS with a line search; the result of a run is its course."""

    name = "PyTorch L-BFGS"
    module = "torch"

    def prepare(self, training, test):
        import torch

        self.torch = torch
        self.features, self.labels = (torch.from_numpy(each) for each in training)
        self.test = test

    def run(self):
        torch, features, labels = self.torch, self.features, self.labels
        n_classes = int(labels.max()) + 1
        coef = torch.zeros((n_classes, features.shape[1]), requires_grad=True)
        intercept = torch.zeros(n_classes, requires_grad=True)
        optimizer = torch.optim.LBFGS(
            [coef, intercept], max_iter=1, max_eval=25, history_size=10,
            line_search_fn="strong_wolfe",
        )  # fmt: skip

        def evaluate():
            optimizer.zero_grad()
            logits = torch.addmm(intercept, features, coef.T)
            loss = torch.nn.functional.cross_entropy(logits, labels)
            loss = loss + 0.5 / (C * len(labels)) * (coef * coef).sum()
            loss.backward()
            return loss

        course = _Course(self.test)
        for _ in range(MOST_ITERATIONS):
            optimizer.step(evaluate)
            course.add(coef.detach().numpy(), intercept.detach().numpy())
        return course


def add_arguments(parser):
    """Options of the command line."""
    add_common(parser, repeats=1, sides=False)


def run(options):
    """Measure; gives the record."""
    warnings.simplefilter("ignore")
    record = Record("many-classes")
    for shape in select(SHAPES, options):
        title = "{:,} x {:,} x {:,}".format(*shape)
        case = Case(title, *shape, None, dtype="float32")
        record.add_case(case, title)
        print(f"{title} ...", flush=True)
        training, test = make(*shape)
        sides = []
        for side in OursOnTheWay(), TorchOnTheWay():
            reason = side.reason_against(case)
            if reason:
                record.leave_out(side.name, reason)
                continue
            side.prepare(training, test)
            sides.append(side)
        courses = {side.name: [] for side in sides}
        for _ in range(options.repeats):
            for side in sides:
                courses[side.name].append(side.run())
        wanted = WANTED * max(course.losses[-1] for found in courses.values() for course in found)
        for name, found in courses.items():
            seconds = [course.seconds_to(wanted) for course in found]
            record.add(title, name, "seconds_to_loss", seconds, loss=wanted)
            last = max(course.losses[-1] for course in found)
            record.add(title, name, "test_loss", last)
            record.check(title, name, "last test loss over the one wanted", last / wanted, 1.0)
    return record
