"""The commands about rules: check, test, decide."""
