"""Label words against the model's full logits, and against tokenizers of every kind."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.autograd import forward_ad
from torch.func import functional_call

from gradcost.models.checkpointing import checkpoint
from gradcost.models.frozen import FrozenLinear, freeze_linears
from gradcost.models.label_words import LabelWords, label_tokens
from gradcost.models.sparse import train_largest
from tests.counters import count_flops

TOKENS = [7, 3, 11]
SMALL = {
    "vocab_size": 60,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "pad_token_id": 0,
    "attn_implementation": "eager",
}


def llama(**changes):
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    return LlamaForCausalLM(LlamaConfig(**SMALL | {"intermediate_size": 64} | changes)).eval()


def opt():
    from transformers import OPTConfig, OPTForCausalLM

    torch.manual_seed(0)
    return OPTForCausalLM(OPTConfig(**SMALL, ffn_dim=64, word_embed_proj_dim=32)).eval()


def gemma():
    """A model that bends its logits after the head."""
    from transformers import Gemma2Config, Gemma2ForCausalLM

    torch.manual_seed(0)
    more = {"intermediate_size": 64, "num_key_value_heads": 2, "head_dim": 16}
    return Gemma2ForCausalLM(Gemma2Config(**SMALL | more, final_logit_softcapping=0.1)).eval()


def with_adapters(model):
    from peft import LoraConfig, get_peft_model

    targets = ["q_proj", "v_proj"]
    adapted = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", r=2, target_modules=targets))
    with torch.no_grad():
        for name, value in adapted.named_parameters():
            if "lora_B" in name:
                value.normal_(0, 0.1)
    return adapted.eval()


def four_bits(model):
    import bitsandbytes as bnb

    packed = bnb.nn.Linear4bit(32, 60, bias=False, quant_type="nf4")
    packed.load_state_dict({"weight": model.lm_head.weight.detach().clone()})
    model.requires_grad_(False)
    model.lm_head = FrozenLinear(packed.requires_grad_(False).to("cpu"))
    return model


def corrected(model):
    model.requires_grad_(False)
    freeze_linears(model)
    selection = train_largest(model, 0.05)
    with torch.no_grad():
        selection.values.normal_(0, 0.5)
    return model


def frozen(model):
    freeze_linears(model.requires_grad_(False))
    return model


def batch(side):
    """Rows of which two are padded on one side."""
    torch.manual_seed(1)
    ids, mask = torch.randint(1, 60, (4, 9)), torch.ones(4, 9, dtype=torch.long)
    for row, length in ((0, 5), (2, 1)):
        mask[row] = torch.arange(9) < length
    if side == "left":
        mask = mask.flip(1)
    return {"input_ids": ids * mask, "attention_mask": mask}


MODELS = {
    "plain": llama,
    "tied": lambda: llama(tie_word_embeddings=True),
    "OPT": opt,
    "softcap": gemma,
    "adapters": lambda: with_adapters(llama()),
    "frozen": lambda: frozen(llama()),
    "adapters and frozen": lambda: (model := with_adapters(llama()), freeze_linears(model))[0],
    "4 bits": lambda: four_bits(llama()),
    "sparse": lambda: corrected(llama()),
}


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("kind", MODELS)
def test_logits_are_the_full_logits_at_the_last_position_of_those_tokens(kind, side):
    model, inputs = MODELS[kind](), batch(side)
    with torch.no_grad():
        full = model(**inputs).logits
        wrapper = LabelWords(model, TOKENS)
        found = wrapper(**inputs).logits
        inputs["attention_mask"] = inputs["attention_mask"].bool()
        again = wrapper(**inputs).logits
    last = [4, 8, 0, 8] if side == "right" else [8] * 4
    torch.testing.assert_close(found, full[range(4), last][:, TOKENS])
    assert torch.equal(again, found)


@pytest.mark.parametrize("kind", ["Bert", "Roberta"])
def test_a_masked_model_is_read_at_its_mask_token(kind):
    import transformers

    torch.manual_seed(0)
    config = getattr(transformers, f"{kind}Config")(**SMALL, intermediate_size=64)
    model = getattr(transformers, f"{kind}ForMaskedLM")(config).eval()
    with torch.no_grad():
        model.get_output_embeddings().bias.normal_()
    inputs, at = batch("right"), torch.tensor([3, 0, 0, 8])
    inputs["input_ids"].clamp_(max=58)[range(4), at] = 59
    with torch.no_grad():
        full = model(**inputs).logits
        found = LabelWords(model, TOKENS, at=59)(**inputs).logits
    torch.testing.assert_close(found, full[range(4), at][:, TOKENS])


def test_logits_over_the_vocabulary_are_never_formed():
    model, inputs = llama(), batch("right")
    full = count_flops(lambda: model(**inputs))
    wrapper = LabelWords(model, TOKENS)
    positions = inputs["input_ids"].numel()
    saved = 2 * positions * 32 * (60 - len(TOKENS))
    assert count_flops(lambda: wrapper(**inputs)) == full - saved


def test_no_layer_s_keys_and_values_outlive_it():
    output = llama()(**batch("right"))
    assert output.past_key_values is not None
    model = llama()
    LabelWords(model, TOKENS)
    assert model(**batch("right")).past_key_values is None


def objective(kind):
    """A loss as a function of the trained parameters, and these."""
    model = with_adapters(llama())
    if kind == "frozen":
        freeze_linears(model)
    wrapper, inputs = LabelWords(model, TOKENS), batch("right")
    labels = torch.tensor([0, 2, 1, 2])

    def loss(params):
        logits = functional_call(wrapper, params, kwargs=inputs).logits
        return nn.functional.cross_entropy(logits, labels)

    return wrapper, loss, {n: p for n, p in wrapper.named_parameters() if p.requires_grad}


@pytest.mark.parametrize("kind", ["plain", "frozen"])
def test_every_kind_of_derivative_agrees(kind):
    _, loss, params = objective(kind)
    assert params
    assert all("lora_" in name for name in params)
    gradient = torch.autograd.grad(loss(params), list(params.values()))
    values = {name: value.detach() for name, value in params.items()}
    vectors = {name: torch.randn(3, *value.shape) for name, value in values.items()}
    pairs = list(zip(vectors.values(), gradient, strict=True))
    expected = torch.stack([sum((v[i] * g).sum() for v, g in pairs) for i in range(3)])

    def along(vector):
        return torch.func.jvp(loss, (values,), (vector,))[1]

    with torch.no_grad():
        close = torch.testing.assert_close
        close(torch.func.vmap(along)(vectors), expected, rtol=1e-4, atol=1e-6)
        first = {name: vector[0] for name, vector in vectors.items()}
        close(along(first), expected[0], rtol=1e-4, atol=1e-6)
        with forward_ad.dual_level():
            dual = {n: forward_ad.make_dual(values[n], first[n]) for n in values}
            close(forward_ad.unpack_dual(loss(dual)).tangent, expected[0], rtol=1e-4, atol=1e-6)
        moved = {n: values[n] + 0.1 * vectors[n] for n in values}
        in_turn = torch.stack([loss({n: v[i] for n, v in moved.items()}) for i in range(3)])
        close(torch.func.vmap(loss)(moved), in_turn)


def test_checkpointed_activations_give_the_same_gradient():
    gradients = []
    for checkpointing in (False, True):
        wrapper, loss, params = objective("frozen")
        if checkpointing:
            checkpoint(wrapper, "every-layer")
        gradients.append(torch.autograd.grad(loss(params), list(params.values())))
    for plain, recomputed in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, recomputed)


def test_a_trained_embedding_gets_its_gradient():
    model = llama(tie_word_embeddings=True)
    wrapper = LabelWords(model, TOKENS)
    wrapper(**batch("right")).logits.sum().backward()
    weight = model.get_input_embeddings().weight
    assert weight.grad[TOKENS].abs().sum(1).all()
    assert wrapper.model.lm_head.embedding.weight is weight


def test_classes_that_share_a_token_and_unknown_heads_are_refused():
    with pytest.raises(ValueError, match="share a token"):
        LabelWords(llama(), [3, 4, 3])
    model = llama()
    model.lm_head = nn.Sequential(model.lm_head)
    with pytest.raises(TypeError, match="Sequential"):
        LabelWords(model, TOKENS)


TEXT = ["is it true ? yes", "is it true ? no", "world sports business", "Answer: yes yes no no"]


def bpe():
    """Byte-level, as of GPT-2: a space is a part of the word after it."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False)
    made.train_from_iterator(TEXT * 5, trainer)
    return wrap(made)


