"""The policies page's words: what words.toml says, filled in from a run."""

from pathlib import Path

from explainer.kit.words import Words, words_of

_OURS = Words(Path(__file__).with_name("words.toml"))
WORDS, tell, label, explained = _OURS.tables, _OURS.tell, _OURS.label, _OURS.explained
TEXTS = words_of(Path(__file__).with_name("texts.toml"))


def nats(x: float) -> str:
    """A loss, with a real minus sign, and none before zeros alone."""
    return f"{x:z.3f}".replace("-", "−") if x == x else "–"


def percent(x: float, digits: int = 0) -> str:
    return f"{100 * x:.{digits}f}\u00a0%"  # kept on one line
