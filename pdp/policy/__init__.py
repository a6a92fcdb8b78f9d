"""The question to OPA and its answer, and OPA itself: the bundle, the sidecar, what is in force."""
