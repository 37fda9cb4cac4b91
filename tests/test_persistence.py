"""Model files: what is loaded is what was saved, and nothing else is loaded."""

import io
import json
import math
import os
import pickle
import stat
import struct
import subprocess
import sys
import tracemalloc
import warnings
import zipfile
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas
import pytest
from scipy.sparse import csr_array, issparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.metrics import make_scorer
from sklearn.model_selection import StratifiedKFold

import softreg_fast
from softreg_fast import SoftmaxClassifier, SoftmaxClassifierCV, SoftmaxRegressor
from softreg_fast.persistence import ModelFileError, load, load_with_metadata, save
from softreg_fast.persistence.replacing import replacing

X, Y = load_iris(return_X_y=True)


def _are_equal(one, other):
    """Whether values are the same, in type and bits."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        if (one.dtype, one.shape) != (other.dtype, other.shape):
            return False
        if one.dtype != object:
            return one.tobytes() == other.tobytes()
        return all(map(_are_equal, one.tolist(), other.tolist()))
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_are_equal, one, other))
    if isinstance(one, dict):
        return _are_equal(list(one.items()), list(other.items()))
    if isinstance(one, np.random.RandomState):
        return _are_equal(one.get_state(), other.get_state())
    if isinstance(one, np.random.Generator):
        return one.bit_generator.state == other.bit_generator.state
    if hasattr(one, "__dataclass_fields__"):
        return _are_equal(vars(one), vars(other))
    return one == other or repr(one) == repr(other) == "nan"


def _assert_equal(model, loaded):
    assert type(loaded) is type(model)
    assert set(vars(loaded)) == set(vars(model))
    for name, value in vars(model).items():
        assert _are_equal(value, vars(loaded)[name]), name


def _round_trip(model, path):
    save(model, path)
    loaded = load(path)
    _assert_equal(model, loaded)
    return loaded


@pytest.fixture
def path(tmp_path):
    return tmp_path / "iris.model"


LABELS = {
    "ints": Y,
    "small ints": Y.astype(np.int8) - 1,
    "floats": Y.astype(float),
    "bools": Y > 0,
    "strings": np.array(["", "é\n", "😀 x"])[Y],
    "str objects": np.array(["one", "two", "it's"], object)[Y],
}


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
def test_labels_of_any_kind(path, labels):
    model = SoftmaxClassifier().fit(X, labels)
    loaded = _round_trip(model, path)
    assert loaded.predict_proba(X).tobytes() == model.predict_proba(X).tobytes()
    assert loaded.predict(X).tolist() == model.predict(X).tolist()


def test_labels_that_compare_and_are_of_several_kinds(path):
    model = SoftmaxClassifier().fit(X, Y)
    model.classes_ = np.array([None, True, "x"], object)
    assert load_after_saving(model, path).classes_.tolist() == [None, True, "x"]
    model.classes_ = np.array([np.str_("a"), np.float32(0.1), np.int64(3)], object)
    loaded = load_after_saving(model, path)
    assert [type(each) for each in loaded.classes_] == [np.str_, np.float32, np.int64]
    assert loaded.classes_.tolist() == model.classes_.tolist()


def load_after_saving(model, path):
    save(model, path)
    return load(path)


PARAMETERS = [
    {},
    {"C": np.inf, "class_weight": {0: 1.0, "a": 2, np.int64(3): np.float32(0.1)}},
    {"C": np.float32(0.1), "random_state": 3, "solver": "sgd", "tol": 1e-300, "max_iter": 10**30},
    {"random_state": np.random.RandomState(5), "categorical_features": ["a", "\ud800", 'b"\\']},
    {"categorical_features": np.array([True, False]), "C": np.nan, "verbose": True},
    {"class_weight": "balanced", "categorical_features": (1, (2, None)), "n_threads": np.int64(1)},
]


@pytest.mark.parametrize("parameters", PARAMETERS)
def test_parameters_of_a_model_that_is_not_fitted(path, parameters):
    model = SoftmaxClassifier(**parameters)
    loaded = _round_trip(model, path)
    assert _are_equal(loaded.get_params(), model.get_params())
    assert _are_equal(clone(loaded).get_params(), clone(model).get_params())


def test_a_random_state_goes_on_where_it_was(path):
    source = np.random.RandomState(5)
    source.standard_normal(3)
    loaded = load_after_saving(SoftmaxClassifier(random_state=source), path)
    assert loaded.random_state.standard_normal(7).tolist() == source.standard_normal(7).tolist()


@pytest.mark.parametrize("activation", ["identity", "sigmoid"])
def test_fitted_models_have_the_same_attributes_and_bits(path, activation):
    model = SoftmaxClassifier(activation=activation, max_iter=1_000).fit(X, Y > 0)
    loaded = _round_trip(model, path)
    assert loaded.predict_proba(X).tobytes() == model.predict_proba(X).tobytes()
    assert clone(loaded).fit(X, Y > 0).coef_.tobytes() == model.coef_.tobytes()
    assert loaded.coef_.flags.writeable


def test_names_of_features(path):
    frame = pandas.DataFrame(X, columns=["a", "b c", "d'\n", "é"])
    loaded = _round_trip(SoftmaxClassifier().fit(frame, Y), path)
    loaded.predict(frame)
    with pytest.raises(ValueError, match="feature names"):
        loaded.predict(frame[["b c", "a", "é", "d'\n"]])


def test_cross_validation(path):
    folds = [(np.arange(0, 150, 2), np.arange(1, 150, 2))] * 2
    for settings in ({"Cs": np.array([1.0, np.inf])}, {"Cs": 3, "refit": False, "cv": folds}):
        model = SoftmaxClassifierCV(scoring="accuracy", **settings).fit(X, Y)
        loaded = _round_trip(model, path)
        assert loaded.predict_proba(X).tobytes() == model.predict_proba(X).tobytes()
        assert loaded.score(X, Y) == model.score(X, Y)
        clone(loaded)


def test_categories(path):
    frame = pandas.DataFrame(
        {
            "text": pandas.Categorical(["x", "y'", None] * 50),
            "number": X[:, 0],
            "flag": pandas.Categorical([True, False] * 75),
            "mixed": pandas.Categorical(np.array(["1", 1, 2.5] * 50, object)),
            "count": pandas.Categorical([1, 2, 3, None, 5] * 30),
        }
    )
    model = SoftmaxClassifier(categorical_features="from_dtype").fit(frame, Y)
    loaded = _round_trip(model, path)
    assert loaded.predict_proba(frame).tobytes() == model.predict_proba(frame).tobytes()
    assert loaded.get_coefficient_names().tolist() == model.get_coefficient_names().tolist()
    integers = np.column_stack([np.arange(150) % 7, X[:, 0]])
    model = SoftmaxClassifier(categorical_features=[0]).fit(integers, Y)
    loaded = _round_trip(model, path)
    assert loaded.predict_proba(integers).tobytes() == model.predict_proba(integers).tobytes()


def test_partial_fit_goes_on(path):
    model = SoftmaxClassifier(solver="sgd", random_state=0, l1_ratio=0.5)
    model.partial_fit(X[::2], Y[::2], classes=[0, 1, 2])
    loaded = _round_trip(model, path)
    for block in (X[1::2], X[::3]):
        for each in (model, loaded):
            each.partial_fit(block, Y[: len(block)])
    _assert_equal(model, loaded)


@pytest.mark.full
def test_partial_fit_of_sparse_rows_goes_on(path):
    model = SoftmaxClassifier(solver="sgd", random_state=0)
    model.partial_fit(csr_array(X[::2]), Y[::2], classes=[0, 1, 2])
    loaded = _round_trip(model, path)
    for each in (model, loaded):
        each.partial_fit(csr_array(X), Y)
    _assert_equal(model, loaded)


def test_the_notebooks_estimator(path):
    for random_state, dtype in [
        (3, None),
        (np.random.RandomState(0), "float32"),
        (np.random.default_rng(0), np.float64),
        (None, np.dtype("float32")),
    ]:
        model = SoftmaxRegressor(0.5, random_state=random_state, verbose=False, dtype=dtype)
        _round_trip(model, path)
    model = SoftmaxRegressor(0.5, random_state=3, verbose=False).fit(X, Y, 3, 10)
    loaded = _round_trip(model, path)
    assert loaded.predict(X).tobytes() == model.predict(X).tobytes()


@pytest.mark.parametrize("kind", [SoftmaxClassifier, SoftmaxClassifierCV])
def test_metadata_requests_are_kept(path, kind):
    with config_context(enable_metadata_routing=True):
        model = kind().set_fit_request(sample_weight="w")
        if kind is SoftmaxClassifier:
            model.set_partial_fit_request(sample_weight=True).set_score_request(sample_weight=False)
        loaded = load_after_saving(model, path)
        assert str(loaded.get_metadata_routing()) == str(model.get_metadata_routing())
        clone(loaded)
    assert "'w'" in str(loaded.get_metadata_routing())


@pytest.mark.runs_if(find_spec("sklearn.callback"))
def test_callbacks_are_not_saved(path):
    from sklearn.callback import ProgressBar

    model = SoftmaxClassifier().set_callbacks(ProgressBar())
    loaded = load_after_saving(model, path)
    _assert_equal(SoftmaxClassifier(), loaded)


def test_other_dtypes_and_places_of_coefficients(path, tmp_path):
    model = SoftmaxClassifier().fit(X, Y)
    model.coef_ = np.asfortranarray(model.coef_.astype(np.float32))
    _round_trip(model, path)
    kept = np.memmap(tmp_path / "coef", float, "w+", shape=model.coef_.shape)
    kept[...] = model.coef_
    model.coef_ = kept
    assert load_after_saving(model, path).coef_.tobytes() == kept.tobytes()
    model.coef_ = np.asarray(kept).astype(">f8")
    assert load_after_saving(model, path).coef_.tolist() == kept.tolist()


def test_a_warm_start_goes_on(path):
    model = SoftmaxClassifier(warm_start=True).fit(X[:140], Y[:140])
    loaded = _round_trip(model, path)
    assert loaded.fit(X, Y).coef_.tobytes() == model.fit(X, Y).coef_.tobytes()


def test_files_can_be_read_by_what_the_documentation_says(path):
    """With nothing of this package, nor of NumPy."""
    frame = pandas.DataFrame({"a": X[:, 0], "b": pandas.Categorical(["x", "y", None] * 50)})
    model = SoftmaxClassifier(categorical_features="from_dtype").fit(frame, Y.astype(str))
    save(model, path, {"by": "me"})
    members = _members(path)
    document = json.loads(members["model.json"])

    def read(name):
        content = members[document["attributes"][name]["array"]]
        start = 10 + struct.unpack("<H", content[8:10])[0]
        header = content[10:start].decode()
        assert "'<f8'" in header
        assert "'fortran_order': False" in header or "(3,)" in header
        return struct.unpack(f"<{(len(content) - start) // 8}d", content[start:])

    assert (document["format"], document["format_version"]) == ("softreg_fast model", 1)
    assert document["class"] == "SoftmaxClassifier"
    number, category = document["columns"]
    assert number == {"name": "a", "categories": None}
    assert category == {"name": "b", "categories": {"objects": ["x", "y", {"float": "nan"}]}}
    coefficients, logits = read("coef_"), read("intercept_")
    for row, place in [(0, 1), (1, 2), (2, 3)]:
        values = [
            math.exp(logits[k] + coefficients[4 * k] * X[row, 0] + coefficients[4 * k + place])
            for k in range(3)
        ]
        expected = model.predict_proba(frame.iloc[[row]])[0]
        np.testing.assert_allclose(np.array(values) / sum(values), expected, rtol=1e-12)
    assert document["metadata"] == {"by": "me"}


class OwnClassifier(SoftmaxClassifier):
    pass


def test_what_is_not_data_is_refused_by_name(path):
    path.write_text("before")
    for model, words in [
        (SoftmaxClassifierCV(scoring=make_scorer(len)), r"scoring=.*set_params\(scoring="),
        (SoftmaxClassifierCV(cv=StratifiedKFold()), r"cv=StratifiedKFold.*set_params\(cv=None"),
        (SoftmaxClassifier(categorical_features={"a"}), "categorical_features=.* type set"),
        (SoftmaxClassifier(C=np.longdouble(1)), "C=.* longdouble"),
        (SoftmaxClassifier(class_weight={0: [print]}), r"class_weight\[0\]\[0\]=<built-in"),
        (SoftmaxClassifier(max_iter=1 << 5000), "max_iter=.* int"),
        (SoftmaxClassifier(random_state=np.random.RandomState(np.random.PCG64(1))), "random_st"),
        (SoftmaxRegressor(1.0, random_state=np.random.Generator(np.random.Philox(1))), "random_st"),
        (OwnClassifier(), "OwnClassifier.*no subclass"),
        (np.zeros(3), "model is a ndarray: it must be a SoftmaxClassifier, "),
        (None, "NoneType"),
    ]:
        with pytest.raises(TypeError, match=words):
            save(model, path)
    assert path.read_text() == "before"
    assert list(path.parent.iterdir()) == [path]


def test_attributes_that_no_fit_gives_are_refused_by_name(path):
    for name, value, kind, words in [
        ("coef_", np.full((3, 4), np.nan), ValueError, "'coef_' is not what it must be"),
        ("coef_", [[1.0]], ValueError, "'coef_'"),
        ("intercept_", np.full(3, np.inf), ValueError, "'intercept_'"),
        ("loss_curve_", [1.0], ValueError, "'loss_curve_'"),
        ("note", "mine", TypeError, "'note'"),
    ]:
        model = SoftmaxClassifier().fit(X, Y)
        setattr(model, name, value)
        with pytest.raises(kind, match=words):
            save(model, path)
    del model.note, model.intercept_
    with pytest.raises(ValueError, match="lacks 'intercept_'"):
        save(model, path)
    assert not path.exists()


def test_metadata(path):
    metadata = {"columns": [{"name": "é", "kind": None}], "n": 3, "x": 0.1}
    model = SoftmaxClassifier().fit(X, Y)
    save(model, path, metadata)
    loaded, found = load_with_metadata(path)
    _assert_equal(model, loaded)
    assert found == metadata
    save(model, path)
    assert load_with_metadata(path)[1] == {}
    for wrong in ({1: 2}, {"a": (1,)}, {"a": np.nan}, {"a": np.float32(1)}, 3, {"a": b"x"}):
        with pytest.raises(TypeError, match="metadata"):
            save(model, path, wrong)


def test_the_package_has_both_names(path):
    softreg_fast.save(SoftmaxClassifier(C=2.0), path)
    assert softreg_fast.load(str(path)).C == 2.0
    assert softreg_fast.load(os.fsencode(path)).C == 2.0
    assert issubclass(ModelFileError, ValueError)


def test_equal_models_are_equal_files(path, tmp_path):
    for target in (path, tmp_path / "other"):
        save(SoftmaxClassifier().fit(X, Y), target)
    assert path.read_bytes() == (tmp_path / "other").read_bytes()
    save(load(path), tmp_path / "other")
    assert path.read_bytes() == (tmp_path / "other").read_bytes()


def test_files_are_written_in_one_step(path, tmp_path, monkeypatch):
    save(SoftmaxClassifier(C=2.0), path)
    before = path.read_bytes()

    def fail(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", fail)
        with pytest.raises(OSError, match="No space"):
            save(SoftmaxClassifier(C=3.0), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    for target in (tmp_path, tmp_path / "none" / "model"):
        with pytest.raises(OSError, match="folder") as caught:
            save(SoftmaxClassifier(), target)
        assert ".tmp" not in str(caught.value)


@pytest.mark.runs_if(os.name == "posix")
def test_files_have_the_permissions_of_others_and_links_stay(path, tmp_path):
    before = os.umask(0o027)
    try:
        save(SoftmaxClassifier(), path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    link = tmp_path / "link"
    link.symlink_to(path)
    save(SoftmaxClassifier(C=5.0), link)
    assert link.is_symlink()
    assert load(path).C == 5.0
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="not a regular file"):
        save(SoftmaxClassifier(), tmp_path / "pipe")


def test_a_missing_file_is_one(path):
    with pytest.raises(FileNotFoundError):
        load(path)


# Files that are none of ours, and ours with something changed.


def _members(path):
    with zipfile.ZipFile(path) as archive:
        return {member.filename: archive.read(member) for member in archive.infolist()}


def _write(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def _npy(array):
    content = io.BytesIO()
    np.save(content, array, allow_pickle=True)
    return content.getvalue()


def _header(text):
    text = text.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a zip"),
        (b"PK\x03\x04", "damaged"),
        (pickle.dumps(SoftmaxClassifier()), "not a zip"),
        (_npy(np.arange(3.0)), "not a zip"),
        (b"a,b\n1,2\n", "not a zip"),
        (bytes(1000), "not a zip"),
    ],
)
def test_foreign_files_are_refused(path, content, words):
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=f"iris.model' is not a model file: .*{words}"):
        load(path)


def test_foreign_archives_are_refused(path):
    with path.open("wb") as file:
        np.savez(file, a=np.arange(3))
    with pytest.raises(ModelFileError, match=r"without model\.json"):
        load(path)
    for document, words in [
        ("[]", "not a JSON object"),
        ("{}", "not that of a softreg_fast model"),
        ("{", "not a JSON document"),
        ("é", "not a JSON document"),
        ('{"format": NaN}', "the number NaN"),
        ("[" * 100_000, "not a JSON document"),
    ]:
        _write(path, {"model.json": document})
        with pytest.raises(ModelFileError, match=words):
            load(path)


@pytest.fixture
def changed(path):
    """Loads a file of a fitted model in which something has been changed."""

    def load_changed(change, model=None, compression=zipfile.ZIP_STORED):
        save(SoftmaxClassifier().fit(X, Y) if model is None else model, path)
        members = _members(path)
        document = json.loads(members["model.json"])
        change(document, members)
        if members["model.json"] is not None:
            members["model.json"] = json.dumps(document)
        _write(path, members, compression)
        return load(path)

    return load_changed


def _set(*keys, value):
    def change(document, _):
        for key in keys[:-1]:
            document = document[key]
        document[keys[-1]] = value

    return change


def _set_array(attribute, content):
    def change(document, members):
        members[document["attributes"][attribute]["array"]] = content

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_set("format_version", value=2), "version is 2.* knows 1: a newer one is needed"),
        (_set("format_version", value=0), "format version is 0"),
        (_set("format_version", value="1"), "format version is 1"),
        (_set("class", value="os.system"), "class 'os.system', which is unknown"),
        (_set("class", value=["SoftmaxClassifier"]), "which is unknown"),
        (_set("class", value="SoftmaxRegressor"), "unknown"),
        (_set("surprise", value=1), "must have the members"),
        (_set("metadata", value=None), "'metadata' of its document"),
        (_set("parameters", "nonsense", value=1), "parameters are not allowed: .*nonsense"),
        (_set("parameters", "C", value={"pickle": "x"}), "C is not a value"),
        (_set("parameters", "C", value={"float": "1"}), "C is not a value"),
        (_set("parameters", "C", value={"scalar": "1", "dtype": "float32"}), "C is not a scalar"),
        (_set("parameters", "C", value={"scalar": 1, "dtype": "object"}), "C is not a value"),
        (_set("parameters", "C", value={"dict": [[[1], 2]]}), "C is not a value"),
        (_set("parameters", "C", value={"array": "arrays/99.npy"}), "lacks 'arrays/99.npy'"),
        (_set("parameters", "C", value={"array": "model.json"}), "not the name of an array"),
        (_set("parameters", "C", value={"array": 3}), "not a value"),
        (_set("parameters", "C", value={"RandomState": {}}), "C is not a value"),
        (_set("attributes", "nonsense_", value=1), "'nonsense_', which is unknown"),
        (_set("attributes", "_reader", value=1), "'_reader', which is unknown"),
        (_set("attributes", "coef_", value=1.0), "'coef_' is not what it must be"),
        (_set("attributes", "activation_", value="relu"), "'activation_' is not"),
        (_set("attributes", "n_features_in_", value=5), "4.*5"),
        (_set("attributes", "feature_names_in_", value={"objects": ["a"]}), "1 names of 4"),
        (
            _set("attributes", "feature_names_in_", value={"objects": [1] * 4}),
            "'feature_names_in_'",
        ),
        (_set("attributes", "classes_", value={"objects": [1, [2], 3]}), "classes_ is not a value"),
        (_set("attributes", "classes_", value={"objects": [1]}), "fewer than two classes"),
        (_set("attributes", "classes_", value={"objects": [1, 2]}), "shape"),
        (_set("columns", value=3), "columns"),
        (_set("columns", value=[]), "0 columns of 4"),
        (_set("columns", value=[{"name": 1, "categories": None}] * 4), "the column '1'"),
        (_set("columns", value=[{"name": "a", "categories": 1}] * 4), "the column 'a'"),
        (_set("columns", value=[{"name": "a", "categories": {"objects": ["b"] * 3}}] * 4), "shape"),
        (_set("metadata_requests", value=[]), "'metadata_requests' of its document"),
        (_set("metadata_requests", "fit", value=3), "metadata requests"),
        (_set("metadata_requests", "fit", value={"nonsense": True}), "metadata requests"),
        (_set("metadata_requests", "fit", value={"sample_weight": {}}), "metadata requests"),
        (_set("metadata_requests", "nonsense", value={}), "metadata requests"),
        (_set("stream", value={}), "'stream'"),
        (_set("stream", value=[]), "'stream'"),
        (lambda document, _: document["attributes"].pop("coef_"), "lacks 'coef_'"),
        (lambda document, _: document.pop("columns"), "must have the members"),
        (lambda _, members: members.pop("arrays/0.npy"), "lacks 'arrays/0.npy'"),
        (_set_array("coef_", _npy(np.zeros((3, 5)))), "shape"),
        (_set_array("coef_", _npy(np.zeros((2, 4)))), "shape"),
        (_set_array("coef_", _npy(np.zeros(12))), "'coef_' is not what it must be"),
        (_set_array("coef_", _npy(np.full((3, 4), np.nan))), "'coef_' is not what it must be"),
        (_set_array("coef_", _npy(np.zeros((3, 4), np.int64))), "'coef_' is not what it must be"),
        (_set_array("coef_", _npy(np.zeros((3, 4), object))), "the dtype object"),
        (_set_array("coef_", _npy(np.zeros((3, 4), "f8,f8"))), "the dtype"),
        (_set_array("coef_", _npy(np.zeros((3, 4), "M8[s]"))), "the dtype"),
        (_set_array("coef_", _npy(np.zeros((3, 4)))[:-1]), "can't have the shape"),
        (_set_array("coef_", _npy(np.zeros((3, 4))) + b"x"), "can't have the shape"),
        (_set_array("coef_", b"x"), "not an array"),
        (_set_array("coef_", _header("__import__('os').getpid()")), "not an array"),
        (
            _set_array(
                "coef_",
                _header(f"{{'descr': '<f8', 'fortran_order': False, 'shape': (0, {10**30})}}"),
            ),
            "can't have the shape",
        ),
        (
            _set_array(
                "coef_",
                _header(f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({10**9},)}}"),
            ),
            "can't have the shape",
        ),
        (
            _set_array("classes_", _npy(np.full(3, 0x110000, np.uint32)).replace(b"<u4", b"<U1")),
            "bytes that are nothing",
        ),
    ],
)
def test_changed_files_are_refused(changed, change, words):
    with pytest.raises(ModelFileError, match=words):
        changed(change)


def test_states_that_numpy_does_not_check_are(changed):
    model = SoftmaxClassifier(random_state=np.random.RandomState(0))
    for part, value in [("pos", 10**6), ("pos", -1), ("pos", "x"), ("key", 1), ("gauss", "y")]:
        with pytest.raises(ModelFileError, match="random_state is not"):
            changed(_set("parameters", "random_state", "RandomState", part, value=value), model)
    model = SoftmaxRegressor(1.0, random_state=np.random.default_rng(0))
    with pytest.raises(ModelFileError, match="random_state is not"):
        changed(_set("parameters", "random_state", "Generator", "inc", value=None), model)


def test_streams_that_kernels_would_not_check_are(changed):
    model = SoftmaxClassifier(solver="sgd").partial_fit(X, Y, classes=[0, 1, 2])
    for part, value in [
        ("means", {"objects": [0.0] * 4}),
        ("weights", None),
        ("feature_steps", 3),
        ("presence", 3),
        ("n_samples", -1),
        ("caution", {"float": "nan"}),
        ("surprise", 0),
    ]:
        with pytest.raises(ModelFileError, match="'stream'"):
            changed(_set("stream", part, value=value), model)


def test_archives_that_grow_are_refused(changed, path):
    with pytest.raises(ModelFileError, match="is compressed"):
        changed(lambda *_: None, compression=zipfile.ZIP_DEFLATED)
    changed(lambda *_: None)
    whole = path.read_bytes()
    place = whole.rindex(b"PK\x01\x02")
    for sizes in [(2**30, 2**30), (2**30, 200), (200, 2**30)]:
        content = bytearray(whole)
        content[place + 20 : place + 28] = struct.pack("<II", *sizes)
        path.write_bytes(content)
        tracemalloc.start()
        with pytest.raises(ModelFileError):
            load(path)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
        tracemalloc.stop()


def test_two_members_of_a_name_are_refused(path):
    save(SoftmaxClassifier(), path)
    with (
        pytest.warns(UserWarning, match="Duplicate name"),
        zipfile.ZipFile(path, "a") as archive,
    ):
        archive.writestr("model.json", b"{}")
    with pytest.raises(ModelFileError, match="two of one name"):
        load(path)


@pytest.mark.full
def test_loading_does_not_import_or_run_what_the_file_says(path, tmp_path):
    """Nothing that unpickles or evaluates is called, in a process of its own."""
    save(SoftmaxClassifier(random_state=np.random.RandomState(0)).fit(X, Y), path)
    code = """
