"""What came out as before: held against Hugging Face's own two passes, and broken on purpose."""

from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from transformers import LlamaForCausalLM

from kvengine import (
    ContextLengthError,
    KVCache,
    PromptError,
    Tokenizer,
    Transformer,
    available_models,
    load_model,
    load_tokenizer,
    sampler,
    trace,
)
from kvengine.compare import TOLERANCE, State, compare
from kvengine.cost import pass_cost
from kvengine.experiments import (
    OPERATIONS,
    Premise,
    Recomputation,
    avoided_shares,
    name_of,
    recompute,
    suggestion,
    text_of_length,
)
from kvengine.weights import CHECKPOINTS
from tests.engine.reference import TINY, tiny_model

MODEL = "stories-1m-h8-kv2"
HELD_OUT = (
    "Ben found a small frog near the pond. He wanted to show it to his",
    "The old boat was stuck in the mud, so Anna asked her dad for",
)
PREMISES = (Premise(), Premise(causal=False), Premise(changed=4))


@cache
def model(name: str = MODEL) -> Transformer:
    return load_model(name)


@cache
def tokenizer() -> Tokenizer:
    return load_tokenizer(MODEL)


@cache
def huggingface() -> LlamaForCausalLM:
    # The files hold half precision, and the library would compute in it.
    return LlamaForCausalLM.from_pretrained(
        CHECKPOINTS / MODEL, attn_implementation="eager", dtype=torch.float32
    ).eval()


@torch.inference_mode()
def reference_pass(token_ids: list[int], *, causal: bool) -> dict[str, np.ndarray]:
    """Hidden states, keys, values and weights of Hugging Face's model, under our names."""
    n = len(token_ids)
    everything = torch.zeros(1, 1, n, n)  # added to the scores: nothing is hidden
    out = huggingface()(
        torch.tensor([token_ids]),
        attention_mask=torch.ones(1, n, dtype=torch.long) if causal else everything,
        output_hidden_states=True,
        output_attentions=True,
    )
    layers = range(model().config.n_layers)
    # The last of the hidden states is normed already.
    found = {name_of("x", i): out.hidden_states[i][0].numpy() for i in layers}
    for i in layers:
        found[name_of("k", i)] = out.past_key_values.layers[i].keys[0].numpy()
        found[name_of("v", i)] = out.past_key_values.layers[i].values[0].numpy()
        found[name_of("weights", i)] = out.attentions[i][0].numpy()
    return found


@pytest.mark.parametrize("premise", PREMISES, ids=["as is", "no mask", "a token changed"])
@pytest.mark.parametrize("prompt", HELD_OUT)
def test_the_blue_cells_are_those_of_two_huggingface_passes(prompt: str, premise: Premise) -> None:
    ids = tokenizer().encode(prompt)
    ours = recompute(model(), ids, premise)
    before = reference_pass(ids[:-1], causal=premise.causal)
    after = reference_pass(list(ours.token_ids), causal=premise.causal)
    cells = agreed = 0
    for name, was in before.items():
        now = after[name][tuple(slice(n) for n in was.shape)]
        blue = np.abs(now - was) <= TOLERANCE + TOLERANCE * np.abs(was).max(axis=-1, keepdims=True)
        found = ours.tensors[name].state
        both = tuple(slice(n) for n in was.shape)
        compared = found[both] != State.MASKED
        if name.endswith("weights"):
            assert np.array_equal(found == State.MASKED, after[name] == 0)
        cells += compared.sum()
        agreed += (blue == (found[both] == State.EQUAL))[compared].sum()
        new = found.copy()
        new[both] = State.EQUAL
        assert np.isin(new, (State.EQUAL, State.NEW, State.MASKED)).all()
    if premise.holds:
        assert agreed == cells
    # A cell at the very edge of the tolerance may fall to either side, since the two libraries round apart.
    assert agreed >= 0.999 * cells


@pytest.mark.parametrize("name", [card.name for card in available_models()])
@pytest.mark.parametrize("t", [2, 5, 12])
def test_every_earlier_cell_of_every_model_comes_out_as_before(name: str, t: int) -> None:
    m = model(name)
    r = recompute(m, text_of_length(m, tokenizer().encode(HELD_OUT[0]), t + 1))
    c = m.config
    assert r.equal == r.compared
    assert r.largest[1].largest < TOLERANCE * 10
    for layer in range(c.n_layers):
        square = r.tensors[name_of("scores", layer)]
        assert square.count(State.EQUAL) == square.count(State.MASKED) == c.n_heads * t * (t + 1) // 2
        assert square.count(State.NEW) == c.n_heads * (t + 1)
        for operation, heads, cols in (("q", c.n_heads, c.head_dim), ("k", c.n_kv_heads, c.head_dim)):
            tensor = r.tensors[name_of(operation, layer)]
            assert tensor.count(State.EQUAL) == heads * t * cols
            assert tensor.count(State.NEW) == heads * cols


