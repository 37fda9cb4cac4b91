"""First calls in a fresh process: the import, and the first fit with an empty and a filled cache.

Fits are of iris. What every program that uses the package has loaded anyway (scikit-learn, Numba)
is imported before. A trivial kernel of Numba's own cache is measured beside.
"""

import tempfile

from ..first_calls import KINDS
from ..options import add_common, select
from ..processes import call_in_fresh_process
from ..record import Record

SIDE = "softreg_fast"


def add_arguments(parser):
    """Options of the command line."""
    add_common(parser, sides=False)


def _call(function, cache, **arguments):
    return call_in_fresh_process(
        f"bench.first_calls:{function}", environment={"NUMBA_CACHE_DIR": cache}, **arguments
    )


def run(options):
    """Measure; gives the record."""
    record = Record("startup")
    for kind in select(KINDS, options):
        empty, filled, imports = [], [], []
        for _ in range(options.repeats):
            with tempfile.TemporaryDirectory() as cache:
                empty.append(_call("measure_first_fit", cache, kind=kind)["fit"])
                found = _call("measure_first_fit", cache, kind=kind)
                filled.append(found["fit"])
                imports.append(found["import"])
            print(f"{kind}: {empty[-1]:.2f} s, {filled[-1]:.2f} s", flush=True)
        name = f"first fit: {kind}"
        record.add(name, SIDE, "seconds_first_empty", empty)
        record.add(name, SIDE, "seconds_first_filled", filled)
        record.add(name, SIDE, "seconds_import", imports)
    with tempfile.TemporaryDirectory() as cache:
        empty = _call("measure_trivial_kernel", cache)
        filled = [_call("measure_trivial_kernel", cache) for _ in range(options.repeats)]
    name = "a trivial kernel of Numba"
    record.add(name, SIDE, "seconds_first_empty", empty)
    record.add(name, SIDE, "seconds_first_filled", filled)
    return record
