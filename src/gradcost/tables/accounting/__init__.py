"""The tables of prices: one module each, with `render(data: Accounting) -> str`."""
