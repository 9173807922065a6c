"""The study: its configuration, its runs and their records, the fingerprints of its code."""
