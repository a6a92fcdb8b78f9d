"""The commands that run services, and what services need of the machine."""
