"""The timing lab's words: every number in them comes from the run, the model or a count."""

from collections.abc import Sequence

from explainer.story.units import byte_size, milliseconds, rate, times
from kvengine.config import Config
from kvengine.hardware import Hardware
from kvengine.recording import Provenance
from kvengine.speed import (
    Fit,
    kv_bytes,
    step_cost,
    step_projections,
    total_projections,
    verdict,
)
from kvengine.timing import CACHED, NAIVE, Agreement, Row, TimedStep

#: How the paths are called on the page.
NAMES = {
    CACHED: "cached",
    NAIVE: "naive",
    "cat": "torch.cat every step",
    "prefill": "prefill",
}

LEAD = (
    "The cache is said to make generation fast. Here that is measured, on the machine that serves this page, "
    "with the two code paths that really generate: the same function, with the cache and without it."
)

RACE = (
    "Both paths continue your prompt. They take turns, one token each, on one thread, so that neither runs "
    "while the other's clock does. A clock is the sum of its own steps; each begins with a prefill, and both "
    "were warmed up before."
)

SWEEP = (
    "One step, repeated, at texts of doubling length. The line is the median, the band holds the middle half "
    "of the repetitions."
)

TOTALS = (
    "The time to run a whole text token by token: the measured steps, taken as linear between the measured "
    "lengths, summed from the first token to the last."
)

COUNTED = (
    "To choose each next token, the naive path projects every token of the text again; the cached path "
    "projects the new one. Each square's area is to scale."
)

PRECISION = (
    "In exact arithmetic both paths give the same numbers. In floating point they agree to rounding, because "
    "their matrix products have different shapes. Here both take every step on the same text."
)


PREFILL = (
    "Both paths must run the whole prompt once before they can say a word. The cached one also stores its "
    "keys and values; nothing is saved yet."
)

CAT_HELP = (
    "A popular way to write a cache: join the new row to the old ones at every step. It copies the whole "
    "history each time; the cache used here writes the row into memory taken once."
)

FILES = (
    "The camera on each chart saves it as a PNG. A run saved here can be laid over a run on another machine: "
    "it is drawn thin, named recorded, and said where it comes from."
)

VIEWS = {
    "One step": "A step runs the newest token of a text and chooses the next.",
    "Whole text": TOTALS,
    "Ratio": "How many times more the naive path takes. On the right the count, on the left the clock.",
}

ENDED = {
    "stopped": "Stopped. What was measured until then is kept.",
    "out of time": "The time limit of a run was reached. What was measured until then is kept.",
    "failed": "The measurement could not go on.",
}


def view_line(view: str) -> str:
    return VIEWS[view]


def setting_line(model: str, dtype: str, threads: int) -> str:
    return f"{model}, {dtype}, {'1 thread' if threads == 1 else f'{threads} threads'}"


def cut_line(prompt_tokens: int, kept: int) -> str:
    return (
        f"The prompt has {prompt_tokens:,} tokens; its first {kept:,} are used, so that the model has "
        "positions left to generate."
    )


def progress_line(done: int, lengths: Sequence[int]) -> str:
    now = f", now {lengths[done]:,} tokens" if done < len(lengths) else ""
    return f"{done} of {len(lengths)} lengths measured{now}"


def recorded_line(provenance: Provenance) -> str:
    return f"Recorded, not measured here: {provenance_line(provenance)}."


def sweep_first_line(n: int, longest: int) -> str:
    if longest == 0:
        return "Run the sweep, and the measured times are drawn beside the count."
    return (
        f"The sweep went up to {longest:,} tokens; run it to {n:,} or more, and the measured times are drawn "
        "beside the count."
    )


def measured_alt(rows: Sequence[Row], view: str) -> str:
    last = max(rows, key=lambda row: row.length)
    cached, naive = last.points[CACHED].median, last.points[NAIVE].median
    return (
        f"{view} against tokens in the text; at {last.length:,} tokens one step takes {milliseconds(cached)} "
        f"cached and {milliseconds(naive)} naive"
    )


def agreement_row(result: Agreement) -> dict[str, str]:
    return {
        "precision": result.dtype,
        "same next token": f"{result.same_tokens} of {result.steps} steps",
        "largest difference between logits": f"{result.difference:.1e}",
    }


def hardware_line(hardware: Hardware) -> str:
    threads = "1 thread" if hardware.threads == 1 else f"{hardware.threads} threads"
    cores = "1 core" if hardware.cores == 1 else f"{hardware.cores} cores"
    return f"{hardware.name}, {cores} ({hardware.device}, {threads}), torch {hardware.torch}"


def provenance_line(provenance: Provenance) -> str:
    return (
        f"{provenance.model}, {provenance.dtype}, on {hardware_line(provenance.hardware)}; "
        f"measured {provenance.when}"
    )


def queue_line(ahead: int) -> str:
    waiting = "1 measurement is" if ahead == 1 else f"{ahead} measurements are"
    return f"One measurement at a time, so that clocks stay honest: {waiting} ahead of yours."


def race_line(steps: Sequence[TimedStep]) -> str:
    """What the race has shown so far."""
    clocks = {path: [s.seconds for s in steps if s.path == path] for path in (CACHED, NAIVE)}
    n = len(clocks[NAIVE])
    if n == 0:
        return ""
    cached, naive = sum(clocks[CACHED][:n]), sum(clocks[NAIVE])
    same = _same_tokens(steps)
    agree = f"All {n} tokens are the same" if same == n else f"{same} of {n} tokens are the same"
    faster, ratio = ("cached", naive / cached) if cached < naive else ("naive", cached / naive)
    first = [milliseconds(clocks[path][0]) for path in (CACHED, NAIVE)]
    return (
        f"{n} tokens: cached in {milliseconds(cached)}, naive in {milliseconds(naive)}; the {faster} path "
        f"was {times(ratio)} faster. {agree}. The first token came after {first[0]} and "
        f"{first[1]}: the prefill is the same work in both."
    )


