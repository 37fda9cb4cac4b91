"""The same mini-batch descent in other libraries: ``python bench/peers.py``.

Plain descent on the cross-entropy with the identity activation, from the same start, with the same
rows
in the same order, without an accuracy pass. The sides take turns in one process. All must reach the
same parameters; only scikit-learn's `MLPClassifier`, which draws its own start, is asked for as
many epochs and about the same loss. Peers need the extra "bench"; those that aren't installed are
left out.
"""

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ceilings import measure_ceilings
from machine import describe
from roofline import make_rows

from softreg_fast.data.problem import make_problem
from softreg_fast.estimators.epoch_log import EpochLog
from softreg_fast.solvers.notebook_sgd import DescentSettings, GradientDescent


@dataclass(frozen=True)
class Case:
    """Rows, features, classes, batch size, dtype and epochs."""

    n_samples: int
    n_features: int
    n_classes: int
    batch_size: int
    dtype: str
    n_epochs: int
    learning_rate: float = 0.01

    def __str__(self):
        return (
            f"{self.n_samples:,} x {self.n_features} x {self.n_classes}, "
            f"batches of {self.batch_size:,}, {self.dtype}"
        )


CASES = [
    Case(150, 4, 3, 150, "float64", 2000, 0.1),
    Case(1797, 64, 10, 64, "float64", 100),
    Case(60_000, 784, 10, 128, "float64", 2),
    Case(60_000, 784, 10, 128, "float32", 2),
    Case(500_000, 54, 7, 256, "float64", 2),
    Case(500_000, 54, 7, 256, "float32", 2),
    Case(20_000, 200, 100, 256, "float32", 5),
]


class Side:
    """A library: `prepare` is not timed, `train` is."""

    name = ""
    has_own_start = False

    def prepare(self, case, features, labels):
        """Convert the data, whose rows are whole batches, and compile."""
        raise NotImplementedError

    def train(self):
        """Train from zero."""
        raise NotImplementedError

    def parameters(self):
        """Weights (n_features, n_classes) and bias."""
        raise NotImplementedError


class SoftregFast(Side):
    """The descent that the estimators of this package run."""

    name = "softreg_fast"

    def prepare(self, case, features, labels):
        self.case = case
        self.problem = make_problem(features, labels, "identity", features.dtype)
        self.settings = DescentSettings(
            case.learning_rate, case.batch_size, case.n_epochs, 0, "exact", score=False
        )

    def train(self):
        shape = self.case.n_features, self.case.n_classes
        self.descent = GradientDescent(
            self.problem, self.settings, np.zeros(shape), np.zeros(shape[1]), None
        )
        self.descent.run(EpochLog(verbose=False))

    def parameters(self):
        return self.descent.solution


class NumPy(Side):
    """``X.T @ G``."""

    name = "NumPy"

    def prepare(self, case, features, labels):
        self.case, self.features = case, features
        self.targets = np.eye(case.n_classes, dtype=features.dtype)[labels]

    def train(self):
        case = self.case
        self.weights = np.zeros((case.n_features, case.n_classes), self.features.dtype)
        self.bias = np.zeros(case.n_classes, self.features.dtype)
        rate = self.features.dtype.type(case.learning_rate / case.batch_size)
        for _ in range(case.n_epochs):
            for start in range(0, len(self.features), case.batch_size):
                batch = self.features[start : start + case.batch_size]
                logits = batch @ self.weights
                logits += self.bias
                logits -= logits.max(axis=1, keepdims=True)
                np.exp(logits, out=logits)
                logits /= logits.sum(axis=1, keepdims=True)
                logits -= self.targets[start : start + case.batch_size]
                self.weights -= rate * (batch.T @ logits)
                self.bias -= rate * logits.sum(axis=0)

    def parameters(self):
        return self.weights, self.bias


