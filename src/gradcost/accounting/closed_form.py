"""What a training step costs, from a model's configuration alone: FLOPs, parameters, bytes.

A forward pass is a list of products of two operands. An operand *depends* if it is trained
or follows from something trained: adapters, a trained head, the activations above them; not
a frozen weight, nor what enters the lowest adapted layer. With f the FLOPs of a product (a
multiply-add is two) and m in {0, 1, 2} the number of its operands that depend, let

    F = sum f                   a forward pass,
    R = sum m f                 a derivative: a product more for each operand that depends,
    S = sum f [m = 0]           what is the same for all perturbations of the parameters,
    Z = sum f [m = 1, ...]      products by tangents that are zero (see below).

Reverse and forward mode both cost R, for the cotangent of an operand and the term of its
tangent are one product each (Baydin et al., 2022). Per step, for n directions, k of them at
once in g = ceil(n / k) groups:

    backprop                    F + R
    ... with checkpointing      F + R + C, C what is computed again (Chen et al., 2016)
    forward mode                g (F + Z) + n R + 2 n d
    zeroth order, central       2 (g S + n (F - S)) + 2 n d, in turn 2 n (F + d)
    zeroth order, one-sided     F + g S + n (F - S) + 2 n d, in turn (1 + n) F + 2 n d

where 2 n d, for d trained parameters, is the sum of the directions times their slopes. With
adapters on frozen weights R is about F, so that these are 2F, 3F, (g + n) F, 2nF and
(1 + n) F; with all parameters trained R is about 2F.

Z is no mathematics: for an operand without a tangent, PyTorch makes one of zeros and
multiplies by it, once for each group. Stock PyTorch does so wherever m = 1, that is for
every frozen weight, and Z is about F. `gradcost.models.frozen` avoids it for frozen linears
and leaves Z to the rows of label words and to products at the bottom of the lowest layer.

The paper's appendix H gives orders: O(dm) for a backward pass of one layer with d x m
weights, O(n dm) for n directions of forward mode or zeroth order. Counted numbers differ
from what these suggest in three ways.

- Its d in Table 2 is the number of *trained* parameters, but every term above is of the size
  of the frozen model: rank 1 or 4 costs the same but for thousandths.
- O(d log p) for checkpointing is that of the schedule of Griewank and Walther (2000), which
  keeps O(log p) activations. What Table 2 sets beside it, O(c sqrt(p)) of memory, and what
  libraries run, one recomputation of each layer, cost C <= F: one more forward pass,
  whatever the number p of layers.
- The orders hide what the comparison is about: with adapters a whole step of backprop, of
  forward mode along one direction, and of zeroth order along one, cost the same 2F.

Configurations are read by the field names of Hugging Face. Attention is written out, so
masked and padded positions cost as much as others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal, NamedTuple

Grid = tuple[int, int, int]
"""Patches of an image or video: frames, rows, columns."""

Checkpointing = Literal["every-layer", "offload", "whole-layers", "segments", "nested", "selective"]


@dataclass(frozen=True)
class Batch:
    """Attributes: size: rows; length: of each, padding included; images: a grid for each."""

    size: int
    length: int
    images: tuple[Grid, ...] = ()


@dataclass(frozen=True)
class Head:
    """What makes logits of the last layer's output.

    Attributes:
        kind: `classifier`: what transformers' classifiers have; it is trained.
            `label-words`: the language-model head's rows of the classes' words at all
            positions (see `gradcost.models.label_words`). `language-model`: all its rows.
        classes: of a classifier, or label words.
        positions: a language model's logits at so many last positions of each row alone.
    """

    kind: Literal["classifier", "label-words", "language-model"] = "classifier"
    classes: int = 2
    positions: int | None = None


@dataclass(frozen=True)
class Adapters:
    """LoRA (Hu et al., 2022): W x + B A x for A (rank, in) and B (out, rank).

    Attributes:
        targets: names of linears, whole or their last parts.
        inputs_require_gradient: whether the embeddings' output does, though nothing below
            the adapters is trained: what reentrant checkpointing needs. It costs backprop
            the cotangents of the lowest layer's inputs.
    """

    rank: int = 1
    targets: tuple[str, ...] = ("q_proj", "v_proj")
    inputs_require_gradient: bool = False


Trained = Adapters | Literal["all"]
"""What is trained: adapters and a classifier's head, or all parameters."""


