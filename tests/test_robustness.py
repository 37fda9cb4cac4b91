"""What surrounds a fit neither crashes nor hangs it: switches, interrupts, threads, forks."""

import importlib
import itertools
import logging
import os
import pkgutil
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import numba
import numpy as np
import pytest
from conftest import HANG_GUARD, WITHOUT_JIT
from numba import types
from scipy.sparse import csr_array
from threadpoolctl import ThreadpoolController, threadpool_limits

import softreg_fast
from softreg_fast import SoftmaxClassifier
from softreg_fast.kernels.compile import disk_cache, entry_point, uninterrupted
from softreg_fast.kernels.groups import Team as KernelTeam
from softreg_fast.kernels.threads import claims
from softreg_fast.kernels.threads.atomic import read_clock
from softreg_fast.runtime import threads as package_threads
from softreg_fast.runtime.claimed_map import claimed_map
from softreg_fast.runtime.contention import Contention
from softreg_fast.runtime.team import Team, _Helper, team_of
from softreg_fast.runtime.threads import count_threads, start_threads

PACKAGE = Path(softreg_fast.__file__).parent

DATA = """
import numpy as np
from scipy.sparse import csr_array
from threadpoolctl import ThreadpoolController, threadpool_limits
random = np.random.default_rng(0)
X = random.standard_normal((300, 5))
y = (X[:, 0] > 0).astype(int) + (X[:, 1] > 1)
"""

FITS = """
from softreg_fast import SoftmaxClassifier, SoftmaxClassifierCV, SoftmaxRegressor
def fit_all():
    models = [
        SoftmaxClassifier(solver=solver, tol=0.1, max_iter=max_iter).fit(X, y)
        for solver, max_iter in (("newton", 100), ("lbfgs", 100), ("sgd", 3000))
    ]
    models.append(SoftmaxClassifier(solver="sgd", tol=0.1, max_iter=3000).fit(csr_array(X), y))
    models.append(SoftmaxRegressor(0.5, random_state=0, verbose=False).fit(X, y, 20, 2))
    models[-1].predict(X)
    return [model.coef_.tobytes() for model in models[:4]] + [models[0].predict_proba(X).tobytes()]
"""


def _run(code, *arguments, environment=None, **options):
    """What a process that runs the code has printed."""
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        env=os.environ | {"PYTHONPATH": str(PACKAGE.parent)} | (environment or {}),
        capture_output=True, text=True, check=False, timeout=HANG_GUARD, **options,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    return result.stdout


class TestSwitchOfTheJit:
    CONFIG = "numba.config.DISABLE_JIT = True"
    ENVIRONMENT = "import os; os.environ['NUMBA_DISABLE_JIT'] = '1'"

    @pytest.mark.full
    @pytest.mark.parametrize("when", ["between fits", "before the first fit"])
    @pytest.mark.parametrize("turn", [CONFIG, ENVIRONMENT])
    def test_switched_off_after_import_changes_nothing(self, turn, when):
        code = f"import numba\n{DATA}{FITS}"
        if when == "between fits":
            code += "SoftmaxClassifier(solver='lbfgs').fit(X, y)\n"
        code += f"{turn}\nprint(fit_all())\n"
        code += "numba.njit(lambda x: x + 1)(1)\n"
        if "config" in turn:
            code += "assert numba.config.DISABLE_JIT\n"
        assert _run(code) == _run(f"{DATA}{FITS}print(fit_all())")

    @pytest.mark.full
    def test_functions_compiled_on_the_way_are_compiled_though_it_is_off(self):
        """Numba looks at the switch whenever a kernel uses a function made by `overload`."""
        code = f"""{DATA}{FITS}
import numba
from softreg_fast.kernels.compile import cache_folders, disk_cache
disk_cache.cache_folders = disk_cache.writable_folders = tuple
numba.config.DISABLE_JIT = True
SoftmaxClassifier(solver="lbfgs").fit(X, y)
from softreg_fast.kernels.gradient import accumulate
(compiled,) = accumulate._compiled.values()
assert len(compiled.overloads) == 1
"""
        _run(code)

    @pytest.mark.full
    def test_switched_on_after_import_changes_nothing(self):
        code = f"""{DATA}{FITS}
import numba
from softreg_fast.kernels.gradient import accumulate
def fit():
    return SoftmaxClassifier(solver="lbfgs", tol=1).fit(X[:40], y[:40]).coef_.tobytes()
before = fit()
numba.config.DISABLE_JIT = 0
assert fit() == before
assert not accumulate._compiled
"""
        _run(code, environment={"NUMBA_DISABLE_JIT": "1"})


def _kernels():
    package = importlib.import_module("softreg_fast.kernels")
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, entry_point.Part):
                yield value


@pytest.mark.runs_if(not entry_point.WITHOUT_JIT)
def test_every_inner_kernel_refuses_to_be_called_from_python():
    kernels = list(_kernels())
    assert len(kernels) > 50
    for kernel in kernels:
        with pytest.raises(TypeError, match=f"^{kernel.py_func.__name__} is a part of compiled"):
            kernel()
    with pytest.raises(TypeError, match="open_round is a part"):
        claims.open_round(None, n_chunks=1)


GREEN = {
    "gevent": "from gevent import monkey; monkey.patch_all()",
    "eventlet": "import warnings; warnings.simplefilter('ignore')\n"
    "import eventlet; eventlet.monkey_patch()",
}


