"""A round: as many chunks as there are gradients, which threads share, and their sum.

Threads wait for each other between their shares of the chunks and those of the sum.
"""

from .compile.entry_point import by_presence, kernel
from .sgd_step import fold_or_step
from .threads.barrier import wait_for_team
from .tile import fold_chunks, work_on_round


def _fold_only(sums, n_chunks, fold, settings, proximal, team, blocks, models):
    """A thread's share of summing the chunks, and of a plain step."""
    fold_chunks(sums, n_chunks, fold, fold.scale, team, blocks, models)


_finish_round = by_presence(_fold_only, {"proximal": fold_or_step})


@kernel
def do_round(rows, span, scoring, settings, blocks, models, work, team, sums, fold, proximal):
    """A thread's share of a round: its chunks, and when all threads have come, of their sum.

    Parameters
    ----------
    fold : Fold
    proximal : Proximal or None
        If there is one, the steps are those of `sgd_dense`.

    The others are those of `tile.work_on_round`.

    Returns
    -------
    n_chunks : int
    is_together : bool
        False if the team is abandoned: nobody must go on.
    """
    n_chunks = work_on_round(rows, span, scoring, settings, blocks, models, work, team, sums)
    is_together = wait_for_team(team.shared, team.n_threads)
    if is_together and fold.is_wanted:
        _finish_round(sums, n_chunks, fold, settings, proximal, team, blocks, models)
    return n_chunks, is_together
