"""The report as one HTML file for browsing.

`report.tex` and what it inputs are the source of both the PDF and this page:

    LaTeX with the project's macros -> `flatten` -> LaTeX that pandoc reads -> `blocks` -> `html`

What LaTeX means here is decided in `flatten`, and a command that it does not know is an error:
a page that lacks something without saying so would be worse than none.
"""
