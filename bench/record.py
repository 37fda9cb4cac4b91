"""Records of benchmarks: one JSON format for all of them.

A record is an object with these members.

format : int
    1.
benchmark, command, date : str
machine, versions : object
    See `bench.machine`.
cases : object
    By name: shape, dtype, `is_synthetic`, `is_sparse`, and how mini-batch descent trains on it.
sides : list of str
    The first is the one that the others are compared with.
left_out : object
    By side: why it was not run.
results : list of object
    `case`, `side`, `metric` (a key of `bench.metrics.METRICS`), `value` in SI units, the median of
    `samples`, and `notes`, an object.
checks : list of object
    `case`, `side`, `what`, `value`, `bound`, `passed`: that sides did equal work, and gates.
"""

import datetime
import json
import shlex
import sys
from pathlib import Path

import numpy as np

from .machine import describe_machine, describe_versions
from .metrics import METRICS

FORMAT = 1


def command_of(arguments):
    """The command line of a record, without the place that it is written to."""
    kept, rest = [], iter(arguments)
    for argument in rest:
        if argument == "--json":
            next(rest, None)
        elif not argument.startswith("--json="):
            kept.append(argument)
    return f"python -m bench {shlex.join(kept)}"


class Record:
    """What a benchmark has measured.

    Parameters
    ----------
    benchmark : str
        Its name.
    """

    def __init__(self, benchmark):
        self.content = {
            "format": FORMAT,
            "benchmark": benchmark,
            "command": command_of(sys.argv[1:]),
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "machine": describe_machine(),
            "versions": describe_versions(),
            "cases": {},
            "sides": [],
            "left_out": {},
            "results": [],
            "checks": [],
        }

    def add_case(self, case, name=None):
        """Keep what a case is; gives its name in results."""
        name = name or str(case)
        self.content["cases"][name] = case.describe()
        return name

    def leave_out(self, side, reason):
        """Keep why a side was not run."""
        if side not in self.content["left_out"]:
            print(f"{side} is left out: {reason}")
        self.content["left_out"][side] = reason

    def add(self, case, side, metric, samples, **notes):
        """Keep a number, or the median of several; gives it."""
        assert metric in METRICS, metric
        samples = [float(each) for each in np.atleast_1d(samples)]
        value = float(np.median(samples))
        if side not in self.content["sides"]:
            self.content["sides"].append(side)
        self.content["results"].append(
            {"case": case, "side": side, "metric": metric, "value": value, "samples": samples,
             "notes": notes}
        )  # fmt: skip
        return value

    def check(self, case, side, what, value, bound):
        """Keep and print whether a value is at most its bound; gives it."""
        passed = bool(value <= bound)
        self.content["checks"].append(
            {"case": case, "side": side, "what": what, "value": float(value),
             "bound": float(bound), "passed": passed}
        )  # fmt: skip
        verdict = "ok" if passed else "FAILED"
        print(f"  {verdict}: {case}: {side}: {what} {value:.2g}, at most {bound:.2g}", flush=True)
        return passed

    def value(self, case, side, metric):
        """A number that was kept."""
        return next(
            each["value"]
            for each in self.content["results"]
            if (each["case"], each["side"], each["metric"]) == (case, side, metric)
        )

    @property
    def failures(self):
        """Checks that have failed."""
        return [each for each in self.content["checks"] if not each["passed"]]

    def finite(self):
        """The content with null in place of numbers that are not finite."""
        return _without_nonfinite(self.content)

    def write(self, path):
        """Write JSON."""
        text = json.dumps(self.finite(), indent=1, allow_nan=False)
        Path(path).write_text(text + "\n", encoding="utf-8")


def _without_nonfinite(value):
    if isinstance(value, dict):
        return {key: _without_nonfinite(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_nonfinite(each) for each in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def read(path):
    """The content of a record that was written."""
    content = json.loads(Path(path).read_text(encoding="utf-8"))
    if content.get("format") != FORMAT:
        raise ValueError(f"{path} has format {content.get('format')!r}, not {FORMAT}")
    return content