@dataclass(frozen=True)
class Product:
    """A product of matrices in a forward pass.

    Attributes:
        name: of the module that runs it.
        flops: a multiply-add is two.
        depends: whether the first operand, an activation, and the second, a weight or in
            attention another activation, depend on what is trained.
        kind: what a `linear` has for a weight becomes a frozen linear if it is frozen; the
            rows of an embedding and a convolution's weight do not.
        layer: tower and index of the layer that it is in, if any.
        closes: it is a layer's last, and the layer's backward pass needs nothing that is
            computed after its operands. So it is before a residual sum, not before a norm.
    """

    name: str
    flops: int
    depends: tuple[bool, bool]
    kind: Literal["linear", "attention", "rows", "convolution"]
    layer: tuple[str, int] | None = None
    closes: bool = False


@dataclass(frozen=True)
class Parameter:
    """Attributes: packed: it is a linear's weight, which quantisation packs in 4 bits."""

    name: str
    count: int
    trained: bool
    packed: bool = False


class Description(NamedTuple):
    """A model: the products of a forward pass in their order, and the parameters."""

    products: tuple[Product, ...]
    parameters: tuple[Parameter, ...]

    @property
    def trained(self) -> int:
        """d: the number of trained parameters."""
        return sum(one.count for one in self.parameters if one.trained)


def describe(
    config: Any, batch: Batch, head: Head | None = None, trained: Trained | None = None
) -> Description:
    """The model of a Hugging Face configuration; none is built.

    Args:
        config: an object or mapping with the fields of its `model_type`.
        head: by default a classifier of two classes.
        trained: by default adapters of rank 1 on `q_proj` and `v_proj`.

    Raises:
        ValueError: for a model type or head that is not known, for images that the model
            cannot read, and for a target that no linear has.
        KeyError: naming a field that the configuration lacks.
    """
    fields, head, trained = _Fields(config), head or Head(), trained or Adapters()
    kind = fields["model_type"]
    if kind not in _ARCHITECTURES:
        raise ValueError(f"no closed form for {kind!r}; there is one for {', '.join(SUPPORTED)}")
    if batch.images and kind != "qwen2_vl":
        raise ValueError(f"{kind} reads no images")
    trace = _Trace(trained)
    _ARCHITECTURES[kind](trace, fields, batch, head)
    missed = set(trace.targets) - trace.found
    if missed:
        raise ValueError(
            f"no linear of {kind} that takes adapters is called {', '.join(sorted(missed))}"
        )
    return Description(tuple(trace.products), tuple(trace.parameters))


def forward(model: Description) -> int:
    """F: the FLOPs of a forward pass."""
    return _total(model.products)


def derivative(model: Description) -> int:
    """R: the FLOPs of all cotangents, or of all tangents along one direction."""
    return sum(one.flops * sum(one.depends) for one in model.products)


def backprop(model: Description, checkpointing: Checkpointing | None = None) -> int:
    """F + R, and what is computed again if activations are checkpointed."""
    again = recomputed(model, checkpointing) if checkpointing else 0
    return forward(model) + derivative(model) + again


def forward_mode(
    model: Description, directions: int = 1, at_once: int = 1, stock: bool = False
) -> int:
    """g (F + Z) + n R + 2 n d for n `directions` in g groups of `at_once`.

    Args:
        stock: without frozen linears: Z has the products of all frozen weights.
    """
    zeros = _total(
        one
        for one in model.products
        if sum(one.depends) == 1 and (stock or one.kind != "linear" or one.depends[1])
    )
    passes = math.ceil(directions / at_once) * (forward(model) + zeros)
    return passes + directions * (derivative(model) + 2 * model.trained)


