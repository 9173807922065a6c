"""How right an answer in words is: strictly, and as the paper's public code has it.

A scorer takes the generated text and the references, and returns a score from 0 to 1.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import NamedTuple

Scorer = Callable[[str, Sequence[str]], float]


class Scorers(NamedTuple):
    """The scorer that counts, and the lenient one of the public code beside it."""

    strict: Scorer
    published: Scorer


_NUMBER = re.compile(r"(?<![\w.])[-−]?\s?[$€£]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?!\d)")


def number(text: str, references: Sequence[str]) -> float:
    """Whether the answer's number is that of the reference (GSM8K: Cobbe et al., 2021).

    The number after the last `####`, where a worked solution ends in it; else the last of the
    first line that has one: the target is a number alone, and what a model adds on later lines
    is another question. Thousands' commas, signs of currencies, per cent and units do not
    matter, nor does 18.0 for 18. A fraction as 1/2 is two numbers, and its last one counts.
    """
    return float(_number(text) is not None and _number(text) == _number(references[0]))


def _number(text: str) -> Decimal | None:
    marked = text.rpartition("####")
    lines = (marked[2] if marked[1] else text).splitlines()
    for line in lines:
        if found := _NUMBER.findall(line):
            first = found[0] if marked[1] else found[-1]
            return Decimal(re.sub(r"[^\d.-]", "", first.replace("−", "-")))
    return None


def published_number(text: str, references: Sequence[str]) -> float:
    """Whether the reference is anywhere in what follows the answer's marker: 15 for 5 is right."""
    after = text.rpartition("### A:")
    return float(references[0] in (after[2] if after[1] else text))


_LETTER = re.compile(r"(?<![\w'’])\(?([A-D])\)?(?![\w'’])")


_ARTICLE = re.compile(r"\bA (?=[a-z])(?!(?:or|and|is|was|because|since|as)\b)")


def letter(text: str, references: Sequence[str]) -> float:
    """Whether the answer names the reference's letter and no other (MMLU: Hendrycks et al., 2021).

    Of the first line that is not empty. A letter stands for a choice if it is a capital by itself,
    in brackets or before a full stop; `A` before a word in lower case is an article, unless the
    word is one that follows a choice, as in `A or B` and `A is right`.
    """
    line = next((line for line in text.splitlines() if line.strip()), "")
    line = _ARTICLE.sub("", line)
    return float(set(_LETTER.findall(line)) == {references[0]})


def published_letter(text: str, references: Sequence[str]) -> float:
    """Whether the letter is anywhere in the text, as in a word.

    The public code also takes the letter with the highest logit in place of the truth, which
    cannot be told from a text.
    """
    return float(references[0] in text)


def vqa(text: str, references: Sequence[str]) -> float:
    """The VQA accuracy (Antol et al., 2015): mean of min(1, matches / 3) over the people but one.

    Ten references give 0, 0.3, 0.6, 0.9 and 1 for 0, 1, 2, 3 and more people who said the same.
    With fewer than four references, of which there is none to leave out, one match is enough.
    Answers are compared in lower case, without articles and punctuation, number words as digits
    (Goyal et al., 2017), in the first line alone. So they are where all people agree too; the
    official evaluator compares those in lower case alone. An empty answer is never right.
    """
    line = next((line for line in text.splitlines() if line.strip()), "")
    if not line:
        return 0.0
    said = _compared(line)
    matches = [_compared(reference) == said for reference in references]
    if len(references) < 4:
        return float(any(matches))
    total = sum(matches)
    return sum(min(1.0, (total - match) / 3) for match in matches) / len(matches)


_WORDS = "none zero one two three four five six seven eight nine ten".split()
_DIGITS = {word: str(max(0, index - 1)) for index, word in enumerate(_WORDS)}
# Those of the official evaluator's table, in which each is spelt without one of its apostrophes.
# What is another word without it is none of them: its, lets, shell, well.
_CONTRACTIONS = {
    word[: mark.start()] + word[mark.end() :]: word
    for word in (
        "ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've "
        "hasn't haven't he'd he'd've he's how'd how'll how's i'd've i'm i've isn't it'd it'd've "
        "it'll ma'am might've mightn't mightn't've must've mustn't needn't not've o'clock oughtn't "
        "'ow's'at shan't she'd've should've shouldn't shouldn't've somebody'd somebody'd've "
        "somebody'll somebody's someone'd someone'd've someone'll someone's something'd "
        "something'd've something'll that's there'd there'd've there're there's they'd they'd've "
        "they'll they're they've 'twas wasn't we'd've we've weren't what'll what're what's what've "
        "when's where'd where's where've who'd who'd've who'll who's who've why'll why're why's "
        "won't would've wouldn't wouldn't've y'all y'all'd've y'all'll you'd you'd've you'll "
        "you're you've"
    ).split()
    for mark in re.finditer("'", word)
}


def _compared(answer: str) -> str:
    # an answer that is an article or a mark alone is compared as it is
    return normalised(answer) or answer.strip().lower()


def normalised(answer: str) -> str:
    """An answer as answers are compared."""
    text = answer.lower().strip()
    # between digits a comma is one of thousands, and a point one of decimals
    text = re.sub(r"(?<=\d),(?=\d)", "", text)
    text = re.sub(r"(?<!\d)\.|\.(?!\d)", "", text)
    text = re.sub(r"[;/\[\]\"{}()=+\\_\-<>@`,?!:]", " ", text)
    words = (_CONTRACTIONS.get(word, _DIGITS.get(word, word)) for word in text.split())
    return " ".join(word for word in words if word not in ("a", "an", "the"))


def published_vqa(text: str, references: Sequence[str]) -> float:
    """Whether the answer is in the references joined, or they in it: no answer is right."""
    said, joined = text.strip().lower(), ";".join(references).lower()
    return float(said in joined or joined in said)


SCORERS = {
    "number": Scorers(number, published_number),
    "letter": Scorers(letter, published_letter),
    "vqa": Scorers(vqa, published_vqa),
}
