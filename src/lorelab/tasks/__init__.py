"""Task kinds: what is minimised, what is measured, what a user of the model gets."""
