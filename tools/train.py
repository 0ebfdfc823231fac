"""Train the models that ship: `python -m tools.train stories.txt held-out.txt --out directory`.

One recipe for all seven, so that they differ in their heads alone. A text file holds stories, with a line
`<|endoftext|>` between two of them. The pass that is trained is the engine's own, `kvengine/model.py`;
dropout hangs on its taps.

The models in `kvengine/checkpoints/pairs` differ in size alone, or in the length of their training alone:
`--d-model 64 --only 4-4 --steps 512 --batch-tokens 2048 --learning-rate 3e-3 --dropout 0`; the one that was
trained longer has 4,096 steps, the larger one `--d-model 128 --only 8-8`. The tokenizer that ships was copied
into the directory before.
"""

import argparse
import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import tokenizers
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tokenizers import decoders, models, pre_tokenizers, trainers
from torch import Tensor

from kvengine import END_OF_TEXT, Config, Tokenizer, Transformer
from kvengine.cost import weight_floats
from kvengine.model import LayerWeights, Weights

MARKER = "<|endoftext|>"

#: The family: query heads and KV heads of each.
VARIANTS = ((1, 1), (2, 2), (4, 4), (8, 8), (8, 4), (8, 2), (8, 1))
NAME = "stories-1m-h{n_heads}-kv{n_kv_heads}"

#: Where a pass drops entries while it is trained.
DROPPED = ("embed", "attn.weights", "attn.out", "ffn.out")


@dataclass(frozen=True)
class Recipe:
    """How all variants are trained; the defaults are those of the models that ship."""

    steps: int = 5_500
    batch_tokens: int = 65_536
    learning_rate: float = 6e-3
    warm_up: int = 200  # steps
    flat_until: float = 0.4  # of all steps; from there on linearly down
    last: float = 0.02  # of the learning rate
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = 0.5  # of the matrices
    dropout: float = 0.1
    clip: float = 1.0
    from_the_start: float = 0.5  # of the windows begin where a story does
    seed: int = 0

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        if step < self.warm_up:
            return self.learning_rate * (step + 1) / self.warm_up
        flat = self.flat_until * self.steps
        left = (self.steps - step) / max(self.steps - flat, 1)
        return self.learning_rate * (self.last + (1 - self.last) * min(1.0, left))


def variant(n_heads: int, n_kv_heads: int, *, d_model: int = 128, vocab_size: int = 2_048) -> Config:
    """A model of the family, or one of the same build in another width."""
    return Config(
        vocab_size=vocab_size,
        d_model=d_model,
        n_layers=4,
        n_heads=n_heads,
        n_kv_heads=n_kv_heads,
        head_dim=d_model // n_heads,
        d_ffn=d_model * 11 // 4,
        max_seq_len=512,
    )


# ---- text ------------------------------------------------------------------------------------------------


def read_stories(file: Path) -> list[str]:
    """The stories of a text file."""
    stories = (story.strip() for story in file.read_text(encoding="utf-8").split(MARKER))
    return [story for story in stories if story]


def train_tokenizer(stories: Sequence[str], file: Path, *, vocab_size: int = 2_048) -> Tokenizer:
    """A byte-level BPE of this text, written to `file`; the marker is token 0."""
    bpe = tokenizers.Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[MARKER],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(stories, trainer)
    bpe.save(str(file))
    return Tokenizer.from_file(file)


class Corpus:
    """All stories as one row of tokens, each with the marker in front of it."""

    def __init__(self, stories: Sequence[str], tokenizer: Tokenizer) -> None:
        self.ids = torch.tensor([i for story in stories for i in tokenizer.encode(story)])  # [tokens]
        self.starts = (self.ids == END_OF_TEXT).nonzero()[:, 0]

    def windows(
        self, count: int, length: int, *, from_the_start: float, generator: torch.Generator
    ) -> Tensor:
        """Pieces of the text, drawn at random: [count, length]. The rest of them begin anywhere."""
        last = len(self.ids) - length
        starts = self.starts[self.starts <= last]
        drawn = starts[torch.randint(len(starts), (count,), generator=generator)]
        anywhere = torch.randint(last + 1, (count,), generator=generator)
        begin = torch.where(torch.rand(count, generator=generator) < from_the_start, drawn, anywhere)
        return self.ids[begin[:, None] + torch.arange(length)]


