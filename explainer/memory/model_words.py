"""What the calculator says: sentences and tables from a sum."""

from collections.abc import Mapping

from explainer.kit import sheet
from explainer.kit.words import count
from explainer.memory.calculator import USABLE, Sum
from explainer.memory.figures import contexts
from explainer.memory.words import WORDS, digits, label, size, tell
from kvengine.memory import kv_bytes


def figures_row(told: Mapping[str, str]) -> str:
    """Names and sizes as HTML, which breaks into lines where there is no room. All of it is ours."""
    parts = (f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in told.items())
    return f'<dl class="kv-sizes">{"".join(parts)}</dl>'


def tokens(n: int) -> str:
    return count(n, "token")


def sequences(n: int) -> str:
    return count(n, "sequence")


def formula_line(of: Sum) -> str:
    s = of.model.shape
    if s.latent:
        each = of.fmt.row_bytes(s.latent[0]) / s.latent[0]
        said = label(
            "model.formula_latent",
            layers=s.n_layers,
            latent=" + ".join(f"{width:,}" for width in s.latent),
            each=f"{each:g}",
        )
    else:
        each = of.fmt.row_bytes(s.head_dim) / s.head_dim
        said = label(
            "model.formula_plain",
            layers=s.n_layers,
            kv_heads=s.n_kv_heads,
            head_dim=s.head_dim,
            each=f"{each:.6g}",
        )
    return tell("model.formula", two=said, bytes=f"{of.token:,} bytes")


def kind_line(of: Sum) -> str:
    s = of.model.shape
    said = tell(
        f"model.kind_{s.kind}",
        heads=f"{s.n_heads}",
        kv_heads=f"{s.n_kv_heads}",
        group=f"{s.n_heads // s.n_kv_heads}",
        row=f"{sum(s.latent):,}",
        expanded=size(of.wrong.get("expanded", 1) * of.token),
        times=digits(of.wrong.get("expanded", 1)),
    )
    if s.n_local and of.tokens > s.window:
        said += " " + tell(
            "model.windowed",
            local=f"{s.n_local}",
            layers=f"{s.n_layers}",
            window=f"{s.window:,}",
            full=size(of.tokens * of.token),
        )
    if of.model.active != of.model.parameters:
        said += " " + tell(
            "model.experts",
            active=digits(of.model.active / 1e9),
            all=digits(of.model.parameters / 1e9),
        )
    return said


def fits_line(of: Sum) -> str:
    values = {
        "tokens": tokens(of.tokens),
        "share": f"{USABLE:.0%}",
        "memory": f"{digits(of.memory / 1e9)} GB",
        "gpu": of.gpu.name if of.cards == 1 else f"{of.cards} × {of.gpu.name}",
    }
    if of.users:
        return tell("model.fits", users=sequences(of.users), **values)
    return tell("model.fits_none", weights=size(of.weights), **values)


def outweighs_line(of: Sum) -> str:
    if of.outweighs is None:
        return tell("model.outweighs_never")
    caches = (
        label("model.outweighs_one")
        if of.batch == 1
        else label("model.outweighs_many", batch=f"{of.batch:,}")
    )
    return tell("model.outweighs", tokens=tokens(of.outweighs), caches=caches)


def source_line(of: Sum) -> str:
    model, gpu = of.model, of.gpu
    shape = (
        tell("model.source", source=model.source, date=f"{model.date}", note=model.note)
        if model.date
        else label("model.source", source=model.source, date="", note="").replace(" ()", "")
    )
    return f"{shape} " + tell(
        "model.source_gpu",
        gpu=gpu.name,
        memory=digits(gpu.memory / 1e9),
        bandwidth=digits(gpu.bandwidth / 1e9),
        source=gpu.source,
        date=gpu.date,
    )


def wrong_rows(of: Sum) -> list[dict[str, str]]:
    """The mistakes, the one that misses most first."""
    mistake, gives, factor = WORDS["model"]["wrong_columns"]
    ordered = sorted(of.wrong.items(), key=lambda item: -max(item[1], 1 / item[1]))
    return [
        {
            mistake: WORDS["wrong"][name],
            gives: size(missed * of.cache),
            factor: _factor(missed),
        }
        for name, missed in ordered
    ]


def _factor(missed: float) -> str:
    if missed == 1:
        return label("model.by_luck")
    return f"× {digits(missed)}" if missed > 1 else f"÷ {digits(1 / missed)}"


def to_csv(of: Sum) -> str:
    """The sum over contexts as a table; sizes in bytes."""
    return sheet.to_csv(
        [
            {
                "model": of.model.name,
                "format": of.fmt.name,
                "bits a number": of.fmt.bits_per_number,
                "tokens": n,
                "sequences": of.batch,
                "bytes a token": of.token,
                "cache bytes": kv_bytes(of.model.shape, n, of.fmt, batch=of.batch),
                "weight bytes": of.weights,
            }
            for n in contexts(of)
        ]
    )