def zeroth_order(
    model: Description,
    directions: int = 1,
    at_once: int = 1,
    difference: Literal["central", "one-sided"] = "central",
) -> int:
    """FLOPs of the losses at both ends of each direction, or at one end and at the start.

    What does not depend on what is trained is computed once for each group of `at_once`.
    """
    whole = forward(model)
    shared = _total(one for one in model.products if not any(one.depends))
    ends = math.ceil(directions / at_once) * shared + directions * (whole - shared)
    losses = 2 * ends if difference == "central" else whole + ends
    return losses + 2 * directions * model.trained


def recomputed(model: Description, checkpointing: Checkpointing) -> int:
    """C: the FLOPs that checkpointing runs twice, in the layers that depend.

    Each tower of p layers on its own:

        whole-layers    every product. `torch.utils.checkpoint`, reentrant, or with
                        `set_checkpoint_early_stop(False)`.
        every-layer     all but each layer's last product, if a residual sum follows it:
                        PyTorch stops where all that backward needs is there.
        offload         as every-layer; what is kept is kept elsewhere.
        segments        ceil(sqrt(p)) segments, each computed again as one up to its last
                        product.
        nested          every-layer within such segments. For the inputs of its layers a
                        segment is computed again up to its last layer.
        selective       outputs of products with weights are kept: attention's own alone.
    """
    towers: dict[str, dict[int, list[Product]]] = {}
    for one in model.products:
        if one.layer:
            towers.setdefault(one.layer[0], {}).setdefault(one.layer[1], []).append(one)
    return sum(_recomputed(list(layers.values()), checkpointing) for layers in towers.values())


def _recomputed(layers: list[list[Product]], checkpointing: Checkpointing) -> int:
    """C of one tower."""
    segments = _split(layers, math.isqrt(len(layers) - 1) + 1)
    total = 0
    for run in segments if checkpointing == "segments" else [[layer] for layer in layers]:
        body = [one for layer in run for one in layer]
        if not _depend(body):
            continue
        if checkpointing == "selective":
            body = [one for one in body if one.kind == "attention"]
        elif checkpointing != "whole-layers" and body[-1].closes:
            body = body[:-1]
        total += _total(body)
    if checkpointing == "nested":
        for run in segments:
            if _depend(one for layer in run for one in layer):
                total += _total(one for layer in run[:-1] for one in layer)
    return total


