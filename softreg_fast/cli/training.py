"""From rows to a model."""

import copy
import math
import re
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..estimators.classifier import SoftmaxClassifier
from ..estimators.classifier_cv import SoftmaxClassifierCV
from ..estimators.selection import BEST, choose_by_scores
from .assessing import Assessment, assess_by_folds, assess_held_out
from .console import Console, name_of, name_some
from .explaining import scales_of, shown_names, summary_of
from .learning_rows import Labels, LearningRows, MemoryRows
from .preparing import Prepared, Training
from .tables.columns import ColumnTable


@dataclass(frozen=True)
class Trained:
    """A model and what is known of it.

    Attributes
    ----------
    model : SoftmaxClassifier
    table : ColumnTable
        Its categories are those that the model has coefficients of, in the order of these.
    assessment : Assessment or None
    C : float
    temperature : float or None
    summary : dict or None
        Standard errors.
    """

    model: SoftmaxClassifier
    table: ColumnTable
    assessment: Assessment | None
    C: float
    temperature: float | None
    summary: dict[str, Any] | None


def train(training: Training, prepared: Prepared, console: Console) -> Trained:
    """Assess and fit a model."""
    rows, seed = prepared.rows, training.seed
    looks_up = (
        rows.are_in_memory
        and bool(prepared.table.categorical)
        and not prepared.table.has_references
    )
    C = training.C
    if C is None:
        with console.stage("choosing C by cross-validation"):
            C = _choose_strength(training, rows, looks_up=looks_up)
    assert C is not None
    strength = C

    def new_model() -> SoftmaxClassifier:
        return training.new_model(strength, looks_up=looks_up)

    assessment = None
    with warnings.catch_warnings():
        # What matters is said of the last fit.
        warnings.simplefilter("ignore", UserWarning)
        if training.n_folds is not None:
            with console.stage(f"cross-validation of {training.n_folds} folds"):
                assessment = assess_by_folds(rows, new_model, training.n_folds, seed)
        elif training.validation:
            with console.stage("learning, to score held-out rows"):
                assessment = assess_held_out(rows, new_model, training.validation, seed)
            if assessment is None:
                console.note("there are too few rows to hold some out: give --cv K to score")
    model = new_model()
    with console.stage("learning from all rows"), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        rows.fit(model)
    for each in caught:
        if issubclass(each.category, UserWarning):
            console.note(_in_terms_of_options(str(each.message)))
    table = prepared.table.as_learned(model)
    summary = _summarise(model, rows, table, console) if math.isinf(C) else None
    if prepared.means is not None:
        _undo_standardization(model, table, prepared.means)
    elif not math.isinf(C):
        _note_small_numbers(prepared, C, console)
    temperature = None
    if training.calibrates and assessment is not None:
        temperature = assessment.temperature()
        model.coef_ = model.coef_ / temperature
        model.intercept_ = model.intercept_ / temperature
    return Trained(model, table, assessment, C, temperature, summary)


def _in_terms_of_options(warning: str) -> str:
    """A warning of the estimator, with what the command has in place of parameters."""
    told = re.sub(r"; increase max_iter or \w+$", "; give more --epochs", warning)
    return told.replace(f"{SoftmaxClassifier.__name__} has ", "the model has ", 1)


def _undo_standardization(model: Any, table: ColumnTable, means: dict[str, float]) -> None:
    """Have a model of standardized numbers be one of the numbers themselves."""
    scales = scales_of(model, table)
    centers = np.array(
        [means.get(column.name, 0.0) for column in table.columns for _ in column.coefficient_names]
    )
    model.coef_ = model.coef_ / scales
    intercept = model.intercept_ - model.coef_ @ centers
    model.intercept_ = intercept - intercept.mean() * (len(intercept) > 1)


def _note_small_numbers(prepared: Prepared, C: float, console: Console) -> None:
    """Name numbers that vary so little that the penalty hardly lets them contribute."""
    # The curvature of the loss, at most a quarter for each row, is below that of the penalty.
    least = math.sqrt(4.0 / (C * len(prepared.rows.labels.codes)))
    small = [each for each in prepared.table.numbers if 0.0 < (each.scale or 0.0) < least]
    if small:
        console.note(
            f"with C={C:g} the penalty hardly lets {name_some([each.name for each in small])} "
            "contribute, since it varies so little: give --standardize, or a larger --C"
        )


def _choose_strength(training: Training, rows: LearningRows, *, looks_up: bool) -> float:
    """The best C by cross-validation."""
    known: dict[str, Any] = {"categorical_features": "from_dtype"} if looks_up else {}
    given = {name: value for name, value in training.parameters.items() if name != "l1_ratio"}
    search = SoftmaxClassifierCV(
        cv=training.n_folds or 5,
        l1_ratios=[training.parameters["l1_ratio"]],
        refit=False,
        **given,
        **known,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        rows.fit(search)
    _, place = choose_by_scores(search.scores_, search.Cs_, BEST)
    return float(search.Cs_[place])


def _summarise(
    model: Any, rows: LearningRows, table: ColumnTable, console: Console
) -> dict[str, Any] | None:
    """Standard errors, if there are any."""
    if not isinstance(rows, MemoryRows):
        return None
    labels = rows.labels
    named = copy.copy(model)
    names = shown_names(model, table)
    columns = [column.name for column in table.columns for _ in column.coefficient_names] or names
    named.feature_names_in_ = np.array(columns, dtype=object)  # those that can be dropped
    try:
        y = labels.classes[labels.codes]
        with warnings.catch_warnings():
            # The features are a matrix, which has no names.
            warnings.simplefilter("ignore", UserWarning)
            found = summary_of(named.summary(rows.features, y, labels.weights))
        found["names"] = [*found["names"][: -len(names)], *names]
        return found
    except ValueError as error:
        console.note(f"no standard errors: {error}")
        return None


def describe_classes(labels: Labels) -> list[dict[str, Any]]:
    """Of each class its name, rows and share."""
    return [
        {"class": name_of(label), "rows": int(count), "share": float(share)}
        for label, count, share in zip(
            labels.classes.tolist(), labels.counts, labels.shares, strict=True
        )
    ]
