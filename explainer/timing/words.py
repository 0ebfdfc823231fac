"""The timing lab's words: what words.toml says, filled in from a run, the model or a count."""

from collections.abc import Sequence
from math import log
from pathlib import Path

from explainer.kit.units import milliseconds, rate, times
from explainer.kit.words import Words, count
from kvengine.config import Config
from kvengine.hardware import Hardware
from kvengine.race import BLOCK, FIRSTS, TimedStep
from kvengine.recording import Provenance
from kvengine.speed import step_cost, step_masked, verdict
from kvengine.timing import CACHED, NAIVE, Agreement, Row

_OURS = Words(Path(__file__).with_name("words.toml"))
WORDS, tell, label = _OURS.tables, _OURS.tell, _OURS.label

#: How the paths are called on the page.
NAMES = {
    CACHED: "cached",
    NAIVE: "naive",
    "cat": "torch.cat every step",
    "prefill": "prefill",
}

#: Keys that torch's fused kernel on the CPU takes at a time: what the mask hides is skipped in whole blocks.
KERNEL_BLOCK = 512

#: Times that differ by less than this count as the same.
SAME = 1.05

#: How many times as long the naive path may take, to choose from before a race.
GUESSES = (1, 2, 5, 20, 100)


def tokens(n: int) -> str:
    return count(n, "token")


# ---- what is measured with -------------------------------------------------------------------------------


def hardware_line(hardware: Hardware) -> str:
    return label(
        "page.hardware",
        name=hardware.name,
        cores=count(hardware.cores, "core"),
        device=hardware.device,
        threads=count(hardware.threads, "thread"),
        torch=hardware.torch,
    )


def machine_line(hardware: Hardware, model: str, dtype: str) -> str:
    return tell("page.machine", hardware=hardware_line(hardware), model=model, dtype=dtype)


def setting_line(model: str, dtype: str, threads: int) -> str:
    return tell("page.setting", model=model, dtype=dtype, threads=count(threads, "thread"))


def recorded_line(provenance: Provenance) -> str:
    origin = label(
        "sweep.provenance",
        model=provenance.model,
        dtype=provenance.dtype,
        hardware=hardware_line(provenance.hardware),
        when=provenance.when,
    )
    return tell("sweep.recorded", provenance=origin)


# ---- the race --------------------------------------------------------------------------------------------


def race_text() -> str:
    return tell("race.text", block=tokens(BLOCK))


def race_how() -> str:
    return tell("race.how", firsts=str(FIRSTS))


def cut_line(prompt_tokens: int, kept: int, positions: int) -> str:
    return tell(
        "race.cut",
        tokens=tokens(prompt_tokens),
        kept=str(kept),
        room=str(positions - kept),
        positions=str(positions),
    )


def raced(steps: Sequence[TimedStep]) -> tuple[int, float, float]:
    """The tokens that both paths of a race have, and the seconds that each took, the cached path first."""
    by_path = _by_path(steps)
    n = min(map(len, by_path.values()))
    cached, naive = (sum(s.seconds for s in by_path[path][:n]) for path in (CACHED, NAIVE))
    return n, cached, naive


def _by_path(steps: Sequence[TimedStep]) -> dict[str, list[TimedStep]]:
    return {path: [s for s in steps if s.path == path] for path in (CACHED, NAIVE)}


def race_line(steps: Sequence[TimedStep]) -> str:
    """What the race has shown so far: as many tokens as both paths have."""
    n, cached, naive = raced(steps)
    if n == 0:
        return ""
    by_path = _by_path(steps)
    same = sum(a.token_id == b.token_id for a, b in zip(by_path[CACHED], by_path[NAIVE], strict=False))
    agree = label("race.same_all") if same == n else label("race.same_some", same=same, count=n)
    return tell(
        "race.done",
        tokens=tokens(n),
        cached=milliseconds(cached),
        naive=milliseconds(naive),
        longer=longer(cached, naive),
        same=agree,
        first_cached=milliseconds(by_path[CACHED][0].seconds),
        first_naive=milliseconds(by_path[NAIVE][0].seconds),
    )


