"""
Coefficients
============

`CoefficientDisplay` shows which features speak for which class. Features should have the same
scale; otherwise their coefficients can't be compared.
"""

# %%
# Names of features are found in the pipeline.

import matplotlib.pyplot as plt
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from softreg_fast import SoftmaxClassifier
from softreg_fast.plotting import CoefficientDisplay

X, y = load_wine(return_X_y=True, as_frame=True)
names = ["Barolo", "Grignolino", "Barbera"]
pipeline = make_pipeline(StandardScaler(), SoftmaxClassifier(tol=1e-8)).fit(X, y)
display = CoefficientDisplay.from_estimator(pipeline, class_names=names)
display.ax_.set_title("Cultivars of wine")

# %%
# With the summary of a model, which has the standard errors, points with confidence intervals are
# drawn.

scaler, model = pipeline[0], pipeline[1]
summary = model.summary(scaler.transform(X), y)
CoefficientDisplay.from_estimator(pipeline, class_names=names, summary=summary, n_features=6)

# %%
# Two classes share one row of coefficients, which are drawn as bars. Of many features the largest
# are chosen.

data = load_breast_cancer(as_frame=True)
pipeline = make_pipeline(StandardScaler(), SoftmaxClassifier()).fit(
    data.data, data.target_names[data.target]
)
CoefficientDisplay.from_estimator(pipeline, n_features=10)
plt.show()
