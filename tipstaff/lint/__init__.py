"""Warnings about rules that load and probably do not do what was meant."""
