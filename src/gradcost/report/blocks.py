"""pandoc's document: marks become tables and floats, which are numbered and referred to.

The document is pandoc's own JSON: an element is `{"t": type, "c": contents}`. Attributes are
`[id, classes, [[key, value], ...]]`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from gradcost.report.tabular import MARK
from gradcost.report.tex import TexError

Element = dict[str, Any]
_ALIGN = {"l": "AlignLeft", "p": "AlignLeft", "c": "AlignCenter", "r": "AlignRight"}
_KINDS = {"table": "Table", "figure": "Figure"}
_NUMBER = re.compile(r"[+-]|[+-]?[\d.,]+")
_FUNCTION = re.compile(r"\\(log|ln|exp|max|min)(?![a-zA-Z])\s*(?=[a-zA-Z0-9])")
_ID = re.compile(r"[^\w:.-]+")
VERDICTS = ("supported", "contradicted", "inconclusive", "not tested")
LEDGER = 12  # claims from which on a table of claims can be filtered


@dataclass(frozen=True)
class Entry:
    """A line of a table of contents."""

    level: int
    id: str
    number: str
    inlines: list[Element]


@dataclass
class Document:
    """The blocks of the report, in order, with what can be referred to."""

    blocks: list[Element]
    sections: list[Entry] = field(default_factory=list)
    floats: dict[str, list[Entry]] = field(default_factory=lambda: {"table": [], "figure": []})
    title: list[Element] = field(default_factory=list)
    subtitle: list[Element] = field(default_factory=list)
    author: list[Element] = field(default_factory=list)
    numbers: dict[str, str] = field(default_factory=dict)  # label -> number
    _counts: dict[str, int] = field(default_factory=dict)
    _citations: dict[str, int] = field(default_factory=dict)

    @classmethod
    def read(cls, blocks: list[Element]) -> Document:
        """From the blocks that pandoc read of a flattened document."""
        document = cls([])
        document.blocks = list(document._blocks(blocks))
        document.blocks = walk(document.blocks, document._refer)
        return document

    # --- blocks, in order: what is numbered is numbered here ---

    def _blocks(self, blocks: list[Element]) -> Iterator[Element]:
        for block in blocks:
            kind, content = block["t"], block.get("c", [])
            name, values = _mark(block)
            if kind == "Header":
                yield self._header(block)
            elif name in ("title", "subtitle", "author"):
                setattr(self, name, content[1][0]["c"])
            elif name == "appendix":
                self._counts = {**self._counts, "section": 0, "subsection": 0, "appendix": 1}
            elif name == "float":
                yield from self._float(content[1], *values)
            elif name == "table":
                # wide ones scroll, by keyboard too
                table = _table(content[1], *values)
                if "ledger" in table["c"][0][1]:
                    table["c"][0][0] = self._identity("", "ledger", "")
                yield {"t": "Div", "c": [["", ["scroll"], [["tabindex", "0"]]], [table]]}
            elif name == "bibliography":
                yield from self._bibliography(content[1])
            elif name == "abstract":
                inner = list(self._blocks(content[1]))
                yield {"t": "Div", "c": [["abstract", ["abstract"], []], inner]}
            elif name:
                raise TexError(f"a mark out of its place: {name}")
            elif kind == "Div":
                yield {"t": "Div", "c": [content[0], list(self._blocks(content[1]))]}
            else:
                yield {**block, "c": walk(content, self._equation)} if content else block

    def _header(self, block: Element) -> Element:
        level, (label, classes, values), inlines = block["c"]
        number = "" if "unnumbered" in classes or level > 2 else self._count_section(level)
        identity = self._identity(label, plain_text(inlines), number)
        if level <= 2:
            self.sections.append(Entry(level, identity, number, inlines))
        shown = [span([text(number)], "number"), {"t": "Space"}, *inlines] if number else inlines
        return {"t": "Header", "c": [level + 1, [identity, classes, values], shown]}

    def _count_section(self, level: int) -> str:
        if level == 1:
            section = self._count("section")
            self._counts["subsection"] = 0
        else:
            section = self._counts.get("section", 0)
        first = chr(64 + section) if self._counts.get("appendix") else str(section)
        return first if level == 1 else f"{first}.{self._count('subsection')}"

    def _count(self, kind: str) -> int:
        self._counts[kind] = self._counts.get(kind, 0) + 1
        return self._counts[kind]

    def _identity(self, label: str, otherwise: str, number: str) -> str:
        """The anchor of what has a number: its label, or made of `otherwise`; none comes twice."""
        if label:
            if label in self.numbers:
                raise TexError(f"there are two of the label {label}")
            self.numbers[label] = number
            return label
        base = _ID.sub("-", otherwise.lower()).strip("-.") or "part"
        seen = self._count(f"id {base}")
        return base if seen == 1 else f"{base}-{seen}"

    def _float(self, blocks: list[Element], kind: str, *label: str) -> Iterator[Element]:
        captions = [block for block in blocks if _mark(block)[0] == "caption"]
        if len(captions) != 1:
            raise TexError(f"a {kind} has {len(captions)} captions: {plain_text(blocks)[:80]}")
        number = str(self._count(kind))
        identity = self._identity(":".join(label), f"{kind}-{number}", number)
        first, *more = walk(captions[0]["c"][1], _made)
        self.floats[kind].append(Entry(1, identity, number, _before_full_stop(first["c"])))
        named = span([text(f"{_KINDS[kind]} {number}:")], "number")
        described = f"{identity}:caption"
        caption = [
            raw(f'<figcaption id="{described}">'),
            {"t": "Plain", "c": [named, {"t": "Space"}, *first["c"]]},
            *more,
            raw("</figcaption>"),
        ]
        content = self._blocks([block for block in blocks if block not in captions])
        content = walk(list(content), partial(_described, described))
        yield raw(f'<figure id="{identity}" class="{kind}">')
        yield from [*caption, *content] if kind == "table" else [*content, *caption]
        yield raw("</figure>")

    def _bibliography(self, blocks: list[Element]) -> Iterator[Element]:
        heading = {
            "t": "Header",
            "c": [1, ["references", ["unnumbered"], []], [text("References")]],
        }
        yield self._header(heading)
        items = []
        for index, block in enumerate(blocks, 1):
            _, (key,) = _mark(block)
            self._citations[key] = index
            items.append([{"t": "Div", "c": [[f"cite:{key}", [], []], block["c"][1]]}])
        style = [1, {"t": "Decimal"}, {"t": "Period"}]
        yield {
            "t": "Div",
            "c": [["", ["references"], []], [{"t": "OrderedList", "c": [style, items]}]],
        }

    def _equation(self, element: Element) -> Element:
        """Equations with a label have a number."""
        if element["t"] != "Math" or element["c"][0]["t"] != "DisplayMath":
            return element
        found = re.search(r"\\label\{([^{}]*)\}", element["c"][1])
        if not found:
            return element
        number = str(self._count("equation"))
        self.numbers[found[1]] = number
        formula = {"t": "Math", "c": [element["c"][0], element["c"][1].replace(found[0], "")]}
        named = span([text(f"({number})")], "equation-number")
        return {"t": "Span", "c": [[found[1], ["equation"], []], [formula, named]]}

    # --- what refers to what was numbered, when all is ---

    def _refer(self, element: Element) -> Element:
        if element["t"] == "Link":
            (_, _, values), _, _ = element["c"]
            wanted = dict(values)
            if "reference" in wanted:
                label = wanted["reference"]
                if label not in self.numbers:
                    raise TexError(f"nothing has the label {label}")
                shown = self.numbers[label]
                shown = f"({shown})" if wanted["reference-type"] == "eqref" else shown
                return link(f"#{label}", shown)
        if element["t"] == "Cite":
            keys = [one["citationId"] for one in element["c"][0]]
            missing = [key for key in keys if key not in self._citations]
            if missing:
                raise TexError(f"the references lack {', '.join(missing)}")
            inner: list[Element] = []
            for key in sorted(keys, key=lambda key: self._citations[key]):
                inner += [text(", ")] * bool(inner)
                inner.append(link(f"#cite:{key}", str(self._citations[key])))
            return span([text("["), *inner, text("]")], "citation")
        return element


def _table(rows: list[Element], align: str) -> Element:
    """A table of marked rows."""
    head: list[Any] = []
    bodies: list[list[Any]] = []
    for row in rows:
        kind, looks = _mark(row)
        classes = [f"has-{look}" for look in looks] + ([kind] if kind in ("group", "sub") else [])
        made = [["", classes, []], [_cell(cell) for cell in row["c"][1]]]
        if kind == "head":
            head.append(made)
            continue
        if not bodies or "rule" in looks or kind in ("group", "sub"):
            bodies.append([["", ["has-rule"] * ("rule" in looks), []], 1, [], []])
        # above the rows of its group, or pandoc would take it for as narrow as their first cells
        bodies[-1][3 if kind == "row" else 2].append(made)
    columns = [[{"t": _ALIGN[one]}, {"t": "ColWidthDefault"}] for one in align]
    attributes: list[Any] = ["", [], []]
    _tell_verdicts(attributes, head, bodies)
    nothing = ["", [], []]
    return {
        "t": "Table",
        "c": [attributes, [None, []], columns, [nothing, head], bodies, [nothing, []]],
    }


def _cell(mark: Element) -> list[Any]:
    _, (align, span, *looks) = _mark(mark)
    blocks = [
        _table(b["c"][1], *_mark(b)[1]) if _mark(b)[0] == "table" else b for b in mark["c"][1]
    ]
    if [block["t"] for block in blocks] == ["Para"]:
        blocks = [{"t": "Plain", "c": blocks[0]["c"]}]
    looks += ["long"] * (align == "p")
    return [["", looks, []], {"t": _ALIGN[align]}, 1, int(span), blocks]


def _tell_verdicts(attributes: list[Any], head: list[Any], bodies: list[Any]) -> None:
    """Where a table has claims with verdicts, its rows say which, and it says that it has some."""
    names = [plain_text(cell[4]).strip().lower() for cell in head[-1][1]] if head else []
    if "verdict" not in names:
        return
    place, found = names.index("verdict"), 0
    for *_, rows in bodies:
        for (_, _, values), cells in rows:
            said = plain_text(cells[place][4]).lower() if len(cells) == len(names) else ""
            # a cell may say more after its verdict
            if verdict := min(filter(said.__contains__, VERDICTS), key=said.find, default=None):
                values.append(["verdict", verdict])
                cells[place][0][1].append("verdict")
                found += 1
    if found:
        attributes[1].append("claims")
    if found >= LEDGER:
        attributes[1].append("ledger")


def _mark(block: Element) -> tuple[str, list[str]]:
    """The name and values of a mark; no name if it is another block."""
    if block["t"] == "Div":
        for name in block["c"][0][1]:
            if name.startswith(MARK):
                first, *values = name.removeprefix(MARK).split(":")
                return first, values
    return "", []


def _made(element: Element) -> Element:
    """Links below a caption to what made it."""
    if element["t"] == "Span" and element["c"][0][0] == "gc-made":
        return {"t": "Span", "c": [["", ["made"], []], element["c"][1]]}
    return element


def _before_full_stop(inlines: list[Element]) -> list[Element]:
    """A caption's first sentence, or the part of it before a colon, without links."""
    found: list[Element] = []
    for element in inlines:
        if element["t"] == "Span":
            break
        if element["t"] == "Str" and element["c"][-1] in ".:;,":
            return [*found, text(element["c"][:-1])]
        found.append(element)
    return found


