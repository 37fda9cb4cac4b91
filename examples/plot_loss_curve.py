"""
Course of a fit
===============

A fitted model keeps its objective after each iteration or epoch. `LossCurveDisplay` draws it, for
one model or several.
"""

# %%
# Mini-batch gradient descent with early stopping holds out some samples. Their loss is lowest some
# epochs before the end, and the model of that epoch is kept.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits, load_wine

from softreg_fast import SoftmaxClassifier, SoftmaxRegressor
from softreg_fast.plotting import LossCurveDisplay

X, y = load_digits(return_X_y=True)
X /= 16.0
model = SoftmaxClassifier(early_stopping=True, C=np.inf, tol=0.0, batch_size=32, random_state=0)
model.fit(X, y)
display = LossCurveDisplay.from_estimator(model)
display.ax_.set_title("Digits, without a penalty")

# %%
# How fast exact solvers come near the optimum is seen on a logarithmic scale. All curves begin at
# the same height if the same number is subtracted from them.

models = {solver: SoftmaxClassifier(solver=solver, tol=1e-8) for solver in ("newton", "lbfgs")}
for model in models.values():
    model.fit(X, y)
optimum = min(model.loss_curve_.min() for model in models.values())
_, ax = plt.subplots(layout="constrained")
for solver, model in models.items():
    LossCurveDisplay.from_estimator(model, name=solver, distance_to=optimum, ax=ax)
ax.set_title("Digits, C = 1")

# %%
# `SoftmaxRegressor` knows its accuracy after each epoch, too.

X, y = load_wine(return_X_y=True)
X = (X - X.mean(axis=0)) / X.std(axis=0)
display = None
for gradient in ("notebook", "exact"):
    model = SoftmaxRegressor(0.5, gradient=gradient, random_state=0, verbose=False)
    model.fit(X, y, epochs=200, batch_size=89)
    display = LossCurveDisplay.from_estimator(
        model,
        name=f"{gradient} gradient",
        ax=display and display.ax_,
        accuracy_ax=display and display.accuracy_ax_,
    )
display.ax_.set_title("Wine")
plt.show()
