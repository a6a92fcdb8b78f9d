"""From a message to its decision, and from the decision to its enforcement."""
