"""Stubs generated from proto/. Never edited: run `make proto`."""