import builtins, pickle, sys
from softreg_fast.persistence import load
from softreg_fast import SoftmaxClassifier
load(sys.argv[1])
found = []
sys.addaudithook(lambda event, _: found.append(event))
load(sys.argv[1])
wrong = {"exec", "pickle.find_class", "subprocess.Popen", "os.system"} & set(found)
assert not wrong, wrong
"""
    root = str(Path(softreg_fast.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": root}
    subprocess.run([sys.executable, "-c", code, str(path)], check=True, env=environment)


def _models():
    frame = pandas.DataFrame(
        {"a": pandas.Categorical(["x", "y", None] * 50), "b": X[:, 0], "c": X[:, 1]}
    )
    return [
        SoftmaxClassifier(random_state=np.random.RandomState(0)).fit(X, Y.astype(str)),
        SoftmaxClassifier(solver="sgd").partial_fit(X, Y, classes=[0, 1, 2]),
        SoftmaxClassifier(categorical_features="from_dtype").fit(frame, Y),
        SoftmaxClassifierCV(Cs=[1.0, 9.0]).fit(X, Y > 0),
        SoftmaxRegressor(0.5, random_state=3, verbose=False).fit(X, Y, 3, 10),
        SoftmaxClassifier(class_weight={0: 1.0}),
    ]


def _load_damaged(path, content, model):
    """A file whose bytes were changed is refused, or nothing of the model was changed."""
    path.write_bytes(content)
    try:
        loaded = load(path)
    except ModelFileError:
        return False
    _assert_equal(model, loaded)
    return True


@pytest.mark.full
@pytest.mark.parametrize("number", range(6))
def test_damaged_files_are_refused(path, number):
    model = _models()[number]
    save(model, path)
    whole = path.read_bytes()
    random = np.random.default_rng(number)
    n_loaded = 0
    tracemalloc.start()
    for _ in range(1_000):
        content = bytearray(whole)
        for place in random.integers(0, len(whole), random.integers(1, 4)):
            content[place] ^= 1 << random.integers(8)
        n_loaded += _load_damaged(path, content, model)
    for length in random.integers(0, len(whole), 300):
        assert not _load_damaged(path, whole[:length], model)
    for _ in range(300):
        start, stop = sorted(random.integers(0, len(whole), 2))
        _load_damaged(path, whole[:start] + whole[stop:], model)
        _load_damaged(path, whole[:stop] + whole[start:], model)
    assert tracemalloc.get_traced_memory()[1] < 50 * len(whole) + 10_000_000
    tracemalloc.stop()
    assert n_loaded < 500


@pytest.mark.full
@pytest.mark.parametrize("number", range(6))
def test_changed_members_with_right_checksums_give_no_other_error(path, number):
    """Whatever is loaded is another model then, and predictions of it don't crash."""
    model = _models()[number]
    save(model, path)
    members = _members(path)
    names = list(members)
    random = np.random.default_rng(number)
    for _ in range(400):
        name = names[random.integers(len(names))]
        content = bytearray(members[name])
        n_header = min(len(content), 140 if name.endswith("npy") else len(content))
        for place in random.integers(0, n_header, random.integers(1, 3)):
            content[place] = random.choice(list(b'0123456789-.,:{}[]"aetns \\<>()f\0\xff'))
        _write(path, {**members, name: bytes(content)})
        try:
            loaded = load(path)
        except ModelFileError:
            continue
        assert type(loaded) is type(model)


