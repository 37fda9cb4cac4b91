"""The objective: loss and penalty, their derivatives, and bounds of the optimum."""
