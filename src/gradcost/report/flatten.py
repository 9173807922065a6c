r"""LaTeX with the project's macros -> LaTeX that pandoc reads.

As TeX does it, from left to right: files are read in, results put in, conditions decided, macros
expanded. What only sets a printed page is left out, by name. Floats, tabulars and what else pandoc
does not keep become marks (`tabular.mark`). Any other command is an error, with its place.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from gradcost.report.tabular import convert, mark
from gradcost.report.tex import Reader, TexError, excerpt, without_comments

# commands that pandoc reads
PANDOC = frozenset(
    """itshape bfseries em emph textbf textit texttt textsc textrm textsf textsuperscript
    textsubscript underline url section subsection subsubsection paragraph label ref eqref citep
    cite item footnote newline
    textquotedbl textless textgreater textbackslash textasciitilde textasciicircum textdegree textmu
    ldots dots ss ae AE oe OE o O aa AA"""
    .split()
)  # fmt: skip
# and after a backslash; accents among them
_SYMBOLS = frozenset("%&$#_{} \n\t,-'`^\"~=.\\")
# those that it drops, and what they print
PRINTED = {
    "textpm": "±", "texttimes": "×", "textbar": "|", "textellipsis": "…", "textperiodcentered": "·",
    "allowbreak": "\N{ZERO WIDTH SPACE}", "quad": "\N{EM SPACE}",
    "qquad": "\N{EM SPACE}\N{EM SPACE}",
    ";": "\N{FOUR-PER-EM SPACE}", ":": "\N{FOUR-PER-EM SPACE}", "!": "", "/": "", "@": "",
}  # fmt: skip
# what only sets a printed page, with the number of its arguments
LAYOUT = {
    **dict.fromkeys(
        """centering raggedright raggedleft noindent small footnotesize scriptsize tiny normalsize
        large Large LARGE mdseries upshape normalfont boldmath unboldmath
        smallskip medskip bigskip clearpage newpage maketitle frenchspacing
        raggedbottom sloppy hfill vfill leavevmode null selectfont protect strut relax
        FloatBarrier tableofcontents bgroup egroup arraybackslash
        makeatletter makeatother""".split(),
        0,
    ),
    **dict.fromkeys(
        """documentclass usepackage geometry hypersetup vspace hspace pagestyle thispagestyle
        pdftrailerid phantom vphantom errmessage captionsetup urlstyle addtocontents enlargethispage
        graphicspath extrafloats""".split(),
        1,
    ),
    **dict.fromkeys("setlength addtolength setcounter addtocounter fontsize".split(), 2),
    "addcontentsline": 3,
}  # fmt: skip
_ASSIGNED = re.compile(r"(pdfinfoomitdate|pdfsuppressptexinfo)\s*=\s*-?\d+")
_MATHS = ("equation", "align", "gather", "multline", "displaymath", "math", "eqnarray")
_FLOATS = ("figure", "table")
_TABULARS = {"tabular": 0, "tabular*": 1, "tabularx": 1, "longtable": 0, "array": 0}
_PLAIN = frozenset("itemize enumerate description center quote quotation".split())
_IGNORED = frozenset("document landscape minipage footnotesize small scriptsize".split())
_LABEL = re.compile(r"\\label\{([^{}]*)\}")


@dataclass(frozen=True)
class Macro:
    """A macro of the sources: its number of arguments, the first one's default, and its body."""

    count: int
    default: str | None
    body: str


