"""The policies page's words: what words.toml says, filled in from a run."""

from pathlib import Path

from explainer.kit.words import Words, words_of

_OURS = Words(Path(__file__).with_name("words.toml"))
WORDS, tell, label, explained = _OURS.tables, _OURS.tell, _OURS.label, _OURS.explained
TEXTS = words_of(Path(__file__).with_name("texts.toml"))


def nats(x: float) -> str:
    """A loss, with a real minus sign."""
    return f"{x:.3f}".replace("-", "−") if x == x else "–"


def percent(x: float) -> str:
    return f"{100 * x:.0f}\u00a0%"  # kept on one line