@pytest.mark.full
@pytest.mark.parametrize("number", range(5))
def test_changed_documents_give_no_other_error(path, number):
    model = _models()[number]
    save(model, path)
    members = _members(path)
    text = json.loads(members["model.json"])
    random = np.random.default_rng(number)
    values = [
        None, True, -1, 2**70, 1e308, "x", [], {}, {"float": "nan"}, {"array": "arrays/0.npy"},
        {"array": "arrays/1.npy"}, {"objects": [None, 1]}, {"dtype": "float32"}, {"tuple": 1},
        {"scalar_type": []}, {"scalar": {}, "dtype": "int8"}, {"scalar": 300, "dtype": "int8"},
        {"dict": [[1]]}, {"RandomState": {"key": 1}}, {"Generator": 3}, [[[]]],
    ]  # fmt: skip

    def places(value, prefix=()):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, each in items:
            yield (*prefix, key)
            if isinstance(each, dict | list):
                yield from places(each, (*prefix, key))

    for where in places(text):
        for value in (values[place] for place in random.permutation(len(values))[:8]):
            document = json.loads(members["model.json"])
            _set(*where, value=value)(document, None)
            _write(path, {**members, "model.json": json.dumps(document)})
            try:
                loaded = load(path)
            except ModelFileError:
                continue
            assert type(loaded).__name__ == document["class"]
            with suppress(Exception), warnings.catch_warnings():  # but it does not crash
                loaded.verbose = False
                loaded.predict(X)
                if number == 1:
                    loaded.partial_fit(X, Y)