class TorchByHand(Side):
    """Tensors without autograd."""

    name = "PyTorch by hand"

    def prepare(self, case, features, labels):
        import torch

        self.torch, self.case = torch, case
        self.features = torch.from_numpy(features)
        self.targets = torch.nn.functional.one_hot(
            torch.from_numpy(labels.astype(np.int64)), case.n_classes
        ).to(self.features.dtype)

    def train(self):
        case, torch = self.case, self.torch
        options = {"dtype": self.features.dtype}
        self.weights = torch.zeros((case.n_features, case.n_classes), **options)
        self.bias = torch.zeros(case.n_classes, **options)
        rate = case.learning_rate / case.batch_size
        with torch.no_grad():
            for _ in range(case.n_epochs):
                for start in range(0, len(self.features), case.batch_size):
                    batch = self.features[start : start + case.batch_size]
                    logits = torch.addmm(self.bias, batch, self.weights)
                    slopes = torch.softmax(logits, 1)
                    slopes -= self.targets[start : start + case.batch_size]
                    self.weights.addmm_(batch.T, slopes, alpha=-rate)
                    self.bias.sub_(slopes.sum(0), alpha=rate)

    def parameters(self):
        return self.weights.numpy(), self.bias.numpy()


class TorchModule(Side):
    """`torch.nn.Linear` and `torch.optim.SGD`."""

    name = "PyTorch nn + SGD"

    def prepare(self, case, features, labels):
        import torch

        self.torch, self.case = torch, case
        self.features = torch.from_numpy(features)
        self.labels = torch.from_numpy(labels.astype(np.int64))

    def train(self):
        case, torch = self.case, self.torch
        self.layer = torch.nn.Linear(case.n_features, case.n_classes, dtype=self.features.dtype)
        with torch.no_grad():
            self.layer.weight.zero_()
            self.layer.bias.zero_()
        optimizer = torch.optim.SGD(self.layer.parameters(), lr=case.learning_rate)
        for _ in range(case.n_epochs):
            for start in range(0, len(self.features), case.batch_size):
                stop = start + case.batch_size
                optimizer.zero_grad()
                loss = torch.nn.functional.cross_entropy(
                    self.layer(self.features[start:stop]), self.labels[start:stop]
                )
                loss.backward()
                optimizer.step()

    def parameters(self):
        return self.layer.weight.detach().numpy().T, self.layer.bias.detach().numpy()


class Jax(Side):
    """`jax.jit` and `jax.lax.scan` over all batches and epochs."""

    name = "JAX jit + scan"

    def prepare(self, case, features, labels):
        import jax

        jax.config.update("jax_enable_x64", True)
        jnp = jax.numpy
        n_batches = len(features) // case.batch_size
        shape = n_batches, case.batch_size
        self.batches = (
            jnp.asarray(features).reshape(*shape, case.n_features),
            jnp.asarray(np.eye(case.n_classes, dtype=features.dtype)[labels]).reshape(
                *shape, case.n_classes
            ),
        )
        rate = features.dtype.type(case.learning_rate / case.batch_size)

        def step(model, batch):
            weights, bias = model
            rows, targets = batch
            slopes = jax.nn.softmax(rows @ weights + bias) - targets
            return (weights - rate * (rows.T @ slopes), bias - rate * slopes.sum(0)), None

        def run(model, batches):
            def epoch(model, _):
                return jax.lax.scan(step, model, batches)[0], None

            return jax.lax.scan(epoch, model, None, length=case.n_epochs)[0]

        self.start = (
            jnp.zeros((case.n_features, case.n_classes), features.dtype),
            jnp.zeros(case.n_classes, features.dtype),
        )
        self.run = jax.jit(run)

    def train(self):
        self.model = self.run(self.start, self.batches)
        self.model[0].block_until_ready()

    def parameters(self):
        return np.asarray(self.model[0]), np.asarray(self.model[1])


class SklearnMLP(Side):
    """`MLPClassifier` without hidden layers; its start and order of rows are its own."""

    name = "scikit-learn MLPClassifier(())"
    has_own_start = True

    def prepare(self, case, features, labels):
        self.case, self.features, self.labels = case, features, labels

    def train(self):
        import warnings

        from sklearn.neural_network import MLPClassifier

        case = self.case
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.model = MLPClassifier(
                (),
                solver="sgd",
                alpha=0.0,
                batch_size=case.batch_size,
                learning_rate_init=case.learning_rate,
                momentum=0.0,
                max_iter=case.n_epochs,
                n_iter_no_change=case.n_epochs + 1,
                shuffle=False,
                random_state=0,
            ).fit(self.features, self.labels)

    def parameters(self):
        return self.model.coefs_[0], self.model.intercepts_[0]


SIDES = [SoftregFast, NumPy, TorchByHand, TorchModule, Jax, SklearnMLP]


