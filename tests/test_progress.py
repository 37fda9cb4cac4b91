"""The line of standard error that shows how far a fit has come."""

import io
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import HANG_GUARD
from sklearn.base import clone

from softreg_fast import SoftmaxClassifier, SoftmaxClassifierCV
from softreg_fast.blocks import open_blocks
from softreg_fast.estimators import progress
from softreg_fast.estimators.progress import Progress
from softreg_fast.runtime import heartbeat, status_line
from softreg_fast.sklearn import LogisticRegression

SOLVERS = ["newton", "lbfgs", "sgd"]


class Terminal(io.StringIO):
    """What a terminal is given."""

    def isatty(self):
        return True

    @property
    def screen(self):
        """The lines as a terminal shows them."""
        lines = []
        for line in self.getvalue().split("\n"):
            shown = ""
            for text in line.split("\r"):
                shown = text + shown[len(text) :]
            lines.append(shown.rstrip())
        return lines


@pytest.fixture
def use(monkeypatch):
    """Puts a stream in the place of standard error, where pytest would put it back."""

    def put(stream):
        monkeypatch.setattr(status_line, "sys", SimpleNamespace(stderr=stream))
        return stream

    monkeypatch.setenv("TERM", "xterm")
    yield put
    assert not status_line._shown


@pytest.fixture
def terminal(use):
    return use(Terminal())


@pytest.fixture
def at_once(monkeypatch):
    """Whatever takes time is shown."""
    for name in ("_SECONDS_BEFORE", "_SECONDS_BETWEEN", "_SHARE_OF_DRAWING"):
        monkeypatch.setattr(progress, name, 0.0 if name != "_SHARE_OF_DRAWING" else np.inf)


@pytest.fixture
def data(make_data):
    return make_data(400, 15, 3)


def _bits(model):
    return [pickle.dumps(value) for name, value in vars(model).items() if name != "verbose"]


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_fit_is_shown_and_has_the_same_bits(data, terminal, at_once, capsys, solver):
    silent = SoftmaxClassifier(solver=solver, random_state=0).fit(*data)
    assert terminal.getvalue() == ""
    model = SoftmaxClassifier(solver=solver, random_state=0, verbose=1).fit(*data)
    line, end = terminal.screen
    assert end == ""
    part = "epochs" if solver == "sgd" else "iterations"
    assert line.startswith(f"SoftmaxClassifier: {model.n_iter_} {part}, ")
    assert f"objective {model.loss_curve_[-1]:.6f}, gap {model.gap_:.1e}" in line
    assert terminal.getvalue().count("\r") == model.n_iter_ + 1
    assert _bits(model) == _bits(silent)
    assert capsys.readouterr().out == ""


def test_a_fit_of_the_drop_in_is_shown_and_its_line_ends(data, terminal, at_once):
    model = LogisticRegression(verbose=1).fit(*data)
    line, end = terminal.screen
    assert end == ""
    assert line.startswith(f"LogisticRegression: {model.n_iter_[0]} iterations, ")
    assert ", gap " in line


def test_gaps_on_the_way(data, terminal, at_once):
    model = SoftmaxClassifier(solver="lbfgs", gap_tol=1e-3, verbose=1).fit(*data)
    shown = [frame.partition("gap ")[2] for frame in terminal.getvalue().split("\r")[1:]]
    gaps = [float(each) for each in shown]
    assert len(gaps) == model.n_iter_ + 1
    assert min(gaps[:-2]) > 1e-3 >= gaps[-1]


@pytest.mark.parametrize("solver", SOLVERS)
def test_long_parts_give_signs_of_life(make_data, terminal, at_once, monkeypatch, solver):
    data = make_data(400, *((15, 8) if solver == "sgd" else (40, 10)))
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN_BEATS", 0.0)
    silent = SoftmaxClassifier(solver=solver, random_state=0, n_threads=2).fit(*data)
    model = clone(silent).set_params(verbose=1).fit(*data)
    frames = terminal.getvalue().split("\r")[1:]
    head = "[----------] epoch 0/100" if solver == "sgd" else "iteration 0"
    assert frames[0] == f"SoftmaxClassifier: {head}, 0.0 s"
    assert len(frames) > model.n_iter_ + 2
    assert _bits(model) == _bits(silent)
    assert not heartbeat._listeners


