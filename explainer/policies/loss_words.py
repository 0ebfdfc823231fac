"""What the measured losses say, in words, as a table and as a file."""

from collections.abc import Sequence
from dataclasses import asdict

from explainer.kit import sheet
from explainer.policies.figures import above
from explainer.policies.measure import LossPoint
from explainer.policies.rules import title
from explainer.policies.words import nats, tell


def best_line(points: Sequence[LossPoint], budget: int) -> str:
    """Which policy loses least at a budget, and which lose more than dropping at random.

    SnapKV is left out: its cache grows behind the prompt, so that at the same budget it holds more rows.
    """
    told = {p.rule: p.late for p in points if p.budget == budget and p.rule != "snapkv"}
    full = next((p.late for p in points if p.rule == "full"), None)
    if "random" not in told or full is None:
        return ""
    best = min(told, key=lambda rule: told[rule])
    worse = [title(rule) for rule, loss in told.items() if loss > told["random"]]
    beaten = tell("loss.beaten_some", names=", ".join(worse)) if worse else tell("loss.beaten_none")
    line = tell(
        "loss.best",
        budget=budget,
        best=title(best),
        best_loss=nats(told[best]),
        random=nats(told["random"]),
        full=nats(full),
    )
    return f"{line} {beaten}"


def bits_line(points: Sequence[LossPoint]) -> str:
    """What fewer bits cost."""
    told = {p.rule: p for p in points if p.budget is None}
    if not {"int8", "int4", "int2", "kivi"} <= told.keys():
        return ""
    losses = {name: nats(told[name].late) for name in ("int8", "int4", "int2", "kivi")}
    line = tell("loss.bits", kivi_bits=f"{told['kivi'].bits:.1f}", **losses)
    four = told["int4"]
    dropping = [p for p in points if p.budget and p.rule != "snapkv" and p.bytes >= four.bytes]
    if not dropping:
        return line
    # The next larger memory that was measured: more rows than that would be no comparison.
    least = min(p.bytes for p in dropping)
    best = min((p for p in dropping if p.bytes == least), key=lambda p: p.late)
    beside = tell(
        "loss.beside" if four.late < best.late else "loss.beside_not",
        bytes=f"{four.bytes:,.0f}",
        loss=nats(four.late),
        other=nats(best.late),
        other_bytes=f"{best.bytes:,.0f}",
    )
    return f"{line} {beside}"


def beyond_line(points: Sequence[LossPoint]) -> str:
    """What the chart has no room for."""
    names = dict.fromkeys(title(p.rule) for p in above(points))
    return tell("loss.beyond", names=", ".join(names)) if names else ""


def rows(points: Sequence[LossPoint]) -> list[dict[str, str]]:
    """Every point, for a table."""
    return [
        {
            "policy": title(p.rule),
            "budget": str(p.budget or "–"),
            "rows at the end": f"{p.rows:,}",
            "bytes": f"{p.bytes:,.0f}",
            "bits a number": f"{p.bits:.2f}",
            "before the first eviction": nats(p.before),
            "after it": nats(p.after),
            "late tokens": nats(p.late),
        }
        for p in points
    ]


def to_csv(points: Sequence[LossPoint]) -> str:
    """The same as a file; a loss over no tokens is left empty."""
    return sheet.to_csv(
        [
            {name: "" if value is None or value != value else value for name, value in asdict(p).items()}
            for p in points
        ]
    )
