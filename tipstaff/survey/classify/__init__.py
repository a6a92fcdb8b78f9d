"""Classifies tools: category, risk, applicable attacks, and the evidence for each. Pure."""
