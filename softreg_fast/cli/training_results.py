"""What ``softreg-fast train`` says, writes and draws."""

import math
from pathlib import Path
from typing import Any

import numpy as np

from .._extras import install_command
from ..persistence.replacing import replacing
from .console import Console, name_of, percent
from .explaining import largest_coefficients
from .model_files import save_model
from .preparing import Prepared, Training, prepare
from .scores import Scores
from .tables.labels import majority_of
from .training import Trained, describe_classes, train

_MOST_CLASSES = 20  # that are printed
_MOST_COLUMNS = 60
_MOST_COEFFICIENTS = 10
METRICS = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "log_loss": "log-loss",
    "brier_score": "Brier score",
    "calibration_error": "calibration error",
}


def run_training(
    training: Training, output: Path, plot: Path | None, report: Path | None, console: Console
) -> None:
    """Train, and write the model, a picture and a page."""
    from .svmlight_rows import prepare_svmlight

    is_table = training.target is not None
    prepared = (prepare if is_table else prepare_svmlight)(training, console)
    _say_what_is_read(training, prepared, console)
    trained = train(training, prepared, console)
    document = _describe(training, prepared, trained)
    save_model(trained.model, trained.table, _to_keep(document, trained), output)
    document["model"]["file"] = str(output)
    _say_how_good(training, trained, document, console)
    scores = trained.assessment.scores if trained.assessment is not None else None
    if plot is not None or report is not None:
        _draw(prepared, document, scores, plot, report, console)
    console.say(f"model: {output}, learned from all {len(prepared.rows.labels.codes):,} rows")
    console.say(f"next: softreg-fast predict {output} NEW_DATA -o predictions.csv --proba")
    document["notes"] = console.notes
    console.document(document)


def _say_what_is_read(training: Training, prepared: Prepared, console: Console) -> None:
    labels = prepared.rows.labels
    where = "in memory" if prepared.rows.are_in_memory else "in blocks"
    console.say(f"data: {training.data}, {prepared.n_rows:,} rows, read {where}")
    if prepared.n_unlabelled:
        console.note(
            f"{prepared.n_unlabelled:,} rows have no {prepared.table.target!r} and are left out"
        )
    columns = prepared.columns
    if columns:
        console.say()
        shown = columns
        if len(columns) > _MOST_COLUMNS:
            shown = [each for each in columns if each["role"] != "feature"][:_MOST_COLUMNS]
        rows = [(each["name"] or "(unnamed)", each["role"], each["text"]) for each in shown]
        console.table(("column", "role", "what it is"), rows, left=3)
        if len(shown) < len(columns):
            console.say(f"... and {len(columns) - len(shown):,} others")
    console.say()
    found = describe_classes(labels)
    rows = [
        (each["class"], f"{each['rows']:,}", percent(each["share"]))
        for each in found[:_MOST_CLASSES]
    ]
    name = prepared.table.target or "class"
    console.table((name, "rows", "share"), rows)
    if len(found) > _MOST_CLASSES:
        console.say(f"... and {len(found) - _MOST_CLASSES:,} more classes")
    console.say()


