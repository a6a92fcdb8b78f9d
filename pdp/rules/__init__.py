"""The rules that people write, checked before OPA gets them: YAML, Rego, schemas, URIs."""
