"""A round: as many chunks as there are slots, or fewer, which the threads of a team claim."""

from .compile.entry_point import kernel
from .groups import Span
from .threads.claims import begin_pace, hand_in, own_buffer, take_chunk
from .tile import work_on_chunk


@kernel
def work_on_round(
    rows, round, next_start, scoring, settings, blocks, models, work, team, sums, fastest
):
    """A thread's share of a round; the leader returns when all chunks are done.

    Parameters
    ----------
    round : Round
    next_start : int
        Where the next one will begin.
    team : Team
    sums : Sums
    fastest : int
        See `claims.judge_pace`.

    The others are those of a chunk; see `tile`.

    Returns
    -------
    int
        The same after this round.
    """
    chunk_rows = settings["chunk_rows"]
    pace = begin_pace(team, fastest)
    while True:
        chunk, pace = take_chunk(team, round, pace)
        if chunk < 0:
            return pace.fastest
        start = round.start + chunk * chunk_rows
        ahead = start + team.n_threads * chunk_rows
        buffer = own_buffer(team)
        loss, n_correct = work_on_chunk(
            rows,
            Span(
                start,
                min(start + chunk_rows, round.stop),
                ahead if ahead < round.stop else next_start + team.thread * chunk_rows,
            ),
            scoring,
            settings,
            blocks,
            models,
            work,
            sums.gradients[buffer],
        )
        sums.chunk_results[buffer, 0] = loss
        sums.chunk_results[buffer, 1] = n_correct
        pace = hand_in(team, round, chunk, buffer, pace)