def _describe(training: Training, prepared: Prepared, trained: Trained) -> dict[str, Any]:
    """All results, as JSON has them."""
    labels, model = prepared.rows.labels, trained.model
    place, share = majority_of(labels.shares)
    gap = float(model.gap_)
    document: dict[str, Any] = {
        "data": str(training.data),
        "n_rows": prepared.n_rows,
        "n_rows_without_target": prepared.n_unlabelled,
        "read": "in memory" if prepared.rows.are_in_memory else "in blocks",
        "target": training.target,
        "columns": prepared.columns,
        "classes": describe_classes(labels),
        "majority": {"class": name_of(labels.classes.tolist()[place]), "accuracy": share},
        "validation": None,
        "cross_validation": None,
        "calibration": None,
        "model": {
            "C": "inf" if math.isinf(trained.C) else trained.C,
            "l1_ratio": training.parameters["l1_ratio"],
            "solver": training.parameters["solver"],
            "standardized": prepared.means is not None,
            "iterations": int(model.n_iter_),
            "converged": bool(model.converged_),
            "gap": None if math.isnan(gap) else gap,
            "seed": training.seed,
        },
        "coefficients": largest_coefficients(
            model, trained.table, _MOST_COEFFICIENTS, trained.summary
        ),
    }
    if trained.assessment is not None:
        scores = trained.assessment.scores
        found = {
            "share": training.validation,
            "metrics": scores.metrics(),
            "baseline": scores.baseline(labels.shares),
        }
        if training.n_folds is None:
            weight: dict[str, float] = {"n_rows": round(scores.total)}
            if training.weight is not None:
                weight = {"weight": scores.total}
            document["validation"] = {**weight, **found}
        else:
            folds = [fold.metrics() for fold in trained.assessment.folds]
            document["cross_validation"] = {**found, "n_folds": training.n_folds, "folds": folds}
            del document["cross_validation"]["share"]
    if trained.temperature is not None:
        document["calibration"] = {"temperature": trained.temperature}
    return document


def _to_keep(document: dict[str, Any], trained: Trained) -> dict[str, Any]:
    """What is kept in the model's file."""
    names = ("data", "n_rows", "classes", "validation", "cross_validation", "calibration", "model")
    kept: dict[str, Any] = {name: document[name] for name in names}
    summary = trained.summary
    if summary is not None and all(np.isfinite(summary["std_err"]).ravel()):
        kept["summary"] = summary
    return kept


def _say_how_good(
    training: Training, trained: Trained, document: dict[str, Any], console: Console
) -> None:
    majority = document["majority"]
    found = document["validation"] or document["cross_validation"]
    if found is not None:
        if document["validation"] is not None:
            weight = "" if training.weight is None else " (by weight)"
            where = f"{percent(training.validation)} of the rows, held out{weight}"
        else:
            where = f"cross-validation, {training.n_folds} folds"
        console.say(f"scores of {where}, and of always giving the classes' shares")
        rows = []
        for key, name in METRICS.items():
            row = [name, f"{found['metrics'][key]:.4f}", f"{found['baseline'][key]:.4f}"]
            if training.n_folds is not None:
                row.append(f"{np.std([fold[key] for fold in found['folds']]):.4f}")
            rows.append(row)
        heads = ["", "model", "baseline"] + ["sd of folds"] * (training.n_folds is not None)
        console.table(heads, rows)
        if found["metrics"]["accuracy"] <= found["baseline"]["accuracy"]:
            console.note(
                f"the model is no better than always saying {majority['class']!r}: the features "
                "may say nothing about the target"
            )
        elif found["metrics"]["accuracy"] > 0.999 and found["baseline"]["accuracy"] < 0.99:
            console.note(
                "hardly any mistake: a column may give the target away; look at softreg-fast "
                "explain, and --drop it if it isn't known when you predict"
            )
        console.say()
    else:
        console.say(
            f"nothing is held out; always saying {majority['class']!r} is right for "
            f"{percent(majority['accuracy'])} of the rows"
        )
    if training.C is None:
        console.say(f"C = {trained.C:g} is the best of ten by cross-validation")
    if trained.temperature is not None:
        console.say(f"logits are divided by {trained.temperature:.4g}, which calibrates them")


def _draw(
    prepared: Prepared,
    document: dict[str, Any],
    scores: Scores | None,
    plot: Path | None,
    report: Path | None,
    console: Console,
) -> None:
    from .pictures import draw_training, has_matplotlib
    from .report import write_report

    picture = None
    classes = [name_of(label) for label in prepared.rows.labels.classes.tolist()]
    if plot is not None or has_matplotlib():
        picture = draw_training(scores, classes, document["coefficients"])
    if plot is not None:
        assert picture is not None
        with replacing(plot) as beside:
            beside.write_bytes(picture)
        console.say(f"picture: {plot}")
    if report is not None:
        if picture is None:
            console.note(f"the page is without a picture: {install_command('plot')}")
        write_report(report, document, scores, classes, picture)
        console.say(f"page: {report}")
