"""The commands that run services, and what these need of the machine."""
