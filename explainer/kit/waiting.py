"""What is said while a measurement waits or runs, and when it did not come to its end."""

from pathlib import Path

from explainer.kit.words import count, say, words_of

WAITING = words_of(Path(__file__).with_name("waiting.toml"))


def queue_line(ahead: int) -> str:
    waiting = WAITING["queue_one"] if ahead == 1 else WAITING["queue_many"].format(count=ahead)
    return say(WAITING["queue"], waiting=waiting)


def turn_line(name: str, ahead: int) -> str:
    """What one is told who waits until others have computed with a real model."""
    return say(WAITING["turn"], name=name, ahead=count(ahead, "other"), are="is" if ahead == 1 else "are")


def ended_line(state: str, error: str, limit: float) -> str:
    """How a run ended that did not come to its end."""
    ended = WAITING["ended"]
    if state == "failed":
        return say(ended["failed"], error=error)
    if state == "out of time":
        return say(ended["out_of_time"], limit=count(round(limit), "second"))
    return say(ended["stopped"])