def _same_tokens(steps: Sequence[TimedStep]) -> int:
    cached, naive = ({s.position: s.token_id for s in steps if s.path == path} for path in (CACHED, NAIVE))
    return sum(cached.get(position) == token for position, token in naive.items())


def losing_line(rows: Sequence[Row]) -> str:
    """From which length on the cache pays, and where it costs."""
    ordered = sorted(rows, key=lambda row: row.length)
    loses = [row.length for row in ordered if verdict(row) == NAIVE]
    wins = [row.length for row in ordered if verdict(row) == CACHED]
    always = next((n for n in wins if all(m in wins for m in (r.length for r in ordered) if m >= n)), None)
    if loses:
        where = (
            f"The cached path loses at {_listed(loses)} {'token' if loses == [1] else 'tokens'}: there its "
            "bookkeeping costs more than it saves."
        )
    else:
        where = "At no measured length did the cached path clearly lose."
    if always is None:
        return f"{where} Nor is it clearly ahead up to the longest text: the bands overlap."
    if always == ordered[0].length:
        return f"{where} It is clearly ahead at every one."
    return f"{where} It is clearly ahead from {always:,} tokens on; below, the bands overlap or it is behind."


def past_context_line(trained: int, longest: int) -> str:
    if longest <= trained:
        return ""
    return (
        f"The model was trained on {trained:,} positions. Beyond them, up to {longest:,}, it is run for its "
        "time alone: the work is the same, the text would be no sense."
    )


def agreement_line(rows: Sequence[Row]) -> str:
    same, largest = sum(row.same_token for row in rows), max(row.difference for row in rows)
    return (
        f"At {same} of {len(rows)} lengths both paths choose the same token; the largest difference between "
        f"their logits is {largest:.1e}."
    )


def scale_line(n: int) -> str:
    naive, cached = total_projections(NAIVE, n), total_projections(CACHED, n)
    return (
        f"{n:,} tokens: 1 + 2 + … + {n:,} = **{naive:,}** projected rows against **{cached:,}**, "
        f"{times(naive / cached)} fewer. A row is projected to q, k and v once in every layer."
    )


def measured_scale_line(naive: float, cached: float, n: int) -> str:
    return (
        f"Measured for {n:,} tokens: {milliseconds(naive)} against {milliseconds(cached)}, "
        f"**{times(naive / cached)}** faster. Work saved is not time saved."
    )


def fit_reasons(config: Config, rows: Sequence[Row], fit: Fit, bytes_per_float: int) -> list[tuple[str, str]]:
    """Why n times fewer projections are not n times faster: (reason, this run's numbers)."""
    row = max(rows, key=lambda r: r.length)
    n, cached, naive = row.length, row.points[CACHED].median, row.points[NAIVE].median
    work = {path: step_cost(config, path, n).multiplications for path in (CACHED, NAIVE)}
    kv = byte_size(kv_bytes(config, n, bytes_per_float))
    fixed, multiplying, reading = fit.parts(config, CACHED, n, bytes_per_float)
    share = fixed / (fixed + multiplying + reading)
    products = step_projections(NAIVE, n) // step_projections(CACHED, n)
    return [
        (
            f"{times(products)} fewer projections, {times(naive / cached)} faster",
            f"The step at {n:,} tokens takes {milliseconds(cached)} with the cache and {milliseconds(naive)} "
            f"without. Counted in multiplications it does {times(work[NAIVE] / work[CACHED])} less: the new "
            "query still meets every key, and the readout is the same for both.",
        ),
        (
            "A fixed cost that no cache saves",
            f"Starting every operation and reading the weights takes {milliseconds(fixed)} a step, however "
            f"few rows there are: {share:.0%} of the fitted cached step at this length.",
        ),
        (
            "Large products run at full speed, one row does not",
            f"The naive step gets through {rate(work[NAIVE] / naive)} multiplications per second, since many "
            f"rows share each weight that is loaded. The cached step reaches {rate(work[CACHED] / cached)}.",
        ),
        (
            "The history is read at every step",
            f"The cached step multiplies less but still reads {kv} of keys and values, which the fit puts at "
            f"{milliseconds(reading)}. That grows with the text: a cached step is not constant time.",
        ),
    ]


def fit_line(fit: Fit) -> str:
    worst = max(abs(residual) for residual in fit.residuals.values())
    typical = sorted(abs(residual) for residual in fit.residuals.values())[len(fit.residuals) // 2]
    work = (
        "no time that shows"
        if fit.per_multiplication == 0
        else f"{rate(1 / fit.per_multiplication)} a second"
    )
    read = "no time that shows" if fit.per_byte == 0 else f"{byte_size(1 / fit.per_byte)} a second"
    return (
        f"One model for all points of both paths: {milliseconds(fit.fixed)} fixed, multiplications at "
        f"{work}, keys and values read at {read}. It misses a point by {typical:.0%} in the middle and "
        f"{worst:.0%} at worst. Where a miss is wider than the band, the machine does something that these "
        "three terms do not say."
    )


def _listed(lengths: Sequence[int]) -> str:
    words = [f"{n:,}" for n in lengths]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