def test_a_search_of_long_fits_gives_signs_of_life(make_data, terminal, at_once, monkeypatch):
    data = make_data(400, 40, 10)
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN_BEATS", 0.0)
    SoftmaxClassifierCV(Cs=2, cv=2, refit=False, verbose=1).fit(*data)
    assert "SoftmaxClassifierCV: [----------] fit 0/4, 0.0 s\r" in terminal.getvalue()


def test_the_first_pass_over_rows_in_blocks_is_shown(data, terminal, at_once):
    rows = open_blocks(*data, block_rows=100)
    model = SoftmaxClassifier(verbose=1).fit(rows)
    assert terminal.screen[0].startswith("SoftmaxClassifier: 400 rows, 0.")
    assert terminal.screen[0].endswith("rows/s")
    assert terminal.screen[1].startswith(f"SoftmaxClassifier: {model.n_iter_} iterations, ")
    assert "[##--------] row 100/400, 0.0 s left, first pass" in terminal.getvalue()
    n_lines = len(terminal.screen)
    SoftmaxClassifier(verbose=1).fit(rows)  # the pass is made once
    assert len(terminal.screen) == n_lines + 1
    silent = SoftmaxClassifier().fit(open_blocks(*data, block_rows=100))
    assert _bits(model) == _bits(silent)


def test_the_first_pass_over_rows_of_an_unknown_number(data, terminal, at_once):
    X, y = data
    blocks = [(X[:150], y[:150]), (X[150:], y[150:])]
    SoftmaxClassifierCV(Cs=2, cv=2, verbose=1).fit(
        open_blocks(lambda: iter(blocks), block_rows=100)
    )
    first = terminal.getvalue().split("\r")[1]
    assert first.startswith("SoftmaxClassifierCV: row 100, 0.0 s, first pass, ")
    assert terminal.screen[0].startswith("SoftmaxClassifierCV: 400 rows, ")


def test_the_line_of_a_first_pass_is_ended_by_an_error(data, terminal, at_once):
    X, y = data
    blocks = [(X[:150], y[:150]), (np.full((10, 15), np.nan), y[:10])]
    rows = open_blocks(lambda: iter(blocks), block_rows=100)
    with pytest.raises(ValueError, match="NaN"):
        SoftmaxClassifier(verbose=1).fit(rows)
    assert terminal.screen[0].startswith("SoftmaxClassifier: row 100, ")
    assert terminal.screen[1:] == [""]


def test_epochs_with_held_out_rows(data, terminal, at_once, monkeypatch):
    monkeypatch.setattr("os.get_terminal_size", lambda _: os.terminal_size((200, 50)))
    terminal.fileno = lambda: 2
    model = SoftmaxClassifier(early_stopping=True, verbose=1).fit(*data)
    first = terminal.getvalue().split("\r")[1]
    for expected in ("[----------] epoch 1/100, <", " left, ", " rows/s"):
        assert expected in first
    for place, frame in enumerate(terminal.getvalue().split("\r")[1:-1]):
        assert f"validation loss {model.validation_curve_[place]:.6f}, objective " in frame


def test_what_does_not_fit_on_the_line_is_left_out(data, terminal, at_once, monkeypatch):
    monkeypatch.setattr("os.get_terminal_size", lambda _: os.terminal_size((50, 50)))
    terminal.fileno = lambda: 2
    SoftmaxClassifier(early_stopping=True, verbose=1).fit(*data)
    frames = terminal.getvalue().rstrip("\n").split("\r")[1:]
    assert all("epoch" in frame and "objective" not in frame for frame in frames)
    assert max(map(len, frames)) < 50


