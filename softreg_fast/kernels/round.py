"""A round: as many chunks as there are slots, or fewer, which the threads of a team claim."""

from .compile.entry_point import kernel
from .groups import Span
from .threads.atomic import read_clock
from .threads.claims import hand_in, judge_pace, own_buffer, take_chunk
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
        See `judge_pace`.

    The others are those of a chunk; see `tile`.

    Returns
    -------
    n_chunks : int
        How many chunks the round has.
    fastest : int
        Below 0 if the thread is to leave the call.
    """
    chunk_rows = settings["chunk_rows"]
    n_chunks = -(-(round.stop - round.start) // chunk_rows)
    began = read_clock() if team.n_threads > 1 else 0
    deadline = 0
    n_taken = 0
    while True:
        chunk, deadline = take_chunk(
            team, round.number, n_chunks, began, n_taken, deadline, fastest
        )
        if chunk < 0:
            break
        taken_at = read_clock() if team.thread > 0 else 0
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
        hand_in(team, round.number, chunk, buffer)
        n_taken += 1
        fastest = judge_pace(team, taken_at, fastest)
    return n_chunks, fastest
