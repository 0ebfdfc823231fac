"""The parts of the page one after the other, as a scene: what stepped.js draws, and what is said of it."""

from collections.abc import Callable, Mapping
from math import sqrt
from pathlib import Path
from typing import Any

from explainer.kit.lab import LAB, TIME_LIMIT
from explainer.kit.runs import Measured
from explainer.kit.units import milliseconds, times
from explainer.kit.waiting import WAITING, ended_line, queue_line
from explainer.kit.words import Words, count
from explainer.timing.choice import PARTS
from explainer.timing.reasons import fewer_and_time
from explainer.timing.scene import race_scene
from explainer.timing.words import agreement_row, label, measured_alt, raced, slower, tokens
from kvengine.speed import fit, points_of, total_projections, total_seconds
from kvengine.timing import CACHED, NAIVE, lengths_up_to

_OURS = Words(Path(__file__).with_name("class.toml"))
WORDS, said = _OURS.tables, _OURS.label

#: What a part's function gives: its sentence, and what it draws where that was measured.
Told = dict[str, Any]


def parts_scene(
    runs: Mapping[str, Measured | None], scale: int, text_of: Callable[[int], str]
) -> dict[str, Any]:
    """All parts, as far as they were measured; `runs` by the parts that start them, `scale` in tokens."""
    sweep = runs["sweep"]
    told = {
        "race": _race(runs["race"], text_of),
        "sweep": _sweep(sweep),
        "scale": _scale(sweep, scale),
        "why": _why(sweep),
        "precision": _precision(runs["precision"]),
    }
    return {
        "what": "parts",
        "frame": WORDS["frame"],
        "parts": [_around(part, runs.get(part, sweep)) | told[part] for part in PARTS],
    }


def _around(part: str, found: Measured | None) -> Told:
    """What every part has, whatever was measured."""
    active = found is not None and found.run.active
    began = found is not None and part in ("race", "sweep", "precision")
    return {
        "key": part,
        **{name: said(f"{part}.{name}") for name in ("name", "say", "ask")},
        "start": "" if active else said("frame.again") if began else str(WORDS[part].get("start", "")),
        "status": _status(found, part) if found else said("frame.not_yet"),
        "measured": False,
    }


def _status(found: Measured, part: str) -> str:
    """How far a run is, or how it ended where it did not come to its end."""
    run = found.run
    if run.active and (ahead := LAB.place(run)):
        return queue_line(ahead)
    if run.active and not run.results:
        return str(WAITING["warming"])
    if run.active:
        if part in ("race", "precision"):
            return ""  # what is drawn says it
        lengths = count(len(lengths_up_to(found.size)), "length")
        return said("sweep.progress", done=str(len(run.results)), lengths=lengths)
    return "" if run.state == "done" else run.error or ended_line(run.state, "", TIME_LIMIT)


def _race(found: Measured | None, text_of: Callable[[int], str]) -> Told:
    if found is None:
        return {"line": said("race.line")}
    steps = found.run.results
    drawn = race_scene(
        found.prompt,
        steps,
        text_of,
        new_tokens=found.size,
        prompt_tokens=len(found.setting.prompt_ids),
        running=found.run.active,
    )
    line = said("race.line")
    n, cached, naive = raced(steps)
    if n and not found.run.active:
        line = said("race.done", tokens=tokens(n), cached=milliseconds(cached), naive=milliseconds(naive))
    return {"line": line, "measured": True, "race": drawn}


