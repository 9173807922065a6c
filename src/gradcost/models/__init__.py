"""Models: their weights, their adapters, and the linears that know they are frozen."""
