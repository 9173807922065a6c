"""The tables of what was verified: one module each, with `render(data: Theory) -> str`."""
