"""From run records to tidy tables, statistics and the paper's numbers. Never imports torch."""