@dataclass
class Flattener:
    """The state of a reading of the sources.

    Args:
        folder: where LaTeX would run: what files are named from, and where generated ones are.
    """

    folder: Path
    macros: dict[str, Macro] = field(default_factory=dict)
    results: dict[str, str] = field(default_factory=dict)
    standing: dict[str, str] = field(default_factory=dict)  # part of the report -> its records
    conditions: dict[str, bool] = field(default_factory=dict)
    boxes: dict[str, str] = field(default_factory=dict)
    title: str = ""
    author: str = ""

    def document(self, source: Path) -> str:
        """The flattened body of a LaTeX document; its title and author are then known."""
        text = without_comments(source.read_text())
        preamble, begin, body = text.partition(r"\begin{document}")
        if not begin:
            raise TexError(f"{source.name} has no document")
        self.text(preamble)
        return self.text(Reader(body).environment("document"))

    def text(self, source: str, *, math: bool = False) -> str:
        """Flattened; in mathematics commands that are not ours are pandoc's to judge."""
        reader, out = Reader(source), []
        while reader:
            out.append(reader.plain())
            if not reader:
                break
            if reader.text[reader.position] == "$":
                out.append(self._dollars(reader))
                continue
            place = reader.position
            read = reader.command()
            if read is None:
                raise reader.fail("a backslash at the end")
            name, written = read
            try:
                out.append(self._command(reader, name, written, math=math))
            except TexError as error:
                if "..." in str(error):
                    raise
                raise TexError(f"{error}: ... {excerpt(source, place)} ...") from None
        return "".join(out)

    def _dollars(self, reader: Reader) -> str:
        fence = "$$" if reader.text.startswith("$$", reader.position) else "$"
        reader.position += len(fence)
        return f"{fence}{self.text(reader.until(fence), math=True)}{fence}"

    def _command(self, reader: Reader, name: str, written: str, *, math: bool) -> str:
        if own := _OWN.get(name):
            return own(self, reader)
        if name in self.macros:
            return self.text(self._expanded(reader, self.macros[name]), math=math)
        if name.startswith("if") and name.removeprefix("if") in self.conditions:
            return self._either(reader, self.conditions[name.removeprefix("if")], math=math)
        for suffix, value in (("true", True), ("false", False)):
            if name.endswith(suffix) and name.removesuffix(suffix) in self.conditions:
                self.conditions[name.removesuffix(suffix)] = value
                return ""
        if math or name in PANDOC or name in _SYMBOLS:
            return written
        if name in PRINTED:
            return PRINTED[name]
        if name in LAYOUT:
            if LAYOUT[name]:
                reader.optional()
            reader.arguments(LAYOUT[name])
            return ""
        if found := _ASSIGNED.match(written.removeprefix("\\") + reader.text[reader.position :]):
            reader.position += found.end() - len(written) + 1
            return ""
        raise TexError(f"the HTML report does not know \\{name}")

    def _expanded(self, reader: Reader, macro: Macro) -> str:
        given: list[str] = []
        if macro.default is not None:
            own = reader.optional()
            given.append(macro.default if own is None else own)
        given += reader.arguments(macro.count - len(given))
        return re.sub(r"#(\d)", lambda found: given[int(found[1]) - 1], macro.body)

    def _either(self, reader: Reader, holds: bool, *, math: bool = False) -> str:
        return self.text(reader.branches()[0 if holds else 1], math=math)

    def named(self, argument: str) -> str:
        """A name or path, all of whose macros are expanded."""
        return self.text(argument).strip()

    # --- one function for each command of ours ---

    def _begin(self, reader: Reader) -> str:
        name = reader.argument()
        if name in _TABULARS:
            return self._tabular(reader, name)
        inner = reader.environment(name)
        base = name.removesuffix("*")
        if base in _MATHS:
            return f"\\begin{{{name}}}{self.text(inner, math=True)}\\end{{{name}}}"
        if base in _FLOATS:
            return self._float(base, inner)
        if name == "abstract":
            return mark("abstract", self.text(inner))
        if name == "thebibliography":
            return self._bibliography(inner)
        if name in _PLAIN:
            return f"\\begin{{{name}}}{self.text(inner)}\\end{{{name}}}"
        if name in _IGNORED:
            reader = Reader(inner)
            reader.optional()
            reader.arguments(name == "minipage")
            return f"\n\n{self.text(inner[reader.position :])}\n\n"
        raise TexError(f"the HTML report does not know the environment {name}")

    def _tabular(self, reader: Reader, name: str) -> str:
        inner = Reader(reader.environment(name))
        inner.optional()
        *_, columns = inner.arguments(_TABULARS[name] + 1)
        body = inner.text[inner.position :]
        caption = ""
        if name == "longtable" and r"\caption" in body:
            body, caption = _without_captions(body)
        table = convert(columns, _Cells(self).text(body))
        return self._float("table", caption, table) if caption else table

    def _float(self, kind: str, inner: str, more: str = "") -> str:
        reader = Reader(inner)
        reader.optional()
        content = self.text(inner[reader.position :]) + more
        labels = _LABEL.findall(content)
        if len(labels) > 1:
            raise TexError(f"a float has several labels: {', '.join(labels)}")
        return mark("float", _LABEL.sub("", content), kind, *labels)

    def _bibliography(self, inner: str) -> str:
        _, *items = inner.split(r"\bibitem")
        found = []
        for item in items:
            reader = Reader(item)
            reader.optional()  # names, for other styles of citation
            key = reader.argument()
            found.append(mark("bibitem", self.text(item[reader.position :]), key))
        return mark("bibliography", "".join(found))

    def _caption(self, reader: Reader) -> str:
        reader.optional()
        return mark("caption", self.text(reader.argument()))

    def _result(self, reader: Reader) -> str:
        name = self.named(reader.argument())
        if name not in self.results:
            raise TexError(f"no result is called {name}")
        return self.text(self.results[name])

    def _defresult(self, reader: Reader) -> str:
        name, value = reader.arguments(2)
        self.results[name] = value
        return ""

    def _standing(self, reader: Reader) -> str:
        name, inner = reader.arguments(2)
        return self.text(inner) if self.named(name) in self.standing else ""

    def _defstanding(self, reader: Reader) -> str:
        name, records = reader.arguments(2)
        self.standing[name] = records
        return ""

    def _made(self, reader: Reader) -> str:
        name, module = map(self.named, reader.arguments(2))
        if name not in self.standing:
            return ""
        links = {
            "config": "../../config.yaml",
            "code": f"../../src/gradcost/{module}.py",
            "records": self.standing[name],
        }
        said = " ".join(f"\\href{{{path}}}{{{text}}}" for text, path in links.items() if path)
        return rf"\hypertarget{{gc-made}}{{{said}}}"

    def _input(self, reader: Reader) -> str:
        name = self.named(reader.argument())
        path = self.folder / name
        if not path.suffix:
            path = path.with_name(f"{path.name}.tex")
        if not path.exists():
            raise TexError(f"there is no file {name}")
        return self.text(without_comments(path.read_text()))

    def _if_file_exists(self, reader: Reader) -> str:
        name, there, missing = reader.arguments(3)
        path = self.folder / self.named(name)
        return self.text(there if path.exists() else missing)

    def _if_name(self, reader: Reader) -> str:
        table, _, name = self.named(reader.until(r"\endcsname")).partition("@")
        return self._either(reader, name in self._named_by(table))

    def _name(self, reader: Reader) -> str:
        table, _, name = self.named(reader.until(r"\endcsname")).partition("@")
        if name not in self._named_by(table):
            raise TexError(f"no {table} is called {name}")
        return self.text(self._named_by(table)[name])

    def _named_by(self, table: str) -> dict[str, str]:
        if table not in ("result", "standing"):
            raise TexError(f"the HTML report does not know \\csname {table}@")
        return self.results if table == "result" else self.standing

    def _if_dimension(self, reader: Reader) -> str:
        # a page on a screen is as wide as need be: nothing is too wide for it
        return self.text(reader.branches()[1])

    def _setbox(self, reader: Reader) -> str:
        name, content = reader.arguments(2)
        self.boxes[name] = self.text(content)
        return ""

    def _usebox(self, reader: Reader) -> str:
        name = reader.argument()
        if name not in self.boxes:
            raise TexError(f"nothing is in box {name}")
        return self.boxes[name]

    def _new_condition(self, reader: Reader) -> str:
        self.conditions[reader.argument().removeprefix("\\if")] = False
        return ""

    def _new_macro(self, reader: Reader) -> str:
        name = reader.argument().removeprefix("\\")
        count, default = reader.optional(), reader.optional()
        body = reader.argument()
        if name not in _OWN and name not in LAYOUT:
            self.macros[name] = Macro(int(count or 0), default, body)
        return ""

    def _new_default(self, reader: Reader) -> str:
        place = reader.position
        name = reader.argument().removeprefix("\\")
        if name in self.macros:
            reader.optional(), reader.optional(), reader.argument()
            return ""
        reader.position = place
        return self._new_macro(reader)

    def _new_expanded(self, reader: Reader) -> str:
        name, body = reader.arguments(2)
        self.macros[name.removeprefix("\\")] = Macro(0, None, self.text(body))
        return ""

    def _title(self, reader: Reader) -> str:
        self.title = self.text(reader.argument())
        return ""

    def _author(self, reader: Reader) -> str:
        self.author = self.text(reader.argument())
        return ""

    def _math_in_brackets(self, reader: Reader) -> str:
        inner = reader.until(r"\]")
        return rf"\[{self.text(inner, math=True)}\]"

    def _math_in_parentheses(self, reader: Reader) -> str:
        inner = reader.until(r"\)")
        return rf"\({self.text(inner, math=True)}\)"

    def _image(self, reader: Reader) -> str:
        reader.optional()
        return rf"\includegraphics{{{self.named(reader.argument())}}}"

    def _link(self, reader: Reader) -> str:
        target, text = reader.arguments(2)
        # a target is no text: what it says is taken as it is
        return rf"\href{{{self.named(target)}}}{{{self.text(text)}}}"


