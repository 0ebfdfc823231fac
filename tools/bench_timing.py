"""The timing lab's part of the benchmark: the sweep for the README, and the walkthrough while one runs."""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from kvengine import load_model
from kvengine.hardware import hardware, threads
from kvengine.speed import step_cost
from kvengine.timing import CACHED, NAIVE, Row, lengths_up_to, sweep
from kvengine.weights import CHECKPOINTS
from tools.browser import find_browser, launch_args
from tools.server import serve

MODEL = "stories-1m-h8-kv8"
LENGTHS = lengths_up_to(512, 16)
STEPS = 40  # of the walkthrough, while a sweep runs

#: Click "next", and wait until the browser has painted another stage.
STEP_IN_PAGE = """async (button) => {
    const stage = () => button.closest('.rail').querySelector('[aria-current]').dataset.stage;
    while (button.disabled) await new Promise(requestAnimationFrame);
    const [began, before] = [performance.now(), stage()];
    button.click();
    while (stage() === before) await new Promise(requestAnimationFrame);
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    return performance.now() - began;
}"""


def timing() -> None:
    """One step, cached and naive, ours and transformers', as a table; then the walkthrough beside a sweep."""
    model = load_model(MODEL)
    ids = [0, *range(400, 431)]
    with threads(1):
        print(f"{hardware('cpu').name}, 1 thread, torch {torch.__version__}; {MODEL}, float32, batch 1.")
        theirs = transformers_model()
        print("One step, ms: median (quartiles)\n")
        print("| tokens | cached | naive | naive ÷ cached | multiplications | transformers, cached | naive |")
        print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
        for n in LENGTHS:  # both sides of one length right after each other: a slow minute hits both
            (row,) = sweep(model, ids, (n,), seconds_per_point=0.6)
            with_cache, without = transformers_step(theirs, ids, n)
            work = [step_cost(model.config, path, n).multiplications for path in (NAIVE, CACHED)]
            ratio = row.points[NAIVE].median / row.points[CACHED].median
            print(
                f"| {n} | {_cell(row, CACHED)} | {_cell(row, NAIVE)} | {ratio:.1f}× "
                f"| {work[0] / work[1]:.0f}× fewer | {with_cache:.2f} | {without:.2f} |"
            )
        print()
    walkthrough_beside_a_sweep()


def _cell(row: Row, path: str) -> str:
    p = row.points[path]
    return f"{p.median * 1e3:.2f} ({p.q25 * 1e3:.2f}–{p.q75 * 1e3:.2f})"


def transformers_model() -> Any:
    import transformers

    transformers.utils.logging.disable_progress_bar()
    return transformers.LlamaForCausalLM.from_pretrained(CHECKPOINTS / MODEL, dtype=torch.float32).eval()


@torch.inference_mode()
def transformers_step(theirs: Any, token_ids: list[int], n: int) -> tuple[float, float]:
    """Milliseconds of the same step by transformers' model, same weights: with the cache, without."""
    import transformers

    text = torch.tensor([(token_ids * 32)[:n]])
    past = transformers.DynamicCache(config=theirs.config)
    theirs(text[:, :-1], past_key_values=past, use_cache=True)

    def cached() -> None:
        int(theirs(text[:, -1:], past_key_values=past, use_cache=True).logits[0, -1].argmax())

    def naive() -> None:
        int(theirs(text, use_cache=False, logits_to_keep=1).logits[0, -1].argmax())

    return _median_ms(cached, after=lambda: past.crop(-1)), _median_ms(naive)


def _median_ms(work: Callable[[], None], after: Callable[[], None] = lambda: None) -> float:
    taken = []
    for _ in range(25):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
        after()
    return statistics.median(taken[5:]) * 1e3


def walkthrough_beside_a_sweep() -> None:
    """Click to painted frame in the walkthrough, while another page of the same server runs a sweep."""
    from playwright.sync_api import sync_playwright

    with (
        tempfile.TemporaryDirectory() as folder,
        serve(Path(folder) / "log") as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=str(find_browser()), args=launch_args())
        walk = browser.new_page(viewport={"width": 1440, "height": 900})
        walk.goto(server.url)
        walk.locator(".next-step").wait_for(timeout=60_000)
        alone = _step_times(walk.locator(".next-step").evaluate)
        lab = browser.new_context().new_page()
        lab.goto(server.url)
        lab.get_by_role("link", name="Timing").click(timeout=60_000)
        lab.get_by_role("slider", name="Longest text").press("End")
        lab.get_by_text("torch.cat every step").click()  # a fourth operation: the sweep lasts longer
        lab.get_by_role("button", name="Start the sweep").click()
        lab.get_by_text("lengths measured").wait_for(timeout=60_000)
        beside = _step_times(walk.locator(".next-step").evaluate)
        still = lab.get_by_text("lengths measured").is_visible()
        browser.close()
    print(f"Walkthrough, click to painted frame, ms, {STEPS} steps: p50 / p95 (goal 100)")
    print(f"  alone                 {_percentiles(alone)}")
    print(f"  while a sweep runs    {_percentiles(beside)}{'' if still else '  (the sweep ended before)'}")


def _step_times(evaluate: Callable[[str], float]) -> list[float]:
    taken = []
    for _ in range(STEPS):
        taken.append(float(evaluate(STEP_IN_PAGE)))
        time.sleep(0.03)
    return taken


def _percentiles(ms: list[float]) -> str:
    ordered = sorted(ms)
    return f"{statistics.median(ordered):.0f} / {ordered[int(len(ordered) * 0.95)]:.0f}"
