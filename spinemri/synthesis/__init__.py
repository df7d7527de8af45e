"""The digital spine: anatomy with known truth, then MR signal, then the scanner."""
