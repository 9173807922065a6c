"""The tables and numbers of the report, as LaTeX: one module each, with `render(data) -> str`."""
