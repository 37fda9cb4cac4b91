"""The harness of the benchmarks. Nothing here is timed."""

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest

import softreg_fast
from bench import instructions
from bench.__main__ import BENCHMARKS, COMMANDS, main
from bench.cases import CASES, dense, sparse
from bench.compare import child
from bench.compare.judge import judge
from bench.compare.main import Comparison
from bench.compare.workloads import Workload, activation, all_workloads
from bench.machine import summarise
from bench.metrics import difference, objective
from bench.options import select
from bench.processes import ROOT, ChildError, Worker, call_in_fresh_process
from bench.record import Record, command_of, read
from bench.runner import measure_sides
from bench.sides.base import Check, Side
from bench.tables import README, fill, format_value, render
from bench.timing import take_turns


def test_names_are_listed(capsys):
    assert main([]) == 0
    printed = capsys.readouterr().out
    assert all(f"  {name} " in printed for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_name_has_a_command_line(name, capsys):
    with pytest.raises(SystemExit) as exit_of:
        main([name, "--help"])
    assert exit_of.value.code == 0
    assert f"python -m bench {name}" in capsys.readouterr().out


def test_command_of_a_record_is_without_the_place_that_it_is_written_to():
    wanted = "python -m bench optimum --cases 'two classes' --quick"
    assert command_of(["optimum", "--cases", "two classes", "--json", "a", "--quick"]) == wanted
    assert command_of(["optimum", "--json=a", "--cases", "two classes", "--quick"]) == wanted


def test_process_is_run_anew_with_narrower_vectors_once(monkeypatch):
    started = []
    monkeypatch.setattr("os.execve", lambda *arguments: started.append(arguments))
    instructions.run_with(None)
    assert not started
    monkeypatch.setattr("sys.argv", ["bench", "peers", "--isa", "avx2"])
    instructions.run_with("avx2")
    program, arguments, variables = started.pop()
    assert arguments == [program, "-m", "bench", "peers", "--isa", "avx2"]
    assert "+avx2" in variables["NUMBA_CPU_FEATURES"].split(",")
    assert "avx512" not in variables["NUMBA_CPU_FEATURES"]
    assert variables["OPENBLAS_CORETYPE"] == "Haswell"
    monkeypatch.setattr("os.environ", variables)
    instructions.run_with("avx2")
    assert not started


def test_unknown_name_is_refused():
    with pytest.raises(SystemExit, match="'nothing' is not a benchmark"):
        main(["nothing"])


@pytest.mark.parametrize("name", BENCHMARKS)
def test_readme_describes_every_name(name):
    text = README.read_text(encoding="utf-8")
    assert f"\n## {name}\n" in text
    assert f"python -m bench {name}" in text
    assert "\nA table.\n" in fill(text, {name: "A table."})


def test_cases_have_the_shapes_that_they_say():
    assert all(name == case.name for name, case in CASES.items())
    small = [case for case in CASES.values() if case.n_samples <= 20_000]
    for case in small:
        X, y = case.load()
        assert X.shape == (case.n_samples, case.n_features)
        assert X.dtype == case.dtype
        assert set(np.unique(y)) == set(range(case.n_classes))
        assert y.shape == (case.n_samples,)


def test_cases_are_made_once_and_the_same():
    case = dense(300, 4, 3)
    assert case.load()[0] is dense(300, 4, 3).load()[0]
    assert len(dense(300, 4, 3, batch_size=16).load_whole_batches()[1]) == 288
    matrix, _ = sparse(100, 50, 3).load()
    assert matrix.dtype == np.float32
    assert matrix.shape == (100, 50)


def test_objective_is_that_of_the_estimator():
    X, y = CASES["iris"].load()
    model = softreg_fast.SoftmaxClassifier(gap_tol=1e-10).fit(X, y)
    loss = -np.log(model.predict_proba(X)[np.arange(len(y)), y]).sum()
    expected = loss + 0.5 * np.sum(model.coef_**2)
    np.testing.assert_allclose(objective(X, y, model.coef_, model.intercept_), expected)


def test_difference_is_relative_to_the_largest_and_infinite_for_other_shapes():
    assert difference([1.0, 4.0], [2.0, 4.0]) == 0.25
    assert difference([1.0], [1.0, 2.0]) == math.inf
    assert difference([math.nan], [1.0]) == math.inf


def test_functions_take_turns():
    calls = []
    runs = {name: lambda name=name: calls.append(name) or name for name in "ab"}
    turns = take_turns(runs, 2, goes_on=lambda name, _: name == "a")
    assert "".join(calls) == "ababa"
    assert [len(turns[name].seconds) for name in "ab"] == [2, 1]
    assert turns["b"].result == "b"


class _Constant(Side):
    def __init__(self, name, value, module=None):
        self.name, self.value, self.module = name, value, module

    def prepare(self, case):
        self.case = case

    def run(self):
        pass

    def check(self, other):
        return Check("difference", abs(self.value - other.value), 0.5)


def _measured(*sides):
    record = Record("regressor")
    options = SimpleNamespace(repeats=2, sides=[])
    measure_sides(record, dense(10, 2, 2), sides, options, "seconds")
    return record


def test_unequal_work_is_a_failure_and_what_is_not_installed_is_left_out():
    record = _measured(
        _Constant("first", 0), _Constant("near", 0.5), _Constant("far", 1),
        _Constant("absent", 0, "a_module_that_is_not_there"),
    )  # fmt: skip
    assert [each["side"] for each in record.failures] == ["far"]
    assert record.content["left_out"] == {"absent": "a_module_that_is_not_there is not installed"}
    assert record.content["sides"] == ["first", "near", "far"]


def test_records_are_written_read_and_become_tables(tmp_path):
    record = _measured(_Constant("first", 0), _Constant("second", 0))
    record.add("a case", "first", "gap", math.nan, bound_by="nothing")
    path = tmp_path / "record.json"
    record.write(path)
    content = read(path)
    assert content["results"][-1]["value"] is None
    assert content["cases"]["10 x 2 x 2, batches of 256, float64"]["is_synthetic"]
    table = render(content)
    assert summarise(content["machine"], content["versions"]) in table
    assert content["command"] in table
    assert "| case | first | second |" in table
    assert "not reached (nothing)" in table
    path.write_text(json.dumps({"format": 0}), encoding="utf-8")
    with pytest.raises(ValueError, match="has format 0"):
        read(path)


def test_the_median_of_ratios_stands_in_tables_where_a_record_has_it():
    record = Record("compare")
    record.add("a case", "base", "seconds", [1.0, 4.0, 4.0])
    record.add("a case", "head", "seconds", [1.0, 2.0, 8.0], ratio=1.25)
    assert "(1.25x) |" in render(record.content)


def test_tables_fill_a_file_again_and_again(tmp_path):
    text = "before\n<!-- begin a -->\nold\n<!-- end a -->\nafter\n"
    once = fill(text, {"a": "| \\1 |"})
    assert once == "before\n<!-- begin a -->\n\n| \\1 |\n\n<!-- end a -->\nafter\n"
    assert fill(once, {"a": "| \\1 |"}) == once
    with pytest.raises(ValueError, match="begin b"):
        fill(text, {"b": ""})
    assert format_value(0.00123456, "seconds") == "1.235"


def test_cases_are_chosen_by_parts_of_names():
    options = SimpleNamespace(cases=["ris", "wine"], quick=False)
    assert select(["iris", "wine", "digits"], options) == ["iris", "wine"]
    options.quick = True
    assert select(["iris", "wine", "digits"], options) == ["iris"]


def _rounds(seconds, outcome=1.0):
    return [{"seconds": [each], "outcome": [outcome]} for each in seconds]


@pytest.mark.parametrize(
    ("head", "absolute_bound", "is_slower"),
    [([1.05, 1.05], 0.01, False), ([1.2, 1.2], 0.01, True), ([1.2, 1.2], 0.5, False)],
)
def test_slower_is_what_exceeds_both_bounds(head, absolute_bound, is_slower):
    rounds = {"base": _rounds([1.0, 1.0]), "head": _rounds(head)}
    verdict = judge(rounds, 1e-9, 1.1, absolute_bound)
    assert verdict.is_slower == is_slower
    assert verdict.is_equal


def test_other_outcomes_are_unequal_work():
    rounds = {"base": _rounds([1.0]), "head": _rounds([1.0], outcome=1.001)}
    assert not judge(rounds, 1e-6, 1.1, 0.0).is_equal
    assert judge(rounds, 1e-2, 1.1, 0.0).is_equal


def test_workloads_have_names_of_their_own():
    names = [workload.name for workload in all_workloads()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", ["link", "activation"])
def test_the_parameter_of_the_activation_is_found_by_the_signature(monkeypatch, name):
    def by_link(link="identity"):
        pass

    def by_activation(activation="identity"):
        pass

    classifier = by_link if name == "link" else by_activation
    monkeypatch.setattr(softreg_fast, "SoftmaxClassifier", classifier, raising=False)
    assert activation("sigmoid") == {name: "sigmoid"}


class _Here:
    """Like a `Worker`, in this process."""

    def call(self, function, **arguments):
        return getattr(child, function.split(":")[1])(**arguments)


def test_a_comparison_runs_what_it_has_prepared_and_tells_what_has_failed(monkeypatch):
    calls = []
    counts = Workload(
        "counts", lambda: lambda: calls.append(1) or len(calls), lambda n: [n], 0.0, 0.0
    )
    fails = Workload("fails", lambda: 1 / 0, lambda n: n, 0.0, 0.0)
    monkeypatch.setattr(child, "all_workloads", lambda: [counts, fails])
    monkeypatch.setattr(child, "PAUSE", 0.0)
    comparison = Comparison(SimpleNamespace(), {})
    workers = dict.fromkeys(("base", "head"), _Here())
    found = comparison._warm(workers, "counts", 2, 0)
    assert len(calls) == 2 + 2 * 2
    for side in ("base", "head"):
        assert len(found[side]["seconds"]) == 2
        assert min(found[side]["seconds"]) >= 0.0
        assert found[side]["outcome"] == [6.0]
    found = comparison._warm(workers, "fails", 2, 0)
    assert "ZeroDivisionError" in found["base"]["error"]


def test_workers_call_functions_of_the_harness_with_the_package_of_a_folder(tmp_path):
    package = tmp_path / "softreg_fast"
    package.mkdir()
    (package / "__init__.py").write_text("print('noise')", encoding="utf-8")
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "__init__.py").write_text("1 / 0", encoding="utf-8")
    with Worker(tmp_path) as worker:
        found = worker.call("bench.compare.child:package_folder")
    assert found == str(package / "__init__.py")
    assert call_in_fresh_process("os.path:basename", p="a/b") == "b"


def test_the_words_of_a_worker_that_failed_are_in_the_error():
    with pytest.raises(ChildError, match="JSONDecodeError"):
        call_in_fresh_process("json:loads", s="{")


def test_sources_are_short():
    for path in (ROOT / "bench").rglob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 400
