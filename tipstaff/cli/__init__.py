"""The command line: imports both services, and is imported by neither."""
