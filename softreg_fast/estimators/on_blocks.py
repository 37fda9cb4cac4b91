"""Rows in blocks as estimators take them: in place of X and y."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..blocks.learned import Tell, tell_nobody
from ..blocks.rows import LabelledBlock, RowBlocks
from ..data.blocked import BlockedProblem, BlockedRows
from ..data.labels import class_factors
from ..data.problem import Problem
from .progress import open_progress


def refuse_beside_blocks(**arguments: Any) -> None:
    """Raise ValueError if arguments that go with arrays alone are given beside blocks."""
    hints = {
        "y": "the blocks hold the labels: give target=... to open_blocks",
        "sample_weight": "the blocks hold the weights: give weight=... to open_blocks",
    }
    for name, value in arguments.items():
        if value is not None:
            hint = hints.get(name, "it must be None")
            raise ValueError(f"{name} is not allowed beside rows in blocks; {hint}")


class RowsToLearn(Protocol):
    """Rows of which a first pass tells what they are, here or on a cluster."""

    @property
    def n_features(self) -> int:
        """Known once they have been learnt."""

    @property
    def feature_names(self) -> list[str] | None:
        """None if they have none."""

    @property
    def n_samples(self) -> int | None:
        """None if it is known only after all rows have been read."""

    def learn(self, tell: Tell) -> tuple[BlockedRows, npt.NDArray[Any]]:
        """The rows after a first pass, and their classes.

        The pass tells of some rows, by their number, when it is done with them.
        """


def make_blocked_problem(estimator: Any, rows: RowsToLearn) -> tuple[BlockedProblem, Any]:
    """A problem without a penalty, and the classes; sets what is known of the features."""
    if estimator.categorical_features is not None:
        raise ValueError(
            f"categorical_features={estimator.categorical_features!r} is not allowed with rows in "
            "blocks: it must be None; encode categories as numbers of their own columns"
        )
    learned, classes = _learn(estimator, rows)
    problem = _problem_of(estimator, learned, classes)
    for name in ("categories_", "_reader", "feature_names_in_"):
        estimator.__dict__.pop(name, None)
    estimator.n_features_in_ = rows.n_features
    if rows.feature_names is not None:
        estimator.feature_names_in_ = np.array(rows.feature_names, object)
    return problem, classes


def _learn(estimator: Any, rows: RowsToLearn) -> tuple[BlockedRows, npt.NDArray[Any]]:
    """What a first pass tells; the estimator's `verbose` says whether that is shown."""
    title = type(estimator).__name__
    progress = open_progress(
        int(estimator.verbose), title, "row", rows.n_samples, are_certain=True, n_rows=1
    )
    if progress is None:
        return rows.learn(tell_nobody)
    what = ["first pass"]
    with closing(progress):
        found = rows.learn(lambda n_rows: progress.advance(lambda: what, n_rows))
        progress.finish(what)
    return found


def _problem_of(estimator: Any, learned: BlockedRows, classes: npt.NDArray[Any]) -> BlockedProblem:
    """A problem without a penalty, weighted as an estimator says."""
    factors: npt.NDArray[np.float64] | None = None
    if estimator.class_weight is not None:
        weights = learned.summary.class_weights
        factors = class_factors(estimator.class_weight, classes, classes, weights)
        total = float((weights * factors).sum())
        if not 0 < total < np.inf:
            raise ValueError(
                f"the sum of weight * class_weight is {total}: it must be above zero and finite"
            )
    return BlockedProblem(
        learned,
        np.zeros(0, np.int32),
        len(classes),
        estimator.activation,
        learned.dtype,
        class_factors=factors,
    )


def make_known_problem(estimator: Any, rows: RowBlocks) -> BlockedProblem:
    """The problem of rows that have the classes of a fitted model, without a penalty."""
    _check_features(estimator, rows, "X")
    return _problem_of(estimator, rows.learn_as(estimator.classes_), estimator.classes_)


def make_held_out_problem(
    estimator: Any, rows: RowBlocks, problem: Problem, classes: npt.NDArray[Any]
) -> BlockedProblem:
    """The problem of rows that are held out of another one's."""
    _check_features(estimator, rows, "X_val")
    learned = rows.learn_as(classes)
    if learned.summary.is_sparse != problem.is_sparse:
        raise ValueError("X and X_val must both be sparse or both be dense")
    return BlockedProblem(
        learned,
        np.zeros(0, np.int32),
        problem.n_classes,
        problem.activation,
        problem.dtype,
        l2_penalty=problem.l2_penalty,
        l1_penalty=problem.l1_penalty,
    )


def _check_features(estimator: Any, rows: RowBlocks, name: str) -> None:
    """Raise ValueError if the features aren't those that an estimator has been given before."""
    n_features, names = estimator.n_features_in_, getattr(estimator, "feature_names_in_", None)
    if rows.n_features != n_features:
        hint = ""
        if rows.n_features < n_features:
            hint = (
                f"; svmlight files that lack the last ones: open_blocks(..., features={n_features})"
            )
        raise ValueError(
            f"{name} has {rows.n_features} features, but {type(estimator).__name__} is expecting "
            f"{n_features} features as input{hint}"
        )
    here = rows.feature_names
    if here is not None and names is not None and here != list(names):
        raise ValueError(
            f"the features of {name} are {here}, but those of fit were {list(names)}: they must be "
            "the same, in the same order; give features=... to open_blocks"
        )


def blocks_of_known_features(
    estimator: Any, rows: RowBlocks, *, needs_labels: bool
) -> Iterator[LabelledBlock]:
    """Blocks of the features that an estimator has been fitted with.

    Raises
    ------
    ValueError
        They are others, or have no labels, which are needed.
    """
    if needs_labels and not rows.has_target:
        raise ValueError("the rows have no target: give target=... to open_blocks")
    _check_features(estimator, rows, "X")
    return rows.labelled_blocks()
