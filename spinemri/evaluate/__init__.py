"""Scoring results against truth; makes the accuracy pages."""