@pytest.mark.parametrize("name", [card.name for card in available_models()])
def test_three_ways_come_to_the_same_token_and_only_k_and_v_are_read(name: str) -> None:
    m = model(name)
    ids = tokenizer().encode(HELD_OUT[1])
    r = recompute(m, ids)
    t = len(ids) - 1
    assert r.naive.next_token == r.stored.next_token == r.cached.next_token
    assert max(r.stored.difference, r.cached.difference) < 1e-4
    assert r.read == {"k", "v"}
    assert r.stored.floats == r.compared == sum(tensor.compared for tensor in r.tensors.values())
    assert r.cached.floats == t * m.config.kv_floats_per_token
    assert (r.stored.bytes, r.cached.bytes) == (4 * r.stored.floats, 4 * r.cached.floats)
    assert r.naive.multiplications == pass_cost(m.config, q_len=t + 1).multiplications
    decode = pass_cost(m.config, q_len=1, start=t).multiplications
    assert r.stored.multiplications == r.cached.multiplications == decode


@pytest.mark.parametrize("name", [card.name for card in available_models()])
def test_storing_everything_runs_the_new_row_alone_on_stored_k_and_v(name: str) -> None:
    m = model(name)
    ids = tokenizer().encode(HELD_OUT[0])
    r, t = recompute(m, ids), len(ids) - 1
    before = trace(m, torch.tensor([ids[:t]]))
    stored = KVCache(m.config)
    for layer in range(m.config.n_layers):
        k, v = (torch.from_numpy(before[name_of(key, layer)]) for key in ("k", "v"))
        stored.update(layer, k, v)
    stored.advance(t)
    difference = np.abs(m(torch.tensor([ids[t:]]), stored)[0, -1].numpy() - r.logits).max()
    assert difference > 0, "two kinds of matrix product that round alike would prove nothing"
    assert r.stored.difference == pytest.approx(difference)


