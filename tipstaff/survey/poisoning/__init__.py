"""Signs that a definition speaks to the model, or passes for another. Pure."""
