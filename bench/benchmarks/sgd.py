"""Epochs of gradient descent, and the way to a test loss, beside `SGDClassifier`.

An epoch is a tenth of what 12 epochs take longer than 2. The test loss is the lowest that
`SGDClassifier` reaches among some penalties and numbers of epochs; both sides choose among the same
penalties, `alpha` being ``1 / (n_samples * C)``.
"""

import warnings

from sklearn.linear_model import SGDClassifier
from sklearn.metrics import log_loss

from softreg_fast import SoftmaxClassifier

from .. import cases
from ..options import add_common, select
from ..record import Record
from ..timing import take_turns, timed

ALPHAS = 1e-6, 1e-5, 1e-4, 1e-3
BATCH_SIZE = 256
SIDES = "softreg_fast", "SGDClassifier"
SHARE_OF_TRAINING = 10 / 11


def all_cases():
    """What is trained on; a part of the rows is for testing."""
    return [
        cases.dense(22_000, 20, 2, name="small"),
        cases.dense(550_000, 54, 2, name="two classes"),
        cases.sparse(110_000, 500_000, 20, name="text"),
    ]


def _ours(X, y, n_epochs, **settings):
    return SoftmaxClassifier(
        solver="sgd", max_iter=n_epochs, tol=0.0, random_state=0, **settings
    ).fit(X, y)


def _ours_at(X, y, n_epochs, alpha):
    return _ours(X, y, n_epochs, C=1.0 / (alpha * len(y)))


def _theirs(X, y, n_epochs, alpha=1e-4):
    return SGDClassifier(
        loss="log_loss", max_iter=n_epochs, tol=None, n_jobs=2, random_state=0, alpha=alpha
    ).fit(X, y)


def add_epochs(record, name, X, y, n_repeats):
    """Measure the time of an epoch on both sides."""
    runs = {
        (side, n_epochs): run
        for n_epochs in (2, 12)
        for side, run in [
            (
                SIDES[0],
                lambda n=n_epochs: _ours(X, y, n, batch_size=BATCH_SIZE, n_iter_no_change=100),
            ),
            (SIDES[1], lambda n=n_epochs: _theirs(X, y, n)),
        ]
    }
    turns = take_turns(runs, n_repeats)
    for side in SIDES:
        for n_epochs in (2, 12):
            done = turns[side, n_epochs].result.n_iter_
            record.check(name, side, f"epochs missing of {n_epochs}", abs(done - n_epochs), 0)
        seconds = (turns[side, 12].median - turns[side, 2].median) / 10
        record.add(name, side, "seconds_per_epoch", seconds)


def _courses(fit, numbers_of_epochs, training, test):
    """Loss on the test rows, seconds, `alpha` and number of epochs of many fits."""
    X_test, y_test = test
    for alpha in ALPHAS:
        for n_epochs in numbers_of_epochs:
            seconds, model = timed(lambda a=alpha, n=n_epochs: fit(*training, n, a))
            loss = log_loss(y_test, model.predict_proba(X_test), labels=model.classes_)
            yield loss, seconds, alpha, n_epochs


def add_ways_to_loss(record, name, training, test):
    """Measure the time to the lowest test loss of `SGDClassifier`."""
    wanted, *theirs = min(_courses(_theirs, (1, 2, 5, 10, 20), training, test))
    ours = [
        course
        for loss, *course in _courses(_ours_at, (1, 2, 3, 5, 8, 12), training, test)
        if loss <= wanted
    ]
    for side, found in zip(SIDES, (min(ours, default=None), theirs), strict=True):
        seconds, alpha, n_epochs = found or (float("nan"), None, None)
        record.add(name, side, "seconds_to_loss", seconds,
                   loss=wanted, alpha=alpha, n_epochs=n_epochs)  # fmt: skip


def add_arguments(parser):
    """Options of the command line."""
    add_common(parser, sides=False)


def run(options):
    """Measure; gives the record."""
    warnings.simplefilter("ignore")
    record = Record("sgd")
    for case in select(all_cases(), options):
        name = record.add_case(case, case.title)
        print(f"{name} ...", flush=True)
        X, y = case.load()
        n_training = int(case.n_samples * SHARE_OF_TRAINING)
        training = X[:n_training], y[:n_training]
        add_epochs(record, name, *training, options.repeats)
        add_ways_to_loss(record, name, training, (X[n_training:], y[n_training:]))
        cases.forget()
    return record
