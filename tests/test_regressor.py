"""SoftmaxRegressor through its public surface."""

import copy
import ctypes
import doctest
import json
import mmap
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
import tracemalloc

import numpy as np
import pytest
from conftest import HANG_GUARD
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import softreg_fast
from bench.sides.notebook_form import train
from softreg_fast import SoftmaxRegressor, reference
from softreg_fast.estimators import regressor
from softreg_fast.estimators.epoch_log import EpochLog
from softreg_fast.solvers.notebook_sgd import GradientDescent


@pytest.fixture
def model():
    return SoftmaxRegressor(0.5, random_state=0, verbose=False)


def test_positional_and_keyword_calls(iris):
    x, y = iris
    np.random.seed(1)
    positional = SoftmaxRegressor(0.5, verbose=False)
    positional.fit(x, y, 20, 50, 3)
    np.random.seed(1)
    keyword = SoftmaxRegressor(lr=0.5, verbose=False)
    keyword.fit(x=x, y=y, epochs=20, batch_size=50, early_stopping=3)

    np.testing.assert_array_equal(positional.coeffs, keyword.coeffs)
    np.testing.assert_array_equal(
        positional.predict(x[None, 40, :], False), keyword.predict(x=x[None, 40, :], steps=False)
    )


def test_attributes(iris, model):
    x, y = iris
    assert vars(model) == {
        "learning_rate": 0.5,
        "gradient": "notebook",
        "random_state": 0,
        "verbose": False,
        "dtype": None,
        "n_threads": None,
    }

    assert model.fit(x, y, 7, 50) is model

    assert (model.n_classes, model.n_features) == (3, 4)
    assert model.coeffs.shape == (4, 3)
    assert model.biases.shape == (3,)
    assert model.losses_.shape == model.accuracies_.shape == (7,)


def test_number_of_classes_comes_from_the_largest_label(model):
    model.fit(np.eye(2), [0, 2], 1, 2)
    assert model.n_classes == 3
    assert model.predict(np.eye(2)).shape == (2, 3)


def test_start_is_drawn_as_in_the_notebook(iris):
    """Coefficients, then biases, from the global generator; nothing else is drawn."""
    x, y = iris
    np.random.seed(5)
    expected_coeffs = np.random.uniform(0, 1, (4, 3))
    expected_biases = np.random.uniform(0, 1, 3)
    following = np.random.uniform()
    np.random.seed(5)
    model = SoftmaxRegressor(1e-300, verbose=False).fit(x, y, 1, 150)
    np.testing.assert_array_equal(model.coeffs, expected_coeffs)
    np.testing.assert_array_equal(model.biases, expected_biases)
    assert np.random.uniform() == following


@pytest.mark.parametrize("make", [int, np.random.RandomState, np.random.default_rng, np.int64])
def test_random_state_decides_the_start(iris, make):
    x, y = iris
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    first, second = (
        SoftmaxRegressor(0.5, random_state=make(7), verbose=False).fit(x, y, 2, 50)
        for _ in range(2)
    )
    np.testing.assert_array_equal(first.coeffs, second.coeffs)
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    if make is int:
        np.random.seed(7)
        third = SoftmaxRegressor(0.5, verbose=False).fit(x, y, 2, 50)
        np.testing.assert_array_equal(first.coeffs, third.coeffs)


def test_printed_lines_are_the_notebooks(iris, capsys):
    x, y = iris
    np.random.seed(3)
    start = np.random.uniform(0, 1, (4, 3)), np.random.uniform(0, 1, 3)
    losses, accuracies, *_ = train(x, y, *start, 0.5, 40, 16)
    np.random.seed(3)

    model = SoftmaxRegressor(0.5).fit(x, y, 40, 16)

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 40
    for epoch, line in enumerate(lines):
        found = re.fullmatch(r"Epoch: #(\d+) - Loss: (\S+) - Acc: (\d\.\d\d)", line)
        assert found, line
        assert int(found[1]) == epoch
        assert float(found[2]) == model.losses_[epoch]
        np.testing.assert_allclose(float(found[2]), losses[epoch], rtol=1e-9)
        assert found[3] == f"{accuracies[epoch]:.2f}"


