"""Limits: what a key remembers, all budgets or none, and the stores that keep them."""