@pytest.mark.full
@pytest.mark.parametrize("library", list(GREEN))
@pytest.mark.parametrize("when", ["before import", "after import", "after a fit"])
def test_green_threads_are_no_team(library, when):
    """They run one at a time until they give way, which nobody does who waits for a round."""
    fits = f"""{DATA}
from softreg_fast import SoftmaxClassifier
from softreg_fast.runtime import threads, tuning
for name in [each for each in vars(tuning) if "_WORTH_A_" in each]:
    setattr(tuning, name, 1)
threads._usable_cpus = lambda: 64
tuning.PRODUCTS_WORTH_CUTTING, tuning.CHUNK_ROWS = 1, 8
def fit(n_threads):
    models = [
        SoftmaxClassifier(solver=solver, n_threads=n_threads, tol=0.1, max_iter=3000).fit(rows, y)
        for solver, rows in (("newton", X), ("lbfgs", X), ("sgd", X), ("sgd", csr_array(X)))
    ]
    return [(m.coef_.tobytes(), m.predict_proba(X).tobytes()) for m in models]
"""
    compare = "first = fit(1)\nassert fit(2) == first\n"
    green = GREEN[library] + "\n"
    code = {
        "before import": green + fits + compare,
        "after import": fits + green + compare,
        "after a fit": fits + "first = fit(2)\n" + green + "assert fit(2) == fit(3) == first\n",
    }[when]
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": str(PACKAGE.parent)}, timeout=HANG_GUARD,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr


def test_threads_of_the_same_id_as_the_starting_one_are_not_used(monkeypatch):
    called = []
    monkeypatch.setattr(package_threads, "_thread_of_system", lambda: 1)
    assert start_threads(called.append, 2) == 2
    time.sleep(0.2)
    monkeypatch.undo()
    all_called = threading.Event()

    def call(number):
        called.append(number)
        if number == 4:
            all_called.set()

    start_threads(call, 4)
    assert all_called.wait(HANG_GUARD)
    time.sleep(0.1)
    assert sorted(called) == [1, 2, 3, 4]


def _open_round(shared, call, n_chunks):
    claims.open_round(KernelTeam(0, 2, call, shared), 1, 10, 10 + n_chunks, 30, 40)
    return 0


def _take(shared, thread, n_ticks):
    """Claim a chunk of the round that is open, or take one that is late for so long."""
    team = KernelTeam(thread, 2, 1, shared)
    round = claims.read_round(team)
    now = read_clock()
    return claims.take_chunk(team, round, claims.Pace(now, 1, now + n_ticks, now, 0))[0]


def _judge_pace(shared, thread, n_ticks, fastest):
    """What is found of a chunk that was taken so long ago."""
    team = KernelTeam(thread, 2, 1, shared)
    return claims.judge_pace(team, read_clock() - n_ticks, fastest)


def _take_another(shared, fastest):
    """The chunk that is taken after one of which this was found."""
    team = KernelTeam(1, 2, 1, shared)
    return claims.take_chunk(team, claims.read_round(team), claims.begin_pace(team, fastest))[0]


def _hand_in(shared, thread, number, chunk):
    team = KernelTeam(thread, 2, 1, shared)
    round = claims.Round(number, 2, 10, 12, 30, 40)
    pace = claims.begin_pace(team, 0)
    claims.hand_in(team, round, chunk, claims.own_buffer(team), pace)
    return claims.own_buffer(team)


def _buffer_of(shared, chunk):
    return claims.buffer_of(shared, chunk)


def _wait_for_round(shared, call, number):
    return claims.wait_for_round(KernelTeam(1, 2, call, shared), number, 0)


def _compiled(function, n_numbers):
    """A function of what a team shares and of some integers."""
    arguments = types.int64[::1], *(types.int64,) * n_numbers
    return entry_point.EntryPoint(function, lambda _: arguments).specialise("only")


@pytest.fixture(scope="module")
def kernels():
    return {
        "open": _compiled(_open_round, 2),
        "take": _compiled(_take, 2),
        "hand_in": _compiled(_hand_in, 3),
        "buffer_of": _compiled(_buffer_of, 1),
        "wait": _compiled(_wait_for_round, 2),
        "judge": _compiled(_judge_pace, 3),
        "take_another": _compiled(_take_another, 1),
    }