def test_quiet_fit_prints_nothing(iris, model, capsys):
    model.fit(*iris, 3, 50)
    model.predict(iris[0])
    assert capsys.readouterr() == ("", "")


def test_steps_are_predictions_logits_and_coeff_out(iris, model):
    x, y = iris
    model.fit(x, y, 5, 50)
    expected = reference.predict(x, model.coeffs, model.biases, "sigmoid")

    found = model.predict(x, steps=True)

    assert isinstance(found, tuple)
    for part, expected_part in zip(found, expected, strict=True):
        np.testing.assert_allclose(part, expected_part, rtol=1e-13)
    np.testing.assert_array_equal(model.predict(x), found[0])


def test_predictions_follow_parameters_that_the_user_sets(iris, model):
    x, y = iris
    model.fit(x, y, 2, 50)
    model.coeffs = np.zeros((4, 3))
    model.biases = np.zeros(3)
    np.testing.assert_array_equal(model.predict(x), np.full((150, 3), 1 / 3))


@pytest.mark.parametrize("gradient", ["notebook", "exact"])
@pytest.mark.parametrize("dtype", ["float32", np.float64, np.dtype("f4"), None])
def test_gradient_and_dtype(iris, gradient, dtype):
    x, y = iris
    model = SoftmaxRegressor(
        0.5, gradient=gradient, dtype=dtype, random_state=0, verbose=False
    ).fit(x, y, 3, 50)
    random = np.random.RandomState(0)
    weights, bias = random.uniform(0, 1, (4, 3)), random.uniform(0, 1, 3)
    for _ in range(3):
        *_, weights, bias = reference.epoch(x, y, weights, bias, 0.5, 50, "sigmoid", gradient)
    expected_dtype = np.dtype(dtype or np.float64)
    assert model.coeffs.dtype == model.biases.dtype == model.predict(x).dtype == expected_dtype
    tolerance = 1e-13 if expected_dtype == np.float64 else 1e-5
    np.testing.assert_allclose(model.coeffs, weights, rtol=tolerance)
    np.testing.assert_allclose(model.biases, bias, rtol=tolerance)


@pytest.mark.parametrize(
    "dtype", ["int8", "uint16", "int64", "bool", "float16", ">f8", "longdouble"]
)
def test_other_numbers_are_converted(dtype, model):
    x = np.array([[0, 1], [1, 0], [1, 1], [0, 0]], dtype)
    y = [0, 1, 1, 0]
    expected = copy.deepcopy(model).fit(x.astype(np.float64), y, 4, 2).coeffs
    np.testing.assert_array_equal(model.fit(x, y, 4, 2).coeffs, expected)
    np.testing.assert_array_equal(model.fit(x.tolist(), y, 4, 2).coeffs, expected)


def test_unaligned_features(model):
    records = np.zeros(4, np.dtype([("tag", "i1"), ("x", "f8", 2)]))
    records["x"] = [[0, 1], [1, 0], [1, 1], [0, 0]]
    assert not records["x"].flags.aligned
    expected = copy.deepcopy(model).fit(records["x"].copy(), [0, 1, 1, 0], 4, 2).coeffs
    np.testing.assert_array_equal(model.fit(records["x"], [0, 1, 1, 0], 4, 2).coeffs, expected)


@pytest.mark.parametrize("fitted", [False, True])
def test_pickle_and_deepcopy(iris, model, fitted):
    if fitted:
        model.fit(*iris, 3, 50)
    for twin in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model), copy.copy(model)):
        assert vars(twin).keys() == vars(model).keys()
        assert repr(twin) == repr(model)
        if fitted:
            np.testing.assert_array_equal(twin.predict(iris[0]), model.predict(iris[0]))
        twin.fit(*iris, 1, 50)


def test_repr_names_what_is_not_the_default():
    assert repr(SoftmaxRegressor(0.5)) == "SoftmaxRegressor(0.5)"
    model = SoftmaxRegressor(2, gradient="exact", random_state=3, dtype="float32", verbose=False)
    assert repr(model) == (
        "SoftmaxRegressor(2, gradient='exact', random_state=3, verbose=False, dtype='float32')"
    )
    assert repr(eval(repr(model))) == repr(model)