class Counting(Transformer):
    """Notes each pass without a tap: fresh tokens, cached tokens, multiplications by torch's counter."""

    def __call__(self, token_ids, cache=None, tap=None, **options):
        start = cache.length if cache else 0
        with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            logits = super().__call__(token_ids, cache, tap, **options)
        if tap is None:
            self.passes.append((token_ids.shape[1], start, counter.get_total_flops() // 2))
        return logits


def test_the_multiplications_told_are_those_that_were_run() -> None:
    counting = Counting(model().config, model().weights)
    counting.passes = []
    ids = tokenizer().encode(HELD_OUT[0])
    t = len(ids) - 1
    r = recompute(counting, ids)
    last = r.stored.multiplications
    assert [(q_len, start) for q_len, start, _ in counting.passes] == [(1, t), (t, 0), (1, t)]
    assert [counting.passes[i][2] for i in (0, 2)] == [last, r.cached.multiplications]
    assert last < r.naive.multiplications


def blue_rows(r: Recomputation, operation: str, layer: int) -> list[int]:
    """Rows of which every cell, in every head, came out as before."""
    state = r.tensors[name_of(operation, layer)].state
    rows = np.moveaxis(state, -2, 0).reshape(state.shape[-2], -1)
    return [i for i, row in enumerate(rows) if np.isin(row, (State.EQUAL, State.MASKED)).all()]


def test_without_the_mask_the_blue_ends_at_the_first_softmax() -> None:
    ids = tokenizer().encode(HELD_OUT[0])
    r = recompute(model(), ids, Premise(causal=False))
    earlier = list(range(len(ids) - 1))
    for operation in ("x", "norm", "q", "k", "v"):
        assert blue_rows(r, operation, 0) == earlier
    scores = r.tensors[name_of("scores", 0)]
    assert scores.count(State.DIFFERENT) == scores.count(State.MASKED) == 0
    for layer in range(model().config.n_layers):
        for operation in OPERATIONS:
            if layer or operation not in ("norm", "q", "k", "v", "scores"):
                assert blue_rows(r, operation, layer) == []
    assert not r.premise.holds
    # Storing everything keeps what is not blue too.
    assert (
        r.stored.floats == r.compared == r.equal + sum(x.count(State.DIFFERENT) for x in r.tensors.values())
    )
    assert 0 < r.equal < r.compared
    assert min(r.stored.difference, r.cached.difference) > 0.01


def test_a_changed_token_ends_the_blue_at_its_row_in_every_layer_above_the_first() -> None:
    ids = tokenizer().encode(HELD_OUT[0])
    r = recompute(model(), ids, Premise(changed=4))
    assert [i for i, (a, b) in enumerate(zip(ids, r.token_ids, strict=True)) if a != b] == [4]
    everywhere_else = [i for i in range(len(ids) - 1) if i != 4]
    for operation in ("x", "norm", "q", "k", "v"):
        assert blue_rows(r, operation, 0) == everywhere_else
    for layer in range(1, model().config.n_layers):
        for operation in ("x", *OPERATIONS):
            assert blue_rows(r, operation, layer) == [0, 1, 2, 3]
    assert min(r.stored.difference, r.cached.difference) > 0.01


@pytest.mark.parametrize("temperature", [0.3, 0.8, 2.0])
def test_a_probability_is_the_one_at_which_the_token_was_drawn(temperature: float) -> None:
    ids = tokenizer().encode(HELD_OUT[1])
    drawn = recompute(model(), ids, sampler=sampler(temperature, seed=3), temperature=temperature)
    expected = torch.from_numpy(drawn.logits).div(temperature).softmax(dim=-1)
    for way in (drawn.naive, drawn.stored, drawn.cached):
        assert way.probability == pytest.approx(float(expected[way.next_token]), rel=1e-4)
    assert drawn.temperature == temperature
    models_own = float(torch.from_numpy(drawn.logits).softmax(dim=-1)[drawn.naive.next_token])
    assert abs(drawn.naive.probability - models_own) > 1e-3


def test_without_a_temperature_a_probability_is_the_models_own() -> None:
    greedy = recompute(model(), tokenizer().encode(HELD_OUT[1]))
    assert greedy.temperature == 0
    own = torch.from_numpy(greedy.logits).softmax(dim=-1)
    assert greedy.naive.next_token == int(own.argmax())
    assert greedy.naive.probability == pytest.approx(float(own.max()), rel=1e-4)


def test_the_token_put_in_is_the_likeliest_other_one() -> None:
    ids = tokenizer().encode(HELD_OUT[0])
    logits = model()(torch.tensor([ids[:4]]), last_only=True)[0, -1]
    ranked = logits.argsort(descending=True).tolist()
    ranked.remove(ids[4])
    assert suggestion(model(), ids, 4) == ranked[0]


@settings(max_examples=20)
@given(t=st.integers(1, 20), seed=st.integers(0, 5), kv=st.sampled_from([1, 2, 4]))
def test_random_models_agree_with_themselves_and_read_only_k_and_v(t: int, seed: int, kv: int) -> None:
    m = tiny_model(n_kv_heads=kv, seed=seed)
    ids = torch.randint(TINY.vocab_size, (t + 1,), generator=torch.Generator().manual_seed(seed)).tolist()
    r = recompute(m, ids)
    assert r.equal == r.compared
    assert r.read == {"k", "v"}
    assert max(r.stored.difference, r.cached.difference) < 1e-10
    assert r.cached.bytes == 8 * r.cached.floats


def test_each_cell_is_judged_by_itself() -> None:
    was = np.array([[1.0, -np.inf], [2.0, 3.0]])
    now = np.array([[1.0, -np.inf, -np.inf], [2.5, 3.0, -np.inf], [4.0, 5.0, 6.0]])
    found = compare(was, now, masked=np.isneginf(now))
    new, equal, different, masked = State
    assert found.state.tolist() == [[equal, masked, masked], [different, equal, masked], [new, new, new]]
    assert (found.compared, found.largest, found.where) == (3, 0.5, (1, 0))


def test_the_share_of_the_avoided_is_that_of_the_rows() -> None:
    r = recompute(model(), text_of_length(model(), tokenizer().encode(HELD_OUT[0]), 10), ways=False)
    shares = avoided_shares(r)
    assert shares["hidden"] == shares["x"] == 9 / 10
    assert shares["scores"] == shares["weights"] == pytest.approx(45 / 55)
    assert 45 / 55 < shares["all"] < 9 / 10


def test_the_share_of_the_avoided_is_that_of_the_experiment() -> None:
    ids = text_of_length(model(), tokenizer().encode(HELD_OUT[0]), 10)
    shares = [avoided_shares(recompute(model(), ids, premise, ways=False)) for premise in PREMISES]
    as_is, no_mask, changed = shares
    assert no_mask["z"] < 0.001, "but for a cell that comes out the same by chance"
    assert no_mask["x"] == as_is["x"]
    assert changed["x"] == as_is["x"] - 1 / 10
    # The four rows above the changed one in three layers; in the first, all earlier rows but that one.
    assert changed["norm"] == pytest.approx((3 * 4 + 8) / 40)
    assert max(no_mask["all"], changed["all"]) < as_is["all"]


def test_a_text_is_cut_or_continued_to_its_length() -> None:
    ids = tokenizer().encode(HELD_OUT[0])
    assert text_of_length(model(), ids, 5) == tuple(ids[:5])
    longer = text_of_length(model(), ids, len(ids) + 3)
    assert longer[: len(ids)] == tuple(ids)
    assert len(longer) == len(ids) + 3


def test_what_cannot_be_compared_is_refused_with_a_remedy() -> None:
    with pytest.raises(PromptError, match="at least two"):
        recompute(model(), [0])
    with pytest.raises(PromptError, match="choose one from 1 to 2"):
        recompute(model(), [0, 1, 2, 3], Premise(changed=3))
    with pytest.raises(PromptError, match="at least one"):
        text_of_length(model(), [], 3)
    with pytest.raises(ContextLengthError, match="choose fewer"):
        text_of_length(model(), [0], 10_000)
