"""Answers made by hand, and what they are worth: strictly, and as published."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcost.tasks import scorers
from gradcost.tasks.scorers import SCORERS

TEN = ["blue"] * 4 + ["dark blue"] * 3 + ["navy"] * 2 + ["black"]
NUMBERS = [
    # text, reference, strict, published
    ("18", "18", 1, 1),
    (" 18", "18", 1, 1),
    ("18.", "18", 1, 1),
    ("18.0", "18", 1, 1),
    ("$18", "18", 1, 1),
    ("18 %", "18", 1, 1),
    ("18 dollars a day", "18", 1, 1),
    ("1,250", "1250", 1, 0),
    ("1250", "1,250", 1, 0),
    ("-3", "-3", 1, 1),
    ("−3", "-3", 1, 0),
    ("3", "-3", 0, 0),
    ("-$3", "-3", 1, 0),
    ("15", "5", 0, 1),
    ("5", "15", 0, 0),
    ("0.5", "5", 0, 1),
    ("", "5", 0, 0),
    ("   \n", "5", 0, 0),
    ("five", "5", 0, 0),
    ("She has 3 + 4 = 7", "7", 1, 1),
    ("She has 3 + 4 = 7", "3", 0, 1),
    ("so 3 + 4 = <<3+4=7>>7\n#### 7", "7", 1, 1),
    ("#### 7 eggs and 2 more", "7", 1, 1),
    ("18\nQuestion: what is 2 + 3?\nAnswer: 5", "18", 1, 1),
    ("18\nQuestion: what is 2 + 3?\nAnswer: 5", "5", 0, 1),
    ("### A: 12", "12", 1, 1),
    ("12 is wrong ### A: 13", "12", 0, 0),
    ("1/2", "2", 1, 1),
    ("B12", "12", 0, 1),
]
LETTERS = [
    ("B", "B", 1, 1),
    (" B", "B", 1, 1),
    ("B.", "B", 1, 1),
    ("(B)", "B", 1, 1),
    ("B) four", "B", 1, 1),
    ("The answer is B", "B", 1, 1),
    ("The answer is B.\nC is wrong", "B", 1, 1),
    ("b", "B", 0, 0),
    ("Because", "B", 0, 1),
    ("A or B", "B", 0, 1),
    ("A", "B", 0, 0),
    ("", "B", 0, 0),
    ("A cat", "A", 0, 1),
    ("A is right", "A", 1, 1),
    ("A", "A", 1, 1),
    ("E", "A", 0, 0),
    ("B's", "B", 0, 1),
]
VQA = [
    ("blue", TEN, 1, 1),
    ("Blue.", TEN, 1, 0),
    ("the blue", TEN, 1, 0),
    ("dark blue", TEN, 0.9, 1),
    ("navy", TEN, 0.6, 1),
    ("black", TEN, 0.3, 1),
    ("green", TEN, 0, 0),
    ("", TEN, 0, 1),
    ("lu", TEN, 0, 1),
    ("blue\nand more", TEN, 1, 0),
    ("two", ["2"] * 10, 1, 0),
    ("2", ["two"] * 10, 1, 0),
    ("1,000", ["1000"] * 10, 1, 0),
    ("2.5", ["2.5"] * 10, 1, 1),
    ("25", ["2.5"] * 10, 0, 0),
    ("dont walk", ["don't walk"] * 10, 1, 0),
    ("t-shirt", ["t shirt"] * 10, 1, 0),
    ("circle", ["circle"], 1, 1),
    ("square", ["circle"], 0, 0),
    ("yes, it is", ["yes"] * 10, 0, 0),
    # nothing is left of these without articles and marks
    ("A", ["a"] * 10, 1, 1),
    ("the", ["the"] * 10, 1, 1),
    ("?", ["?"] * 10, 1, 1),
    ("the", ["a"] * 10, 0, 0),
    ("?", ["a"] * 10, 0, 0),
    ("", ["a"] * 10, 0, 1),
    ("", [""] * 10, 0, 1),
    (" ", ["?"] * 10, 0, 1),
    ("a", [""] * 10, 0, 0),
]


@pytest.mark.parametrize(
    ("scorer", "text", "references", "strict", "published"),
    [("number", text, [known], *scores) for text, known, *scores in NUMBERS]
    + [("letter", text, [known], *scores) for text, known, *scores in LETTERS]
    + [("vqa", text, known, *scores) for text, known, *scores in VQA],
)
def test_an_answer_is_worth_what_it_should_be(scorer, text, references, strict, published):
    assert SCORERS[scorer].strict(text, references) == pytest.approx(strict)
    assert SCORERS[scorer].published(text, references) == published


@pytest.mark.parametrize(
    "word",
    "ain't could've he's how'd i'm i've ma'am o'clock someone's that's 'twas what's won't y'all "
    "you're".split(),
)
def test_an_apostrophe_may_be_left_out(word):
    assert scorers.normalised(word.replace("'", "")) == word
    assert scorers.vqa(word.replace("'", ""), [word] * 10) == 1


@pytest.mark.parametrize("word", "couldn't've y'all'd've 'ow's'at".split())
def test_of_several_apostrophes_one_may_be_left_out(word):
    places = [place for place, mark in enumerate(word) if mark == "'"]
    for place in places:
        assert scorers.normalised(word[:place] + word[place + 1 :]) == word


@pytest.mark.parametrize("word", "its lets shes hell ill shed shell wed well were id".split())
def test_what_is_a_word_without_an_apostrophe_stays(word):
    assert scorers.normalised(word) == word


@given(st.integers(-(10**9), 10**9), st.integers(-(10**9), 10**9))
def test_numbers_are_right_if_they_are_equal(said, known):
    for text in (str(said), f"{said:,}", f"{said}.00", f"The answer is {said} eggs."):
        assert scorers.number(text, [str(known)]) == (said == known)
        assert scorers.number(text, [f"{said:,}"]) == 1


@given(st.text(max_size=30), st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=10))
def test_scores_are_between_nothing_and_one(text, references):
    for strict, published in SCORERS.values():
        assert 0 <= strict(text, references) <= 1
        assert published(text, references) in (0, 1)


@given(st.permutations(TEN), st.sampled_from([*TEN, "red"]))
def test_the_order_of_the_people_does_not_matter(people, said):
    assert scorers.vqa(said, people) == pytest.approx(scorers.vqa(said, TEN))


@given(st.sampled_from("ABCD"), st.sampled_from("ABCD"))
def test_one_letter_is_right_and_two_are_not(said, known):
    assert scorers.letter(said, [known]) == (said == known)
    assert scorers.letter(f"{said} and {known}", [known]) == (said == known)
