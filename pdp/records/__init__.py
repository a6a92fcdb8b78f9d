"""One record per decision: its fields, its masking, the journal, the replay of a recorded call."""