def test_a_search_is_shown_and_then_the_refit(data, terminal, at_once):
    silent = SoftmaxClassifierCV(Cs=3, cv=2).fit(*data)
    model = SoftmaxClassifierCV(Cs=3, cv=2, verbose=1).fit(*data)
    search, refit, end = terminal.screen
    assert search.startswith("SoftmaxClassifierCV: 6 fits, ")
    assert refit.startswith("SoftmaxClassifier: ")
    assert "gap" in refit
    assert end == ""
    frames = terminal.getvalue().split("\r")
    assert frames[1].startswith("SoftmaxClassifierCV: [#---------] fit 1/6, ")
    assert "fold 0" in frames[1]
    assert frames[6].startswith("SoftmaxClassifierCV: [##########] fit 6/6, 0.0 s left, C ")
    np.testing.assert_array_equal(model.coef_, silent.coef_)
    np.testing.assert_array_equal(model.scores_, silent.scores_)


def test_a_fit_of_less_than_a_second_is_not_shown(data, terminal):
    SoftmaxClassifier(verbose=1).fit(*data)
    SoftmaxClassifierCV(Cs=3, cv=2, verbose=True).fit(*data)
    assert terminal.getvalue() == ""


def test_nothing_in_the_first_second_and_ten_lines_in_each_later_one(terminal, monkeypatch):
    now = 100.0
    monkeypatch.setattr("time.perf_counter", lambda: now)
    shown = Progress("title", "part")
    written = []
    for _ in range(1000):
        now += 0.01
        before = terminal.tell()
        shown.advance(lambda: ["value"])
        if terminal.tell() > before:
            written.append(now - 100.0)
    assert written[0] >= 1.0
    assert np.diff(written).min() >= 0.0999
    assert 80 <= len(written) <= 91
    shown.finish(["last"])
    assert terminal.screen == ["title: 1000 parts, 10 s, last", ""]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59.4, "59 s"), (59.6, "1:00"),
     (125.0, "2:05"), (3599.6, "1:00:00"), (36_125.0, "10:02:05")],
)  # fmt: skip
def test_durations(seconds, text):
    assert progress._duration(seconds) == text


@pytest.mark.parametrize(
    ("number", "text"), [(3.21, "3.21"), (950, "950"), (12_345, "12.3k"), (4.56e6, "4.56M")]
)
def test_amounts(number, text):
    assert progress._amount(number) == text


class WithoutMethods:
    """What some programs put in the place of standard error."""

    def write(self, text):
        raise AssertionError(text)


class Closed(io.StringIO):
    def isatty(self):
        raise ValueError("I/O operation on closed file")


@pytest.mark.parametrize("stream", [None, io.StringIO(), WithoutMethods(), Closed()])
def test_nothing_is_shown_without_a_terminal(data, use, at_once, capsys, stream):
    use(stream)
    SoftmaxClassifier(verbose=1).fit(*data)
    SoftmaxClassifierCV(Cs=2, cv=2, verbose=1).fit(*data)
    assert not isinstance(stream, io.StringIO) or stream.getvalue() == ""
    assert capsys.readouterr().out == ""