def test_what_is_no_path_is_refused_by_name():
    with pytest.raises(TypeError, match=r"path=3 is not allowed: it must be the path of a file"):
        save(SoftmaxClassifier(), 3)
    with pytest.raises(TypeError, match=r"path=None is not allowed"):
        load(None)


@pytest.mark.runs_if(hasattr(os, "symlink") and os.name == "posix")
def test_files_are_replaced_whole_or_not_at_all(tmp_path):
    path, link = tmp_path / "file", tmp_path / "link"
    path.write_text("before")
    link.symlink_to(path)

    def fail():
        with replacing(link) as beside:
            beside.write_text("half")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert path.read_text() == "before"
    with replacing(link) as beside:
        beside.write_text("after")
    assert (link.is_symlink(), path.read_text()) == (True, "after")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "link"]


def test_sparse_coefficients_are_saved_as_dense_ones(make_data, tmp_path):
    X, y = make_data(60, 4, 3)
    model = SoftmaxClassifier(C=0.1, l1_ratio=1.0).fit(X, y)
    expected = model.predict_proba(X)
    softreg_fast.save(model.sparsify(), tmp_path / "model")
    assert issparse(model.coef_)
    loaded = softreg_fast.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.coef_, model.densify().coef_)
    np.testing.assert_array_equal(loaded.predict_proba(X), expected)
