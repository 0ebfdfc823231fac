"""Everything that the engine refuses, as a small tree.

KVEngineError
├── CheckpointError      a model directory that cannot be read, or holds another architecture
├── ContextLengthError   more tokens than the model, or the cache, has room for
├── PromptError          a prompt or a setting that no model can run
├── SizeError            numbers of which no cache can be made (memory.py)
├── TraceError           requests that cannot be served (paging.py)
├── PolicyError          a budget that a cache policy cannot work with (policies.py)
├── RecordingError       a recorded run that cannot be read (recording.py)
└── in explainer/kit: QueueFull (lab.py), MeasurementLost and MeasurementFailed (process.py)

Each message is a sentence for the person who gave the input: the fact, then the remedy.
"""


class KVEngineError(Exception):
    """Base of all errors that the engine raises on purpose."""


class CheckpointError(KVEngineError):
    """A model directory that cannot be read, or that holds another architecture."""


class ContextLengthError(KVEngineError):
    """More tokens than the model, or the cache, has room for."""


class PromptError(KVEngineError):
    """A prompt or a sampling setting that no model can run."""


def spoken(value: int) -> str:
    """A whole number in a sentence; one that is far too long by its size."""
    return f"{value:,}" if abs(value) < 10**15 else f"about 10^{len(str(abs(value))) - 1}"
