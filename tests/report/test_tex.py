"""Reading TeX."""

from __future__ import annotations

import pytest

from gradcost.report.tex import Reader, TexError, split, without_comments


def test_comments_end_with_their_line_and_percent_signs_stay() -> None:
    assert without_comments("a% one\n  b 95\\,\\% c") == "ab 95\\,\\% c"
    assert without_comments("a\\\\% no escape\nb") == "a\\\\b"
    assert without_comments("a % end\n\nb") == "a \nb"


def test_arguments_are_groups_commands_or_characters() -> None:
    reader = Reader(r"{a{b}\}c} \x y[o{]}p]z")
    assert reader.argument() == r"a{b}\}c"
    assert reader.argument() == r"\x"
    assert reader.argument() == "y"
    assert reader.optional() == "o{]}p"
    assert reader.optional() is None
    assert reader.argument() == "z"
    with pytest.raises(TexError, match="argument is missing"):
        reader.argument()


def test_environments_and_conditions_are_read_to_their_own_end() -> None:
    reader = Reader(r"a\begin{x}b\end{x}c\end{x}d")
    assert reader.environment("x") == r"a\begin{x}b\end{x}c"
    assert reader.text[reader.position :] == "d"
    reader = Reader(r"a\ifx b\else c\fi d\else e\fi f")
    assert reader.branches() == (r"a\ifx b\else c\fi d", "e")
    assert reader.text[reader.position :] == "f"


@pytest.mark.parametrize(
    ("source", "read"),
    [("{a", "group"), ("a", "branches"), (r"\begin{y}", "environment")],
)
def test_what_does_not_end_is_an_error(source: str, read: str) -> None:
    with pytest.raises(TexError):
        getattr(Reader(source), read)(*["y"] * (read == "environment"))


def test_cells_are_parted_outside_of_groups_and_environments() -> None:
    row = r"a \& b & {c & d} & \begin{tabular}{l}e & f \\ g\end{tabular}"
    assert [cell.strip() for cell in split(row, "&")] == [
        r"a \& b", "{c & d}", r"\begin{tabular}{l}e & f \\ g\end{tabular}",
    ]  # fmt: skip
    assert split(r"a \\ {b \\ c} \\ d", r"\\") == ["a ", r" {b \\ c} ", " d"]
