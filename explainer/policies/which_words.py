"""What came back under each policy, as rows of a table, as a sentence and as a file."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from html import escape

from explainer.kit import sheet
from explainer.policies.measure_which import Recalled
from explainer.policies.rules import title
from explainer.policies.words import WORDS, percent, tell

#: The texts of written tokens.
Decode = Callable[[Sequence[int]], str]
_COLUMNS: Mapping[str, str] = WORDS["which"]["columns"]


def back(point: Recalled, answer: str, decode: Decode) -> bool:
    """Is the answer what the model goes on with?"""
    return decode(point.written).strip().startswith(answer.strip())


def table(points: Sequence[Recalled], answer: str, decode: Decode, guessed: Collection[str] | None) -> str:
    """Every policy a row, as HTML; `guessed` are those that the learner thought would forget it, if any."""
    names = {name: escape(said.format(answer=answer.strip())) for name, said in _COLUMNS.items()}
    if guessed is None:
        del names["guess"]
    head = "".join(f'<th scope="col">{name}</th>' for name in names.values())
    body = "".join(_row(point, names, back(point, answer, decode), decode, guessed or ()) for point in points)
    return f'<table class="which"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _row(
    point: Recalled, names: Mapping[str, str], came: bool, decode: Decode, guessed: Collection[str]
) -> str:
    name = f'<th scope="row">{escape(title(point.rule))}</th>'
    if point.refused:
        return f'<tr>{name}<td colspan="{len(names) - 1}">{escape(point.refused)}</td></tr>'
    verdict = f"{'✓' if came else '✗'} {escape(WORDS['which']['back' if came else 'forgotten'])}"
    chance = f"{100 * point.probability:.0f}"
    cells = {
        "back": f'<span class="{"came" if came else "gone"}">{verdict}</span>',
        "chance": f'<i style="width:{chance}%"></i><span>{chance}%</span>',
        "written": f"“{escape(' '.join(decode(point.written).split()))} …”",
        "holding": f"{point.holding} of {point.heads}",
        "rows": f"{point.rows}",
        "bytes": f"{point.bytes:,.0f}",
        "guess": "–" if point.rule == "full" else "✓" if (point.rule in guessed) != came else "✗",
    }
    told = (f'<td class="{at}" data-name="{names[at]}">{cells[at]}</td>' for at in names if at != "policy")
    return f"<tr>{name}{''.join(told)}</tr>"


def lines(
    points: Sequence[Recalled], answer: str, decode: Decode, guessed: Collection[str] | None
) -> list[str]:
    """What it comes to, once all have run."""
    run = [point for point in points if not point.refused]
    full = next(point for point in run if point.rule == "full")
    others = [point for point in run if point.rule != "full"]
    lost = [point for point in others if not back(point, answer, decode)]
    said = {"answer": answer.strip(), "count": len(lost), "all": len(others)}
    names = ", ".join(title(point.rule) for point in lost)
    told = [tell("which.lost", names=names, **said) if lost else tell("which.none_lost", **said)]
    more = [point for point in others if point.probability > full.probability + 0.01]
    if more:
        most = max(more, key=lambda point: point.probability)
        values = {
            "name": title(most.rule),
            "chance": percent(most.probability),
            "full": percent(full.probability),
        }
        told.append(tell("which.more", answer=said["answer"], **values))
    if any(not point.holding for point in lost):
        told.append(tell("which.held", answer=said["answer"]))
    if guessed is not None:
        right = sum((point.rule in guessed) == (point in lost) for point in others)
        told.append(tell("which.guessed", right=right, all=len(others)))
    return told


def to_csv(points: Sequence[Recalled], answer: str, decode: Decode) -> str:
    """The same as a file."""
    return sheet.to_csv(
        [
            asdict(point)
            | {
                "answer": answer.strip(),
                "written": decode(point.written),
                "came_back": back(point, answer, decode),
                "probability": "" if point.refused else point.probability,
            }
            for point in points
        ]
    )
