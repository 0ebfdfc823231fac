"""A small inference engine for Llama models whose every intermediate can be seen.

Reading order: `model.py` (the forward pass), `cache.py` (what it keeps), `generate.py` (the loop around it),
`trace.py` (how a pass is recorded), `graph.py` (its operations as data), `cost.py` (what it multiplies and
reads), `walk.py` (each step proved), `experiments.py` and `compare.py` (two passes compared, and the premise
broken), `timing.py` (both measured), `memory.py` (what any model's cache takes), `prefix.py` and
`reuse.py` (a cache that outlives its request). `paper.py` is a model for pencil and paper.
"""

from kvengine.cache import KVCache
from kvengine.config import Config
from kvengine.errors import CheckpointError, ContextLengthError, KVEngineError, PromptError
from kvengine.generate import Step, generate, greedy, sampler
from kvengine.model import Tap, Transformer
from kvengine.proof import Proof
from kvengine.tokenizer import END_OF_TEXT, Tokenizer
from kvengine.trace import Trace, trace
from kvengine.walk import Recording, Walk, WalkStep, written
from kvengine.weights import ModelCard, available_models, further_models, load_model, load_tokenizer

__all__ = [
    "END_OF_TEXT",
    "CheckpointError",
    "Config",
    "ContextLengthError",
    "KVCache",
    "KVEngineError",
    "ModelCard",
    "PromptError",
    "Proof",
    "Recording",
    "Step",
    "Tap",
    "Tokenizer",
    "Trace",
    "Transformer",
    "Walk",
    "WalkStep",
    "available_models",
    "further_models",
    "generate",
    "greedy",
    "load_model",
    "load_tokenizer",
    "sampler",
    "trace",
    "written",
]
