"""A reader's verdicts and masks are applied: same images, masks and names before numbers, numbers before findings."""