class TestClaims:
    def test_chunk_of_a_late_thread_is_done_again_and_what_comes_late_is_dropped(self, kernels):
        open_round, take, hand_in, buffer_of, *_ = kernels.values()
        shared = claims.make_shared(2, 2)
        open_round(shared, 1, 2)
        assert [take(shared, thread, 0) for thread in (0, 1, 1)] == [0, 1, -1]
        assert hand_in(shared, 0, 1, 0) == 0
        assert buffer_of(shared, 0) == 3  # that of the leader, which comes last
        # The other thread's chunk is late: the leader takes it, and is first to hand it in.
        assert take(shared, 0, 0) == 1
        assert hand_in(shared, 0, 1, 1) == 1
        assert hand_in(shared, 1, 1, 1) == 2
        assert [buffer_of(shared, chunk) for chunk in range(2)] == [3, 0]
        assert take(shared, 0, 0) == -1
        # Of another round, with the slot empty again, it is dropped as well.
        open_round(shared, 1, 2)
        assert hand_in(shared, 1, 1, 1) == 2
        assert take(shared, 1, 0) == 0
        assert hand_in(shared, 1, 2, 0) == 3
        assert buffer_of(shared, 0) == 2

    def test_no_two_threads_get_the_same_chunk(self, kernels):
        open_round, take, *_ = kernels.values()
        shared = claims.make_shared(20_000, 4)
        open_round(shared, 1, 20_000)
        taken = [[] for _ in range(4)]

        def claim(thread):
            while (chunk := take(shared, thread, 0)) >= 0:
                taken[thread].append(chunk)

        others = [threading.Thread(target=claim, args=(thread,)) for thread in (1, 2, 3)]
        for thread in others:
            thread.start()
        for thread in others:
            thread.join(HANG_GUARD)
        assert sorted(itertools.chain(*taken)) == list(range(20_000))

    def test_leader_waits_for_a_chunk_that_comes_in_time(self, kernels):
        open_round, take, hand_in, buffer_of, *_ = kernels.values()
        shared = claims.make_shared(1, 2)
        open_round(shared, 1, 1)
        assert take(shared, 1, 0) == 0
        found = []
        leading = threading.Thread(target=lambda: found.append(take(shared, 0, 10**13)))
        leading.start()
        time.sleep(0.05)
        assert found == []
        assert hand_in(shared, 1, 1, 0) == 0
        leading.join(HANG_GUARD)
        assert found == [-1]
        assert buffer_of(shared, 0) == 1

    def test_thread_whose_core_other_work_has_had_leaves_and_the_leader_does_not(self, kernels):
        judge = kernels["judge"]
        shared = claims.make_shared(1, 2)
        long = 10**15  # ticks
        assert judge(shared, 0, long, 5) == 5
        assert judge(shared, 1, long, 0) >= long
        assert judge(shared, 1, long, long // 2) == long // 2
        assert not shared[claims.CONTENDED]
        assert judge(shared, 1, long, long // 10) == -1
        assert shared[claims.CONTENDED]
        kernels["open"](shared, 1, 1)
        assert kernels["take_another"](shared, -1) == -1
        assert kernels["take_another"](shared, 5) == 0

    def test_thread_that_has_helped_for_long_stays_when_its_core_was_taken_for_a_moment(
        self, kernels
    ):
        judge = kernels["judge"]
        shared = claims.make_shared(1, 2)
        (allowance, _) = claims.allowances_of(shared, 2)
        assert allowance == 0
        chunk, loss = 10**12, 10**7  # ticks
        assert judge(shared, 1, chunk, chunk) == chunk
        (earned, of_leader) = claims.allowances_of(shared, 2)
        assert loss < earned
        assert of_leader == 0
        assert judge(shared, 1, loss, 5) == 5
        assert not shared[claims.CONTENDED]
        assert claims.allowances_of(shared, 2)[0] <= earned - loss + 5
        assert judge(shared, 1, 10 * int(earned), 5) == -1
        assert shared[claims.CONTENDED]
        assert claims.allowances_of(shared, 2)[0] == 0

    def test_waiting_threads_see_a_new_round_and_the_end_of_the_call(self, kernels):
        open_round, wait = kernels["open"], kernels["wait"]
        shared = claims.make_shared(2, 2)
        shared[claims.CALL] = 1
        open_round(shared, 1, 2)
        assert wait(shared, 1, 0)
        assert not wait(shared, 2, 0)
        found = []
        waiting = threading.Thread(target=lambda: found.append(wait(shared, 1, 1)))
        shared[claims.LEADERS_CPU] = 1 << 20
        waiting.start()
        time.sleep(0.05)
        assert found == []
        open_round(shared, 1, 2)
        waiting.join(HANG_GUARD)
        waiting = threading.Thread(target=lambda: found.append(wait(shared, 1, 2)))
        waiting.start()
        time.sleep(0.05)
        shared[claims.CALL] = 0
        waiting.join(HANG_GUARD)
        assert found == [True, False]

    @pytest.mark.runs_if(hasattr(time, "CLOCK_MONOTONIC") and not entry_point.WITHOUT_JIT)
    def test_waiting_threads_sleep_after_a_while(self):
        wait = numba.njit(lambda shared: _wait_for_round_in_numba(shared))
        wait.compile((types.int64[::1],))
        (code,) = wait.inspect_llvm().values()
        assert "nanosleep" in code


@numba.njit
def _wait_for_round_in_numba(shared):
    return claims.wait_for_round(KernelTeam(1, 2, 1, shared), 0, 0)


def _never_hand_in(shared, call):
    """Claim chunks of all rounds of a call and hand in none."""
    team = KernelTeam(1, 2, call, shared)
    number = 0
    n_claimed = 0
    while claims.wait_for_round(team, number, 0):
        round = claims.read_round(team)
        number = round.number
        chunk, _ = claims.take_chunk(team, round, claims.begin_pace(team, 0))
        n_claimed += chunk >= 0
    return n_claimed


SOLVERS = "newton", "lbfgs", "sgd", "sgd of sparse rows", "regressor"


def _fit_with(solver, X, y, n_threads):
    if solver == "regressor":
        model = softreg_fast.SoftmaxRegressor(
            0.1, random_state=0, verbose=False, n_threads=n_threads
        )
        model.fit(X, y, epochs=20, batch_size=50)
        return np.array(model.losses_)
    rows = csr_array(X) if "sparse" in solver else X
    # Of sparse rows, a smaller batch would be one tile.
    batch_size = 64 if solver.startswith("sgd") else "auto"
    model = SoftmaxClassifier(
        solver=solver.split()[0], n_threads=n_threads, random_state=0, tol=0.01, max_iter=500,
        batch_size=batch_size,
    )  # fmt: skip
    return model.fit(rows, y).coef_


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("kind", ["never begin", "never hand in"])
def test_threads_that_do_nothing_are_not_waited_for(
    solver, kind, make_data, eager_threads, monkeypatch
):
    X, y = make_data(500, 5, 3)
    expected = _fit_with(solver, X, y, 1)
    is_over = threading.Event()
    claimed = []
    if kind == "never begin":

        def start(function, n_threads):
            return start_threads(lambda _: is_over.wait(HANG_GUARD), n_threads)

        monkeypatch.setattr("softreg_fast.runtime.team.start_threads", start)
        monkeypatch.setattr("softreg_fast.runtime.claimed_map.start_threads", start)
    else:
        never_hand_in = _compiled(_never_hand_in, 1)
        original = Team.call

        def call(self, function):
            def help_or_hinder(thread, n_threads, call):
                if thread == 0:
                    return function(thread, n_threads, call)
                return claimed.append(never_hand_in(self._shared, call))

            return original(self, help_or_hinder)

        monkeypatch.setattr(Team, "call", call)
    try:
        np.testing.assert_array_equal(_fit_with(solver, X, y, 2), expected)
    finally:
        is_over.set()


@pytest.mark.parametrize("solver", [name for name in SOLVERS if name != "newton"])
def test_threads_help_and_change_no_bit(solver, make_data, eager_threads, monkeypatch):
    """Whatever they do the leader would do too: that they do it is seen in the buffers alone."""
    helped = []
    original = Team.close

    def close(self):
        original(self)
        if self._helpers:
            # The other thread's own buffer is not the one that it had at first.
            helped.append(self._shared[-4] != len(self._shared) - claims.SLOTS - 4)

    monkeypatch.setattr(Team, "close", close)
    X, y = make_data(300 if WITHOUT_JIT else 3_000, 5, 3)
    expected = _fit_with(solver, X, y, 1)
    stop = time.monotonic() + HANG_GUARD
    while not any(helped) and time.monotonic() < stop:
        np.testing.assert_array_equal(_fit_with(solver, X, y, 2), expected)
    assert any(helped)


class TestContention:
    @pytest.fixture
    def clock(self, monkeypatch):
        now = [100.0]
        monkeypatch.setattr("softreg_fast.runtime.contention.time.monotonic", lambda: now[0])
        return now

    def test_threads_are_left_out_for_longer_where_they_find_the_same_again(self, clock):
        contention = Contention()
        for expected in (0.1, 0.2, 0.4, 0.8, 1.6, 1.6, 0.1):
            if expected == 0.1:
                clock[0] += 10.0  # nothing was found for long
            assert not contention.is_on()
            contention.found()
            clock[0] += 0.9 * expected
            assert contention.is_on()
            clock[0] += 0.11 * expected

    def test_threads_may_cost_now_and_then_what_they_have_saved(self, clock):
        contention = Contention()
        contention.judge(0.004)
        contention.judge(-0.002)
        contention.judge(-0.0015)
        assert not contention.is_on()
        contention.judge(-0.001)
        assert contention.is_on()
        clock[0] += 10.0
        contention.judge(1000.0)  # long ago, in the end
        contention.judge(-0.1)
        assert contention.is_on()

    def test_allowance_of_threads_goes_on_with_the_next_team(self, monkeypatch):
        contention = Contention()
        monkeypatch.setattr("softreg_fast.runtime.team.contention", contention)
        contention.allowance = 1234
        shared = claims.make_shared(1, 3)
        with team_of(3, shared) as team:
            team.call(lambda *_: None)
            np.testing.assert_array_equal(claims.allowances_of(shared, 3), [1234, 1234, 0])
            shared[-3] = 77
        assert contention.allowance == 77

    def test_team_leads_alone_while_other_work_has_the_cpus(self, clock, monkeypatch):
        contention = Contention()
        monkeypatch.setattr("softreg_fast.runtime.team.contention", contention)
        shared = claims.make_shared(1, 2)
        has_helped = threading.Event()

        def work(thread, n_threads, call):
            if thread == 1:
                has_helped.set()
            elif call == 1:
                # The other thread leaves because of other work.
                assert has_helped.wait(HANG_GUARD)
                shared[claims.CONTENDED] = 1
            return n_threads

        with team_of(2, shared) as team:
            assert team.call(work) == 2
            has_helped.clear()
            assert contention.is_on()
            assert not shared[claims.CONTENDED]
            assert team.call(work) == 2
            with team_of(2, shared) as another:
                assert another.call(work) == 1
            assert not has_helped.is_set()
            clock[0] += 1.0
            team.call(work)
            assert has_helped.wait(HANG_GUARD)

    def test_map_is_worked_on_alone_after_threads_brought_nothing(self, clock, monkeypatch):
        contention = Contention()
        monkeypatch.setattr("softreg_fast.runtime.claimed_map.contention", contention)
        has_begun = threading.Event()

        def work(item):
            if threading.current_thread() is threading.main_thread():
                assert has_begun.wait(HANG_GUARD)
            else:
                has_begun.set()
                time.sleep(0.2)
            return item

        assert claimed_map(work, [0, 1], 2) == [0, 1]
        assert contention.is_on()
        threads = []
        claimed_map(lambda _: threads.append(threading.current_thread()), range(50), 2)
        assert set(threads) == {threading.main_thread()}

    @pytest.mark.parametrize(
        ("taken", "cpu_taken", "is_contended"),
        [
            pytest.param([1.0, 1.0], [1.0, 1.0], False, id="a CPU each"),
            pytest.param([1.0, 0.1], [1.0, 0.1], False, id="a small last item"),
            pytest.param([1.0, 1.0], [0.5, 0.5], True, id="one CPU for both"),
        ],
    )
    def test_map_judges_by_the_cpu_time_of_its_items(
        self, taken, cpu_taken, is_contended, clock, monkeypatch
    ):
        contention = Contention()
        monkeypatch.setattr("softreg_fast.runtime.claimed_map.contention", contention)
        now, cpu_now = [0.0], [0.0]
        monkeypatch.setattr("softreg_fast.runtime.claimed_map.time.perf_counter", lambda: now[0])
        monkeypatch.setattr("softreg_fast.runtime.claimed_map._clock", lambda: cpu_now[0])
        has_begun, calling_is_done = threading.Event(), threading.Event()
        to_come = list(zip(taken, cpu_taken, strict=True))

        def work(item):
            if threading.current_thread() is not threading.main_thread():
                has_begun.set()
                assert calling_is_done.wait(HANG_GUARD)
                return
            assert has_begun.wait(HANG_GUARD)
            seconds, cpu_seconds = to_come.pop(0)
            now[0] += seconds
            cpu_now[0] += cpu_seconds
            if not to_come:
                calling_is_done.set()

        claimed_map(work, range(3), 2)
        assert contention.is_on() is is_contended

    @pytest.mark.runs_if(hasattr(os, "sched_setaffinity"))
    def test_late_thread_of_a_map_goes_on_on_the_waiting_threads_cpu(self):
        has_begun = threading.Event()
        cpus = os.sched_getaffinity(0)

        def work(item):
            if threading.current_thread() is threading.main_thread():
                assert has_begun.wait(HANG_GUARD)
                return cpus
            has_begun.set()
            stop = time.monotonic() + HANG_GUARD
            while len(os.sched_getaffinity(0)) > 1 and time.monotonic() < stop:
                time.sleep(1e-3)
            return os.sched_getaffinity(0)

        (on_its_own,) = {min(each) for each in claimed_map(work, [0, 1], 2) if len(each) == 1}
        assert on_its_own in cpus
        assert os.sched_getaffinity(0) == cpus


def test_interrupt_while_calls_are_withdrawn_leaves_none_to_be_waited_for():
    class Interrupted(queue.SimpleQueue):
        def get_nowait(self):
            super().get_nowait()
            raise KeyboardInterrupt  # as if it came when the call returns

    helper = _Helper()
    helper._inbox = Interrupted()
    helper.ask(lambda: None)
    with pytest.raises(KeyboardInterrupt):
        helper.withdraw()
    assert not helper.is_busy()


@pytest.mark.runs_if(hasattr(os, "sched_setaffinity"))
def test_thread_that_was_waited_for_has_its_cpus_back():
    """Else it would go on on the CPU of the calling thread, and take it from that."""
    cpus = os.sched_getaffinity(0)
    shared = claims.make_shared(1, 2)
    has_begun = threading.Event()
    seen = []

    def work(thread, n_threads, call):
        if thread == 0:
            shared[claims.LEADERS_CPU] = min(cpus)
            assert has_begun.wait(HANG_GUARD)
        elif call == 1:
            has_begun.set()
            stop = time.monotonic() + HANG_GUARD
            while os.sched_getaffinity(0) != {min(cpus)} and time.monotonic() < stop:
                time.sleep(1e-3)
            seen.append(os.sched_getaffinity(0))
        else:
            seen.append(os.sched_getaffinity(0))
            has_begun.set()

    with team_of(2, shared) as team:
        team.call(work)
        team.wait()
        has_begun.clear()
        team.call(work)
    assert seen == [{min(cpus)}, cpus]


def test_failure_of_a_thread_that_helps_is_raised(eager_threads):
    shared = claims.make_shared(1, 2)

    def fail(thread, n_threads, call):
        if thread == 1:
            raise ZeroDivisionError("in the other thread")
        return thread

    def fit():
        with team_of(2, shared) as team:
            for _ in range(2):
                assert team.call(fail) == 0
                time.sleep(0.1)

    with pytest.raises(ZeroDivisionError, match="in the other thread"):
        fit()


def test_clock_of_compiled_code_goes_as_that_of_the_system():
    read = numba.njit(lambda: read_clock())
    before = time.monotonic_ns()
    assert before <= read() <= time.monotonic_ns()


INTERRUPT_INSIDE = f"""{DATA}{FITS}
import os, signal, sys
from numba.core import base
from numba.core.typing import templates
kind = sys.argv[1]
original = templates.BaseRegistryLoader.new_registrations
n_left = int(sys.argv[2])
def new_registrations(self, name):
    global n_left
    for item in original(self, name):
        n_left -= 1
        if n_left == 0:
            signal.raise_signal(signal.SIGINT)
        yield item
def interrupt(*_):
    raise KeyboardInterrupt if kind == "Ctrl-C" else TimeoutError
signal.signal(signal.SIGINT, interrupt)
templates.BaseRegistryLoader.new_registrations = new_registrations
try:
    SoftmaxClassifier(solver="lbfgs").fit(X, y)
except (KeyboardInterrupt, TimeoutError):
    print("interrupted")
else:
    print(n_left)
fit_all()
"""


@pytest.mark.full
@pytest.mark.parametrize("kind", ["Ctrl-C", "timer"])
@pytest.mark.parametrize("n_items", [1, 300])
def test_interrupt_while_contexts_are_filled_spoils_no_later_fit(kind, n_items):
    """They are filled from iterators that can be read once."""
    assert _run(INTERRUPT_INSIDE, kind, str(n_items)) == "interrupted\n"


INTERRUPT_AFTER = f"""{DATA}{FITS}
import signal, sys
def interrupt(*_):
    raise KeyboardInterrupt
signal.signal(signal.SIGALRM, interrupt)
signal.setitimer(signal.ITIMER_REAL, float(sys.argv[1]))
try:
    SoftmaxClassifier(solver=sys.argv[2]).fit(X, y)
except KeyboardInterrupt:
    pass
finally:
    signal.setitimer(signal.ITIMER_REAL, 0)
for solver in ("newton", "sgd"):
    SoftmaxClassifier(solver=solver).fit(X, y)
"""


@pytest.mark.runs_if(hasattr(signal, "setitimer"))
@pytest.mark.parametrize(
    ("delay", "solver"),
    [
        pytest.param(0.1, "sgd", marks=pytest.mark.full),
        *(
            pytest.param(delay / 100, solver, marks=pytest.mark.soak)
            for delay in range(1, 60, 2)
            for solver in ("newton", "lbfgs", "sgd")
        ),
    ],
)
def test_interrupt_at_any_time_of_a_first_fit_spoils_no_later_one(delay, solver):
    _run(INTERRUPT_AFTER, str(delay), solver)


def test_interrupted_compilation_is_kept():
    """It goes on in a thread of its own, and the next call has what it has made."""
    has_begun, may_end = threading.Event(), threading.Event()
    calls = []

    def interrupt(*_):
        raise KeyboardInterrupt

    class Slow(entry_point.EntryPoint):
        def _compile(self, specialisation):
            calls.append(specialisation)
            has_begun.set()
            signal.raise_signal(signal.SIGINT)
            assert may_end.wait(HANG_GUARD)
            return specialisation.upper

    entry = Slow(lambda: None, lambda _: ())
    before = signal.signal(signal.SIGINT, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            entry.specialise("text")
    finally:
        signal.signal(signal.SIGINT, before)
    assert has_begun.is_set()
    may_end.set()
    assert entry.specialise("text")() == "TEXT"
    assert calls == ["text"]


def test_error_of_a_compilation_reaches_the_caller():
    def fail():
        raise ZeroDivisionError("in the other thread")

    with pytest.raises(ZeroDivisionError, match="in the other thread"):
        uninterrupted.call_uninterrupted(fail)


def test_compilation_under_numbas_lock_is_not_waited_for_in_another_thread():
    from numba.core.compiler_lock import global_compiler_lock

    with global_compiler_lock:
        assert uninterrupted.call_uninterrupted(threading.get_ident) == threading.get_ident()


def test_compilation_without_another_thread(monkeypatch):
    """The system's limit is reached, or the interpreter is ending."""

    def start(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    assert uninterrupted.call_uninterrupted(threading.get_ident) == threading.get_ident()


@pytest.mark.parametrize(
    ("delay", "solver", "n_threads"),
    [
        pytest.param(0.5, "sgd", 2, marks=pytest.mark.full),
        *(
            pytest.param(delay / 20, solver, n_threads, marks=pytest.mark.soak)
            for delay in range(20)
            for solver in ("lbfgs", "sgd")
            for n_threads in (1, 2)
        ),
    ],
)
def test_daemon_thread_that_fits_at_the_end_is_silent(delay, solver, n_threads):
    code = f"""{DATA}
import sys, threading, time
from softreg_fast import SoftmaxClassifier
X = np.tile(X, (200, 4))
y = np.tile(y, 200)
def fit():
    while True:
        SoftmaxClassifier(solver={solver!r}, n_threads={n_threads}).fit(X, y)
threading.Thread(target=fit, daemon=True).start()
time.sleep({delay})
"""
    _run(code)


def test_team_without_other_threads_is_the_calling_one(monkeypatch):
    """As while the interpreter is ending."""

    def start(function, arguments):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("_thread.start_new_thread", start)
    with team_of(3, claims.make_shared(1, 3)) as alone:
        assert alone.call(lambda *arguments: arguments) == (0, 1, 0)
    assert claimed_map(lambda item: -item, range(5), 3) == [0, -1, -2, -3, -4]


FORK = f"""{DATA}
import os, threading, time
from softreg_fast import SoftmaxClassifier
from softreg_fast.kernels.compile import disk_cache, uninterrupted
disk_cache.cache_folders = disk_cache.writable_folders = tuple
has_begun = threading.Event()
original = uninterrupted._step
def step(function):
    with uninterrupted.compiler_lock:
        has_begun.set()
        return original(function)
uninterrupted._step = step
def fit():
    SoftmaxClassifier(solver="lbfgs").fit(X, y)
thread = threading.Thread(target=fit)
thread.start()
has_begun.wait()
child = os.fork()
fit()
if not child:
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
thread.join()
"""


FORK_OF_A_STEP = f"""{DATA}
import os, threading
from softreg_fast import SoftmaxClassifier
from softreg_fast.kernels.compile.uninterrupted import call_uninterrupted
has_begun, may_end = threading.Event(), threading.Event()
def step():
    has_begun.set()
    may_end.wait()
thread = threading.Thread(target=call_uninterrupted, args=[step])
thread.start()
has_begun.wait()
threading.Timer(0.5, may_end.set).start()
child = os.fork()
SoftmaxClassifier(solver="lbfgs").fit(X, y)
if not child:
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
thread.join()
"""


@pytest.mark.runs_if(hasattr(os, "fork"))
@pytest.mark.full
@pytest.mark.parametrize("code", [FORK_OF_A_STEP, FORK], ids=["a step", "a fit"])
def test_child_forked_while_another_thread_compiles_can_fit(code):
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": str(PACKAGE.parent)}, timeout=HANG_GUARD,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr


COUNT_COMPILATIONS = f"""{DATA}
import sys
import softreg_fast
assert softreg_fast.__file__.startswith(sys.argv[1]), softreg_fast.__file__
from softreg_fast import SoftmaxClassifier
from softreg_fast.kernels.compile import disk_cache
n_compiled = 0
original = disk_cache.DiskCache.save
def save(*arguments):
    global n_compiled
    n_compiled += 1
    original(*arguments)
disk_cache.DiskCache.save = save
SoftmaxClassifier(solver="lbfgs").fit(X, y)
print(n_compiled)
"""


def _install(kind, folder):
    """What to put on Python's path for an installation of a kind."""
    if kind == "zipped":
        archive = folder / "archive.zip"
        with zipfile.ZipFile(archive, "w") as file:
            for path in PACKAGE.rglob("*.py"):
                file.write(path, path.relative_to(PACKAGE.parent))
        return archive
    shutil.copytree(PACKAGE, folder / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    if kind == "source-less":
        subprocess.run(
            [sys.executable, "-m", "compileall", "-q", "-b", folder], check=True, timeout=HANG_GUARD
        )
        for path in folder.rglob("*.py"):
            path.unlink()
    return folder


@pytest.mark.full
@pytest.mark.parametrize("kind", ["source-less", "zipped"])
def test_installation_without_source_files_compiles_once(tmp_path, kind):
    installed = _install(kind, tmp_path)
    environment = {"PYTHONPATH": str(installed), "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    counts = [
        int(_run(COUNT_COMPILATIONS, str(installed), environment=environment, cwd=tmp_path))
        for _ in range(2)
    ]
    assert counts[0] > 0
    assert counts[1] == 0


def test_code_digests_are_those_of_what_code_does():
    def digest(source):
        space = {}
        exec(compile(source, "anywhere", "exec"), space)
        return disk_cache.digest_of_code(space["f"].__code__)

    first = "def f(x):\n    g = lambda y: y + 1.0\n    return g(x)"
    assert digest(first) == digest(f"\n\n{first}")
    for other in ("y + 1", "y + 2.0", "y - 1.0", "y + 1.0 if y in {1, 2} else y"):
        assert digest(first.replace("y + 1.0", other)) != digest(first)


@pytest.mark.full
def test_digests_are_the_same_in_every_process():
    code = """
from softreg_fast.kernels.compile import disk_cache, entry_point as jit
def f(x):
    return x in {"a", "b", "c", "d", "e"}
print(disk_cache.digest_of_code(f.__code__), disk_cache._SOURCES_DIGEST)
"""
    assert len({_run(code, environment={"PYTHONHASHSEED": seed}) for seed in "012"}) == 1


@pytest.mark.parametrize("place", ["", "part"])
@pytest.mark.parametrize("kind", ["zipped", "source-less", "frozen"])
def test_digest_of_a_package_follows_its_modules(tmp_path, monkeypatch, kind, place):
    def digest(text):
        name = f"package_{len(list(tmp_path.iterdir()))}"
        folder = tmp_path / name
        (folder / "part").mkdir(parents=True)
        (folder / "__init__.py").touch()
        (folder / "part" / "__init__.py").touch()
        (folder / place / "inner.py").write_text(text)
        on_path = tmp_path
        if kind == "zipped":
            on_path = tmp_path / f"{name}.zip"
            with zipfile.ZipFile(on_path, "w") as file:
                for path in folder.rglob("*.py"):
                    file.write(path, path.relative_to(tmp_path))
            shutil.rmtree(folder)
        elif kind == "source-less":
            import compileall

            for path in list(folder.rglob("*.py")):
                assert compileall.compile_file(path, quiet=1, legacy=True)
                path.unlink()
        monkeypatch.syspath_prepend(on_path)
        package = importlib.import_module(name)
        if kind == "frozen":
            monkeypatch.setattr(disk_cache, "_sources_of", lambda _: {})
        found = disk_cache.digest_of_package(name, list(package.__path__))
        assert found is not None
        return found

    assert digest("def f(x):\n    return x + 1\n") != digest("def f(x):\n    return x + 2\n")


def test_package_that_tells_nothing_is_not_kept():
    assert disk_cache.digest_of_package("no_such_package_anywhere", []) is None


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("1,1", 1), (" 1 ", 1), ("2,4", 2), ("002", 2), ("9" * 5000, 8), ("0", 8), ("", 8),
     ("many", 8), ("-1", 8), ("²", 8), ("3 ,1", 3), (",", 8)],
)  # fmt: skip
def test_omp_num_threads_may_be_a_list_or_nonsense(monkeypatch, text, wanted):
    monkeypatch.setattr("softreg_fast.runtime.threads._usable_cpus", lambda: 8)
    monkeypatch.setattr("softreg_fast.runtime.threads.find_thread_libraries", lambda _: None)
    monkeypatch.setenv("OMP_NUM_THREADS", text)
    assert count_threads(None, 16) == wanted
    assert count_threads(5, 16) == 5, "what is asked for comes before"


def test_threadpoolctl_limits_the_default_number_of_threads(
    make_data, eager_threads, started_threads, monkeypatch
):
    """Of an OpenMP that would start 8 threads, whatever machine this is."""
    libraries = [
        library
        for library in ThreadpoolController().lib_controllers
        if library.user_api == "openmp"
    ]
    if not libraries:
        pytest.skip("scikit-learn is built without OpenMP here")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    X, y = make_data(2_000, 5, 3)
    model = SoftmaxClassifier(solver="lbfgs")
    with threadpool_limits(8, user_api="openmp"):
        assert count_threads(None, 16) == 8
        expected = model.fit(X, y).coef_
        assert started_threads
        started_threads.clear()
        with threadpool_limits(1, user_api="blas"):
            assert count_threads(None, 16) == 8
        with threadpool_limits(3):
            assert count_threads(None, 16) == 3
            assert count_threads(2, 16) == 2
            assert count_threads(5, 16) == 5, "what is asked for comes before"
        with threadpool_limits(1):
            np.testing.assert_array_equal(model.fit(X, y).coef_, expected)
            model.predict_proba(X)
            assert not started_threads


def test_team_is_no_larger_than_the_cpus(monkeypatch):
    """Threads on one CPU take it from each other."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("softreg_fast.runtime.threads.find_thread_libraries", lambda _: None)
    monkeypatch.setattr("softreg_fast.runtime.threads._usable_cpus", lambda: 1)
    assert count_threads(2, 8) == 1
    monkeypatch.setattr("softreg_fast.runtime.threads._usable_cpus", lambda: 3)
    assert [count_threads(n, 8) for n in (1, 2, 3, 4, None)] == [1, 2, 3, 3, 3]


@pytest.mark.runs_if(hasattr(os, "sched_setaffinity"))
def test_team_is_no_larger_than_the_affinity_allows():
    code = (
        "import os\n"
        "os.environ.pop('OMP_NUM_THREADS', None)\n"
        "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from softreg_fast.runtime.threads import count_threads\n"
        "assert count_threads(2, 8) == count_threads(None, 8) == 1\n"
    )
    _run(code)


class TestClaimedMap:
    @pytest.mark.parametrize("n_threads", [1, 2, 5])
    def test_each_item_is_worked_on_once_and_results_are_in_order(self, n_threads):
        calls = []

        def work(item):
            calls.append(item)
            time.sleep(1e-4)
            return -item

        assert claimed_map(work, range(50), n_threads) == [-item for item in range(50)]
        assert sorted(calls) == list(range(50))

    def test_failure_of_any_thread_is_raised_and_ends_the_others(self):
        is_begun = threading.Event()

        def work(item):
            if threading.current_thread() is threading.main_thread():
                assert is_begun.wait(HANG_GUARD)
                return item
            is_begun.set()
            raise ZeroDivisionError(f"item {item}")

        with pytest.raises(ZeroDivisionError, match="item"):
            claimed_map(work, range(1000), 2)

    def test_nobody_is_busy_when_it_returns(self):
        n_busy = itertools.count()
        n_done = itertools.count()

        def work(item):
            next(n_busy)
            time.sleep(0.001 * item)
            next(n_done)

        for _ in range(20):
            claimed_map(work, [0, 5, 0, 0], 3)
            assert next(n_busy) == next(n_done)


RECORDS = f"""
import logging, sys
records = []
class Keep(logging.Handler):
    def emit(self, record):
        records.append(record)
logging.getLogger().addHandler(Keep())
logging.getLogger().setLevel(logging.DEBUG)
{DATA}
import numba
from softreg_fast import SoftmaxClassifier
from softreg_fast.kernels.compile import disk_cache
disk_cache.cache_folders = disk_cache.writable_folders = tuple
if sys.argv[1] == "wanted":
    logging.getLogger("numba").setLevel(logging.DEBUG)
before = logging.getLogger("numba").level
SoftmaxClassifier(solver="lbfgs").fit(X, y)
assert logging.getLogger("numba").level == before
n_records = len([each for each in records if each.name.startswith("numba")])
assert (n_records > 0) == (sys.argv[1] == "wanted"), n_records
n_records = len(records)
numba.njit(lambda x: x + 1)(1)
assert len(records) > n_records, "others' functions are logged as before"
"""


@pytest.mark.full
@pytest.mark.parametrize("records", ["not wanted", "wanted"])
def test_compiling_is_logged_only_where_numbas_level_is_set(records):
    _run(RECORDS, records)


@pytest.mark.parametrize("level", [logging.NOTSET, logging.DEBUG])
def test_root_logger_that_shows_everything_is_not_filled(caplog, monkeypatch, level):
    monkeypatch.setattr(disk_cache, "cache_folders", tuple)
    monkeypatch.setattr(disk_cache, "writable_folders", tuple)
    caplog.set_level(logging.DEBUG)
    caplog.set_level(level, "numba")
    _compiled(_open_round, 2)
    names = {record.name for record in caplog.records}
    assert any(name.startswith("numba") for name in names) == (level == logging.DEBUG)
    assert logging.getLogger("numba").level == level


def test_interrupt_leaves_the_levels_of_loggers_alone():
    logger = logging.getLogger("numba")
    root_level = logging.getLogger().level
    logging.getLogger().setLevel(logging.DEBUG)
    try:
        with pytest.raises(ZeroDivisionError):
            uninterrupted.call_uninterrupted(lambda: 1 / 0)
        assert uninterrupted.call_uninterrupted(lambda: logger.level) == logging.WARNING
        assert logger.level == logging.NOTSET
    finally:
        logging.getLogger().setLevel(root_level)
