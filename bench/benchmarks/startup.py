"""First calls in a fresh process: the import, and the first fit with an empty and a filled cache.

Fits are of iris, by a copy of the package that holds no compiled code. What every program that uses
the package has loaded anyway (scikit-learn, Numba) is imported before. A trivial kernel of Numba's
own cache is measured beside. Where `softreg-fast build-kernels` has been run in this checkout, the
first fit by a copy with these kernels and an empty cache is measured too.
"""

import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

from ..first_calls import KINDS
from ..options import add_common, select
from ..processes import ROOT, call_in_fresh_process
from ..record import Record

SIDE = "softreg_fast"


def add_arguments(parser):
    """Options of the command line."""
    add_common(parser, sides=False)


def _copy(stack, *left_out):
    """A folder with a copy of the package, without what is left out."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    ignored = shutil.ignore_patterns("__pycache__", *left_out)
    shutil.copytree(ROOT / "softreg_fast", folder / "softreg_fast", ignore=ignored)
    return folder


def _call(function, folder, cache, **arguments):
    variables = {"NUMBA_CACHE_DIR": cache}
    return call_in_fresh_process(
        f"bench.first_calls:{function}", folder=folder, environment=variables, **arguments
    )


def _fits(folder, kind, n_calls):
    """What calls in processes that follow on each other have measured, from an empty cache on."""
    with tempfile.TemporaryDirectory() as cache:
        return [_call("measure_first_fit", folder, cache, kind=kind) for _ in range(n_calls)]


def run(options):
    """Measure; gives the record."""
    record = Record("startup")
    with ExitStack() as stack:
        plain = _copy(stack, "built")
        built = _copy(stack) if (ROOT / "softreg_fast" / "kernels" / "built").is_dir() else None
        for kind in select(KINDS, options):
            samples = {"seconds_first_empty": [], "seconds_first_filled": [], "seconds_import": []}
            if built is not None:
                samples["seconds_first_built"] = []
            for _ in range(options.repeats):
                empty, filled = _fits(plain, kind, 2)
                samples["seconds_first_empty"].append(empty["fit"])
                samples["seconds_first_filled"].append(filled["fit"])
                samples["seconds_import"].append(filled["import"])
                if built is not None:
                    samples["seconds_first_built"].append(_fits(built, kind, 1)[0]["fit"])
                print(f"{kind}: {empty['fit']:.2f} s, {filled['fit']:.2f} s", flush=True)
            for metric, seconds in samples.items():
                record.add(f"first fit: {kind}", SIDE, metric, seconds)
        with tempfile.TemporaryDirectory() as cache:
            empty = _call("measure_trivial_kernel", plain, cache)
            filled = [_call("measure_trivial_kernel", plain, cache) for _ in range(options.repeats)]
    name = "a trivial kernel of Numba"
    record.add(name, SIDE, "seconds_first_empty", empty)
    record.add(name, SIDE, "seconds_first_filled", filled)
    return record
