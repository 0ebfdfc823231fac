"""The engine on a device that is not the CPU: nothing of a run is left behind, and the results are the same.

No GPU is needed. `elsewhere.py` pretends one: its tensors are computed by the CPU, and it refuses what a GPU
refuses. What this shows: in no run that a page asks for do tensors of two devices meet, is a tensor on the
device read as if it lay in the CPU's memory, or is float64 asked of MPS, which has none. What it does not
show: a GPU's own arithmetic, which rounds otherwise, its speed, and that each operation has a kernel there.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from explainer.policies.rules import RULES
from kvengine import (
    Tokenizer,
    Transformer,
    Walk,
    generate,
    hardware,
    load_model,
    sampler,
    trace,
)
from kvengine.ahead import ask_behind, times_behind
from kvengine.batch import measure as measure_batches
from kvengine.cost import cache_bytes
from kvengine.experiments import Premise, recompute
from kvengine.forgetting import first_row, losses, masked_losses
from kvengine.generate import probabilities
from kvengine.growth import grow
from kvengine.hardware import dtypes, place
from kvengine.induction import spell
from kvengine.keep import go_on
from kvengine.lines import decode_step
from kvengine.misuse import MISUSES, misuses
from kvengine.model import Weights
from kvengine.paged_cache import paged_run
from kvengine.plugged import logits_with
from kvengine.policies import HeavyHitters, Policy, Sinks
from kvengine.prefix import prefix_cache
from kvengine.quantised import Kivi
from kvengine.race import race
from kvengine.reads import count_reads
from kvengine.recall import recall
from kvengine.reuse import closest, first_token, parted, prove, serve
from kvengine.streaming import stream
from kvengine.timing import agreement, sweep
from kvengine.watched import watch
from kvengine.writers import measure as measure_writers
from kvengine.writers import write
from tests.engine.elsewhere import DEVICE, Elsewhere, There

NAME = "stories-1m-h8-kv2"
TEXT = "Once upon a time there was a little girl named Lily. Lily"
LAYER, HEAD, BUDGET = 1, 3, 9


@pytest.fixture(autouse=True)
def _there(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(hardware, "devices", lambda: ("cpu", DEVICE.type))
    monkeypatch.setattr(torch.mps, "synchronize", lambda: None)
    with There():
        yield


@pytest.fixture(scope="module")
def models() -> tuple[Transformer, Transformer]:
    """The same numbers at the same addresses: on the CPU, and on the device as it is loaded there."""
    with There():
        there = load_model(NAME, device=DEVICE)
        w = there.weights
        layers = tuple(replace(layer, **_on_the_cpu(vars(layer))) for layer in w.layers)
        return Transformer(there.config, Weights(**_on_the_cpu(vars(w)) | {"layers": layers})), there


def _on_the_cpu(tensors: Mapping[str, Any]) -> dict[str, Any]:
    return {name: t.numbers for name, t in tensors.items() if isinstance(t, Elsewhere)}


@pytest.fixture(scope="module")
def ids(tokenizer: Tokenizer) -> list[int]:
    return tokenizer.encode(TEXT)


def plain(found: Any) -> Any:
    """What can be held together bit by bit, wherever it lies."""
    if isinstance(found, Tensor):
        return plain(found.float().numpy(force=True)), found.dtype
    if isinstance(found, np.ndarray):
        return found.dtype, found.shape, found.tobytes()
    if isinstance(found, Mapping):
        return [(key, plain(value)) for key, value in found.items()]
    if isinstance(found, list | tuple):
        return [plain(value) for value in found]
    if isinstance(found, Transformer):
        return found.config
    if type(found).__module__.startswith("kvengine"):
        return [(key, plain(value)) for key, value in vars(found).items()]
    return repr(found)


# ---- what the device refuses -----------------------------------------------------------------------------


def test_the_device_refuses_what_a_gpu_refuses() -> None:
    here = torch.ones(3)
    there = here.to(DEVICE)
    assert (there.device, there[1:].device, torch.zeros_like(there).device) == (DEVICE,) * 3
    with pytest.raises(RuntimeError, match="two devices"):
        there + here
    with pytest.raises(RuntimeError, match="two devices"):
        here[there.long()]
    with pytest.raises(RuntimeError, match="two devices"):
        there[[0, 2]] = here[:2]
    with pytest.raises(RuntimeError, match="two devices"):
        torch.cat([there, here])
    with pytest.raises(TypeError, match="not in memory that numpy can see"):
        there.numpy()
    with pytest.raises(TypeError, match="not in memory that numpy can see"):
        np.asarray(there)
    with pytest.raises(TypeError, match="float64"):
        there.double()
    with pytest.raises(TypeError, match="float64"):
        torch.zeros(3, device=DEVICE, dtype=torch.float64)
    # As on a GPU: a single number and an index may lie in the CPU's memory, and copies may cross over.
    there[torch.tensor([0, 2])] *= torch.tensor(4.0)
    there[1:2] = here[:1] * 7
    assert there.cpu().tolist() == there.numpy(force=True).tolist() == [4, 7, 4]
    assert here.tolist() == [1, 1, 1]


def test_a_gpu_is_offered_the_precisions_that_it_has() -> None:
    assert dtypes.__wrapped__(DEVICE.type) == ("float32", "bfloat16")


# ---- what is run there -----------------------------------------------------------------------------------


def clock() -> Callable[[], float]:
    ticks = count()
    return lambda: float(next(ticks))


def pair(model: Transformer, ids: Sequence[int]) -> Tensor:
    return torch.tensor([list(ids), list(reversed(ids))], device=model.device)


def walked(model: Transformer, ids: list[int], **how: Any) -> Any:
    walk = Walk(model, ids[:8], history=8, most_steps=3, **how)
    walk.extend(3)
    walk.prove()
    assert all(proof.equal for proof in walk.proofs.values())
    return walk.record(3)


def bfloat16(model: Transformer) -> Transformer:
    return place(model, device=model.device.type, dtype="bfloat16")


def streamed(model: Transformer, ids: list[int]) -> Any:
    pieces = stream(model, ids, Sinks(8, by_place=True), budget=8, tokens=8, piece=4, sampler=sampler(0.8))
    return [(piece.token_ids, piece.rows, piece.bytes, piece.cache.fork()) for piece in pieces]


def served(model: Transformer, ids: list[int]) -> Any:
    store = prefix_cache(model.config, block_size=4, budget=cache_bytes(model.config, 40))
    one = serve(model, ids[:10], store, new_tokens=3)
    other = serve(model, [*ids[:9], *ids[3:6]], store, new_tokens=3)
    assert other[0].reused == 8
    return one, other, prove(model, *other), closest(one[1], other[1])


def lines(model: Transformer, ids: list[int]) -> Any:
    run = decode_step(model, ids, layer=LAYER, use_cache=True, count=False)
    return run.step, [(ran.key, ran.values) for ran in run.ran]


RUNS: dict[str, Callable[[Transformer, list[int]], Any]] = {
    "a trace of two texts": lambda m, ids: trace(m, pair(m, ids)),
    "generation with the cache": lambda m, ids: list(generate(m, ids, max_new_tokens=4, use_cache=True)),
    "generation without it": lambda m, ids: list(generate(m, ids, max_new_tokens=4, use_cache=False)),
    "generation that draws": lambda m, ids: [
        (step, probabilities(step.logits, 0.8))
        for step in generate(
            m, ids, max_new_tokens=4, use_cache=True, sampler=sampler(0.8, top_k=9, top_p=0.9)
        )
    ],
    "generation in bfloat16": lambda m, ids: list(
        generate(bfloat16(m), ids, max_new_tokens=4, use_cache=True)
    ),
    "a walk": walked,
    "a walk that is proved later": lambda m, ids: walked(m, ids, prove_now=False, sampler=sampler(0.9)),
    "what is computed again": lambda m, ids: recompute(m, ids[:7]),
    "what is computed again without mask": lambda m, ids: recompute(m, ids[:7], Premise(causal=False)),
    "what another token changes": lambda m, ids: recompute(m, ids, Premise(changed=3), ways=False),
    "misuses of the cache": lambda m, ids: misuses(m, ids, MISUSES, words=3, sampler=sampler(0.9)),
    "what has to be kept": lambda m, ids: [
        go_on(m, ids, kept, words=3) for kept in ("", "x", "k", "xv", "kv")
    ],
    "two writers": lambda m, ids: write(m, ids, words=3),
    "two writers timed": lambda m, ids: measure_writers(m, write(m, ids, words=2), runs=1, clock=clock()),
    "who reads what": lambda m, ids: count_reads(m, ids[:8]),
    "a name spelled": lambda m, ids: spell(m, ids, ids[-4:]),
    "policies watched": lambda m, ids: [
        watch(m, ids, RULES[rule].make(BUDGET), new=2, layer=LAYER, head=HEAD)
        for rule in ("full", "places", "tova", "snapkv")
    ],
    "losses under other policies": lambda m, ids: [
        losses(m, pair(m, ids), RULES[rule].make(BUDGET)) for rule in ("sinks", "knorm", "random", "int8")
    ],
    "losses under a mask": lambda m, ids: [
        masked_losses(m, ids, policy, silent=True) for policy in (Policy(), Sinks(7, sinks=1))
    ],
    "the first row": lambda m, ids: first_row(m, ids),
    "a word that comes back": lambda m, ids: [
        recall(m, ids, ids[4:6], policy, needed=[4, 5], new=2)
        for policy in (HeavyHitters(BUDGET), Kivi(group=4))
    ],
    "a text without an end": streamed,
    "a sweep": lambda m, ids: list(
        sweep(m, ids, (1, 5), with_cat=True, clock=clock(), seconds_per_point=0.0)
    ),
    "a race": lambda m, ids: list(race(m, ids, max_new_tokens=3, clock=clock())),
    "agreement": lambda m, ids: agreement(m, ids, steps=3),
    "agreement in bfloat16": lambda m, ids: agreement(bfloat16(m), ids, steps=3),
    "many sequences": lambda m, ids: list(
        measure_batches(m, ids, sizes=(1, 2), length=16, steps=3, turns=1, clock=clock())
    ),
    "a cache that grows": lambda m, ids: grow(m, ids, new=3),
    "scattered blocks": lambda m, ids: paged_run(m, ids, 4, block=4),
    "requests served from a store": served,
    "the time to the first token": lambda m, ids: list(
        first_token(m, ids, reused=8, block=4, runs=1, clock=clock())
    ),
    "where two texts part": lambda m, ids: parted(m, ids, ids[2:], [*range(2, len(ids))]),
    "documents computed ahead": lambda m, ids: (
        ask_behind(m, ids, [ids[3:6], ids[5:7]], new_tokens=2),
        list(times_behind(m, ids, [ids[3:6]], runs=1, clock=clock())),
    ),
    "somebody else's attention": lambda m, ids: logits_with(m, ids, lambda layer, q, k, v: q),
    "the lines of a step": lines,
}


@pytest.mark.parametrize("run", RUNS)
def test_a_run_on_another_device_is_the_run_on_the_cpu(
    run: str, models: tuple[Transformer, Transformer], ids: list[int]
) -> None:
    here, there = models
    assert there.device == DEVICE
    assert plain(RUNS[run](there, ids)) == plain(RUNS[run](here, ids))
