"""A reader's verdicts are applied: the images must be the same, names come before numbers, numbers before findings."""
