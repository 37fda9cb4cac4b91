"""
Decision boundaries and confusion matrices
==========================================

scikit-learn's own displays take the estimators of softreg_fast.
"""

# %%
# The boundaries between classes are straight lines. Colours are deeper where the model is surer.

import matplotlib.pyplot as plt
from sklearn.datasets import load_iris
from sklearn.inspection import DecisionBoundaryDisplay
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import cross_val_predict

from softreg_fast import SoftmaxClassifier

data = load_iris(as_frame=True)
X, y = data.data[["petal length (cm)", "petal width (cm)"]], data.target
model = SoftmaxClassifier(C=10.0).fit(X, y)
colors = ["#0072B2", "#D55E00", "#009E73"]
display = DecisionBoundaryDisplay.from_estimator(
    model, X, response_method="predict_proba", multiclass_colors=colors, alpha=0.5
)
for label, (name, color) in enumerate(zip(data.target_names, colors, strict=True)):
    points = X[y == label].to_numpy().T
    display.ax_.scatter(*points, color=color, edgecolors="black", s=25, label=name)
display.ax_.legend(loc="upper left")

# %%
# What is confused, by cross-validated predictions.

names = data.target_names
ConfusionMatrixDisplay.from_predictions(
    names[y], names[cross_val_predict(model, X, y)], cmap="Blues", colorbar=False
)
plt.show()
