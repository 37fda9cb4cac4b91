"""Mini-batch gradient descent."""
