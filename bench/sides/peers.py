"""Plain mini-batch descent in other libraries."""

import warnings

import numpy as np

from .descent import DescentSide, compare_losses


class TorchByHand(DescentSide):
    """Tensors without autograd."""

    name = "PyTorch by hand"
    module = "torch"

    def prepare(self, case):
        import torch

        super().prepare(case)
        self.torch = torch
        self.features = torch.from_numpy(self.X)
        labels = torch.from_numpy(self.y.astype(np.int64))
        self.targets = torch.nn.functional.one_hot(labels, case.n_classes).to(self.features.dtype)

    def run(self):
        case, torch = self.case, self.torch
        options = {"dtype": self.features.dtype}
        self.coef = torch.zeros((case.n_features, case.n_classes), **options)
        self.intercept = torch.zeros(case.n_classes, **options)
        rate = case.learning_rate / case.batch_size
        with torch.no_grad():
            for _ in range(case.n_epochs):
                for start in range(0, len(self.features), case.batch_size):
                    batch = self.features[start : start + case.batch_size]
                    logits = torch.addmm(self.intercept, batch, self.coef)
                    slopes = torch.softmax(logits, 1)
                    slopes -= self.targets[start : start + case.batch_size]
                    self.coef.addmm_(batch.T, slopes, alpha=-rate)
                    self.intercept.sub_(slopes.sum(0), alpha=rate)

    def parameters(self):
        return self.coef.numpy(), self.intercept.numpy()


class TorchModule(DescentSide):
    """`torch.nn.Linear` and `torch.optim.SGD`."""

    name = "PyTorch nn + SGD"
    module = "torch"

    def prepare(self, case):
        import torch

        super().prepare(case)
        self.torch = torch
        self.features = torch.from_numpy(self.X)
        self.labels = torch.from_numpy(self.y.astype(np.int64))

    def run(self):
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


class Jax(DescentSide):
    """`jax.jit` and `jax.lax.scan` over all batches and epochs."""

    name = "JAX jit + scan"
    module = "jax"

    def prepare(self, case):
        import jax

        super().prepare(case)
        jax.config.update("jax_enable_x64", True)
        jnp, dtype = jax.numpy, self.X.dtype
        shape = len(self.X) // case.batch_size, case.batch_size
        targets = np.eye(case.n_classes, dtype=dtype)[self.y]
        self.batches = (
            jnp.asarray(self.X).reshape(*shape, case.n_features),
            jnp.asarray(targets).reshape(*shape, case.n_classes),
        )
        rate = dtype.type(case.learning_rate / case.batch_size)

        def step(model, batch):
            coef, intercept = model
            rows, targets = batch
            slopes = jax.nn.softmax(rows @ coef + intercept) - targets
            return (coef - rate * (rows.T @ slopes), intercept - rate * slopes.sum(0)), None

        def train(model, batches):
            def epoch(model, _):
                return jax.lax.scan(step, model, batches)[0], None

            return jax.lax.scan(epoch, model, None, length=case.n_epochs)[0]

        self.start = (
            jnp.zeros((case.n_features, case.n_classes), dtype),
            jnp.zeros(case.n_classes, dtype),
        )
        self.train = jax.jit(train)

    def run(self):
        self.model = self.train(self.start, self.batches)
        self.model[0].block_until_ready()

    def parameters(self):
        return np.asarray(self.model[0]), np.asarray(self.model[1])


class SklearnMLP(DescentSide):
    """`MLPClassifier` without hidden layers; its start and order of rows are its own."""

    name = "scikit-learn MLPClassifier(())"

    def run(self):
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
            ).fit(self.X, self.y)

    def parameters(self):
        return self.model.coefs_[0], self.model.intercepts_[0]

    def check(self, other):
        assert self.model.n_iter_ == self.case.n_epochs
        return compare_losses(self, other)