def _described(caption: str, element: Element) -> Element:
    """Tables and images say which caption is theirs."""
    if element["t"] in ("Table", "Image"):
        (identity, classes, values), *rest = element["c"]
        values = [*values, ["aria-describedby", caption]]
        return {"t": element["t"], "c": [[identity, classes, values], *rest]}
    return element


def raw(html: str) -> Element:
    """HTML as it is."""
    return {"t": "RawBlock", "c": ["html", html]}


def text(content: str) -> Element:
    """A piece of text."""
    return {"t": "Str", "c": content}


def span(inlines: list[Element], name: str) -> Element:
    """Inlines of a class."""
    return {"t": "Span", "c": [["", [name], []], inlines]}


def link(target: str, content: str) -> Element:
    """A link with a text."""
    return {"t": "Link", "c": [["", [], []], [text(content)], [target, ""]]}


def plain_text(element: Any) -> str:
    """All the words in an element or in several."""
    if isinstance(element, list):
        return "".join(map(plain_text, element))
    if not isinstance(element, dict):
        return ""
    kind, content = element["t"], element.get("c", [])
    if kind in ("Str", "Code"):
        return str(content if kind == "Str" else content[1])
    if kind in ("Space", "SoftBreak", "LineBreak"):
        return " "
    if kind == "Math":
        return str(content[1])
    return plain_text(content) if isinstance(content, list) else ""