def sentence_piece():
    """As of Llama 2: a mark begins each word, and the text."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    pieces = ["▁yes", "▁no", "▁world", "▁:", ":", "▁", "yes", "▁Answer", "s", "p"]
    scores = [("<unk>", 0.0), *((piece, -float(len(pieces))) for piece in pieces)]
    made = Tokenizer(models.Unigram(scores, unk_id=0))
    made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    return wrap(made, unk_token="<unk>")


def word_level():
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = ["<unk>", "yes", "no", "world", "Answer:"]
    made = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return wrap(made, unk_token="<unk>")


def wrap(made, **special):
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(tokenizer_object=made, **special)


@pytest.mark.parametrize(
    ("make", "expected"),
    [(bpe, ["Ġyes", "Ġno"]), (sentence_piece, ["▁yes", "▁no"]), (word_level, ["yes", "no"])],
)
@pytest.mark.parametrize("prompt", ["", "Answer:"])
def test_a_word_s_token_is_the_one_that_continues_the_prompt(make, expected, prompt):
    tokenizer = make()
    found = label_tokens(tokenizer, ["yes", "no"], prompt)
    assert tokenizer.convert_ids_to_tokens(found) == expected
    assert label_tokens(tokenizer, [" yes", " no"], prompt) == found


def test_the_tokens_follow_those_of_the_whole_text():
    tokenizer = bpe()
    ids = tokenizer("is it true ? no")["input_ids"]
    before = tokenizer("is it true ?")["input_ids"]
    assert label_tokens(tokenizer, ["no"], "is it true ?") == [ids[len(before)]]


def test_label_words_that_do_not_do_are_named():
    with pytest.raises(ValueError, match="'yes' and 'yesno' share their first token, 'Ġyes'"):
        label_tokens(bpe(), ["yes", "yesno"])
    with pytest.raises(ValueError, match="'maybe'"):
        label_tokens(word_level(), ["yes", "maybe"])
    with pytest.raises(ValueError, match="'' has no token"):
        label_tokens(bpe(), ["yes", ""])
    # the space at the prompt's end would become a part of the word
    with pytest.raises(ValueError, match="'yes' changes the tokens of the prompt 'Answer: '"):
        label_tokens(bpe(), ["yes"], "Answer: ")