# ---- weights ---------------------------------------------------------------------------------------------


def initial(config: Config, *, seed: int, device: str) -> dict[str, Tensor]:
    """New weights, by Hugging Face's names: normal with 0.02, less where a layer adds to the residual."""
    generator = torch.Generator().manual_seed(seed)
    c = config
    q_width, kv_width = c.n_heads * c.head_dim, c.n_kv_heads * c.head_dim
    named: dict[str, Tensor] = {}

    def matrix(name: str, rows: int, columns: int, scale: float = 1.0) -> None:
        named[name] = torch.randn(rows, columns, generator=generator) * 0.02 * scale

    added = 1 / math.sqrt(2 * c.n_layers)
    matrix("model.embed_tokens.weight", c.vocab_size, c.d_model)
    for i in range(c.n_layers):
        layer = f"model.layers.{i}."
        for name, width in (("q", q_width), ("k", kv_width), ("v", kv_width)):
            matrix(f"{layer}self_attn.{name}_proj.weight", width, c.d_model)
        matrix(layer + "self_attn.o_proj.weight", c.d_model, q_width, added)
        matrix(layer + "mlp.gate_proj.weight", c.d_ffn, c.d_model)
        matrix(layer + "mlp.up_proj.weight", c.d_ffn, c.d_model)
        matrix(layer + "mlp.down_proj.weight", c.d_model, c.d_ffn, added)
        named[layer + "input_layernorm.weight"] = torch.ones(c.d_model)
        named[layer + "post_attention_layernorm.weight"] = torch.ones(c.d_model)
    named["model.norm.weight"] = torch.ones(c.d_model)
    return {name: tensor.to(device).requires_grad_() for name, tensor in named.items()}


def assembled(config: Config, named: dict[str, Tensor]) -> Transformer:
    """The model whose weights these are, for one pass: gradients flow back to them."""
    layers = []
    for i in range(config.n_layers):
        w = {name.partition(f"layers.{i}.")[2]: tensor for name, tensor in named.items() if f".{i}." in name}
        layers.append(
            LayerWeights(
                attn_norm=w["input_layernorm.weight"],
                wqkv=torch.cat([w[f"self_attn.{name}_proj.weight"] for name in "qkv"]),
                wo=w["self_attn.o_proj.weight"],
                ffn_norm=w["post_attention_layernorm.weight"],
                w_gate=w["mlp.gate_proj.weight"],
                w_up=w["mlp.up_proj.weight"],
                w_down=w["mlp.down_proj.weight"],
            )
        )
    embed, norm = named["model.embed_tokens.weight"], named["model.norm.weight"]
    return Transformer(config, Weights(embed=embed, layers=tuple(layers), norm=norm))


# ---- training --------------------------------------------------------------------------------------------