def walk(element: Any, change: Callable[[Element], Element]) -> Any:
    """A copy in which every element, the innermost first, is what `change` makes of it."""
    if isinstance(element, list):
        return [walk(one, change) for one in element]
    if isinstance(element, dict):
        inner = {key: walk(value, change) for key, value in element.items()}
        return change(inner) if "t" in inner else inner
    return element


def polished(element: Element) -> Element:
    """Numbers are text, which may be bold, not mathematics; lines break where TeX breaks them."""
    if element["t"] == "Math" and _NUMBER.fullmatch(element["c"][1]):
        return text(element["c"][1].replace("-", "\N{MINUS SIGN}"))
    if element["t"] == "Math":
        # MathML leaves no space around the names of functions
        return {"t": "Math", "c": [element["c"][0], _FUNCTION.sub(r"\\,\\\1\\,", element["c"][1])]}
    if element["t"] == "Str":
        # a thin space is no place to break a line at
        return text(element["c"].replace("\N{SIX-PER-EM SPACE}", "\N{NARROW NO-BREAK SPACE}"))
    if element["t"] in ("Para", "Plain", "Emph", "Strong"):
        return {"t": element["t"], "c": _held_together(element["c"])}
    return element


def _held_together(inlines: list[Element]) -> list[Element]:
    """No line breaks between a formula and the sign after it, as none does in TeX."""
    found: list[Element] = []
    for element in inlines:
        before = found[-1] if found else None
        if before and before["t"] == "Math" and element["t"] == "Str":
            sign = re.match(r"[.,;:!?)\]]+", element["c"])
            if sign:
                found[-1] = span([before, text(sign[0])], "together")
                rest = element["c"][sign.end() :]
                found += [text(rest)] if rest else []
                continue
        found.append(element)
    return found