def _sweep(found: Measured | None) -> Told:
    if found is None or not found.run.results:
        return {"line": said("sweep.line")}
    rows = sorted(found.run.results, key=lambda row: row.length)
    last = rows[-1]
    ends = {path: milliseconds(last.points[path].median) for path in (CACHED, NAIVE)}
    done = said("sweep.done", tokens=tokens(last.length), **ends)
    ms = {
        path: {
            name: [getattr(point, of) * 1e3 for point in points_of(rows, path)]
            for name, of in (("low", "q25"), ("median", "median"), ("high", "q75"))
        }
        for path in (CACHED, NAIVE)
    }
    drawn = {"lengths": [row.length for row in rows], "ms": ms, "ends": ends}
    named = {
        "x": said("sweep.x"),
        "y": said("sweep.y"),
        "alt": measured_alt(rows, said("sweep.name")),
    }
    line = said("sweep.line") if found.run.active else done
    return {"line": line, "measured": True, "sweep": drawn | named}


def _scale(found: Measured | None, n: int) -> Told:
    naive, cached = (total_projections(path, n) for path in (NAIVE, CACHED))
    counted = _squares("counted", {"again": (naive, f"{naive:,}"), "fresh": (cached, f"{cached:,}")})
    told: Told = {"measured": True, "counted": counted, "timed": None}
    active = found is not None and found.run.active
    rows = found.run.results if found and not active else []
    if max((row.length for row in rows), default=0) < n:
        told |= {"line": said("scale.line", tokens=tokens(n), naive=f"{naive:,}", cached=f"{cached:,}")}
        if not active:
            told |= {
                "status": said("scale.missing", tokens=tokens(n)),
                "start": said("scale.sweep_to", tokens=tokens(n)),
            }
        return told | {"title": said("scale.timed")}
    long, short = (total_seconds(points_of(rows, path), n) for path in (NAIVE, CACHED))
    which, ratio = slower(short, long)
    time = said(f"scale.{which}", ratio=times(ratio))
    told["timed"] = _squares(
        "timed", {"naive": (long, milliseconds(long)), "cached": (short, milliseconds(short))}
    )
    return told | {"start": "", "line": said("scale.done", ratio=times(naive / cached), time=time)}


def _squares(title: str, numbers: dict[str, tuple[float, str]]) -> Told:
    """Two squares, naive and cached, by how they are filled: their areas are as the numbers."""
    most = max(number for number, _ in numbers.values())
    of = zip((NAIVE, CACHED), numbers.items(), strict=True)
    return {
        "title": said(f"scale.{title}"),
        "of": [
            {"name": path, "kind": kind, "share": sqrt(number / most), "text": text}
            for path, (kind, (number, text)) in of
        ],
    }


def _why(found: Measured | None) -> Told:
    rows = found.run.results if found and not found.run.active else []
    model = fit(found.setting.config, rows) if found else None
    if found is None or model is None:
        return {"line": said("why.line")}
    config, n = found.setting.config, max(row.length for row in rows)
    fewer, time = fewer_and_time(rows)
    paths = []
    for path in (NAIVE, CACHED):
        terms = model.parts(config, path, n)
        whole = sum(terms)
        parts = [{"share": t / whole, "text": _term(t, whole)} for t in terms]
        paths.append(
            {
                "name": path,
                "title": said("why.fitted", path=path),
                "total": milliseconds(whole),
                "parts": parts,
            }
        )
    names = [said(f"why.{name}") for name in ("fixed", "multiplying", "history")]
    return {
        "line": said("why.done", tokens=tokens(n), fewer=fewer, time=time),
        "start": "",
        "measured": True,
        "why": {"names": names, "paths": paths},
    }


def _term(seconds: float, whole: float) -> str:
    return f"{milliseconds(seconds)} · {seconds / whole:.0%}" if seconds else label("why.fit_none")


def _precision(found: Measured | None) -> Told:
    results = found.run.results if found else []
    if not results:
        return {"line": said("precision.line")}
    same, steps = (sum(getattr(result, name) for result in results) for name in ("same_tokens", "steps"))
    line = said("precision.done_some", same=str(same), steps=count(steps, "step"))
    table = [agreement_row(result) for result in results]
    return {
        "line": said("precision.done_all") if same == steps else line,
        "measured": True,
        "precision": {"head": list(table[0]), "rows": [list(row.values()) for row in table]},
    }
