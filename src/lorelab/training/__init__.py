"""From built parts to a run's record: the Learner, the fit that drives it, and what a run says of itself."""
