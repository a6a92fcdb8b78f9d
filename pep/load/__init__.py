"""Bounds on what one caller may have at a time, and work beside the event loop."""
