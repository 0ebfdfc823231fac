"""Cached steps held against a pass without the cache over the same text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from kvengine.generate import Sampler
from kvengine.model import Transformer

#: The largest difference between the two passes that counts as rounding. The largest ever seen with the
#: shipped models in float32 is a fiftieth of it; a wrong mask, position or scale exceeds it by far.
TOLERANCE = 1e-3

#: What the two passes are compared in: name for the reader -> the tensor's name in a trace.
COMPARED = {
    "K": "attn.k_all",
    "V": "attn.v_all",
    "scores": "attn.scores",
    "output": "attn.z",
    "logits": "logits",
}


@dataclass(frozen=True)
class Decoded:
    """One token run through a cache, not yet proved: tensors of its pass, by name, and what it wrote.

    Those of COMPARED are among them. K and V are views of the cache: its rows must stay until the proof.

    `changed` counts the stored numbers of the earlier rows, K and V of all layers, that are not equal after
    the append to what they were before it, out of `earlier`.
    """

    position: int
    tensors: Mapping[str, Tensor]
    earlier: int
    changed: int
    next_token: int

    @property
    def nbytes(self) -> int:
        """Memory of its own, beside the cache's."""
        views = (COMPARED["K"], COMPARED["V"])
        return sum(tensor.nbytes for name, tensor in self.tensors.items() if not name.endswith(views))


@dataclass(frozen=True)
class Proof:
    """What the comparison of one cached step with the naive pass found.

    `differences` is the largest absolute difference in each quantity, over all layers and heads; `numbers`
    is how many were compared; `earlier` and `changed` are those of `Decoded`.
    """

    differences: Mapping[str, float]
    numbers: int
    naive_token: int
    cached_token: int
    earlier: int
    changed: int

    @property
    def same_token(self) -> bool:
        return self.naive_token == self.cached_token

    @property
    def equal(self) -> bool:
        """Equal but for rounding: nothing differs by more than TOLERANCE, and no earlier row has changed."""
        return max(self.differences.values()) <= TOLERANCE and self.changed == 0


@torch.inference_mode()
def prove(
    model: Transformer, token_ids: Sequence[int], decoded: Sequence[Decoded], sampler: Sampler
) -> list[Proof]:
    """Run the text up to the last of these steps without a cache, and hold each step against its own rows.

    One pass serves them all: a row of it sees no later one, so that the text may go on behind a step. If a
    row did see one, the step, which ran before there was any, would not agree with it.
    """
    quantities = {"logits": "logits"} | {
        f"layers.{layer}.{name}": quantity
        for quantity, name in COMPARED.items()
        for layer in range(model.config.n_layers)
    }
    differences = [dict.fromkeys(COMPARED, 0.0) for _ in decoded]
    numbers = [0 for _ in decoded]
    at = [step.position for step in decoded]

    def compare(name: str, tensor: Tensor) -> Tensor:
        if name == "norm":
            return tensor[:, at]  # of the other rows nobody reads the logits
        if quantity := quantities.get(name):
            ours = [step.tensors[name] for step in decoded]
            if quantity in ("K", "V"):
                # A step has all rows up to its own, and all have them in one cache: the last step's are all.
                apart = (ours[-1] - tensor[..., : ours[-1].shape[-2], :]).abs()
                so_far = apart.amax(dim=(0, 1, 3)).cummax(dim=0).values
                largest = [float(so_far[position]) for position in at]
            else:
                # Of the rest a step has its own row, as wide as its history.
                rows = range(len(at)) if quantity == "logits" else at
                theirs = (tensor[..., row, : own.shape[-1]] for row, own in zip(rows, ours, strict=True))
                largest = [
                    float((own[..., 0, :] - row).abs().max()) for own, row in zip(ours, theirs, strict=True)
                ]
            for i, size in enumerate(largest):
                differences[i][quantity] = max(differences[i][quantity], size)
                numbers[i] += ours[i].numel()
        return tensor

    text = torch.tensor([token_ids[: decoded[-1].position + 1]], device=model.device)
    logits = model(text, None, compare)[0]
    return [
        Proof(
            differences=MappingProxyType(differences[i]),
            numbers=numbers[i],
            naive_token=sampler(logits[i], step.position + 1),
            cached_token=step.next_token,
            earlier=step.earlier,
            changed=step.changed,
        )
        for i, step in enumerate(decoded)
    ]