class _Cells(Flattener):
    """A tabular's body: commands that `tabular` reads pass."""

    def __init__(self, outer: Flattener) -> None:
        self.__dict__ = outer.__dict__  # one state, within a table and without

    def _command(self, reader: Reader, name: str, written: str, *, math: bool) -> str:
        if name in _OF_TABULARS and not math:
            return written
        return super()._command(reader, name, written, math=math)


_OF_TABULARS = frozenset(
    """toprule midrule bottomrule cmidrule hline addlinespace multicolumn
    endhead endfirsthead endfoot endlastfoot""".split()
)  # fmt: skip


def _without_captions(body: str) -> tuple[str, str]:
    r"""A longtable's rows without its captions and labels, and the first of them."""
    found, caption = re.search(r"\\caption(?![a-zA-Z*])", body), ""
    while found:
        reader = Reader(body, found.end())
        reader.optional()
        text = reader.argument()
        after = body[reader.position :]
        label = _LABEL.match(after.lstrip())
        if label:
            after = after.lstrip()[label.end() :]
        caption = caption or f"\\caption{{{text}}}{label[0] if label else ''}"
        # the caption's own line ends with it
        body = body[: found.start()] + re.sub(r"^\s*\\\\(\[[^\]]*\])?", "", after)
        found = re.search(r"\\caption(?![a-zA-Z*])", body)
    return body, caption


