"""The report's page: what pandoc makes of the flattened report, in a template of our own."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
import pypandoc

from gradcost.report import svg
from gradcost.report.blocks import (
    Document,
    Element,
    Entry,
    link,
    plain_text,
    polished,
    raw,
    text,
    walk,
)
from gradcost.report.flatten import Flattener
from gradcost.report.tabular import mark
from gradcost.report.tex import TexError

HERE = Path(__file__).parent
_CUT = "<!-- cut -->"


def render(source: Path, folder: Path) -> str:
    """The page of a report.

    Args:
        source: the LaTeX document.
        folder: `reports/<scale>`, where LaTeX would run and the page will be.

    Raises:
        gradcost.report.tex.TexError: if something in the sources cannot be shown.
    """
    flattener = Flattener(folder)
    body = flattener.document(source)
    title, _, subtitle = flattener.title.partition(r"\\")
    subtitle = re.sub(r"^\s*\[[^\]]*\]", "", subtitle).replace(r"\\", " ")
    front = {"title": title, "subtitle": subtitle, "author": flattener.author}
    marks = "".join(mark(name, said) for name, said in front.items() if said.strip())
    read = json.loads(pandoc(marks + body, "latex-auto_identifiers", "json"))
    document = Document.read(read["blocks"])
    parts = [
        [{"t": "Plain", "c": document.title}],
        [{"t": "Plain", "c": document.subtitle}],
        [{"t": "Plain", "c": document.author}],
        [_contents(document.sections)],
        *([_listed(entries)] for entries in document.floats.values()),
        walk(document.blocks, Figures(folder).shown),
    ]
    blocks = [block for part in parts for block in [*part, raw(_CUT)]]
    whole = {**read, "blocks": walk(blocks, polished)}
    names = ("title", "subtitle", "author", "contents", "tables", "figures", "body")
    pieces = pandoc(json.dumps(whole), "json", "html5", "--mathml", "--wrap=none").split(_CUT)
    page = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE), undefined=jinja2.StrictUndefined, autoescape=False
    ).get_template("page.html.jinja")
    return page.render(
        **dict(zip(names, pieces, strict=False)),
        name=plain_text(document.title),
        css=(HERE / "page.css").read_text(),
        script=(HERE / "page.js").read_text(),
    )


def pandoc(content: str, reads: str, writes: str, *options: str) -> str:
    """What pandoc makes of a document; what it warns of, such as a formula, is an error."""
    done = subprocess.run(
        [pypandoc.get_pandoc_path(), "--from", reads, "--to", writes, "--sandbox",
         "--fail-if-warnings", *options],
        input=content, capture_output=True, text=True, check=False, encoding="utf-8",
    )  # fmt: skip
    if done.returncode:
        raise TexError(f"pandoc: {done.stderr.strip()}")
    return done.stdout


@dataclass
class Figures:
    """The images of a report, each shown as the SVG beside the PDF that LaTeX takes."""

    folder: Path
    count: int = field(default=0)

    def shown(self, element: Element) -> Element:
        """An image as an element of HTML; all else as it is."""
        if element["t"] != "Image":
            return element
        (_, _, values), _, (name, _) = element["c"]
        path = self.folder / f"{name}.svg"
        if not path.exists():
            raise TexError(f"there is no figure {name}.svg")
        self.count += 1
        caption = dict(values).get("aria-describedby", "")
        drawn = svg.inline(path, f"image-{self.count}", caption)
        holder = f'<span class="drawing" tabindex="0">{drawn}</span>'
        return {"t": "RawInline", "c": ["html", holder]}


def _contents(sections: list[Entry]) -> Element:
    """The table of contents, with subsections below their sections."""
    items: list[list[Element]] = []
    for entry in sections:
        if entry.level == 1 or not items:
            items.append([_entry(entry)])
            continue
        if len(items[-1]) == 1:
            items[-1].append({"t": "BulletList", "c": []})
        items[-1][1]["c"].append([_entry(entry)])
    return {"t": "BulletList", "c": items}


def _listed(entries: list[Entry]) -> Element:
    return {"t": "BulletList", "c": [[_entry(entry)] for entry in entries]}


def _entry(entry: Entry) -> Element:
    shown = link(f"#{entry.id}", "")
    number: list[Any] = [{"t": "Span", "c": [["", ["number"], []], [text(entry.number)]]}]
    inner = {"t": "Span", "c": [["", [], []], entry.inlines]}
    shown["c"][1] = [*number, inner]
    return {"t": "Plain", "c": [shown]}
