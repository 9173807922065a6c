"""The figures of prices: one module each, with `draw(data: Accounting) -> Figure`."""
