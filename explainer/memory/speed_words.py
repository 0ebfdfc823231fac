"""What the part on speed says: of measured batches, and of the bound on a GPU."""

from collections.abc import Sequence
from dataclasses import asdict

from explainer.kit import sheet
from explainer.kit.measure import Setting
from explainer.kit.units import byte_size, milliseconds, times
from explainer.kit.words import count
from explainer.memory.calculator import Sum
from explainer.memory.figures import BATCHES
from explainer.memory.measure import Load
from explainer.memory.words import WORDS, digits, label, small, tell
from kvengine import Config
from kvengine.batch import BatchPoint
from kvengine.cost import cache_bytes, weight_floats

#: The upper quartile of a step against the lower, from which on something else ran on the machine.
WIDE = 2.0


def text(model: str, load: Load) -> str:
    return tell("speed.text", model=model, length=count(load.length, "token"))


def counted_points(config: Config, load: Load) -> list[tuple[int, float, float]]:
    """(texts at once, bytes of the weights for each, bytes of its own cache) of the running model."""
    cache = cache_bytes(config, load.length + load.steps // 2)
    return [(batch, 4 * weight_floats(config) / batch, float(cache)) for batch in load.sizes]


def read_points(of: Sum) -> list[tuple[int, float, float]]:
    """The same of the calculator's model."""
    return [(batch, of.read_weights / batch, float(of.sequence)) for batch in BATCHES if batch <= 256]


def model_line(of: Sum) -> str:
    least = f", {label('speed.at_least')}" if of.model.active != of.model.parameters else ""
    return f"{of.model.name}, {count(of.tokens, 'token')}{least}"


def measured_line(points: Sequence[BatchPoint]) -> str:
    first, last = points[0], points[-1]
    return tell(
        "speed.said",
        batch=f"{last.batch}",
        rate=f"{last.tokens_per_second:,.0f}",
        times=times(last.tokens_per_second / first.tokens_per_second),
        slower=times(last.median / first.median),
        bytes=byte_size(last.bytes_per_token),
        alone=byte_size(first.bytes_per_token),
    )


def why_line(points: Sequence[BatchPoint]) -> str:
    """What the bytes explain of the times; where these spread too widely, that they explain nothing."""
    if max(point.q75 / point.q25 for point in points) > WIDE:
        return tell("speed.disturbed")
    first, last = points[0], points[-1]
    return tell(
        "speed.why", alone=digits(_speed(first)), together=digits(_speed(last)), batch=f"{last.batch}"
    )


def _speed(point: BatchPoint) -> float:
    """GB a second that a step read at least."""
    return (point.weight_bytes + point.cache_bytes) / point.median / 1e9


def to_csv(points: Sequence[BatchPoint]) -> str:
    """The measured points, times in seconds and sizes in bytes."""
    return sheet.to_csv([asdict(point) for point in points])


def proof_line(points: Sequence[BatchPoint]) -> str:
    same = all(point.same for point in points)
    return tell(
        "speed.proof",
        compared=f"{sum(point.compared for point in points):,}",
        same=WORDS["speed"]["same" if same else "differs"],
        difference=small(max(point.difference for point in points)),
    )


def rows(points: Sequence[BatchPoint]) -> list[dict[str, str]]:
    columns = WORDS["speed"]["columns"]
    return [
        dict(
            zip(
                columns,
                (
                    f"{p.batch}",
                    milliseconds(p.median),
                    f"{p.tokens_per_second:,.0f}",
                    byte_size(p.bytes_per_token),
                    digits(_speed(p)),
                    "yes" if p.same else "no",
                    small(p.difference),
                ),
                strict=True,
            )
        )
        for p in points
    ]


def machine_line(setting: Setting, load: Load) -> str:
    hardware = setting.hardware
    return tell(
        "speed.machine",
        name=hardware.name,
        threads=count(hardware.threads, "thread"),
        turns=f"{load.turns}",
        steps=f"{load.steps}",
    )


def bound_sizes(of: Sum) -> dict[str, str]:
    """The bound on all sequences together, and on each of them."""
    sizes = {label("speed.most"): label("speed.rate", rate=digits(of.bound))}
    if of.batch > 1:
        sizes[label("speed.most_each")] = label("speed.rate", rate=digits(of.bound / of.batch))
    return sizes


def bound_line(of: Sum) -> str:
    gpu = of.gpu.name if of.cards == 1 else f"{of.cards} × {of.gpu.name}"
    said = tell(
        "speed.bound_one" if of.batch == 1 else "speed.bound",
        gpu=gpu,
        bandwidth=f"{of.cards * of.gpu.bandwidth / 1e9:,.0f}",
        batch=count(of.batch, "sequence"),
        weights=byte_size(of.read_weights),
        caches=byte_size(of.cache),
        rate=digits(of.bound),
        each=digits(of.bound / of.batch),
    )
    if of.model.active != of.model.parameters:
        said += " " + tell("speed.active", active=digits(of.model.active / 1e9))
    return f"{said} {tell('speed.embeddings')} " + tell(
        "speed.far",
        tokens=count(of.tokens, "token"),
        most=digits(of.cards * of.gpu.bandwidth / of.sequence),
    )
