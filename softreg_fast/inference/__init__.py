"""What fitted models are used for: predictions, scores, standard errors, separation."""
