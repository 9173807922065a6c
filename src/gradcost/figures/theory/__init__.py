"""The figures of what was verified: one module each, with `draw(data: Theory) -> Figure`."""
