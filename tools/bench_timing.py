"""The timing lab's part of the benchmark: its race beside a real generation, its process, a sweep."""

import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from explainer.kit.measure import Setting
from explainer.kit.process import Measuring
from explainer.timing.measure import Race, Sweep
from kvengine import KVCache, Transformer, generate, load_model, trace
from kvengine.hardware import hardware, threads
from kvengine.race import BLOCK, REHEARSALS, TimedStep, race
from kvengine.speed import step_cost
from kvengine.timing import CACHED, NAIVE, Row, lengths_up_to, sweep
from kvengine.weights import CHECKPOINTS
from tools.browser import find_browser, launch_args, switch
from tools.server import serve

MODEL = "stories-1m-h8-kv8"
LENGTHS = lengths_up_to(512, 16)
PROMPT = [0, *range(400, 415)]
RACED = 256  # tokens
STEPS = 40  # of the walkthrough, while a sweep runs

#: Click "next", and wait until the browser has painted another stage.
STEP_IN_PAGE = """async (button) => {
    const root = button.closest('.scene-root');
    const stage = () => root.dataset.stage;
    while (button.disabled) await new Promise(requestAnimationFrame);
    const [began, before] = [performance.now(), stage()];
    button.click();
    while (stage() === before) await new Promise(requestAnimationFrame);
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    return performance.now() - began;
}"""


def timing() -> None:
    model = load_model(MODEL)
    print(f"{hardware('cpu', 1).name}, 1 thread, torch {torch.__version__}; {MODEL}, float32, batch 1.\n")
    with threads(1):
        race_beside_generation(model)
        measured_while_busy(model)
        one_step(model)
    walkthrough_beside_a_sweep()


# ---- the race --------------------------------------------------------------------------------------------


def race_beside_generation(model: Transformer, pairs: int = 9) -> None:
    """A race's steps, summed, over those of a real generation of the same tokens.

    Both are run in turn; of each step the fastest of all runs counts, since what else the machine does only
    ever adds to it.
    """
    print(f"A race of {RACED} tokens over a real generate(), {pairs} runs of each: the sum of the steps\n")
    print(f"| a turn | {CACHED} | {NAIVE} |")
    print("| --- | ---: | ---: |")
    for name, block, rehearsals in (
        ("one token, no rehearsal (as before)", 1, {CACHED: 0, NAIVE: 0}),
        (f"{BLOCK} tokens behind rehearsals", BLOCK, REHEARSALS),
    ):
        raced: dict[str, list[list[float]]] = {CACHED: [], NAIVE: []}
        real: dict[str, list[list[float]]] = {CACHED: [], NAIVE: []}
        for _ in range(pairs):
            for path, runs in real.items():
                runs.append(_generated(model, use_cache=path == CACHED))
            found = list(race(model, PROMPT, max_new_tokens=RACED, block=block, rehearsals=rehearsals))
            for path, runs in raced.items():
                runs.append([step.seconds for step in found if step.path == path])
        ratios = [_fastest(raced[path]) / _fastest(real[path]) for path in (CACHED, NAIVE)]
        print(f"| {name} | {ratios[0]:.2f} | {ratios[1]:.2f} |")
    print()


def _generated(model: Transformer, *, use_cache: bool) -> list[float]:
    """The seconds of each step of a real generation."""
    taken, last = [], time.perf_counter()
    for _ in generate(model, PROMPT, max_new_tokens=RACED, use_cache=use_cache):
        taken.append(time.perf_counter() - last)
        last = time.perf_counter()
    return taken


def _fastest(runs: list[list[float]]) -> float:
    return sum(map(min, zip(*runs, strict=True)))


# ---- the measuring process -------------------------------------------------------------------------------


def measured_while_busy(model: Transformer) -> None:
    """The same sweep and race in a thread of a serving process and in a process of their own.

    Meanwhile learners keep the serving process busy: their threads record steps, as the walkthrough does.
    """
    setting = Setting(MODEL, model.config, tuple(PROMPT), "cpu", "float32", 1)
    sweeping, racing = Sweep(setting, 512, with_cat=False), Race(setting, 128)
    print(
        "While the serving process is busy with learners: the spread of a sweep's points (q75 ÷ q25) and of"
    )
    print("a race's cached steps (largest ÷ median)\n")
    print("| measured in | learners | spread, median | spread, worst | largest cached step |")
    print("| --- | ---: | ---: | ---: | ---: |")
    measuring = Measuring()

    def never() -> bool:
        return False

    try:
        list(measuring.results(racing, never))  # torch is there
        for learners in (0, 2):
            for name, rows, steps in (
                ("the serving process", lambda: sweeping.run(never), lambda: racing.run(never)),
                (
                    "its own process",
                    lambda: measuring.results(sweeping, never),
                    lambda: measuring.results(racing, never),
                ),
            ):
                with busy(model, learners):
                    spreads = _spreads(rows())
                    largest = _largest(steps())
                median, worst = statistics.median(spreads), max(spreads)
                print(f"| {name} | {learners} | {median:.2f} | {worst:.1f} | {largest:.0f}× |")
    finally:
        measuring.close()
    print()


@contextmanager
def busy(model: Transformer, learners: int) -> Iterator[None]:
    """Learners who step: each takes a recorded step, and lets a moment pass."""
    over = threading.Event()

    def learner() -> None:
        cache = KVCache(model.config)
        with torch.inference_mode():
            while not over.wait(0.01):
                if cache.length > 200:
                    cache.reset()
                trace(model, torch.tensor([[7]]), cache)

    working = [threading.Thread(target=learner) for _ in range(learners)]
    for thread in working:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in working:
            thread.join()


def _spreads(rows: Iterable[Row]) -> list[float]:
    return [point.q75 / point.q25 for row in rows for point in row.points.values()]


def _largest(found: Iterable[TimedStep]) -> float:
    taken = [step.seconds for step in found if step.path == CACHED][1:]
    return max(taken) / statistics.median(taken)


# ---- a step, ours and transformers' ----------------------------------------------------------------------


def one_step(model: Transformer) -> None:
    ids = [0, *range(400, 431)]
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


# ---- the walkthrough meanwhile ---------------------------------------------------------------------------


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
        walk.goto(f"{server.url}/walkthrough")
        walk.locator(".next-step").wait_for(timeout=60_000)
        alone = _step_times(walk.locator(".next-step").evaluate)
        lab = browser.new_context().new_page()
        lab.goto(server.url)
        switch(lab, "Measure", "Timing lab")
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
