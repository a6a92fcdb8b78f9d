"""The command line: wires the decision service and the proxy together."""
