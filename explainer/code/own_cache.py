"""Attention with a KV cache, in numpy alone."""

import numpy as np


class Cache:
    def __init__(self, n_layers, n_heads, n_kv_heads, head_dim, max_len):
        self.k = np.zeros((n_layers, n_kv_heads, max_len, head_dim), np.float32)
        self.v = np.zeros_like(self.k)
        self.length = 0

    def update(self, layer, k, v):
        end = self.length + k.shape[1]
        self.k[layer, :, self.length : end] = k
        self.v[layer, :, self.length : end] = v
        return self.k[layer, :, :end], self.v[layer, :, :end]

    def advance(self, n):  # once a pass, when every layer has stored its rows
        self.length += n


def rotate(x, start):
    """Turn each row by its position, the first of them at `start`. [heads, rows, head_dim]"""
    half = x.shape[-1] // 2
    position = np.arange(start, start + x.shape[1])[:, None]
    angle = position * 10_000.0 ** (-np.arange(half) / half)
    cos, sin = np.cos(angle), np.sin(angle)
    a, b = x[..., :half], x[..., half:]
    return np.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1).astype(np.float32)


def attention(q, k, v):
    """Plain causal attention: the last query stands at the last key. [heads, rows, head_dim]"""
    group = len(q) // len(k)
    k, v = np.repeat(k, group, axis=0), np.repeat(v, group, axis=0)
    scores = q @ k.swapaxes(1, 2) / np.sqrt(q.shape[-1])
    rows, keys = scores.shape[1:]
    first = keys - rows
    later = np.arange(keys) > np.arange(first, first + rows)[:, None]
    scores = np.where(later, -np.inf, scores)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True) @ v


def step(cache, layer, q, k, v):
    """The attention of new rows, behind those that the cache holds."""
    q = rotate(q, cache.length)
    k = rotate(k, cache.length)
    k, v = cache.update(layer, k, v)
    return attention(q, k, v)


if __name__ == "__main__":
    layers, heads, kv_heads, head_dim, n = 4, 8, 2, 16, 12
    rng = np.random.default_rng(0)
    q = rng.normal(size=(layers, heads, n, head_dim)).astype(np.float32)
    k, v = rng.normal(size=(2, layers, kv_heads, n, head_dim)).astype(np.float32)
    whole = Cache(layers, heads, kv_heads, head_dim, n)
    cache = Cache(layers, heads, kv_heads, head_dim, n)
    at_once = [step(whole, i, q[i], k[i], v[i]) for i in range(layers)]
    worst = 0.0
    for t in range(n):  # one row at a time gives what all rows at once gave
        for i in range(layers):
            row = step(cache, i, q[i, :, t : t + 1], k[i, :, t : t + 1], v[i, :, t : t + 1])
            worst = max(worst, np.abs(row[:, 0] - at_once[i][:, t]).max())
        cache.advance(1)
    print(f"one by one or all at once: largest difference {worst:.1e}")
    print(f"the cache takes {sum(part.nbytes for part in (*cache.k, *cache.v)):,} bytes")
