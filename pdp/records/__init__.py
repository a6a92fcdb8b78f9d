"""One line for each decision: what it shows, what it masks, and the way back from it."""
