"""Limits: algorithms, budgets that a call takes all or none of, and the stores of their state."""