def test_nothing_is_shown_in_a_terminal_that_knows_lines_only(data, terminal, at_once, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    SoftmaxClassifier(verbose=1).fit(*data)
    assert terminal.getvalue() == ""


def test_nothing_is_shown_in_a_worker(data, terminal, at_once, monkeypatch):
    monkeypatch.setattr(multiprocessing, "parent_process", lambda: "of a worker")
    SoftmaxClassifier(verbose=1).fit(*data)
    assert terminal.getvalue() == ""


def test_a_notebook_is_shown(data, use, at_once):
    kind = type("OutStream", (io.StringIO,), {"__module__": "ipykernel.iostream"})
    stream = use(kind())
    SoftmaxClassifier(verbose=1).fit(*data)
    assert stream.getvalue().startswith("\rSoftmaxClassifier: iteration 1, ")
    assert stream.getvalue().endswith("\n")


@pytest.mark.parametrize("verbose", [1, True, np.True_, np.int64(1)])
def test_one_is_true(data, terminal, at_once, verbose):
    SoftmaxClassifier(verbose=verbose).fit(*data)
    assert terminal.getvalue()


@pytest.mark.parametrize("verbose", [0, False, 2, 10])
def test_there_are_lines_instead_from_two_on(data, terminal, at_once, capsys, verbose):
    model = SoftmaxClassifier(verbose=verbose).fit(*data)
    assert terminal.getvalue() == ""
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == (model.n_iter_ if verbose else 0)


class Broken(Terminal):
    """Fails at the third call of `write`."""

    n_calls = 0

    def __init__(self, error):
        super().__init__()
        self.error = error

    def write(self, text):
        self.n_calls += 1
        if self.n_calls == 3:
            raise self.error
        return super().write(text)


@pytest.mark.parametrize("error", [OSError(5, "gone"), ValueError("closed"), RuntimeError("again")])
def test_errors_of_the_terminal_are_none_of_the_fit(data, use, at_once, error):
    use(Broken(error))
    model = SoftmaxClassifier(verbose=1).fit(*data)
    assert model.n_iter_ > 3


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_line_is_ended_by_an_interrupt(data, use, at_once, solver):
    stream = use(Broken(KeyboardInterrupt()))
    model = SoftmaxClassifier(solver=solver, verbose=1)
    before = vars(model).copy()
    with pytest.raises(KeyboardInterrupt):
        model.fit(*data)
    assert vars(model) == before
    assert stream.screen[1:] == [""]
    assert not status_line._shown
    terminal = use(Terminal())
    assert model.fit(*data).n_iter_ > 0
    assert len(terminal.screen) == 2


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_the_line_of_a_search_is_ended_by_an_error(data, terminal, at_once, error):
    def fail(*_):
        raise error

    with pytest.raises(error):
        SoftmaxClassifierCV(Cs=2, cv=2, scoring=fail, verbose=1).fit(*data)
    line, end = terminal.screen
    assert "] fit 4/4, " in line
    assert end == ""


def test_of_fits_in_threads_one_is_shown_at_a_time(data, terminal, at_once):
    threads = [
        threading.Thread(target=lambda: SoftmaxClassifier(verbose=1, tol=1e-8).fit(*data))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(HANG_GUARD)
    *lines, end = terminal.screen
    assert lines
    assert end == ""
    assert all(line.startswith("SoftmaxClassifier: ") for line in lines)
    assert all(line.count("SoftmaxClassifier") == 1 for line in lines)


def test_messages_stand_on_lines_of_their_own(terminal):
    line = status_line.StatusLine()
    line.write("half way through")
    status_line.write_message("something else")
    line.write("at the end")
    line.close()
    status_line.write_message("and more")
    assert terminal.screen == ["something else", "at the end", "and more", ""]


ON_A_TERMINAL = """
import os, sys
import numpy as np
from sklearn.model_selection import GridSearchCV
from softreg_fast import SoftmaxClassifier
from softreg_fast.estimators import progress
X = np.random.default_rng(0).standard_normal((200, 30))
y = (X[:, 0] > 0).astype(int)
progress._SECONDS_BEFORE = 0.0
assert sys.stderr.isatty()
GridSearchCV(SoftmaxClassifier(verbose=1), {"C": [0.1, 1.0]}, cv=2, n_jobs=2, refit=False).fit(X, y)
print("searched", file=sys.stderr)
child = os.fork()
if child == 0:
    SoftmaxClassifier(verbose=1).fit(X, y)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
print("forked", file=sys.stderr)
SoftmaxClassifier(verbose=1).fit(X, y)
"""


@pytest.mark.full
@pytest.mark.runs_if(hasattr(os, "openpty"))
def test_workers_share_a_terminal_and_say_nothing_on_it():
    ours, theirs = os.openpty()
    environment = {**os.environ, "TERM": "xterm", "PYTHONWARNINGS": "ignore"}
    process = subprocess.Popen(
        [sys.executable, "-c", ON_A_TERMINAL], stderr=theirs, env=environment
    )
    os.close(theirs)
    written = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # nobody has it open any more
            break
        if not part:
            break
        written += part
    os.close(ours)
    assert process.wait(HANG_GUARD) == 0, written
    in_workers, _, rest = written.decode().partition("searched\r\n")
    assert in_workers == ""
    in_child, _, here = rest.partition("forked\r\n")
    for text in (in_child, here):
        assert text.startswith("\rSoftmaxClassifier: iteration 1")
        assert text.endswith("\n")
