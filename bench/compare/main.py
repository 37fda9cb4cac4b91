"""Two checkouts against each other.

BASE and HEAD are folders with a checkout each, or revisions of this repository. Their processes
take turns, in several rounds. Each side has its own cache of compiled kernels, which one run that
is not timed fills. The exit status is 1 if HEAD is slower in some case by more than a relative and
an absolute bound, if both sides did not do equal work, or if a case failed.
"""

import sys
import tempfile
from collections import defaultdict
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from ..machine import describe
from ..processes import ROOT, call_in_fresh_process
from ..record import Record
from .checkouts import INSTRUCTION_SETS, busy_neighbours, check_out, environment
from .child import chosen
from .judge import judge

SIDES = "base", "head"
FIRST_FITS = ["regressor", "classifier", "sgd"]
BOUND_OF_FIRST_FITS = 0.3  # seconds
TOLERANCE_OF_FIRST_FITS = 1e-3


def add_arguments(parser):
    """Options of the command line."""
    parser.add_argument("base", nargs="?", help="a folder or a revision")
    parser.add_argument("head", nargs="?", default=str(ROOT), help="default: this checkout")
    parser.add_argument("--rounds", type=int, default=5, help="processes of each side")
    parser.add_argument("--repeats", type=int, default=5, help="timed calls in a process")
    parser.add_argument("--cases", nargs="+", default=[], help="texts that names contain")
    parser.add_argument("--list", action="store_true", help="print the names of cases and stop")
    parser.add_argument("--first", action="store_true", help="first fits too, from empty caches")
    parser.add_argument("--first-only", action="store_true", help="first fits alone")
    parser.add_argument("--neighbour", action="store_true", help="a busy process beside")
    parser.add_argument("--isa", choices=INSTRUCTION_SETS, help="compile for narrower vectors")
    parser.add_argument("--bound", type=float, default=1.10, help="relative (default: 1.10)")
    parser.add_argument("--json", help="a file to write to")


class Comparison:
    """A comparison: measures, prints lines of its table and keeps what has failed."""

    def __init__(self, options, folders):
        self.options, self.folders = options, folders
        self.record = Record("compare")
        self.failures = []

    def turns(self, measure):
        """What a function of a side gives in each round, by side; who begins alternates."""
        rounds = {side: [] for side in SIDES}
        for number in range(self.options.rounds):
            for side in SIDES if number % 2 == 0 else SIDES[::-1]:
                rounds[side].append(measure(side))
                print(f"  round {number + 1}, {side}: done", file=sys.stderr, flush=True)
        return rounds

    def report(self, name, rounds, tolerance, absolute_bound, metric="seconds"):
        """Judge a case, print its line and keep it."""
        errors = [
            f"{side}: {each['error']}"
            for side, found in rounds.items()
            for each in found
            if "error" in each
        ]
        if errors:
            self.failures.append(f"failed: {name}\n{errors[0]}")
            print(f"| {name} | | | | failed |", flush=True)
            return
        verdict = judge(rounds, tolerance, self.options.bound, absolute_bound)
        words = []
        if not verdict.is_equal:
            words.append(f"unequal work: {verdict.difference:.1e}, at most {tolerance:.0e}")
        if verdict.is_slower:
            words.append("slower")
        self.failures += [f"{word}: {name}" for word in words]
        for side in SIDES:
            self.record.add(name, side, metric, verdict.seconds[side])
        self.record.content["checks"].append(
            {"case": name, "side": "head", "what": "equal outcomes", "value": verdict.difference,
             "bound": tolerance, "passed": verdict.is_equal}
        )  # fmt: skip
        times = [f"{1e3 * verdict.median(side):.4g} ms" for side in SIDES]
        print(
            f"| {name} | {times[0]} | {times[1]} | {verdict.ratio:.2f} "
            f"| {'; '.join(words) or f'equal to {verdict.difference:.0e}'} |",
            flush=True,
        )


def _measure(function, comparison, caches, side, **arguments):
    return call_in_fresh_process(
        f"bench.compare.child:{function}",
        folder=comparison.folders[side],
        environment=environment(caches[side], comparison.options.isa),
        **arguments,
    )


def _compare_warm(comparison, stack):
    options = comparison.options
    caches = {side: stack.enter_context(tempfile.TemporaryDirectory()) for side in SIDES}
    measure = partial(_measure, "measure_workloads", comparison, caches, filters=options.cases)
    for side in SIDES:
        found = measure(side, n_repeats=0)
        print(f"{side}: {found['package']}", file=sys.stderr, flush=True)
        assert Path(found["package"]).is_relative_to(comparison.folders[side])
    rounds = comparison.turns(lambda side: measure(side, n_repeats=options.repeats))
    for workload in chosen(options.cases):
        by_side = {
            side: [each["workloads"][workload.name] for each in found]
            for side, found in rounds.items()
        }
        comparison.report(workload.name, by_side, workload.tolerance, workload.bound)


def _compare_first(comparison):
    rounds = defaultdict(lambda: {side: [] for side in SIDES})
    for kind in FIRST_FITS:

        def measure(side, kind=kind):
            with tempfile.TemporaryDirectory() as cache:
                for state in ("empty", "filled"):
                    name = f"import and first fit, {state} cache: {kind}"
                    found = _measure("measure_first_fit", comparison, {side: cache}, side,
                                     kind=kind)  # fmt: skip
                    rounds[name][side].append(found)

        comparison.turns(measure)
    for name, by_side in rounds.items():
        comparison.report(
            name, by_side, TOLERANCE_OF_FIRST_FITS,
            BOUND_OF_FIRST_FITS if "empty" in name else BOUND_OF_FIRST_FITS / 10,
        )  # fmt: skip


def run(options):
    """Measure, print and judge; gives the record."""
    if options.list:
        print("\n".join(workload.name for workload in chosen(options.cases)))
        return None
    if options.base is None:
        sys.exit("compare needs BASE: a folder or a revision")
    print(describe())
    with ExitStack() as stack:
        folders = {side: check_out(getattr(options, side), stack) for side in SIDES}
        comparison = Comparison(options, folders)
        print("\n| case | base | head | head / base | |\n|---|---|---|---|---|", flush=True)
        with busy_neighbours(int(options.neighbour)):
            if not options.first_only:
                _compare_warm(comparison, stack)
            if options.first or options.first_only:
                _compare_first(comparison)
    if options.json:
        comparison.record.write(options.json)
    if comparison.failures:
        sys.exit("\n".join(["", *comparison.failures]))
    return comparison.record
