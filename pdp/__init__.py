"""The policy decision point: judges calls, keeps limits, writes one record per decision."""
