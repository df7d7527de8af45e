"""From an image to named anatomy. With ``training``, the only place that imports torch and monai."""
