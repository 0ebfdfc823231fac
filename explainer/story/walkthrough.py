"""The five stages of one generated token: what each says, with this token's own numbers."""

from dataclasses import dataclass

from explainer.story.formula import formula, fraction, history, op, root, row, rows, total, turned, var
from kvengine.config import Config
from kvengine.cost import pass_cost

#: The rail: what the five stages are called.
STAGES = ("Fresh q, k, v", "Append", "Score", "Weight the values", "Next query reuses")


@dataclass(frozen=True)
class Moment:
    """One decode step seen through one head: what the sentences are filled in from."""

    config: Config
    position: int
    token: str
    next_token: str
    top_token: str  # the row with the largest weight
    top_weight: float
    candidates: tuple[str, ...]  # the rows with the largest weights, in the order of their positions
    top_score_token: str
    top_score: float
    earlier_numbers: int  # entries of earlier rows compared before and after the append, whole cache
    changed_numbers: int


@dataclass(frozen=True)
class Meter:
    """The same work counted twice: with the cache, and in a pass without it."""

    what: str
    cached: int
    naive: int


@dataclass(frozen=True)
class Question:
    """What a learner can be asked before a stage is shown; the stage itself is the explanation."""

    text: str
    options: tuple[str, ...]
    answer: int  # index into options


@dataclass(frozen=True)
class Stage:
    title: str
    question: Question
    fresh: str  # the work of this step
    read: str  # what the cache gives; empty when nothing is read
    focus: str
    why: str
    formulas: tuple[str, ...]  # MathML, one after the other
    shapes: str
    meter: Meter


def stages(m: Moment) -> tuple[Stage, ...]:
    """The five stages of the moment, in order."""
    return (_fresh(m), _append(m), _score(m), _mix(m), _reuse(m))


def _ask(text: str, right: str, *others: str) -> Question:
    """The options in the order of their size, or of the alphabet, so that the place gives nothing away."""
    options = sorted({right, *others}, key=lambda option: (len(option), option))
    return Question(text, tuple(options), options.index(right))


def _rows(n: int, what: str = "row") -> str:
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"


def _fresh(m: Moment) -> Stage:
    n, d, width = m.position, m.config.d_model, m.config.head_dim
    h = var("h", n)
    return Stage(
        title="Only the new token is projected",
        question=_ask(
            f"The text has {n + 1} tokens now. How many of them go through W_Q, W_K and W_V in this step?",
            "1",
            str(n),
            str(n + 1),
        ),
        fresh=f"q, k and v of “{m.token}”: three rows of {width} numbers",
        read="",
        focus=f"Only the new token, “{m.token}”, is multiplied with the three weight matrices. "
        f"The {_rows(n, 'token')} before it {'is' if n == 1 else 'are'} not touched.",
        why="Keys and values of earlier tokens were computed when those tokens came by, and they are still "
        "there. This stage costs O(d²) a token, however long the text has become.",
        formulas=(
            formula(var("q", n, "fresh"), op("="), turned(n, h, var("W", "Q"))),
            formula(var("k", n, "fresh"), op("="), turned(n, h, var("W", "K"))),
            formula(var("v", n, "fresh"), op("="), h, var("W", "V")),
        ),
        shapes=f"[1 × {d}] · [{d} × {width}] → [1 × {width}], three times; "
        f"R turns q and k by the angle of position {n}",
        meter=Meter("multiplications, this head", 3 * d * width, (n + 1) * 3 * d * width),
    )


def _append(m: Moment) -> Stage:
    n, width = m.position, m.config.head_dim
    verdict = (
        f"compared bit by bit, all layers and heads: {m.changed_numbers:,} of {m.earlier_numbers:,} "
        "earlier numbers changed"
    )
    return Stage(
        title="The cache grows by one row",
        question=_ask(
            f"k and v of “{m.token}” are stored. How many of the {_rows(n, 'earlier row')} change by that?",
            "0",
            "1",
            str(n),
        ),
        fresh=f"one row of K and one of V are written, 2 × {width} numbers",
        read="",
        focus=f"k and v of “{m.token}” go to the end of the cache. The {_rows(n, 'earlier row')} "
        f"stay{'s' if n == 1 else ''} exactly as {'it was' if n == 1 else 'they were'} ({verdict}).",
        why="The causal mask lets no token see a later one, so a new token cannot change an old row. "
        "q is not stored: nobody but this token asks with it. k is stored with its rotation.",
        formulas=tuple(
            formula(
                history(name, n - 1),
                op("→"),
                op("["),
                rows(name, n - 1),
                op(","),
                var(name, n, "fresh"),
                op("]"),
            )
            for name in ("k", "v")
        ),
        shapes=f"K and V: [{n} × {width}] → [{n + 1} × {width}] each",
        meter=Meter("K and V numbers computed in this step, this head", 2 * width, (n + 1) * 2 * width),
    )


