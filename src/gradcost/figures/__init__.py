"""The figures: one module each, with `draw(data) -> Figure`; `save` writes them."""