def guess_line(guess: int, steps: Sequence[TimedStep]) -> str:
    """What has become of one of GUESSES, in times as long; empty before both paths have a token."""
    n, cached, naive = raced(steps)
    if n == 0:
        return ""
    closest = min(GUESSES, key=lambda one: abs(log(one * cached / naive)))
    if guess == closest:
        return tell("race.guess_right", guess=f"{guess}×")
    return tell("race.guess_wrong", guess=f"{guess}×", closest=f"{closest}×")


def slower(cached: float, naive: float) -> tuple[str, float]:
    """Which path took longer, "neither" where both took about the same time, and how many times as long."""
    ratio = max(cached, naive) / min(cached, naive)
    return "neither" if ratio < SAME else NAIVE if naive > cached else CACHED, ratio


def longer(cached: float, naive: float) -> str:
    """The same as a sentence."""
    which, ratio = slower(cached, naive)
    return label("longer.neither") if which == "neither" else label(f"longer.{which}", ratio=times(ratio))


# ---- the sweep -------------------------------------------------------------------------------------------


def progress_line(done: int, lengths: Sequence[int]) -> str:
    of = count(len(lengths), "length")
    if done == len(lengths):
        return tell("sweep.progress_done", done=str(done), lengths=of)
    return tell("sweep.progress", done=str(done), lengths=of, tokens=tokens(lengths[done]))


def past_context_line(trained: int, longest: int) -> str:
    if longest <= trained:
        return ""
    return tell("sweep.past_context", trained=f"{trained:,}", longest=f"{longest:,}")


def measured_alt(rows: Sequence[Row], view: str) -> str:
    last = max(rows, key=lambda row: row.length)
    return label(
        "sweep.measured_alt",
        view=view,
        tokens=tokens(last.length),
        cached=milliseconds(last.points[CACHED].median),
        naive=milliseconds(last.points[NAIVE].median),
    )


def losing_line(rows: Sequence[Row]) -> str:
    """Where the cache costs, and from which length on it pays."""
    ordered = sorted(rows, key=lambda row: row.length)
    verdicts = [verdict(row) for row in ordered]
    loses = [row.length for row, said in zip(ordered, verdicts, strict=True) if said == NAIVE]
    behind = [i for i, said in enumerate(verdicts) if said != CACHED]
    where = tell("sweep.loses", lengths=_listed(loses)) if loses else tell("sweep.loses_nowhere")
    if not behind:
        return f"{where} {tell('sweep.wins_everywhere')}"
    if behind[-1] == len(ordered) - 1:
        return f"{where} {tell('sweep.wins_nowhere')}"
    return f"{where} {tell('sweep.wins_from', tokens=tokens(ordered[behind[-1] + 1].length))}"


def agreement_line(rows: Sequence[Row]) -> str:
    return tell(
        "sweep.agree",
        same=str(sum(row.same_token for row in rows)),
        lengths=count(len(rows), "length"),
        difference=_tiny(max(row.difference for row in rows)),
    )


def counted_line(config: Config, lengths: Sequence[int]) -> str:
    """What the counts hold that nobody reads: the products behind the mask."""
    n = max(lengths)
    cached, naive = (step_cost(config, path, n).multiplications for path in (CACHED, NAIVE))
    hidden = step_masked(config, NAIVE, n)
    line = tell(
        "sweep.masked",
        tokens=tokens(n),
        hidden=rate(hidden),
        all=rate(naive),
        ratio=times(naive / cached),
        ratio_without=times((naive - hidden) / cached),
    )
    return line if n <= KERNEL_BLOCK else f"{line} {tell('sweep.masked_skipped', block=str(KERNEL_BLOCK))}"


# ---- precision -------------------------------------------------------------------------------------------


def agreement_row(result: Agreement) -> dict[str, str]:
    return {
        label("agreement.column_precision"): result.dtype,
        label("agreement.column_same"): label(
            "agreement.same", same=result.same_tokens, steps=count(result.steps, "step")
        ),
        label("agreement.column_difference"): _tiny(result.difference),
    }


def _listed(lengths: Sequence[int]) -> str:
    *most, last = [f"{n:,}" for n in lengths]
    return f"{', '.join(most)} and {last} tokens" if most else tokens(lengths[0])


def _tiny(x: float) -> str:
    return f"{x:.1e}".replace("e-0", "e−") if x else "0"
