"""What ``softreg-fast evaluate`` says and draws."""

from pathlib import Path
from typing import Any

import numpy as np

from ..persistence.replacing import replacing
from .applying import Application
from .console import Console, name_of, name_some
from .errors import UserError
from .scores import Scores
from .tables.labels import encode_labels
from .training_results import METRICS

_MOST_CLASSES = 20


def run_evaluation(
    application: Application, training: dict[str, Any], plot: Path | None, console: Console
) -> None:
    """Score a model on the rows of a file."""
    import pyarrow as pa

    model, table = application.model, application.table
    classes = [name_of(label) for label in model.classes_.tolist()]
    application.open()
    scores = Scores(len(classes))
    n_rows = n_unlabelled = n_unknown = 0
    unknown: set[str] = set()
    with console.stage(f"scoring {application.path}"):
        for rows in application.predictions():
            labels = (
                pa.array(rows.labels)
                if rows.batch is None
                else rows.batch.column(rows.batch.schema.get_field_index(table.target))
            )
            codes, found = encode_labels(labels, model.classes_, table.target_kind, table.missing)
            unknown |= found
            n_rows += len(codes)
            n_unlabelled += int((codes == -1).sum())
            n_unknown += int((codes == -2).sum())
            are_known = codes >= 0
            if are_known.any():
                scores.add(rows.probabilities[are_known], codes[are_known])
    if not n_rows:
        raise UserError(f"{application.path} has no rows below its header")
    if not scores.total:
        raise UserError(
            f"{application.path} has no row with a class of the model ({name_some(classes)}): its "
            f"{table.target!r} holds {name_some(sorted(unknown)) if unknown else 'nothing'}"
        )
    if n_unlabelled:
        console.note(f"{n_unlabelled:,} rows have no {table.target!r} and are left out")
    if n_unknown:
        console.note(
            f"{n_unknown:,} rows have classes that the model doesn't know, "
            f"{name_some(sorted(unknown))}, and are left out"
        )
    for note in application.counts.notes(application.table):
        console.note(note)
    shares = np.array([each["share"] for each in training["classes"]])
    metrics, baseline = scores.metrics(), scores.baseline(shares)
    _say(application, scores, classes, metrics, baseline, console)
    if plot is not None:
        from .pictures import draw_scores

        with replacing(plot) as beside:
            beside.write_bytes(draw_scores(scores, classes))
        console.say()
        console.say(f"picture: {plot}")
    console.document(
        {
            "data": str(application.path),
            "n_rows": n_rows,
            "n_rows_without_target": n_unlabelled,
            "n_rows_of_unknown_classes": n_unknown,
            "classes": classes,
            "metrics": metrics,
            "baseline": baseline,
            "confusion_matrix": scores.confusion.astype(int).tolist(),
            "by_class": dict(zip(classes, scores.by_class(), strict=True)),
            "missing_values": application.counts.missing,
            "unknown_categories": application.counts.unknown,
            "notes": console.notes,
        }
    )


def _say(
    application: Application,
    scores: Scores,
    classes: list[str],
    metrics: dict[str, float],
    baseline: dict[str, float],
    console: Console,
) -> None:
    console.say(f"data: {application.path}, {scores.total:,.0f} rows with a known class")
    console.say()
    rows = [(name, f"{metrics[key]:.4f}", f"{baseline[key]:.4f}") for key, name in METRICS.items()]
    console.table(("", "model", "baseline"), rows)
    console.say("baseline: always the classes' shares of the training data")
    console.say()
    by_class = [
        (name, *(f"{row[key]:.3f}" for key in ("precision", "recall", "f1")),
         f"{row['support']:,.0f}")
        for name, row in zip(classes, scores.by_class(), strict=True)
    ]  # fmt: skip
    console.table(("class", "precision", "recall", "F1", "rows"), by_class)
    console.say()
    if len(classes) > _MOST_CLASSES:
        console.say(f"the confusion matrix of {len(classes):,} classes is in --json")
        return
    confusion = [
        (name, *(f"{count:,.0f}" for count in row))
        for name, row in zip(classes, scores.confusion, strict=True)
    ]
    console.table(("true \\ predicted", *classes), confusion)
