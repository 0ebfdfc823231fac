"""Measure, and print ratios with the hardware: `python -m tools.bench [section ...]`.

A ratio compares two things of one run. They take turns in small blocks, so that whatever else the machine
does hits both alike, and each pair of blocks gives one ratio. Printed is the median with the quartiles.
"""

import argparse
import gc
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from kvengine import KVCache, Transformer, available_models, generate, load_model, trace
from kvengine.weights import CHECKPOINTS
from tools.bench_open import opening
from tools.bench_page import page
from tools.bench_scenes import scenes
from tools.bench_timing import timing

os.environ["HF_HUB_OFFLINE"] = "1"  # transformers looks things up on its hub unless told otherwise

PAIRS = 30  # of blocks, for each ratio
WARM_UP = 3  # pairs before them, thrown away


@dataclass(frozen=True)
class Comparison:
    """Seconds of two things that took turns, pair by pair."""

    ours: list[float]
    theirs: list[float]

    @property
    def ratio(self) -> tuple[float, float, float]:
        """Ours over theirs: lower quartile, median, upper quartile."""
        lower, median, upper = statistics.quantiles(
            [ours / theirs for ours, theirs in zip(self.ours, self.theirs, strict=True)], n=4
        )
        return lower, median, upper


def take_turns(ours: Callable[[], float], theirs: Callable[[], float], pairs: int = PAIRS) -> Comparison:
    """Each callable runs one block and gives the seconds of one unit of its work."""
    gc.collect()
    gc.freeze()  # as the app does: what was loaded is never searched again
    timed = []
    for pair in range(WARM_UP + pairs):
        # Who goes first changes, for the second may find warmer caches.
        if pair % 2:
            timed.append((ours(), theirs()))
        else:
            their_time, our_time = theirs(), ours()
            timed.append((our_time, their_time))
    gc.unfreeze()
    kept = timed[WARM_UP:]
    return Comparison([pair[0] for pair in kept], [pair[1] for pair in kept])


def engine() -> None:
    """A decode step against transformers, and a recorded step against a plain one, for every model."""
    import transformers

    transformers.utils.logging.disable_progress_bar()
    history = 64
    with one_thread():
        print(f"float32, batch 1, {history} tokens of history; medians of CPU time, 1 thread on both sides\n")
        print(f"A decode step against transformers {transformers.__version__}, generate(use_cache=True)")
        print_header("ms: ours", "transformers", "goal 0.40")
        for card in available_models():
            print_row(card.name, compare_decode_step(load_model(card.name), card.name, history), 0.40)
        print("\nA recorded step, every intermediate copied, against a plain one")
        print_header("ms: recorded", "plain", "goal 2.00")
        for card in available_models():
            print_row(card.name, compare_traced_step(load_model(card.name), history), 2.00)


def compare_decode_step(model: Transformer, name: str, history: int, tokens: int = 32) -> Comparison:
    """Both generate the same `tokens` from histories around `history`; prefill and set-up are subtracted."""
    from transformers import LlamaForCausalLM

    reference = LlamaForCausalLM.from_pretrained(
        CHECKPOINTS / name, dtype=torch.float32, attn_implementation="sdpa"
    ).eval()
    reference.generation_config.eos_token_id = None  # a story's end must not end the block early
    reference.generation_config.pad_token_id = 0
    prompt = story(model, history - tokens // 2)
    ids = torch.tensor([prompt])
    ones = torch.ones_like(ids)  # without it token 0, which is the pad token too, would be masked

    def ours(n: int) -> list[int]:
        steps = generate(model, prompt, max_new_tokens=n, use_cache=True)
        return [step.token_id for step in steps]

    def theirs(n: int) -> list[int]:
        out = reference.generate(ids, attention_mask=ones, max_new_tokens=n, do_sample=False, use_cache=True)
        new: list[int] = out[0, len(prompt) :].tolist()
        return new

    if ours(tokens + 1) != theirs(tokens + 1):
        raise RuntimeError(f"{name}: the two sides generate different tokens, so their times mean nothing.")

    def per_token(run: Callable[[int], object]) -> float:
        return (cpu_seconds(lambda: run(tokens + 1)) - cpu_seconds(lambda: run(1))) / tokens

    return take_turns(lambda: per_token(ours), lambda: per_token(theirs))


def compare_traced_step(model: Transformer, history: int, steps: int = 10) -> Comparison:
    """The same token run behind the same history, again and again."""
    prompt = story(model, history + 1)
    cache = KVCache(model.config)
    token = torch.tensor([prompt[-1:]])
    with torch.inference_mode():
        model(torch.tensor([prompt[:-1]]), cache)

    def traced() -> None:
        trace(model, token, cache)
        cache.crop(history)

    @torch.inference_mode()
    def untraced() -> None:
        model(token, cache)
        cache.crop(history)

    def block(step: Callable[[], None]) -> float:
        def run() -> None:
            for _ in range(steps):
                step()

        return cpu_seconds(run) / steps

    return take_turns(lambda: block(traced), lambda: block(untraced))


def story(model: Transformer, length: int) -> list[int]:
    """What the model itself writes: a history of the kind it has in the app."""
    return [0] + [s.token_id for s in generate(model, [0], max_new_tokens=length - 1, use_cache=True)]


def cpu_seconds(work: Callable[[], object]) -> float:
    """CPU time of this thread: for work that does not wait, its time without what others take."""
    start = time.thread_time()
    work()
    return time.thread_time() - start


@contextmanager
def one_thread() -> Iterator[None]:
    """A step of a model this small is done before a second thread has woken up."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def print_header(ours: str, theirs: str, goal: str) -> None:
    print(f"{'':20}{ours:>13}{theirs:>14}{'ratio':>8}  quartiles     {goal}")


def print_row(name: str, measured: Comparison, goal: float) -> None:
    lower, median, upper = measured.ratio
    ours, theirs = (statistics.median(side) * 1e3 for side in (measured.ours, measured.theirs))
    verdict = "met" if median <= goal else "MISSED"
    print(f"{name:20}{ours:13.3f}{theirs:14.3f}{median:8.2f}  {lower:.2f} to {upper:.2f}  {verdict}")


def hardware() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    cpu = models[0] if models else platform.processor() or platform.machine()
    return f"{cpu}, {os.cpu_count()} cores, torch {torch.__version__}, {torch.get_num_threads()} threads"


#: What can be measured, in the order in which it is without a choice.
SECTIONS: dict[str, Callable[[], None]] = {
    "engine": engine,
    "open": opening,
    "page": page,
    "scenes": scenes,
    "timing": timing,
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure, and print ratios with the hardware.")
    parser.add_argument("section", nargs="*", help="by default all: " + ", ".join(SECTIONS))
    parser.add_argument(
        "--against", type=Path, help="another checkout, opened and stepped in turn with this one"
    )
    asked = parser.parse_args()
    chosen = asked.section or list(SECTIONS)
    SECTIONS["page"] = partial(page, asked.against)
    for name in chosen:
        if name not in SECTIONS:
            parser.error(f"There is no section {name!r}; there are: {', '.join(SECTIONS)}.")
    print(hardware())
    for name in chosen:
        print(f"\n== {name} ==")
        SECTIONS[name]()


if __name__ == "__main__":
    main()
