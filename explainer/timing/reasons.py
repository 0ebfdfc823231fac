"""Why fewer projections are not as much more speed, in words: the count, and a run's fit."""

from collections.abc import Sequence
from math import floor, log10

from explainer.kit.units import byte_size, milliseconds, rate, times
from explainer.timing.words import label, longer, slower, tell, tokens
from kvengine.config import Config
from kvengine.speed import Fit, kv_bytes, step_cost, step_projections, total_projections
from kvengine.timing import CACHED, NAIVE, Row


def scale_line(n: int) -> str:
    naive, cached = total_projections(NAIVE, n), total_projections(CACHED, n)
    return tell(
        "scale.counted",
        tokens=tokens(n),
        sum=f"1 + 2 + … + {n:,}",
        naive=f"{naive:,}",
        cached=f"{cached:,}",
        ratio=times(naive / cached),
    )


def measured_scale_line(naive: float, cached: float) -> str:
    return tell(
        "scale.measured",
        naive=milliseconds(naive),
        cached=milliseconds(cached),
        longer=longer(cached, naive),
    )


def sweep_first_line(n: int, longest: int) -> str:
    if longest == 0:
        return tell("scale.not_swept")
    return tell("scale.swept_less", longest=tokens(longest), tokens=tokens(n))


def fewer_and_time(rows: Sequence[Row]) -> tuple[str, str]:
    """How many times fewer projections a cached step makes at the longest length, and what time that is."""
    row = max(rows, key=lambda r: r.length)
    fewer = times(step_projections(NAIVE, row.length) / step_projections(CACHED, row.length))
    which, ratio = slower(row.points[CACHED].median, row.points[NAIVE].median)
    said = {NAIVE: "less", CACHED: "more"}
    return fewer, label(f"why.{said[which]}", ratio=times(ratio)) if which in said else label("why.same")


def fit_reasons(config: Config, rows: Sequence[Row], fit: Fit, bytes_per_float: int) -> list[tuple[str, str]]:
    """Why n times fewer projections are not n times the speed: (reason, this run's numbers)."""
    row = max(rows, key=lambda r: r.length)
    n, cached, naive = row.length, row.points[CACHED].median, row.points[NAIVE].median
    work = {path: step_cost(config, path, n).multiplications for path in (CACHED, NAIVE)}
    fewer, time = fewer_and_time(rows)
    fixed, multiplying, history = fit.parts(config, CACHED, n)
    step = fixed + multiplying + history
    naive_parts = fit.parts(config, NAIVE, n)
    kv = byte_size(kv_bytes(config, n, bytes_per_float))
    return [
        (
            tell("why.count_title", fewer=fewer, time=time),
            tell(
                "why.count",
                tokens=tokens(n),
                cached=milliseconds(cached),
                naive=milliseconds(naive),
                work=times(work[NAIVE] / work[CACHED]),
                fewer=fewer,
            ),
        ),
        (
            tell("why.fixed_title"),
            tell("why.fixed", fixed=milliseconds(fixed), share=f"{fixed / step:.0%}"),
        ),
        (
            tell("why.work_title"),
            tell(
                "why.work",
                naive=milliseconds(naive_parts[1]),
                cached=milliseconds(multiplying),
                naive_share=f"{naive_parts[1] / sum(naive_parts):.0%}",
                cached_share=f"{multiplying / step:.0%}",
            ),
        ),
        (
            tell("why.history_title"),
            tell("why.history", kv=kv, history=milliseconds(history))
            if history
            else tell("why.history_none", kv=kv),
        ),
    ]


def fit_line(fit: Fit) -> str:
    misses = sorted(abs(miss) for miss in fit.residuals.values())
    work, token = fit.per_multiplication, fit.per_token
    none = label("why.fit_none")
    return tell(
        "why.fit",
        fixed=_give_or_take(fit.fixed.value * 1e3, fit.fixed.error * 1e3, "ms") if fit.fixed.value else none,
        work=label("why.fit_work", rate=rate(1 / work.value), error=f"±{work.error / work.value:.0%}")
        if work.value
        else none,
        history=label("why.fit_history", time=_give_or_take(token.value * 1e6, token.error * 1e6, "µs"))
        if token.value
        else none,
        typical=f"{misses[len(misses) // 2]:.0%}",
        worst=f"{misses[-1]:.0%}",
    )


def _give_or_take(value: float, error: float, unit: str) -> str:
    """0.54 ± 0.02 ms: the error with one digit, and the value with as many behind the point."""
    digits = min(3, max(0, -floor(log10(error)))) if error else 3
    return f"{value:.{digits}f} ± {error:.{digits}f} {unit}"
