"""Mini-batch steps in this package and in other libraries.

Plain descent on the cross-entropy of logits, from the same start, with the same rows in the same
order, without an accuracy pass. All sides must reach the same parameters; only `MLPClassifier`,
which draws its own start, is asked for as many epochs and about the same loss. The fraction is of
the ceiling of two threads, were the features not in the cache.
"""

from .. import cases, runner
from ..ceilings import Ceilings
from ..options import add_common, select
from ..record import Record
from ..sides import descent, peers

PAUSE = 0.3  # the threads of a BLAS spin for a moment after a call
N_THREADS = 2


def all_cases():
    """What is trained on."""
    rate = {"learning_rate": 0.01}
    return [
        cases.dense(150, 4, 3, batch_size=150, n_epochs=2000, learning_rate=0.1),
        cases.case("digits-unit", n_epochs=100, **rate),
        cases.case("mnist-shape", **rate),
        cases.case("mnist-shape", dtype="float32", **rate),
        cases.case("covertype-shape", **rate),
        cases.case("covertype-shape", dtype="float32", **rate),
        cases.case("many-classes", dtype="float32", n_epochs=5, **rate),
    ]


def all_sides():
    """The first is what the others are checked against."""
    return [
        descent.Bare(), descent.NumPy(), peers.TorchByHand(), peers.TorchModule(), peers.Jax(),
        peers.SklearnMLP(),
    ]  # fmt: skip


def add_arguments(parser):
    """Options of the command line."""
    add_common(parser)


def run(options):
    """Measure; gives the record."""
    record = Record("peers")
    for case in select(all_cases(), options):
        ceilings = Ceilings(case.dtype, N_THREADS, options.quick)
        medians = runner.measure_sides(
            record, case, all_sides(), options, "seconds_per_epoch", case.n_epochs, PAUSE,
            beside=ceilings.runs,
        )  # fmt: skip
        side, seconds = next(iter(medians.items()))
        ceilings.keep(record, case, side, seconds / case.n_samples, medians)
    return record
