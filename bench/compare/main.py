"""Two checkouts against each other.

BASE and HEAD are folders with a checkout each, or revisions of this repository. Their processes
take turns at each call, in several rounds with fresh processes. Each side has its own cache of
compiled kernels, which one run that is not timed fills. What looks slower is measured in as many
rounds again. The exit status is 1 if HEAD is slower in some case by more than a relative and an
absolute bound, if both sides did not do equal work, or if a case failed.
"""

import sys
import tempfile
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path

from .. import instructions
from ..first_calls import KINDS
from ..machine import describe
from ..processes import ROOT, Worker, call_in_fresh_process
from ..record import Record
from .checkouts import busy_neighbours, check_out, environment
from .child import chosen
from .judge import judge

SIDES = "base", "head"
CHILD = "bench.compare.child"
BOUND_OF_FIRST_FITS = {"empty": 0.3, "filled": 0.03}  # seconds, by the state of the cache
TOLERANCE_OF_FIRST_FITS = 1e-3


def add_arguments(parser):
    """Options of the command line."""
    parser.add_argument("base", nargs="?", help="a folder or a revision")
    parser.add_argument("head", nargs="?", default=str(ROOT), help="default: this checkout")
    parser.add_argument("--rounds", type=int, default=5, help="processes of each side")
    parser.add_argument("--repeats", type=int, default=5, help="timed calls in a turn")
    parser.add_argument("--cases", nargs="+", default=[], help="texts that names contain")
    parser.add_argument("--list", action="store_true", help="print the names of cases and stop")
    parser.add_argument("--first", action="store_true", help="first fits too, from empty caches")
    parser.add_argument("--first-only", action="store_true", help="first fits alone")
    parser.add_argument("--neighbour", action="store_true", help="a busy process beside")
    instructions.add_option(parser)
    parser.add_argument("--bound", type=float, default=1.05, help="relative (default: 1.05)")
    parser.add_argument("--caches", help="a folder that keeps both sides' caches for another run")
    parser.add_argument("--json", help="a file to write to")


def _turns(number):
    """Which side goes first alternates between rounds."""
    return SIDES if number % 2 == 0 else SIDES[::-1]


def _tell(words):
    print(words, file=sys.stderr, flush=True)


def _errors(rounds):
    """What has failed in the rounds of a case, with its side."""
    return [
        f"{side}: {each['error']}"
        for side, found in rounds.items()
        for each in found
        if "error" in each
    ]


class _WorkloadError(Exception):
    """A workload has failed; the argument is its `error` by side."""


