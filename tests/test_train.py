"""The trainer: a model of a few numbers learns, comes back, and is read by the engine."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from kvengine import Config, Tokenizer, load_model, load_tokenizer
from kvengine.weights import CHECKPOINTS
from tools.train import (
    MARKER,
    Corpus,
    Recipe,
    Training,
    main,
    read_stories,
    train_all,
    train_tokenizer,
    variant,
)

STORIES = [
    f"The {animal} saw the {thing}." for animal in ("cat", "dog", "hen") for thing in ("sun", "sea")
] * 9
TINY = Config(
    vocab_size=280, d_model=16, n_layers=2, n_heads=2, n_kv_heads=1, head_dim=8, d_ffn=24, max_seq_len=16
)
RECIPE = Recipe(steps=30, batch_tokens=128, warm_up=4, learning_rate=2e-2)


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return Corpus(STORIES, train_tokenizer(STORIES, tmp_path / "tokenizer.json", vocab_size=280))


def test_the_loss_falls_and_the_model_is_read_again(tmp_path: Path) -> None:
    lines = list(train_all(STORIES, STORIES[:6], tmp_path, RECIPE, [TINY], device="cpu", every=10))
    directory = tmp_path / "stories-1m-h2-kv1"
    card = json.loads((directory / "card.json").read_text())
    losses = [entry["val"] for entry in card["loss_log"]]
    assert losses[0] > losses[-1] + 0.5
    assert any("held out" in line for line in lines)
    model, tokenizer = load_model(directory), load_tokenizer(directory)
    assert model.config == TINY
    assert card["parameters"] == sum(
        tensor.numel() for tensor in Training(TINY, Corpus(STORIES, tokenizer), RECIPE).named.values()
    )
    ids = torch.tensor([tokenizer.encode(STORIES[0])])
    loss = torch.nn.functional.cross_entropy(model(ids)[0, :-1], ids[0, 1:])
    assert float(loss) < losses[0]


def test_a_training_taken_up_again_ends_with_the_same_weights(corpus: Corpus, tmp_path: Path) -> None:
    whole, broken = Training(TINY, corpus, RECIPE), Training(TINY, corpus, RECIPE)
    for _ in range(6):
        whole.run()
    for _ in range(3):
        broken.run()
    broken.save(tmp_path / "kept.safetensors")
    again = Training(TINY, corpus, RECIPE)
    again.resume(tmp_path / "kept.safetensors")
    for _ in range(3):
        again.run()
    for name, tensor in whole.named.items():
        assert torch.equal(tensor, again.named[name]), name


def test_a_run_that_was_broken_off_and_called_again_ships_the_same_model_and_log(tmp_path: Path) -> None:
    def lines(out: Path) -> Iterator[str]:
        return train_all(STORIES, STORIES[:6], out, RECIPE, [TINY], device="cpu", every=10)

    whole, broken = tmp_path / "whole", tmp_path / "broken"
    list(lines(whole))
    for line in lines(broken):
        if "step 20" in line:
            break
    assert "goes on at step 20" in " ".join(lines(broken))
    ours, theirs = (directory / "stories-1m-h2-kv1" for directory in (whole, broken))
    assert (ours / "model.safetensors").read_bytes() == (theirs / "model.safetensors").read_bytes()
    assert (ours / "card.json").read_text() == (theirs / "card.json").read_text()


def test_half_of_the_windows_start_where_a_story_does(corpus: Corpus) -> None:
    windows = corpus.windows(4_000, 4, from_the_start=0.5, generator=torch.Generator().manual_seed(0))
    begun = float((windows[:, 0] == 0).float().mean())
    by_chance = len(corpus.starts) / len(corpus.ids)
    assert begun == pytest.approx(0.5 + 0.5 * by_chance, abs=0.03)


def test_the_rate_warms_up_stays_and_falls() -> None:
    recipe = Recipe()
    assert recipe.rate(0) == pytest.approx(recipe.learning_rate / 200)
    assert recipe.rate(199) == recipe.rate(2_000) == recipe.learning_rate
    assert recipe.rate(3_850) == pytest.approx(recipe.learning_rate * 0.51)
    assert recipe.rate(recipe.steps) == pytest.approx(recipe.learning_rate * 0.02)


def test_a_small_model_is_trained_from_the_command_line_and_its_card_says_how(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("stories", "held-out"):
        (tmp_path / name).write_text(f"\n{MARKER}\n".join(STORIES * 3))
    files = [str(tmp_path / name) for name in ("stories", "held-out")]
    shape = ["--d-model", "16", "--only", "2-1", "--name", "width-{d_model}"]
    recipe = ["--steps", "40", "--batch-tokens", "16", "--learning-rate", "0.02", "--dropout", "0"]
    out = ["--out", str(tmp_path / "out"), "--data", "Three animals"]
    monkeypatch.setattr("sys.argv", ["train", *files, *out, *shape, *recipe])
    monkeypatch.setattr("tools.train.variant", lambda *heads, d_model: replace(TINY, d_model=d_model))
    main()
    card = json.loads((tmp_path / "out" / "width-16" / "card.json").read_text())
    assert (card["name"], card["training"]["data"]) == ("width-16", "Three animals")
    assert card["training"]["tokens_seen"] == 640
    told = card["training"]["recipe"]
    assert (told["dropout"], told["learning_rate"], told["warm_up"]) == (0, 0.02, 2)
    assert load_model(tmp_path / "out" / "width-16").config == TINY


def test_without_dropout_a_step_is_the_same_but_for_rounding(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = replace(RECIPE, dropout=0.0)
    fused, written = (Training(TINY, corpus, recipe) for _ in range(2))
    losses = [fused.run() for _ in range(3)]
    # With a tap that changes nothing, attention is written out.
    monkeypatch.setattr(written, "recipe", replace(recipe, dropout=1e-12))
    assert [written.run() for _ in range(3)] == pytest.approx(losses, abs=1e-4)


def test_the_variants_are_those_that_ship(tmp_path: Path) -> None:
    assert variant(8, 2) == load_model("stories-1m-h8-kv2").config
    half = variant(4, 4, d_model=64)
    assert (half.head_dim, half.d_ffn) == (16, 176)


def test_a_trained_tokenizer_has_the_marker_first_and_all_bytes(tmp_path: Path) -> None:
    tokenizer = train_tokenizer(STORIES, tmp_path / "tokenizer.json", vocab_size=280)
    assert tokenizer.start == 0
    assert tokenizer.decode(tokenizer.encode("日本 🙂")) == "日本 🙂"
    shipped = Tokenizer.from_file(CHECKPOINTS / "tokenizer.json")
    assert shipped.start == 0


def test_stories_stand_between_lines_with_the_marker(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("One.\nTwo.\n<|endoftext|>\nThree.\n<|endoftext|>\n\n")
    assert read_stories(tmp_path / "text") == ["One.\nTwo.", "Three."]