class Training:
    """One model while it is trained. What is drawn in a step depends on the step alone, so that a training
    that was broken off and taken up again ends with the same weights."""

    def __init__(self, config: Config, corpus: Corpus, recipe: Recipe, *, device: str = "cpu") -> None:
        self.config, self.corpus, self.recipe, self.device = config, corpus, recipe, device
        self.step = 0
        self.log: list[dict[str, float]] = []  # the losses so far
        self.named = initial(config, seed=recipe.seed, device=device)
        matrices = [tensor for tensor in self.named.values() if tensor.ndim == 2]
        vectors = [tensor for tensor in self.named.values() if tensor.ndim == 1]
        self.optimizer = torch.optim.AdamW(
            [
                {"params": matrices, "weight_decay": recipe.weight_decay},
                {"params": vectors, "weight_decay": 0.0},
            ],
            lr=recipe.learning_rate,
            betas=recipe.betas,
        )

    def run(self) -> float:
        """One step. Gives its loss, in nats per token."""
        recipe, length = self.recipe, self.config.max_seq_len
        for group in self.optimizer.param_groups:
            group["lr"] = recipe.rate(self.step)
        torch.manual_seed(recipe.seed * 1_000_003 + self.step)  # of the dropout
        drawn = torch.Generator().manual_seed(recipe.seed * 1_000_003 + self.step)
        windows = self.corpus.windows(
            max(1, recipe.batch_tokens // length),
            length + 1,
            from_the_start=recipe.from_the_start,
            generator=drawn,
        ).to(self.device)
        with torch.autocast(self.device, torch.bfloat16, enabled=self.device == "cuda"):
            # Without a tap, attention runs in one kernel.
            logits = assembled(self.config, self.named)(
                windows[:, :-1], tap=self._drop if recipe.dropout else None
            )
        loss = F.cross_entropy(logits.float().flatten(0, 1), windows[:, 1:].flatten())
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(list(self.named.values()), recipe.clip)
        self.optimizer.step()
        self.step += 1
        return loss.item()

    def _drop(self, name: str, tensor: Tensor) -> Tensor:
        return F.dropout(tensor, self.recipe.dropout) if name.endswith(DROPPED) else tensor

    def save(self, file: Path) -> None:
        """All that is needed to go on from here."""
        tensors = {"step": torch.tensor(self.step)}
        for name, tensor in self.named.items():
            state = self.optimizer.state[tensor]
            tensors |= {f"weight {name}": tensor.detach()}
            tensors |= {f"{kind} {name}": state[kind] for kind in ("exp_avg", "exp_avg_sq", "step") if state}
        unfinished = file.with_suffix(".unfinished")
        on_cpu = {name: tensor.contiguous().cpu() for name, tensor in tensors.items()}
        save_file(on_cpu, unfinished, metadata={"log": json.dumps(self.log)})
        unfinished.replace(file)

    def resume(self, file: Path) -> None:
        """Go on from what `save` has written."""
        tensors = load_file(file, device=self.device)
        with safe_open(file, "pt") as stored:
            self.log = json.loads((stored.metadata() or {}).get("log", "[]"))
        self.step = int(tensors["step"])
        with torch.no_grad():
            for name, tensor in self.named.items():
                tensor.copy_(tensors[f"weight {name}"])
                kinds = [kind for kind in ("exp_avg", "exp_avg_sq", "step") if f"{kind} {name}" in tensors]
                self.optimizer.state[tensor] = {kind: tensors[f"{kind} {name}"] for kind in kinds}
                if kinds:
                    self.optimizer.state[tensor]["step"] = tensors[f"step {name}"].cpu()

    @torch.inference_mode()
    def evaluate(self, stories: Sequence[Sequence[int]]) -> float:
        """Nats per token of held-out stories, from marker to marker, each cut at the model's context."""
        model, total, count = assembled(self.config, self.named), 0.0, 0
        for ids in stories:
            row = torch.tensor([list(ids[: self.config.max_seq_len])], device=self.device)
            logits = model(row)[0, :-1].float()
            total += float(F.cross_entropy(logits, row[0, 1:], reduction="sum"))
            count += row.shape[1] - 1
        return total / count


def export(training: Training, directory: Path, card: dict[str, object]) -> None:
    """Write the model as the engine, and Hugging Face's library, read it; its weights as float16."""
    c = training.config
    directory.mkdir(parents=True, exist_ok=True)
    save_file(
        {name: tensor.detach().half().cpu().contiguous() for name, tensor in training.named.items()},
        directory / "model.safetensors",
    )
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "vocab_size": c.vocab_size,
        "hidden_size": c.d_model,
        "intermediate_size": c.d_ffn,
        "num_hidden_layers": c.n_layers,
        "num_attention_heads": c.n_heads,
        "num_key_value_heads": c.n_kv_heads,
        "head_dim": c.head_dim,
        "max_position_embeddings": c.max_seq_len,
        "rms_norm_eps": c.norm_eps,
        "rope_theta": c.rope_theta,
        "tie_word_embeddings": True,
        "attention_bias": False,
        "mlp_bias": False,
        "bos_token_id": END_OF_TEXT,
        "eos_token_id": END_OF_TEXT,
        "torch_dtype": "float16",
    }
    for name, content in (("config.json", config), ("card.json", card)):
        (directory / name).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def train_all(
    stories: Sequence[str],
    held_out: Sequence[str],
    out: Path,
    recipe: Recipe,
    configs: Sequence[Config],
    *,
    device: str,
    every: int = 500,
    name: str = NAME,
    data: str = "",
) -> Iterator[str]:
    """Train each variant, or go on with it; a line of progress at a time.

    `name` may hold fields of the config in braces; `data` is what the card says about the text.
    """
    out.mkdir(parents=True, exist_ok=True)
    file = out / "tokenizer.json"
    vocab_size = configs[0].vocab_size
    tokenizer = (
        Tokenizer.from_file(file) if file.exists() else train_tokenizer(stories, file, vocab_size=vocab_size)
    )
    corpus = Corpus(stories, tokenizer)
    held_out_ids = [[*tokenizer.encode(story), END_OF_TEXT] for story in held_out]
    yield f"{len(stories):,} stories, {len(corpus.ids):,} tokens; {len(held_out):,} stories held out"
    pattern = name
    for config in configs:
        name = pattern.format(**vars(config))
        training, kept = Training(config, corpus, recipe, device=device), out / f"{name}.safetensors"
        if kept.exists():
            training.resume(kept)
            yield f"{name}: goes on at step {training.step:,}"
        began, first = time.perf_counter(), training.step
        while training.step < recipe.steps:
            loss = training.run()
            if training.step % every == 0 or training.step == recipe.steps:
                held = training.evaluate(held_out_ids)
                training.log.append({"step": training.step, "train": round(loss, 4), "val": round(held, 4)})
                training.save(kept)
                pace = (time.perf_counter() - began) / (training.step - first)
                told = f"loss {loss:.4f}, held out {held:.4f}, {pace:.3f} s a step"
                yield f"{name}: step {training.step:,}, {told}"
        card: dict[str, object] = {
            "name": name,
            "parameters": weight_floats(config),
            "training": {
                "data": data,
                "stories": len(stories),
                "steps": recipe.steps,
                "batch_tokens": recipe.batch_tokens,
                "tokens_seen": recipe.steps * recipe.batch_tokens,
                "recipe": vars(recipe),
                "device": torch.cuda.get_device_name() if device == "cuda" else device,
            },
            "validation": {
                "nats_per_token": round(training.evaluate(held_out_ids), 4),
                "stories": len(held_out),
                "note": f"each story cut at {config.max_seq_len} tokens",
            },
            "loss_log": training.log,
            "prompt_convention": f"start every prompt with token {END_OF_TEXT} {MARKER}",
        }
        export(training, out / name, card)
        yield f"{name}: {card['validation']}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("stories", type=Path, help="the text to train on")
    parser.add_argument("held_out", type=Path, help="the text to evaluate on")
    parser.add_argument(
        "--out", type=Path, required=True, help="where models go, and where a training goes on"
    )
    parser.add_argument("--steps", type=int, default=Recipe.steps, help="the schedule scales with them")
    parser.add_argument("--batch-tokens", type=int, default=Recipe.batch_tokens)
    parser.add_argument("--learning-rate", type=float, default=Recipe.learning_rate)
    parser.add_argument("--dropout", type=float, default=Recipe.dropout)
    parser.add_argument("--d-model", type=int, default=128, help="the width; the FFN scales with it")
    parser.add_argument("--only", nargs="*", metavar="HEADS-KV", help="such as 8-8 8-2; all seven without it")
    parser.add_argument("--name", default=NAME, help="of the models, with fields of their configs in braces")
    parser.add_argument("--data", default="", help="what the card says about the text")
    given = parser.parse_args()
    heads = [tuple(map(int, one.split("-"))) for one in given.only] if given.only else VARIANTS
    recipe = replace(
        Recipe(),
        steps=given.steps,
        batch_tokens=given.batch_tokens,
        learning_rate=given.learning_rate,
        warm_up=min(Recipe.warm_up, given.steps // 20),
        dropout=given.dropout,
    )
    configs = [variant(n_heads, n_kv_heads, d_model=given.d_model) for n_heads, n_kv_heads in heads]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    stories, held_out = read_stories(given.stories), read_stories(given.held_out)
    for line in train_all(
        stories,
        held_out,
        given.out,
        recipe,
        configs,
        device=device,
        every=min(500, max(1, given.steps // 4)),
        name=given.name,
        data=given.data,
    ):
        print(line, flush=True)


if __name__ == "__main__":
    main()
