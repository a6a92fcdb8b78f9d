"""What people write, read and checked before OPA gets it: YAML, Rego, schemas, URIs."""
