"""All results of a training as a page that needs nothing beside it."""

import base64
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

from .. import __version__
from ..inference.class_tables import format_estimate
from ..persistence.replacing import replacing
from .console import percent
from .scores import Scores

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 70em; padding: 0 1em;
       color: #1a202c; }
h1 { font-size: 1.5em; } h2 { font-size: 1.15em; margin-top: 2em; }
table { border-collapse: collapse; } th, td { padding: .2em .9em .2em 0; text-align: left;
       border-bottom: 1px solid #e2e8f0; } td.number, th.number { text-align: right; }
img { max-width: 100%; }
"""
_KEYS = "coefficient", "odds_ratio", "odds_ratio_of_one_sd"
_NAMES = {
    "accuracy": "accuracy", "balanced_accuracy": "balanced accuracy", "log_loss": "log-loss",
    "brier_score": "Brier score", "calibration_error": "expected calibration error",
}  # fmt: skip


def write_report(
    path: Path,
    document: dict[str, Any],
    scores: Scores | None,
    classes: list[str],
    picture: bytes | None,
) -> None:
    """Write the page.

    Parameters
    ----------
    path : Path
    document : dict
        What ``--json`` prints.
    scores : Scores or None
    classes : list of str
    picture : bytes or None
        A PNG.
    """
    parts = [f"<h1>{escape(str(document['target'] or 'class'))}, predicted</h1>"]
    unlabelled = document["n_rows_without_target"]
    but = f" but {unlabelled:,} without a target" if unlabelled else ""
    parts.append(
        f"<p>{document['n_rows']:,} rows of {escape(document['data'])}; the model has learned from "
        f"all of them{but}. C = "
        f"{escape(str(document['model']['C']))}, {document['model']['iterations']} iterations, "
        f"{'converged' if document['model']['converged'] else 'not converged'}.</p>"
    )
    found = document["validation"] or document["cross_validation"]
    if found is not None:
        parts.append("<h2>How good it is</h2>")
        parts.append(_describe_rows(document))
        rows = [
            (_NAMES[key], f"{found['metrics'][key]:.4f}", f"{found['baseline'][key]:.4f}")
            for key in _NAMES
        ]
        parts.append(_table(("", "model", "baseline"), rows, left=1))
    if picture is not None:
        encoded = base64.b64encode(picture).decode("ascii")
        text = "confusion matrix, calibration and largest coefficients"
        parts.append(f'<p><img alt="{text}" src="data:image/png;base64,{encoded}"></p>')
    if scores is not None:
        parts.append("<h2>By class</h2>")
        rows_by_class = [
            (name, *(f"{row[key]:.3f}" for key in ("precision", "recall", "f1")),
             f"{row['support']:,.6g}")
            for name, row in zip(classes, scores.by_class(), strict=True)
        ]  # fmt: skip
        heads = ("class", "precision", "recall", "F1", "held-out rows")
        parts.append(_table(heads, rows_by_class, left=1))
    parts.append("<h2>Classes</h2>")
    of_classes = [
        (each["class"], f"{each['rows']:,}", percent(each["share"])) for each in document["classes"]
    ]
    parts.append(_table(("class", "rows", "share"), of_classes, left=1))
    parts.append("<h2>Columns</h2>")
    columns = [(each["name"], each["role"], each["text"]) for each in document["columns"]]
    parts.append(_table(("column", "role", "what it is"), columns, left=3))
    parts.append("<h2>Largest coefficients</h2>")
    for of_class in document["coefficients"]:
        against = of_class["against"] or "the mean of all classes"
        parts.append(f"<h3>{escape(of_class['class'])}, against {escape(against)}</h3>")
        of_class_rows = [
            (row["name"], *(format_estimate(row[key]) for key in _KEYS))
            for row in of_class["coefficients"]
        ]
        names = ("coefficient", "value", "odds ratio", "odds ratio of 1 sd")
        parts.append(_table(names, of_class_rows, left=1))
    parts.append(f"<p>softreg-fast {__version__}</p>")
    page = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>softreg-fast</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )
    with replacing(path) as beside:
        beside.write_text(page, encoding="utf-8")


def _describe_rows(document: dict[str, Any]) -> str:
    if document["validation"] is not None:
        share = percent(document["validation"]["share"])
        return f"<p>{share} of the rows were held out, and scored by a model of the others.</p>"
    n_folds = document["cross_validation"]["n_folds"]
    return f"<p>Cross-validation of {n_folds} folds.</p>"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, left: int) -> str:
    def cells(tag: str, row: Sequence[str]) -> str:
        return "".join(
            f"<{tag}{'' if place < left else ' class=number'}>{escape(cell)}</{tag}>"
            for place, cell in enumerate(row)
        )

    body = "\n".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f"<table><tr>{cells('th', heads)}</tr>\n{body}</table>"