class Comparison:
    """A comparison: measures, prints lines of its table and keeps what has failed."""

    def __init__(self, options, folders):
        self.options, self.folders = options, folders
        self.record = Record("compare")
        self.failures = []

    def _neighbours(self, is_timed):
        return busy_neighbours(int(self.options.neighbour and is_timed))

    def _warm(self, workers, name, n_repeats, number):
        """A workload's `seconds` and `outcome` by side, or what has failed; sides take turns."""
        found = {side: {"seconds": []} for side in SIDES}

        def ask(side, function):
            answer = workers[side].call(f"{CHILD}:{function}", name=name)
            if "error" in answer:
                raise _WorkloadError({side: answer})
            return answer["result"]

        try:
            for side in _turns(number):
                ask(side, "prepare_workload")
            for repeat in range(n_repeats):
                for side in _turns(number + repeat):
                    found[side]["seconds"].append(ask(side, "run_workload"))
            for side in SIDES:
                found[side]["outcome"] = ask(side, "outcome_of_workload")
        except _WorkloadError as error:
            return error.args[0]
        return found

    def _round(self, caches, workloads, number):
        """Measure each workload in fresh processes; the round -1 fills the caches."""
        is_timed = number >= 0
        with ExitStack() as stack:
            stack.enter_context(self._neighbours(is_timed))
            workers = {
                side: stack.enter_context(Worker(self.folders[side], environment(caches[side])))
                for side in SIDES
            }
            for side, worker in workers.items():
                package = worker.call(f"{CHILD}:package_folder")
                assert Path(package).is_relative_to(self.folders[side]), package
            found = {
                (workload.name, side): side_found
                for workload in workloads
                for side, side_found in self._warm(
                    workers, workload.name, self.options.repeats * is_timed, number
                ).items()
            }
        _tell(f"round {number + 1} is done" if is_timed else "caches are filled")
        return found

    def compare_warm(self, caches):
        """Compare workloads in processes whose caches are filled.

        What looks slower is measured in as many rounds again, and judged by all of them.
        """
        workloads = chosen(self.options.cases)
        rounds = {each.name: {side: [] for side in SIDES} for each in workloads}
        measured, number = workloads, 0
        self._round(caches, workloads, -1)
        for _ in range(2):
            for _ in range(self.options.rounds):
                for (name, side), found in self._round(caches, measured, number).items():
                    rounds[name][side].append(found)
                number += 1
            measured = [each for each in measured if self._looks_slower(each, rounds[each.name])]
            if not measured:
                break
        for each in workloads:
            self.report(each.name, rounds[each.name], each.tolerance, each.bound)

    def _looks_slower(self, workload, rounds):
        if _errors(rounds):
            return False
        return judge(rounds, workload.tolerance, self.options.bound, workload.bound).is_slower

    def compare_first(self):
        """Compare first fits in fresh processes, with an empty and then with a filled cache."""
        found = defaultdict(lambda: {side: [] for side in SIDES})
        for number in range(self.options.rounds):
            for kind in KINDS:
                for side in _turns(number):
                    with tempfile.TemporaryDirectory() as cache, self._neighbours(True):
                        for state in BOUND_OF_FIRST_FITS:
                            seconds_and_outcome = call_in_fresh_process(
                                "bench.first_calls:measure_first_fit", kind=kind,
                                folder=self.folders[side], environment=environment(cache),
                            )  # fmt: skip
                            found[kind, state][side].append(seconds_and_outcome)
            _tell(f"round {number + 1} of first fits is done")
        for (kind, state), by_side in found.items():
            name = f"import and first fit, {state} cache: {kind}"
            self.report(name, by_side, TOLERANCE_OF_FIRST_FITS, BOUND_OF_FIRST_FITS[state])

    def report(self, name, rounds, tolerance, absolute_bound):
        """Judge a case, print its line and keep it."""
        errors = _errors(rounds)
        if errors:
            self.failures.append(f"failed: {name}\n{errors[0]}")
            print(f"| {name} | | | | failed |", flush=True)
            return
        verdict = judge(rounds, tolerance, self.options.bound, absolute_bound)
        words = []
        if not verdict.is_equal:
            words.append(f"unequal work ({verdict.difference:.1e}, at most {tolerance:.0e})")
        if verdict.is_slower:
            words.append("slower")
        self.failures += [f"{word}: {name}" for word in words]
        for side in SIDES:
            ratio = {"ratio": verdict.ratio} if side == "head" else {}
            self.record.add(name, side, "seconds", verdict.seconds[side], **ratio)
        self.record.content["checks"] += [
            {"case": name, "side": "head", "what": what, "value": value, "bound": bound,
             "passed": passed}
            for what, value, bound, passed in [
                ("difference of outcomes", verdict.difference, tolerance, verdict.is_equal),
                ("time over base's", verdict.ratio, self.options.bound, not verdict.is_slower),
            ]
        ]  # fmt: skip
        times = [f"{1e3 * verdict.median(side):.4g} ms" for side in SIDES]
        print(
            f"| {name} | {times[0]} | {times[1]} | {verdict.ratio:.2f} "
            f"| {'; '.join(words) or f'equal to {verdict.difference:.0e}'} |",
            flush=True,
        )


def _cache_folders(options, stack):
    if not options.caches:
        return {side: stack.enter_context(tempfile.TemporaryDirectory()) for side in SIDES}
    root = Path(options.caches).resolve() / (options.isa or "native")
    caches = {side: root / side for side in SIDES}
    for folder in caches.values():
        folder.mkdir(parents=True, exist_ok=True)
    return caches


def run(options):
    """Measure, print and judge; ends with status 1 if a case has failed."""
    if options.list:
        print("\n".join(workload.name for workload in chosen(options.cases)))
        return
    if options.base is None:
        sys.exit("compare needs BASE: a folder or a revision")
    print(describe())
    with ExitStack() as stack:
        folders = {side: check_out(getattr(options, side), stack) for side in SIDES}
        comparison = Comparison(options, folders)
        print("\n| case | base | head | head / base | |\n|---|---|---|---|---|", flush=True)
        if not options.first_only:
            comparison.compare_warm(_cache_folders(options, stack))
        if options.first or options.first_only:
            comparison.compare_first()
    if options.json:
        comparison.record.write(options.json)
    if comparison.failures:
        sys.exit("\n".join(["", *comparison.failures]))