def test_subclass_keeps_its_type(iris):
    class Mine(SoftmaxRegressor):
        pass

    model = Mine(0.5, verbose=False)
    assert repr(model) == "Mine(0.5, verbose=False)"
    assert isinstance(model.fit(*iris, 1, 50), Mine)


class OfTheNotebook(SoftmaxRegressor):
    """Sets what the notebook's constructor sets."""

    def __init__(self, lr):
        self.learning_rate = lr


def test_subclass_may_set_the_learning_rate_alone(iris, capsys):
    np.random.seed(3)
    expected = SoftmaxRegressor(0.5)
    expected.fit(*iris, 5, 50)
    lines = capsys.readouterr().out
    np.random.seed(3)
    model = OfTheNotebook(0.5)
    assert vars(model) == {"learning_rate": 0.5}
    assert repr(model) == "OfTheNotebook(0.5)"
    assert model.fit(*iris, 5, 50) is model
    assert capsys.readouterr().out == lines
    np.testing.assert_array_equal(model.predict(iris[0]), expected.predict(iris[0]))
    with pytest.raises(ValueError, match="lr=-1"):
        OfTheNotebook(-1).fit(*iris, 5, 50)


def test_subclass_without_a_learning_rate(iris):
    class Without(SoftmaxRegressor):
        def __init__(self):
            pass

    assert repr(Without()) == "Without()"
    with pytest.raises(AttributeError, match="learning_rate"):
        Without().fit(*iris, 5, 50)


@pytest.mark.parametrize("fitted", [False, True])
def test_clones_have_the_parameters_alone(iris, fitted):
    state = np.random.RandomState(5)
    model = SoftmaxRegressor(
        0.25, gradient="exact", random_state=state, verbose=False, dtype="float32", n_threads=1
    )
    if fitted:
        model.fit(*iris, 3, 50)
    twin = clone(model)
    assert type(twin) is SoftmaxRegressor
    assert not hasattr(twin, "coeffs")
    assert twin.random_state is not state
    expected = {"lr": 0.25, "gradient": "exact", "verbose": False, "dtype": "float32",
                "n_threads": 1}  # fmt: skip
    for each in (model, twin):
        found = each.get_params()
        assert list(found) == [
            "lr", "gradient", "random_state", "verbose", "dtype", "n_threads",
        ]  # fmt: skip
        del found["random_state"]
        assert found == expected
    twin.fit(*iris, 3, 50)


def test_clones_of_subclasses():
    class More(SoftmaxRegressor):
        def __init__(self, *, names=None, **options):
            super().__init__(**options)
            self.names = names

    model = clone(More(lr=0.1, names="abc", verbose=False))
    assert model.get_params() == {
        "names": "abc", "lr": 0.1, "gradient": "notebook", "random_state": None, "verbose": False,
        "dtype": None, "n_threads": None,
    }  # fmt: skip
    assert clone(OfTheNotebook(0.1)).get_params(deep=False) == {"lr": 0.1}


def test_parameters_are_set_together_or_not_at_all(model):
    assert model.set_params(lr=0.1, verbose=True) is model
    assert (model.learning_rate, model.verbose) == (0.1, True)
    assert model.set_params() is model
    before = vars(model).copy()
    for error, params, message in [
        (ValueError, {"lr": 0.2, "rate": 1}, "'rate' is no parameter of SoftmaxRegressor: .*'lr'"),
        (ValueError, {"learning_rate": 1.0}, "'learning_rate' is no parameter"),
        (ValueError, {"verbose": False, "lr": -1.0}, "lr=-1.0"),
        (TypeError, {"lr": 0.2, "verbose": "yes"}, "verbose='yes'"),
    ]:
        with pytest.raises(error, match=message):
            model.set_params(**params)
        assert vars(model) == before


def test_score_is_the_accuracy(iris, model):
    x, y = iris
    model.fit(x, y, 200, 50)
    assert model.score(x, y) == model.accuracies_[-1]
    assert model.score(x.tolist(), y.tolist()) == model.accuracies_[-1]
    assert model.score(x[:1], y[:1] + 7) == 0.0
    assert isinstance(model.score(x, y), float)