def _nothing(count: int) -> Callable[[Flattener, Reader], str]:
    def skip(flattener: Flattener, reader: Reader) -> str:
        reader.arguments(count)
        return ""

    return skip


def _text_of(count: int) -> Callable[[Flattener, Reader], str]:
    """Of so many arguments the last one is the text."""

    def take(flattener: Flattener, reader: Reader) -> str:
        reader.optional()
        return flattener.text(reader.arguments(count)[-1])

    return take


def _typewriter(flattener: Flattener, reader: Reader) -> str:
    """A declaration that pandoc takes no notice of; it holds up to the end of its group."""
    return rf"\texttt{{{flattener.text(reader.rest())}}}"


def _paragraph(flattener: Flattener, reader: Reader) -> str:
    return "\n\n"


def _appendix(flattener: Flattener, reader: Reader) -> str:
    return mark("appendix", "")


_OWN: dict[str, Callable[[Flattener, Reader], str]] = {
    "begin": Flattener._begin,
    "caption": Flattener._caption,
    "result": Flattener._result,
    "defresult": Flattener._defresult,
    "standing": Flattener._standing,
    "defstanding": Flattener._defstanding,
    "made": Flattener._made,
    "input": Flattener._input,
    "IfFileExists": Flattener._if_file_exists,
    "ifcsname": Flattener._if_name,
    "csname": Flattener._name,
    "ifdim": Flattener._if_dimension,
    "sbox": Flattener._setbox,
    "usebox": Flattener._usebox,
    "newif": Flattener._new_condition,
    "newcommand": Flattener._new_macro,
    "renewcommand": Flattener._new_macro,
    "DeclareRobustCommand": Flattener._new_macro,
    "providecommand": Flattener._new_default,
    "edef": Flattener._new_expanded,
    "title": Flattener._title,
    "author": Flattener._author,
    "date": _nothing(1),
    "[": Flattener._math_in_brackets,
    "(": Flattener._math_in_parentheses,
    "includegraphics": Flattener._image,
    "href": Flattener._link,
    "appendix": _appendix,
    "par": _paragraph,
    "ttfamily": _typewriter,
    # boxes and the like: their text is what counts
    "resizebox": _text_of(3),
    "shortstack": _text_of(1),
    "rlap": _text_of(1),
    "llap": _text_of(1),
    "mbox": _text_of(1),
    "makebox": _text_of(1),
    "parbox": _text_of(2),
    "nolinkurl": _text_of(1),
    "multirow": _text_of(3),
    "textcolor": _text_of(2),
    "rotatebox": _text_of(2),
    "adjustbox": _text_of(2),
    "makecell": _text_of(1),
}  # fmt: skip