def _score(m: Moment) -> Stage:
    n, width = m.position, m.config.head_dim
    return Stage(
        title="One query against the whole history",
        question=_ask(f"With how many keys is the query of “{m.token}” compared?", str(n + 1), str(n), "1"),
        fresh=f"{_rows(n + 1, 'score')}",
        read=f"{_rows(n, 'key')} from the cache",
        focus=f"The query of “{m.token}” meets every stored key, its own included: one dot product a row. "
        f"The best match is “{m.top_score_token}”, {m.top_score:.1f}.",
        why="This is what keys are kept for: every later token asks them again. "
        "No earlier query takes part, so none is kept.",
        formulas=(
            formula(
                var("s", "i", "fresh"),
                op("="),
                fraction(
                    row(var("q", n, "fresh"), op("·"), var("k", "i", "cached")), root(f"<mn>{width}</mn>")
                ),
            ),
            formula(var("i"), op("="), f"<mn>0</mn>{op('…')}<mn>{n}</mn>"),
        ),
        shapes=f"[1 × {width}] · [{width} × {n + 1}] → [1 × {n + 1}]",
        meter=Meter("multiplications, this head", (n + 1) * width, (n + 1) ** 2 * width),
    )


def _mix(m: Moment) -> Stage:
    n, width = m.position, m.config.head_dim
    return Stage(
        title="Stored values become the output",
        question=Question(
            "Look at the scores. Whose value row gives the most to the output?",
            m.candidates,
            m.candidates.index(m.top_token),
        ),
        fresh=f"{_rows(n + 1, 'weight')} and one output row",
        read=f"{_rows(n, 'value row')} from the cache",
        focus=f"Softmax turns the scores into weights that add up to 1, and the weights mix the stored rows "
        f"of V into one. “{m.top_token}” gives the most: {m.top_weight:.2f}.",
        why=f"Of the {n + 1} rows that are mixed, {n} {'was' if n == 1 else 'were'} only read. "
        "They were computed once, when their token came by.",
        formulas=(
            formula(
                var("w", kind="fresh"),
                op("="),
                "<mtext>softmax</mtext>",
                op("("),
                var("s", kind="fresh"),
                op(")"),
            ),
            formula(
                var("output", n, "fresh"),
                op("="),
                total("i"),
                var("w", "i", "fresh"),
                var("v", "i", "cached"),
            ),
        ),
        shapes=f"[1 × {n + 1}] · [{n + 1} × {width}] → [1 × {width}]",
        meter=Meter("multiplications, this head", (n + 1) * width, (n + 1) ** 2 * width),
    )


def _reuse(m: Moment) -> Stage:
    c, n = m.config, m.position + 1
    attention = 2 * (n + 1) * c.head_dim
    projections = 3 * c.d_model * c.head_dim
    return Stage(
        title="The next query reads the same rows",
        question=_ask(
            f"The model goes on with “{m.next_token}”. How many rows of K does each layer compute for it?",
            "1",
            str(n),
            str(n + 1),
        ),
        fresh=f"q of “{m.next_token}”, and one new row each of K and V",
        read=f"{_rows(n, 'row')} of K and of V from the cache",
        focus=f"The model went on with “{m.next_token}”. Its query is fresh; the {_rows(n, 'row')} "
        "of K and V that it asks are read, not rebuilt.",
        why="The cache does not make the new query free. It saves the old rows: their k and v, and with them "
        "all that led there, their queries, attention rows, norms and MLPs.",
        formulas=(
            formula(turned(n, var("h", n), var("W", "Q")), op("→"), var("q", n, "fresh")),
            formula(var("q", n, "fresh"), op("·"), history("k", n - 1), op("→"), "<mtext>scores</mtext>"),
            formula(
                "<mtext>weights</mtext>", op("×"), history("v", n - 1), op("→"), var("output", n, "fresh")
            ),
        ),
        shapes=f"[1 × {c.head_dim}] · [{c.head_dim} × {n + 1}] → [1 × {n + 1}] · "
        f"[{n + 1} × {c.head_dim}] → [1 × {c.head_dim}]",
        meter=Meter(
            "multiplications of the next token, this head",
            projections + attention,
            (n + 1) * (projections + attention),
        ),
    )


def without_cache(m: Moment) -> str:
    """What the next token costs when nothing was kept."""
    count, layers = m.position + 2, m.config.n_layers
    return (
        f"Without a cache there is no “just the new query”. A plain forward pass takes all {count:,} tokens "
        f"again and rebuilds them in each of the {layers} layers: {count * layers:,} rows, of which "
        f"{(count - 1) * layers:,} come out as they did before. With the cache it computes {layers}: "
        "one a layer."
    )


def whole_step(config: Config, position: int) -> Meter:
    """The multiplications of the whole model for the token at `position`: projections to readout."""
    return Meter(
        "multiplications, whole model",
        pass_cost(config, q_len=1, start=position).multiplications,
        pass_cost(config, q_len=position + 1).multiplications,
    )


def prompt_notes(config: Config, *, prompt_tokens: int, history: int) -> list[str]:
    """What to say of a prompt that is not simply taken as it is. `prompt_tokens` counts the start token."""
    if prompt_tokens == 1:
        return ["The prompt is empty, so the model begins a story of its own."]
    if prompt_tokens > config.max_seq_len:
        return [
            f"The prompt has {prompt_tokens:,} tokens, and the model was trained on {config.max_seq_len} "
            f"positions: its first {history + 1} tokens are used."
        ]
    return []
