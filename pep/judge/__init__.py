"""From a message to its decision, and from the decision to what happens."""
