"""``softreg-fast explain``."""

import argparse
from typing import Any

from ..parsing import add_json, positive_integer

NAME = "explain"
HELP = "show the largest coefficients of a model"
_DESCRIPTION = """
Show the coefficients of each class that move the prediction most. Those of numbers are compared by
their effect for one standard deviation. An odds ratio is the factor by which a step of 1, or of one
standard deviation, or the category, changes the odds of the class. A category is compared with the
one that is named below, or else with all of its column: divide two odds ratios to compare two
categories. The name nan is that of missing values. Confidence intervals are those of the
coefficient, and need a model of two classes without regularization (softreg-fast train --C inf).
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = _DESCRIPTION
    parser.add_argument("model", metavar="MODEL", help='of "softreg-fast train"')
    parser.add_argument(
        "--top", type=positive_integer, default=10, metavar="N", help="of each class (default: 10)"
    )
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    from pathlib import Path

    from ...inference.class_tables import format_estimate, limits_of
    from ..console import Console, need_extra
    from ..explaining import largest_coefficients, references_of
    from ..model_files import load_model

    console = Console(is_json=options.json)
    if not options.json:
        need_extra("softreg-fast explain", "cli", "rich")
    model, table, training = load_model(Path(options.model))
    summary: dict[str, Any] = training.get("summary") or {}
    found = largest_coefficients(model, table, options.top, summary or None)
    for place, of_class in enumerate(found):
        if place:
            console.say()
        if of_class["against"] is not None:
            console.say(f"{of_class['class']}, against {of_class['against']}")
        else:
            console.say(f"{of_class['class']}, against the mean of all classes")
        rows = of_class["coefficients"]
        columns = {"coefficient": "value"}
        if rows and "lower" in rows[0]:
            low, high = limits_of(summary["confidence"])
            columns |= {"lower": low, "upper": high, "p_value": "p"}
        columns |= {"odds_ratio": "odds ratio", "odds_ratio_of_one_sd": "of 1 sd"}
        shown = [(row["feature"], *(format_estimate(row[key]) for key in columns)) for row in rows]
        console.say()
        console.table(("coefficient of", *columns.values()), shown)
    references = references_of(table)
    if references:
        console.say()
        console.say("categories are compared with")
        for name, category in references.items():
            console.say(f"  {name}: {category}")
    console.document({"model": options.model, "classes": found, "summary": summary or None})
    return 0
