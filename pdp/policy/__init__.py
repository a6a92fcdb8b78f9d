"""The query to OPA, and OPA itself: the bundle, the sidecar process, the policy in force."""
