"""Reading TeX as text: groups, arguments, environments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_COMMAND = re.compile(r"\\(?:([a-zA-Z@]+)\*?|(.))", re.DOTALL)
_COMMENT = re.compile(r"(?<!\\)((?:\\\\)*)%[^\n]*(\n[ \t]*)?")


class TexError(ValueError):
    """What the reports' LaTeX says is not understood."""


def without_comments(text: str) -> str:
    r"""The text as TeX sees it: a comment takes its line's end and the next line's indent along.

    An empty line after a comment still ends a paragraph.
    """
    return _COMMENT.sub(lambda found: found[1], text)


def excerpt(text: str, position: int = 0) -> str:
    """What an error message shows of a place in the source."""
    return " ".join(text[max(0, position - 40) : position + 60].split())


@dataclass
class Reader:
    """A position in a text, and what can be read from there on."""

    text: str
    position: int = 0

    def __bool__(self) -> bool:
        return self.position < len(self.text)

    def fail(self, why: str) -> TexError:
        """An error that says where it is."""
        return TexError(f"{why}: ... {excerpt(self.text, self.position)} ...")

    def plain(self) -> str:
        r"""Text up to the next backslash or dollar sign."""
        found = re.compile(r"[^\\$]*").match(self.text, self.position)
        assert found
        self.position = found.end()
        return found[0]

    def command(self) -> tuple[str, str] | None:
        r"""A command's name without backslash and star, and how it is written; None for neither.

        As in TeX, spaces after a name of letters belong to it; they are in how it is written.
        """
        found = _COMMAND.match(self.text, self.position)
        if not found:
            return None
        self.position = found.end()
        if found[1]:
            self._spaces()
        return found[1] or found[2], self.text[found.start() : self.position]

    def argument(self) -> str:
        """The next argument: a group without its braces, a command, or a single character."""
        self._spaces(lines=True)
        if self.text.startswith("{", self.position):
            return self.group()
        if found := _COMMAND.match(self.text, self.position):
            self.position = found.end()
            return found[0]
        if not self:
            raise self.fail("an argument is missing")
        self.position += 1
        return self.text[self.position - 1]

    def arguments(self, count: int) -> list[str]:
        """So many arguments."""
        return [self.argument() for _ in range(count)]

    def optional(self) -> str | None:
        """The next argument in brackets, without them; None if there is none."""
        if not self.text.startswith("[", self.position):
            return None
        depth = 0
        for place in range(self.position + 1, len(self.text)):
            char = self.text[place]
            if self.text[place - 1] != "\\":
                depth += (char == "{") - (char == "}")
                if char == "]" and not depth:
                    found = self.text[self.position + 1 : place]
                    self.position = place + 1
                    return found
        raise self.fail("a bracket is not closed")

    def group(self) -> str:
        """What is between the brace here and the one that closes it."""
        depth, start = 0, self.position
        for found in re.compile(r"\\.|[{}]", re.DOTALL).finditer(self.text, start):
            depth += (found[0] == "{") - (found[0] == "}")
            if not depth:
                self.position = found.end()
                return self.text[start + 1 : found.start()]
        raise self.fail("a brace is not closed")

    def rest(self) -> str:
        """What is before the brace that closes the group here, or before the end."""
        depth, start = 0, self.position
        for found in re.compile(r"\\.|[{}]", re.DOTALL).finditer(self.text, start):
            depth += (found[0] == "{") - (found[0] == "}")
            if depth < 0:
                self.position = found.start()
                return self.text[start : found.start()]
        self.position = len(self.text)
        return self.text[start:]

    def until(self, end: str) -> str:
        """What is before `end`, which is passed too."""
        place = self.text.find(end, self.position)
        if place < 0:
            raise self.fail(f"{end} is missing")
        found = self.text[self.position : place]
        self.position = place + len(end)
        if end[-1].isalpha():
            self._spaces()
        return found

    def environment(self, name: str) -> str:
        r"""What is before the \end of the environment whose \begin{name} has just been read."""
        depth, start = 1, self.position
        pattern = re.compile(rf"\\(begin|end)\{{{re.escape(name)}\}}")
        for found in pattern.finditer(self.text, start):
            depth += 1 if found[1] == "begin" else -1
            if not depth:
                self.position = found.end()
                return self.text[start : found.start()]
        raise self.fail(f"\\end{{{name}}} is missing")

    def branches(self) -> tuple[str, str]:
        r"""After an \if... and its condition: what is before \else and what is after, up to \fi."""
        depth, start, middle = 0, self.position, None
        for found in re.compile(r"\\(if(?!f\b)[a-zA-Z]*|else|fi)(?![a-zA-Z])\s*").finditer(
            self.text, start
        ):
            if found[1] == "fi" and not depth:
                end = middle or found
                first = self.text[start : end.start()]
                second = self.text[middle.end() : found.start()] if middle else ""
                self.position = found.end()
                return first, second
            if found[1] == "else" and not depth:
                middle = found
            depth += (found[1] not in ("fi", "else")) - (found[1] == "fi")
        raise self.fail("\\fi is missing")

    def _spaces(self, *, lines: bool = False) -> None:
        # an empty line is a paragraph's end and no space
        pattern = r"\s*" if lines else r"[ \t]*(?:\n(?![ \t]*\n)[ \t]*)?"
        found = re.compile(pattern).match(self.text, self.position)
        assert found
        self.position = found.end()


def split(text: str, separator: str) -> list[str]:
    r"""Parts of a text between separators, `&` or `\\`, that are in no group and no environment."""
    pieces, depth, start = [], 0, 0
    for token, place in _tokens(text):
        if token in ("{", r"\begin"):
            depth += 1
        elif token in ("}", r"\end"):
            depth -= 1
        elif token == separator and not depth:
            pieces.append(text[start:place])
            start = place + len(separator)
    return [*pieces, text[start:]]


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    for found in re.compile(r"\\(?:begin|end)(?![a-zA-Z])|\\.|[{}&]", re.DOTALL).finditer(text):
        yield found[0], found.start()