def test_score_refuses_what_it_cannot_compare(iris, model):
    x, y = iris
    with pytest.raises(NotFittedError):
        model.score(x, y)
    model.fit(x, y, 2, 50)
    for error, labels, message in [
        (ValueError, y[:-1], "y has 149 elements and x has 150 rows"),
        (ValueError, y[:, None], r"y has shape \(150, 1\)"),
        (TypeError, y.astype(float), "y has dtype float64"),
        (TypeError, y.astype(str), "y has dtype <U"),
    ]:
        with pytest.raises(error, match=message):
            model.score(x, labels)
    with pytest.raises(ValueError, match="x has 3 columns"):
        model.score(x[:, :3], y)


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("n_samples", [150, 40_000])
def test_interrupt_keeps_the_last_finished_epoch(n_samples, n_threads, make_data, monkeypatch):
    """Whether epochs are short or long, in the middle of one or of its accuracy."""
    monkeypatch.setattr("softreg_fast.runtime.tuning.PRODUCTS_WORTH_A_THREAD", 1)
    x, y = make_data(n_samples, 50, 3)
    model = SoftmaxRegressor(0.1, random_state=0, verbose=False, n_threads=n_threads)
    model.fit(x, y, 1, n_samples)
    timer = threading.Timer(0.4, lambda: os.kill(os.getpid(), signal.SIGINT))
    # A shell has commands in the background ignore interrupts: the fit would go on for ever.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            model.fit(x, y, 10**9, n_samples)
    finally:
        timer.cancel()
        signal.signal(signal.SIGINT, handler)

    n_epochs = len(model.losses_)
    assert n_epochs == len(model.accuracies_) > 1
    expected = SoftmaxRegressor(0.1, random_state=0, verbose=False).fit(x, y, n_epochs, n_samples)
    np.testing.assert_array_equal(model.losses_, expected.losses_)
    np.testing.assert_array_equal(model.accuracies_, expected.accuracies_)
    np.testing.assert_array_equal(model.coeffs, expected.coeffs)
    np.testing.assert_array_equal(model.biases, expected.biases)


@pytest.mark.parametrize("is_recorded", [False, True])
def test_interrupt_while_epochs_are_recorded_loses_none(
    is_recorded, make_data, monkeypatch, capsys
):
    x, y = make_data(100, 5, 3)
    record = EpochLog.record
    calls = []

    def interrupted_record(self, losses, accuracies):
        calls.append(len(losses))
        if len(calls) != 2:
            return record(self, losses, accuracies)
        if is_recorded:
            record(self, losses, accuracies)
        raise KeyboardInterrupt

    monkeypatch.setattr(EpochLog, "record", interrupted_record)
    monkeypatch.setattr("softreg_fast.runtime.tuning.PRODUCTS_OF_THE_FIRST_CALL", 20_000)
    model = SoftmaxRegressor(0.1, random_state=0)
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, 10**9, 100)
    assert calls[1] > 0
    n_epochs = len(model.losses_)
    assert len(capsys.readouterr().out.splitlines()) == n_epochs
    monkeypatch.setattr(EpochLog, "record", record)
    expected = SoftmaxRegressor(0.1, random_state=0, verbose=False).fit(x, y, n_epochs, 100)
    np.testing.assert_array_equal(model.losses_, expected.losses_)
    np.testing.assert_array_equal(model.accuracies_, expected.accuracies_)
    np.testing.assert_array_equal(model.coeffs, expected.coeffs)
    np.testing.assert_array_equal(model.biases, expected.biases)


def test_interrupt_before_the_first_epoch_ends_leaves_the_model_as_it_was(
    model, make_data, monkeypatch
):
    x, y = make_data(500, 10, 3)
    model.fit(x[:10], y[:10], 2, 10)
    before = copy.deepcopy(vars(model))
    call = GradientDescent._call

    def interrupted_call(self, *arguments, **keywords):
        call(self, *arguments, **keywords)
        assert self.n_finished_epochs == 0
        assert self._states[0]["row"] > 0
        raise KeyboardInterrupt

    monkeypatch.setattr("softreg_fast.runtime.tuning.PRODUCTS_OF_THE_FIRST_CALL", 1)
    monkeypatch.setattr(GradientDescent, "_call", interrupted_call)
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, 10, 100)
    _assert_same_state(vars(model), before)