def mean_loss(features, labels, weights, bias):
    """Mean cross-entropy over the first rows, in float64."""
    rows = slice(0, 20_000)
    logits = features[rows].astype(np.float64) @ weights + bias
    logits -= logits.max(axis=1, keepdims=True)
    own = logits[np.arange(len(logits)), labels[rows]]
    return float((np.log(np.exp(logits).sum(axis=1)) - own).mean())


def measure(case, n_repeats):
    """Median seconds per epoch of each side, by name, and the loss that all have reached."""
    n_rows = case.n_samples // case.batch_size * case.batch_size
    if case.n_samples == 1797:
        from datasets import digits

        features, labels = digits()
        features = features[:n_rows].astype(case.dtype)
        labels = labels[:n_rows]
    else:
        features, labels = make_rows(n_rows, case.n_features, case.n_classes, case.dtype)
    sides = []
    for kind in SIDES:
        side = kind()
        try:
            side.prepare(case, features, labels)
        except ImportError as error:
            print(f"{side.name} is left out: {error.name} is not installed")
            continue
        side.train()
        sides.append(side)
    seconds = {side.name: [] for side in sides}
    for _ in range(n_repeats):
        for side in sides:
            # The threads of a BLAS go on spinning for a moment after a call.
            time.sleep(0.3)
            started = time.perf_counter()
            side.train()
            seconds[side.name].append((time.perf_counter() - started) / case.n_epochs)
    expected = sides[0].parameters()
    tolerance = 1e-8 if case.dtype == "float64" else 2e-3
    loss = mean_loss(features, labels, *expected)
    for side in sides[1:]:
        weights, bias = side.parameters()
        if side.has_own_start:
            assert side.model.n_iter_ == case.n_epochs
            assert abs(mean_loss(features, labels, weights, bias) - loss) < 0.25 * loss, side.name
            continue
        scale = np.abs(expected[0]).max()
        np.testing.assert_allclose(weights, expected[0], atol=tolerance * scale, rtol=0)
        np.testing.assert_allclose(bias, expected[1], atol=tolerance * scale, rtol=0)
    return {name: float(np.median(times)) for name, times in seconds.items()}, loss


def draw(results, path):
    """A picture of the ratios."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(10, 6), layout="constrained")
    names = list(results[0]["seconds"])
    height = 0.8 / len(names)
    for place, name in enumerate(names):
        ratios = [each["seconds"].get(name, np.nan) / each["seconds"][names[0]] for each in results]
        axes.barh(np.arange(len(results)) + place * height, ratios, height, label=name)
    axes.set_yticks(np.arange(len(results)) + 0.4, [each["case"] for each in results])
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlabel("time of an epoch, as a multiple of softreg_fast's")
    axes.legend()
    figure.savefig(path, dpi=150)


def main():
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path, default=Path("peers.json"))
    parser.add_argument("--picture", type=Path, default=Path("peers.png"))
    parser.add_argument("--cases", type=int, nargs="+", help="numbers from 0 (default: all)")
    options = parser.parse_args()
    cases = [CASES[number] for number in options.cases] if options.cases else CASES
    print(describe())
    results = []
    ceilings = {}
    for case in cases:
        if case.dtype not in ceilings:
            ceilings[case.dtype] = measure_ceilings(case.dtype, 2)
        seconds, loss = measure(case, options.repeats)
        allowed, binding = ceilings[case.dtype].seconds_per_row(
            case.n_features, case.n_classes, case.n_classes
        )
        own = next(iter(seconds.values()))
        fraction = allowed * case.n_samples / own
        best = min(list(seconds.values())[1:], default=np.nan)
        results.append(
            {"case": str(case), "seconds": seconds, "loss": loss, "fraction": fraction,
             "bound_by": binding, "ratio": best / own}
        )  # fmt: skip
        print(
            f"\n{case}: loss {loss:.6f} on all sides; {fraction:.2f} of the ceiling of two threads "
            f"({binding}, were the features not in the cache); "
            f"{best / own:.1f} times as fast as the fastest peer"
        )
        for name, time_taken in seconds.items():
            ratio = time_taken / own
            print(f"  {name:<32} {1e3 * time_taken:>10.4g} ms per epoch  {ratio:>7.1f}", flush=True)
    options.json.write_text(json.dumps({"machine": describe(), "results": results}, indent=1))
    try:
        draw(results, options.picture)
    except ImportError as error:
        print(f"no picture: {error.name} is not installed")


if __name__ == "__main__":
    main()