def _split(layers: list[list[Product]], parts: int) -> list[list[list[Product]]]:
    """Layers in `parts` runs as equal as can be."""
    bounds = [len(layers) * index // parts for index in range(parts + 1)]
    return [layers[start:stop] for start, stop in pairwise(bounds)]


def _depend(products: Iterable[Product]) -> bool:
    return any(any(one.depends) for one in products)


def _total(products: Iterable[Product]) -> int:
    return sum(one.flops for one in products)


@dataclass(frozen=True)
class Sizes:
    """A model in numbers: Table 2's d and p, and the frozen weights that it leaves out.

    Attributes:
        total: parameters of the base, its head and adapters.
        trained: d, those of the adapters and of a classifier's head, or all.
        adapters: those of the adapters.
        frozen_bytes: what the frozen parameters take.
    """

    total: int
    trained: int
    adapters: int
    frozen_bytes: int


def sizes(
    config: Any,
    head: Head | None = None,
    trained: Trained | None = None,
    itemsize: int = 2,
    nf4: bool = False,
) -> Sizes:
    """Parameters, and bytes of those that are frozen, which all methods hold alike.

    With b = `itemsize` bytes a number, N frozen parameters take b N. In NF4 with nested
    scales (QLoRA: Dettmers et al., 2023) a linear's N weights take N / 2 bytes, a byte for
    the scale of every 64 of them and a float32 for every 256 scales: 0.516 bytes a weight.
    Embeddings, norms, biases and heads stay as they are. Tables of a few hundred bytes that
    a library may keep with each linear, and its copy of an untrained head, are left out.
    """
    model = describe(config, Batch(0, 0), head, trained)
    parameters = model.parameters
    return Sizes(
        total=sum(one.count for one in parameters),
        trained=model.trained,
        adapters=sum(one.count for one in parameters if ".lora_" in one.name),
        frozen_bytes=sum(
            _nf4_bytes(one.count) if nf4 and one.packed else itemsize * one.count
            for one in parameters
            if not one.trained
        ),
    )


def _nf4_bytes(weights: int) -> int:
    scales = math.ceil(weights / 64)
    return math.ceil(weights / 2) + scales + 4 * math.ceil(scales / 256)


class _Fields:
    """A configuration's fields, be they attributes or items."""

    def __init__(self, config: Any, path: str = "") -> None:
        self._config, self._path = config, path

    def get(self, name: str, default: Any = None) -> Any:
        """A field, or `default` if it is missing or None."""
        if isinstance(self._config, Mapping):
            value = self._config.get(name)
        else:
            value = getattr(self._config, name, None)
        return default if value is None else value

    def __getitem__(self, name: str) -> Any:
        value = self.get(name)
        if value is None:
            raise KeyError(f"the model's configuration has no {self._path}{name}")
        return value

    def part(self, name: str) -> _Fields:
        return _Fields(self[name], f"{self._path}{name}.")


class _Trace:
    """Follows a forward pass: notes products and parameters, and what depends.

    Activations are known by whether they depend; methods take and return that.
    """

    def __init__(self, trained: Trained) -> None:
        self.all = trained == "all"
        adapters = trained if isinstance(trained, Adapters) else Adapters(0, ())
        self.rank, self.targets = adapters.rank, adapters.targets
        self.embedded = self.all or adapters.inputs_require_gradient
        self.products: list[Product] = []
        self.parameters: list[Parameter] = []
        self.found: set[str] = set()
        self._layer: tuple[str, int] | None = None

    @contextmanager
    def layer(self, tower: str, index: int, post_norm: bool = False) -> Iterator[str]:
        """What a layer runs; gives its name."""
        self._layer = (tower, index)
        yield f"{tower}.{index}"
        if not post_norm and self.products and self.products[-1].layer == self._layer:
            self.products[-1] = replace(self.products[-1], closes=True)
        self._layer = None

    def hold(self, name: str, count: int, trained: bool = False, packed: bool = False) -> None:
        """A parameter; nothing if it has no numbers."""
        if count:
            self.parameters.append(Parameter(name, count, self.all or trained, packed))

    def multiply(
        self, name: str, flops: int, depends: tuple[bool, bool], kind: Any = "linear"
    ) -> bool:
        if flops:
            self.products.append(Product(name, flops, depends, kind, self._layer))
        return any(depends)

    def norm(self, name: str, size: int, bias: bool = True) -> None:
        self.hold(f"{name}.weight", size)
        self.hold(f"{name}.bias", size * bias)

    def linear(
        self, name: str, x: bool, rows: int, inner: int, outer: int,
        bias: bool = True, head: bool = False, trained: bool = False,
    ) -> bool:  # fmt: skip
        """`rows` inputs (inner,) to outputs (outer,), with an adapter if it is a target.

        Args:
            head: its weight is never packed.
            trained: it is, whatever else is.
        """
        self.hold(f"{name}.weight", inner * outer, trained, packed=not head)
        self.hold(f"{name}.bias", outer * bias, trained)
        output = self.multiply(name, 2 * rows * inner * outer, (x, self.all or trained))
        if not trained and self._targeted(name):
            for part, size in (("lora_A", inner), ("lora_B", outer)):
                self.hold(f"{name}.{part}.weight", self.rank * size, trained=True)
                x = self.multiply(f"{name}.{part}", 2 * rows * self.rank * size, (x, True))
            output = True
        return output

    def convolution(self, name: str, x: bool, rows: int, inner: int, outer: int) -> bool:
        """A convolution without a bias that does not overlap: a linear of its patches."""
        if self._targeted(name):
            raise ValueError(f"no closed form for an adapter of the convolution {name}")
        self.hold(f"{name}.weight", inner * outer)
        return self.multiply(name, 2 * rows * inner * outer, (x, self.all), "convolution")

    def _targeted(self, name: str) -> bool:
        hits = [one for one in self.targets if f".{name}".endswith(f".{one}")]
        self.found.update(hits)
        return bool(hits)

    def attention(
        self, name: str, query: bool, key: bool, value: bool, pairs: int, width: int
    ) -> bool:
        """Scores and their product with the values.

        Args:
            pairs: of a query and a key, over all rows.
            width: of all heads together.
        """
        scores = self.multiply(name, 2 * pairs * width, (query, key), "attention")
        return self.multiply(name, 2 * pairs * width, (scores, value), "attention")

    def words(
        self, name: str, x: bool, batch: Batch, inner: int, vocabulary: int, tied: bool, head: Head
    ) -> None:
        """A language model's head: every row of it, or those of some words."""
        self.hold(f"{name}.weight", 0 if tied else inner * vocabulary)
        rows = batch.size * (batch.length if head.positions is None else head.positions)
        if head.kind == "label-words":
            flops = 2 * batch.size * batch.length * inner * head.classes
            self.multiply(name, flops, (x, self.all), "rows")
        else:
            self.multiply(name, 2 * rows * inner * vocabulary, (x, self.all))


def _llama(trace: _Trace, config: _Fields, batch: Batch, head: Head) -> None:
    x = _decoder(trace, config, batch, "model", trace.embedded)
    hidden, tokens = config["hidden_size"], batch.size * batch.length
    if head.kind == "classifier":
        trace.linear("score", x, tokens, hidden, head.classes, bias=False, head=True, trained=True)
    else:
        tied = config.get("tie_word_embeddings", False)
        trace.words("lm_head", x, batch, hidden, config["vocab_size"], tied, head)


def _qwen2_vl(trace: _Trace, config: _Fields, batch: Batch, head: Head) -> None:
    if head.kind == "classifier":
        raise ValueError("transformers has no classifier of qwen2_vl: use label-words")
    seen = _vision_tower(trace, config.part("vision_config"), batch, "model.visual")
    # configurations on the hub have the text tower's fields at their top
    text = config.part("text_config") if config.get("text_config") else config
    # images take the place of their tokens' embeddings
    x = trace.embedded or (bool(batch.images) and seen)
    x = _decoder(trace, text, batch, "model.language_model", x, attention_bias=(True, False))
    tied = config.get("tie_word_embeddings", False)
    trace.words("lm_head", x, batch, text["hidden_size"], text["vocab_size"], tied, head)


def _decoder(
    trace: _Trace, config: _Fields, batch: Batch, name: str, x: bool,
    attention_bias: tuple[bool, bool] | None = None,
) -> bool:  # fmt: skip
    """Llama's decoder, which Qwen2-VL's text tower shares: grouped queries, a gated MLP.

    Args:
        attention_bias: of queries, keys and values; of the output. By default as the
            configuration says.
    """
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    heads = config["num_attention_heads"]
    groups = config.get("num_key_value_heads", heads)
    size = config.get("head_dim", hidden // heads)
    same = config.get("attention_bias", False)
    qkv_bias, out_bias = attention_bias or (same, same)
    mlp_bias = config.get("mlp_bias", False)
    tokens, pairs = batch.size * batch.length, batch.size * batch.length**2
    trace.hold(f"{name}.embed_tokens", config["vocab_size"] * hidden)
    for index in range(config["num_hidden_layers"]):
        with trace.layer(f"{name}.layers", index) as path:
            trace.norm(f"{path}.input_layernorm", hidden, bias=False)
            query, key, value = (
                trace.linear(f"{path}.self_attn.{part}", x, tokens, hidden, many * size, qkv_bias)
                for part, many in (("q_proj", heads), ("k_proj", groups), ("v_proj", groups))
            )
            # a group's keys and values are repeated for each of its heads
            y = trace.attention(f"{path}.self_attn", query, key, value, pairs, heads * size)
            y = trace.linear(f"{path}.self_attn.o_proj", y, tokens, heads * size, hidden, out_bias)
            x = x or y
            trace.norm(f"{path}.post_attention_layernorm", hidden, bias=False)
            gate = trace.linear(f"{path}.mlp.gate_proj", x, tokens, hidden, inner, mlp_bias)
            up = trace.linear(f"{path}.mlp.up_proj", x, tokens, hidden, inner, mlp_bias)
            x |= trace.linear(
                f"{path}.mlp.down_proj", gate or up, tokens, inner, hidden, mlp_bias
            )  # fmt: skip
    trace.norm(f"{name}.norm", hidden, bias=False)
    return x


def _vision_tower(trace: _Trace, config: _Fields, batch: Batch, name: str) -> bool:
    """Patches by a convolution that does not overlap; each frame attends to itself."""
    width, out, merge = config["embed_dim"], config["hidden_size"], config["spatial_merge_size"]
    inner = int(width * config["mlp_ratio"])
    size = config["temporal_patch_size"] * config["patch_size"] ** 2 * config.get("in_channels", 3)
    patches = sum(frames * rows * columns for frames, rows, columns in batch.images)
    pairs = sum(frames * (rows * columns) ** 2 for frames, rows, columns in batch.images)
    x = trace.convolution(f"{name}.patch_embed.proj", False, patches, size, width)
    for index in range(config["depth"]):
        with trace.layer(f"{name}.blocks", index) as path:
            trace.norm(f"{path}.norm1", width)
            y = trace.linear(f"{path}.attn.qkv", x, patches, width, 3 * width)
            y = trace.attention(f"{path}.attn", y, y, y, pairs, width)
            x |= trace.linear(f"{path}.attn.proj", y, patches, width, width)
            trace.norm(f"{path}.norm2", width)
            y = trace.linear(f"{path}.mlp.fc1", x, patches, width, inner)
            x |= trace.linear(f"{path}.mlp.fc2", y, patches, inner, width)
    trace.norm(f"{name}.merger.ln_q", width)
    wide = width * merge**2
    x = trace.linear(f"{name}.merger.mlp.0", x, patches // merge**2, wide, wide)
    return trace.linear(f"{name}.merger.mlp.2", x, patches // merge**2, wide, out)


def _opt(trace: _Trace, config: _Fields, batch: Batch, head: Head) -> None:
    name, hidden, inner = "model.decoder", config["hidden_size"], config["ffn_dim"]
    outside = config.get("word_embed_proj_dim", hidden)
    bias = config.get("enable_bias", True)
    norms = hidden * config.get("layer_norm_elementwise_affine", True)
    before = config.get("do_layer_norm_before", True)
    tokens, pairs = batch.size * batch.length, batch.size * batch.length**2
    trace.hold(f"{name}.embed_tokens", config["vocab_size"] * outside)
    trace.hold(f"{name}.embed_positions", (config["max_position_embeddings"] + 2) * hidden)
    x = trace.embedded
    if outside != hidden:
        x = trace.linear(f"{name}.project_in", x, tokens, outside, hidden, bias=False)
    for index in range(config["num_hidden_layers"]):
        with trace.layer(f"{name}.layers", index, post_norm=not before) as path:
            trace.norm(f"{path}.self_attn_layer_norm", norms)
            query, key, value = (
                trace.linear(f"{path}.self_attn.{part}", x, tokens, hidden, hidden, bias)
                for part in ("q_proj", "k_proj", "v_proj")
            )
            y = trace.attention(f"{path}.self_attn", query, key, value, pairs, hidden)
            x |= trace.linear(f"{path}.self_attn.out_proj", y, tokens, hidden, hidden, bias)
            trace.norm(f"{path}.final_layer_norm", norms)
            y = trace.linear(f"{path}.fc1", x, tokens, hidden, inner, bias)
            x |= trace.linear(f"{path}.fc2", y, tokens, inner, hidden, bias)
    if before and not config.get("_remove_final_layer_norm", False):
        trace.norm(f"{name}.final_layer_norm", norms)
    if outside != hidden:
        x = trace.linear(f"{name}.project_out", x, tokens, hidden, outside, bias=False)
    if head.kind == "classifier":
        trace.linear("score", x, tokens, outside, head.classes, bias=False, head=True, trained=True)
    else:
        tied = config.get("tie_word_embeddings", True)
        trace.words("lm_head", x, batch, outside, config["vocab_size"], tied, head)


def _bert(trace: _Trace, config: _Fields, batch: Batch, head: Head) -> None:
    """BERT; a classifier reads the first token through a pooler, which stays frozen."""
    x = _encoder(trace, config, batch, "bert")
    hidden, size = config["hidden_size"], batch.size
    if head.kind == "classifier":
        x = trace.linear("bert.pooler.dense", x, size, hidden, hidden)
        trace.linear("classifier", x, size, hidden, head.classes, head=True, trained=True)
    else:
        _masked_words(trace, config, batch, head, x, "cls.predictions.transform.dense", False)


def _roberta(trace: _Trace, config: _Fields, batch: Batch, head: Head) -> None:
    """RoBERTa; both layers of its classifier are trained."""
    x = _encoder(trace, config, batch, "roberta")
    hidden, size = config["hidden_size"], batch.size
    if head.kind == "classifier":
        x = trace.linear("classifier.dense", x, size, hidden, hidden, head=True, trained=True)
        trace.linear("classifier.out_proj", x, size, hidden, head.classes, head=True, trained=True)
    else:
        _masked_words(trace, config, batch, head, x, "lm_head.dense", True)


def _encoder(trace: _Trace, config: _Fields, batch: Batch, name: str) -> bool:
    """BERT's encoder, which RoBERTa shares; norms follow residual sums."""
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    tokens, pairs = batch.size * batch.length, batch.size * batch.length**2
    for part in ("vocab_size", "max_position_embeddings", "type_vocab_size"):
        trace.hold(f"{name}.embeddings.{part}", config[part] * hidden)
    trace.norm(f"{name}.embeddings.LayerNorm", hidden)
    x = trace.embedded
    for index in range(config["num_hidden_layers"]):
        with trace.layer(f"{name}.encoder.layer", index, post_norm=True) as path:
            query, key, value = (
                trace.linear(f"{path}.attention.self.{part}", x, tokens, hidden, hidden)
                for part in ("query", "key", "value")
            )
            y = trace.attention(f"{path}.attention.self", query, key, value, pairs, hidden)
            x |= trace.linear(f"{path}.attention.output.dense", y, tokens, hidden, hidden)
            trace.norm(f"{path}.attention.output.LayerNorm", hidden)
            y = trace.linear(f"{path}.intermediate.dense", x, tokens, hidden, inner)
            x |= trace.linear(f"{path}.output.dense", y, tokens, inner, hidden)
            trace.norm(f"{path}.output.LayerNorm", hidden)
    return x


def _masked_words(
    trace: _Trace, config: _Fields, batch: Batch, head: Head, x: bool, name: str, dense: bool
) -> None:
    """The head of a masked language model: a transform, then its words.

    Args:
        name: of the transform.
        dense: whether it belongs to what is not packed.
    """
    if head.positions is not None:
        raise ValueError("a masked language model has logits at all positions")
    hidden, vocabulary = config["hidden_size"], config["vocab_size"]
    x = trace.linear(name, x, batch.size * batch.length, hidden, hidden, head=dense)
    trace.norm(f"{name}.norm", hidden)
    tied = config.get("tie_word_embeddings", True)
    # untied, transformers holds a second bias, which nothing reads
    trace.hold("decoder.bias", vocabulary * (1 if tied else 2))
    trace.words("decoder", x, batch, hidden, vocabulary, tied, head)


_ARCHITECTURES: dict[str, Callable[[_Trace, _Fields, Batch, Head], None]] = {
    "bert": _bert,
    "llama": _llama,
    "opt": _opt,
    "qwen2_vl": _qwen2_vl,
    "roberta": _roberta,
}
SUPPORTED = tuple(_ARCHITECTURES)
"""Model types with a closed form."""
