"""What a pass multiplies, reads and keeps: formulas beside the model, checked against torch's FLOP counter.

A multiplication here is one multiply-accumulate of a matrix product, two FLOPs. Norms, rotations, softmax
and additions are left out, as is usual. Softmax grows with rows × keys, as the scores do, but takes a few
operations for each score, where the two products take head_dim multiplications each.

Products are counted dense, as a matrix product computes them: a score that the mask then hides counts like
any other (`masked_multiplications` says how many do). Past 512 tokens torch's fused kernel may skip blocks in
which everything is masked, and so do less than is counted here.
"""

from dataclasses import dataclass, fields

from kvengine.config import Config
from kvengine.graph import LAYER, READOUT, sizes


@dataclass(frozen=True)
class Cost:
    """Multiplications of one pass, by operation, all layers and heads together."""

    qkv: int  # the projections of every fresh row to q, k and v
    scores: int  # q · k
    mix: int  # weights × v
    wo: int  # heads, concatenated, back to d_model
    ffn: int
    readout: int

    @property
    def multiplications(self) -> int:
        return sum(getattr(self, field.name) for field in fields(self))

    @property
    def flops(self) -> int:
        """Two per multiplication, as torch counts them."""
        return 2 * self.multiplications


def pass_cost(config: Config, *, q_len: int, start: int = 0, readout_rows: int = 1) -> Cost:
    """The cost of running `q_len` tokens behind `start` cached ones.

    A decode step is q_len = 1 and start = history; a naive step is q_len = history + 1 and start = 0.
    """
    n = sizes(config, q_len=q_len, end=start + q_len, readout_rows=readout_rows)
    cost = {op.key: config.n_layers * op.multiplications(n) for op in LAYER}
    cost |= {op.key: op.multiplications(n) for op in READOUT}
    return Cost(
        qkv=cost["q"] + cost["k"] + cost["v"],
        scores=cost["scores"],
        mix=cost["z"],
        wo=cost["out"],
        ffn=cost["hidden"] + cost["ffn"],
        readout=cost["logits"],
    )


def masked_multiplications(config: Config, *, q_len: int) -> int:
    """How many of a pass's `scores` and `mix` belong to keys that the mask hides.

    Each of the `q_len` fresh rows is kept from those behind it: none in a decode step, and in a naive step
    nearly half.
    """
    hidden = q_len * (q_len - 1) // 2
    return 2 * config.n_layers * config.n_heads * config.head_dim * hidden


def naive_projections(n: int) -> int:
    """Rows projected to q, k and v, per layer, to run n tokens one by one without a cache: 1 + 2 + … + n."""
    return n * (n + 1) // 2


def weight_floats(config: Config) -> int:
    """Weights that every pass reads, however many tokens it runs.

    The readout counts, and the embedding only where it is the readout: of it a pass reads its tokens' rows.
    """
    c = config
    q_width, kv_width = c.n_heads * c.head_dim, c.n_kv_heads * c.head_dim
    layer = 2 * c.d_model + c.d_model * (2 * q_width + 2 * kv_width + 3 * c.d_ffn)
    layer += c.qkv_bias * (q_width + 2 * kv_width) + c.qk_norm * 2 * c.head_dim
    return c.n_layers * layer + c.d_model + c.vocab_size * c.d_model


def cache_bytes(config: Config, seq_len: int, *, batch: int = 1, bytes_per_float: int = 4) -> int:
    """Size of the KV cache: 2 × batch × layers × sequence × KV heads × head size × bytes."""
    return batch * seq_len * config.kv_floats_per_token * bytes_per_float