def _assert_same_state(found, expected):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


def test_lines_appear_while_training_goes_on():
    code = (
        "import numpy as np\n"
        "from softreg_fast import SoftmaxRegressor\n"
        "SoftmaxRegressor(0.5).fit(np.eye(3), [0, 1, 2], 10**12, 3)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        watchdog = threading.Timer(HANG_GUARD, process.kill)
        watchdog.start()
        # More than one call of the compiled code trains.
        lines = [process.stdout.readline() for _ in range(100_000)]
        watchdog.cancel()
        process.kill()
    assert lines[0].startswith("Epoch: #0 - Loss: ")
    assert lines[-1].startswith("Epoch: #99999 - Loss: ")


@pytest.mark.parametrize("fitted", [False, True])
def test_divergence_is_an_error_and_keeps_finite_parameters(fitted):
    """Opposite columns leave the sigmoids unsaturated at the start, and the first step is huge."""
    x = np.array([[40.0, -40.0], [-40.0, 40.0]])
    model = SoftmaxRegressor(3.4e38, dtype="float32", random_state=4, verbose=False)
    if fitted:
        vars(model).update(vars(copy.copy(model).fit(x / 1e6, [0, 1], 1, 2)))
    with pytest.raises(FloatingPointError, match=r"learning_rate=3.4e\+38 is too large.*float32"):
        model.fit(x, [0, 1], 100, 2)
    start = np.random.RandomState(4).uniform(0, 1, (2, 2))
    np.testing.assert_array_equal(model.coeffs, start.astype(np.float32))
    assert np.isfinite(model.predict(x)).all()
    assert len(model.losses_) == len(model.accuracies_) == 0


def test_fit_needs_next_to_no_memory(make_data):
    """Nothing as large as the features, nor one number for each row and class."""
    x, y = make_data(200_000, 20, 4)
    y = y.astype(np.int32)
    model = SoftmaxRegressor(0.1, verbose=False)
    for array in (x, x[::2, ::2], np.asfortranarray(x)):
        labels = y[: 2 * len(array) : 2] if len(array) == 100_000 else y[: len(array)]
        model.fit(array[:100], labels[:100], 1, 10)  # compiles
        tracemalloc.start()
        model.fit(array, labels, 2, len(array))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 2_000_000


def test_example_of_the_documentation():
    n_failed, n_tried = doctest.testmod(regressor)
    assert n_failed == 0 < n_tried


def test_predictions_while_the_interpreter_ends():
    """No thread can be started any more."""
    code = (
        "import atexit, numpy as np\n"
        "from softreg_fast import SoftmaxRegressor\n"
        "x = np.random.default_rng(0).standard_normal((300_000, 30))\n"
        "y = np.arange(300_000) % 3\n"
        "model = SoftmaxRegressor(0.5, verbose=False, n_threads=2).fit(x, y, 1, 50)\n"
        "atexit.register(lambda: print(model.predict(x).sum()))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=HANG_GUARD
    )
    np.testing.assert_allclose(float(result.stdout), 300_000)


def test_overflowing_logits_are_no_error_where_all_input_is_finite():
    model = SoftmaxRegressor(0.1)
    model.coeffs, model.biases = np.full((1, 2), [[1e308, -1e308]]), np.zeros(2)
    probabilities, sigmoids, logits = model.predict(np.array([[10.0], [0.0]]), True)
    np.testing.assert_array_equal(logits, [[np.inf, -np.inf], [0, 0]])
    np.testing.assert_array_equal(sigmoids, [[1, 0], [0.5, 0.5]])
    assert np.isfinite(probabilities).all()


@pytest.mark.parametrize("n_rows", [1, 500])
@pytest.mark.parametrize("broken", ["x", "coeffs", "biases"])
def test_not_a_number_in_a_prediction_is_refused_wherever_it_is(make_data, broken, n_rows):
    x, y = make_data(500, 30, 3)
    model = SoftmaxRegressor(0.1, random_state=0, verbose=False).fit(x, y, 1, 100)
    x = x[:n_rows].copy()
    array = x if broken == "x" else getattr(model, broken)
    array.flat[-1] = np.nan
    with pytest.raises(ValueError, match=rf"{broken}\[.*\] is NaN"):
        model.predict(x)


def test_predictions_see_coefficients_that_were_changed_in_place(make_data):
    """What is kept from one prediction to the next is not the model."""
    x, y = make_data(60, 4, 3)
    model = SoftmaxRegressor(0.1, random_state=0, verbose=False).fit(x, y, 1, 10)
    other = SoftmaxRegressor(0.1, random_state=1, verbose=False).fit(x, y, 1, 10)
    row = x[:1]
    first = model.predict(row)
    assert (other.predict(row) != first).any()
    model.coeffs[0, 0] += 1
    assert (model.predict(row) != first).any()
    model.coeffs[0, 0] -= 1
    np.testing.assert_allclose(model.predict(row), first, rtol=1e-12)


@pytest.mark.runs_if(sys.platform == "linux")  # mprotect
@pytest.mark.parametrize("dtype", ["float64", pytest.param("float32", marks=pytest.mark.full)])
@pytest.mark.parametrize(
    ("n_samples", "n_features"),
    [(1, 1), (33, 25), (17, 100), pytest.param(40, 785, marks=pytest.mark.full)],
)
def test_no_byte_behind_the_features_is_read(n_samples, n_features, dtype):
    """A page that must not be touched follows the last number."""
    n_bytes = n_samples * n_features * np.dtype(dtype).itemsize
    last = -(-n_bytes // mmap.PAGESIZE) * mmap.PAGESIZE
    memory = mmap.mmap(-1, last + mmap.PAGESIZE)
    bytes_of_pages = np.frombuffer(memory, np.uint8)
    guard = ctypes.c_void_p(bytes_of_pages.ctypes.data + last)
    assert ctypes.CDLL(None).mprotect(guard, mmap.PAGESIZE, 0) == 0
    numbers = bytes_of_pages[last - n_bytes : last].view(dtype)
    numbers[:] = np.random.default_rng(0).standard_normal(numbers.size)
    y = np.arange(n_samples)[::-1] % 3 + 1
    for x in (
        numbers.reshape(n_samples, n_features),
        numbers.reshape(n_features, n_samples).T,
    ):
        model = SoftmaxRegressor(0.1, random_state=0, verbose=False, dtype=dtype)
        assert np.isfinite(model.fit(x, y, 2, -(-n_samples // 2)).predict(x)).all()


def test_public_names():
    assert softreg_fast.__all__ == [
        "SoftmaxClassifier",
        "SoftmaxClassifierCV",
        "SoftmaxRegressor",
        "categorical_crossentropy",
        "likelihood_ratio_test",
        "load",
        "patch_sklearn",
        "save",
        "sigmoid",
        "softmax",
        "softmax_path",
        "unpatch_sklearn",
        "warm_up",
    ]
    assert re.fullmatch(r"\d+\.\d+\.\d+", softreg_fast.__version__)


def test_fit_and_predict_survive_a_fork(make_data):
    code = """
import json, multiprocessing, warnings
import numpy as np
from softreg_fast import SoftmaxRegressor
x = np.random.default_rng(0).standard_normal((60_000, 40))
y = (x[:, :2] > 0).sum(axis=1)
def train(_):
    model = SoftmaxRegressor(0.5, random_state=0, verbose=False, n_threads=2).fit(x, y, 2, 1000)
    return [model.losses_.tolist(), model.predict(x[:5]).tolist()]
if __name__ == "__main__":
    here = train(0)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        there = pool.map(train, range(2))
    print(json.dumps([here == result for result in there]))
"""
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, check=True, timeout=HANG_GUARD,
    )  # fmt: skip
    assert json.loads(result.stdout) == [True, True]
