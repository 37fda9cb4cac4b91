"""Markdown tables of records: ``python -m bench tables FILES``.

Tables take the place of what stands between the markers of their benchmark in bench/README.md. In
brackets is a value as a multiple of the first column's; of comparisons, the median of such ratios.
"""

import re
from pathlib import Path

from .machine import summarise
from .metrics import METRICS
from .record import read

README = Path(__file__).parent / "README.md"


def add_arguments(parser):
    """Options of the command line."""
    parser.add_argument("files", nargs="+", help="records that --json has written")
    parser.add_argument("--readme", type=Path, default=README, help="the file to fill")
    parser.add_argument("--print", action="store_true", help="print the tables, write nothing")


def format_value(value, metric):
    """A number in the unit of tables."""
    if value is None:
        return "not reached"
    value = value * METRICS[metric].scale
    return f"{value:.0e}" if metric == "gap" else f"{value:,.4g}" if value < 1e6 else f"{value:.3g}"


def _heading(metric):
    found = METRICS[metric]
    return f"{found.title}, {found.unit}" if found.unit else found.title


def _row(cells):
    return f"| {' | '.join(cells)} |"


def _table(head, rows):
    return "\n".join([_row(head), "|---" * len(head) + "|", *(_row(row) for row in rows)])


def _unique(values):
    return list(dict.fromkeys(values))


def _table_of_sides(metric, results):
    """One metric: a row for each case, a column for each side."""
    sides = _unique(each["side"] for each in results)
    found = {(each["case"], each["side"]): each for each in results}
    rows = []
    for case in _unique(each["case"] for each in results):
        first = found.get((case, sides[0]), {}).get("value")
        cells = [case]
        for side in sides:
            if (case, side) not in found:
                cells.append("")
                continue
            value, notes = found[case, side]["value"], found[case, side]["notes"]
            cell = format_value(value, metric)
            if side != sides[0] and value and first and metric != "gap":
                cell += f" ({notes.get('ratio', value / first):.3g}x)"
            cells.append(cell)
        rows.append(cells)
    return f"{_heading(metric)}\n\n" + _table(["case", *sides], rows)


def _table_of_metrics(metrics, results):
    """Metrics of one side each: a row for each case, a column for each metric."""
    values = {(each["case"], each["metric"]): each for each in results}
    rows = []
    for case in _unique(each["case"] for each in results):
        cells = [case]
        for metric in metrics:
            found = values.get((case, metric))
            cell = "" if found is None else format_value(found["value"], metric)
            notes = (found or {}).get("notes", {})
            cells.append(f"{cell} ({notes['bound_by']})" if "bound_by" in notes else cell)
        rows.append(cells)
    return _table(["case", *map(_heading, metrics)], rows)


def render(content):
    """All tables of a record, with its command and its machine.

    Parameters
    ----------
    content : dict
        See `bench.record`.

    Returns
    -------
    str
        Markdown.
    """
    by_metric = {}
    for each in content["results"]:
        by_metric.setdefault(each["metric"], []).append(each)
    parts = [f"`{content['command']}`; {summarise(content['machine'], content['versions'])}"]
    lonely = {}  # by side and cases: metrics of one side
    for metric, results in by_metric.items():
        sides = _unique(each["side"] for each in results)
        if len(sides) > 1:
            parts.append(_table_of_sides(metric, results))
        else:
            cases = tuple(_unique(each["case"] for each in results))
            lonely.setdefault((sides[0], cases), []).append(metric)
    for metrics in lonely.values():
        results = [each for metric in metrics for each in by_metric[metric]]
        parts.append(_table_of_metrics(metrics, results))
    if content["left_out"]:
        left_out = "; ".join(f"{side} ({why})" for side, why in content["left_out"].items())
        parts.append(f"Left out: {left_out}.")
    n_failed = sum(not each["passed"] for each in content["checks"])
    parts.append(f"Checks: {len(content['checks'])}, of which {n_failed} failed.")
    return "\n\n".join(parts)


def fill(text, tables):
    """Put tables between the markers of their benchmarks.

    Parameters
    ----------
    text : str
    tables : dict of str to str
        By name of the benchmark.

    Returns
    -------
    str
    """
    for name, table in tables.items():
        begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
        pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        if not pattern.search(text):
            raise ValueError(f"there is no {begin} with its end")
        text = pattern.sub(lambda _, found=f"{begin}\n\n{table}\n\n{end}": found, text)
    return text


def run(options):
    """Print the tables, or write them."""
    tables = {}
    for path in options.files:
        content = read(path)
        tables.setdefault(content["benchmark"], []).append(render(content))
    joined = {name: "\n\n".join(parts) for name, parts in tables.items()}
    if options.print:
        print("\n\n".join(joined.values()))
        return
    text = fill(options.readme.read_text(encoding="utf-8"), joined)
    options.readme.write_text(text, encoding="utf-8")
