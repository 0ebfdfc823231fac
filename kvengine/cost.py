"""What a pass multiplies, reads and keeps: formulas beside the model, checked against torch's FLOP counter.

A multiplication here is one multiply-accumulate of a matrix product, two FLOPs. Norms, softmax, rotations
and additions are left out, as is usual: they grow with the rows alone and are far below the products.
"""

from dataclasses import dataclass, fields

from kvengine.config import Config


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

    A decode step is q_len = 1 and start = history; a naive step is q_len = history + 1 and start = 0. Scores
    are counted as the matrix product computes them, masked entries included.
    """
    c = config
    q_width, kv_width = c.n_heads * c.head_dim, c.n_kv_heads * c.head_dim
    attention = c.n_layers * c.n_heads * q_len * (start + q_len) * c.head_dim
    return Cost(
        qkv=c.n_layers * q_len * c.d_model * (q_width + 2 * kv_width),
        scores=attention,
        mix=attention,
        wo=c.n_layers * q_len * q_width * c.d_model,
        ffn=c.n_layers * q_len * 3 * c.d_model * c.d_ffn,
        readout=readout_rows * c.d_model * c.vocab_size,
    )


def naive_projections(n: int) -> int:
    """Rows projected to q, k and v, per layer, to run n tokens one by one without a cache: 1 + 2 + … + n."""
    return n * (n + 1) // 2


def weight_floats(config: Config) -> int:
    """Weights that every pass reads, however many tokens it runs; the embedding once, as the readout."""
    c = config
    q_width, kv_width = c.n_heads * c.head_dim, c.n_kv_heads * c.head_dim
    layer = 2 * c.d_model + c.d_model * (2 * q_width + 2 * kv_width + 3 * c.d_ffn)
    return c.n_layers * layer + c.d_model + c.vocab_size * c.d_model


def cache_bytes(config: Config, seq_len: int, *, batch: int = 1, bytes_per_float: int = 4) -> int:
    """Size of the KV cache: 2 × batch × layers × sequence × KV heads × head size × bytes."""
    return batch * seq_len * config.kv_floats_per_token * bytes_per_float
