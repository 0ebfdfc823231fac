"""What the scene of "Why K and V" gets: numbers of the runs, and sentences that say what they found."""

import itertools
from typing import Any

import numpy as np
import pytest

from explainer.kit.encode import pack
from explainer.kit.words import names
from explainer.why_k_and_v import scene
from explainer.why_k_and_v.choice import READERS, STAGES
from explainer.why_k_and_v.questions import name_question, questions
from explainer.why_k_and_v.words import (
    EXPERIMENTS,
    WORDS,
    chance,
    everything,
    everything_values,
    holds_values,
    unmasked_values,
    verdict,
)
from kvengine import Walk, load_model, load_tokenizer
from kvengine.changed import changed_rows
from kvengine.experiments import Premise, recompute
from kvengine.induction import spell
from kvengine.misuse import MISUSES, misuse
from kvengine.reads import count_reads

NAME = "stories-1m-h8-kv8"
MODEL, TOKENIZER = load_model(NAME), load_tokenizer(NAME)
IDS = tuple(TOKENIZER.encode("Tom and Sara went to the park. Tom gave the ball to"))
N = len(IDS) - 1
OUTCOMES = {how: misuse(MODEL, IDS, how, words=6) for how in MISUSES}


@pytest.fixture(scope="module")
def library() -> dict[str, Any]:
    recorded = Walk(MODEL, IDS, history=N).record(READERS + 1)
    return scene.library(recorded, TOKENIZER.texts(recorded.token_ids), layer=3, head=0)


@pytest.fixture(scope="module")
def experiments() -> dict[str, Any]:
    return scene.experiments(OUTCOMES, TOKENIZER.token_text, MODEL.config, layer=3, head=0)


def spelled(name: str = "Wenko") -> dict[str, Any]:
    story = TOKENIZER.encode(f"There was a girl named {name}. One day,")
    whole = TOKENIZER.encode(f"There was a girl named {name}. One day, {name}")
    found = spell(MODEL, story, whole[len(story) :])
    return scene.spelling(found, TOKENIZER.token_text, MODEL.config, name=name)


def test_each_reader_brings_its_own_question_and_meets_one_card_more(library: dict[str, Any]) -> None:
    readers = library["readers"]
    assert len(readers) == READERS
    assert [reader["position"] for reader in readers] == [N + i for i in range(READERS)]
    assert [len(reader["weight"]) for reader in readers] == [N + 1 + i for i in range(READERS)]
    assert library["k"].shape == library["v"].shape == (N + READERS, MODEL.config.head_dim)
    for before, now in itertools.pairwise(readers):
        assert np.abs(before["q"] - now["q"]).max() > 0.1
        assert now["values"]["before"] == before["values"]["token"]
        assert now["values"]["changed_numbers"] == "0"
    assert readers[0]["values"]["best"] == "Sara"
    assert readers[0]["values"]["best_weight"] == f"{readers[0]['weight'].max():.2f}"


def test_what_is_taken_home_is_the_books_by_their_weights(library: dict[str, Any]) -> None:
    for reader in library["readers"]:
        mix = reader["weight"] @ library["v"][: reader["position"] + 1]
        np.testing.assert_allclose(mix, reader["output"], atol=1e-5)


def test_the_roles_are_counted() -> None:
    reads = count_reads(MODEL, IDS)
    roles = scene.roles(reads, TOKENIZER.texts(IDS))
    for row, said in enumerate(roles["values"]):
        assert (said["q_of"], said["k_of"], said["v_of"]) == ("1", str(N + 1 - row), str(N + 1 - row))


def test_an_experiments_verdict_is_what_its_words_say(experiments: dict[str, Any]) -> None:
    for how in EXPERIMENTS:
        found = experiments[how]
        right = [word[1] for word in found["words"]]
        assert found["values"]["same"] == str(sum(right))
        assert found["kind"] == ("other" if not right[0] else "later")
        assert found["values"]["got"] in found["verdict"]
    assert all(word[1] for word in experiments["right"]["words"])
    assert verdict(OUTCOMES["right"], OUTCOMES["right"]) == "same"
    assert verdict(OUTCOMES["turned_late"], OUTCOMES["right"]) == "same"


def test_of_everything_k_and_v_are_read() -> None:
    read = recompute(MODEL, IDS).read
    boxes = everything(MODEL.config, N, read)
    assert [box.key for box in boxes if box.read] == ["k", "v"]
    values = everything_values(boxes, N, MODEL.config.vocab_size)
    assert values["read"] == "K and V"
    assert values["unread"] == "x, Q, scores, weights, head output or MLP"


def test_the_changed_rows_are_told_by_number() -> None:
    edited = changed_rows(recompute(MODEL, IDS, Premise(changed=3), ways=False))
    said = holds_values(edited, 3, "Sara", "Lily")
    assert said["first_rows"] == f"1 of {N} rows"
    assert said["upper_rows"] == f"{3 * (N - 3)} of {3 * N} rows"
    assert said["before_rows"] == "0 of 12"
    masked, free = (changed_rows(recompute(MODEL, IDS, Premise(causal=c), ways=False)) for c in (True, False))
    said = unmasked_values(masked, free, "to")
    assert said["masked_rows"] == f"0 of {4 * N} rows"
    assert said["unmasked_rows"] == f"{3 * N} of {4 * N} rows"
    assert said["all_above"]
    assert not unmasked_values(free, masked, "to")["all_above"]


def test_a_names_pieces_are_told_with_and_without_their_row() -> None:
    drawn = spelled()
    assert (drawn["layer"], drawn["head"]) == (3, 0)
    assert [piece["next"] for piece in drawn["pieces"]] == ["en", "k", "o"]
    for piece in drawn["pieces"]:
        assert drawn["labels"][piece["target"]] == piece["next"]
        assert piece["values"]["without"] == chance(piece["without"])


def test_a_name_that_is_not_lost_is_not_asked_about() -> None:
    story = TOKENIZER.encode("There was a girl named Wenko. One day,")
    piece = spell(MODEL, story, TOKENIZER.encode("x Wenko")[2:]).pieces[0]
    assert name_question(piece) is not None
    kept = type(piece)(**{**vars(piece), "without": piece.probability / 2})
    assert name_question(kept) is None


def test_every_sentence_is_filled_in(library: dict[str, Any], experiments: dict[str, Any]) -> None:
    reads = count_reads(MODEL, IDS)
    first = library["readers"][0]["values"]
    boxes = everything(MODEL.config, N, recompute(MODEL, IDS).read)
    rows = changed_rows(recompute(MODEL, IDS, ways=False))
    values = {
        "visit": first,
        "next": library["readers"][1]["values"],
        "roles": scene.roles(reads, TOKENIZER.texts(IDS))["values"][3],
        "everything": first | everything_values(boxes, N, MODEL.config.vocab_size),
        "holds": holds_values(rows, 3, "a", "b"),
        "unmasked": unmasked_values(rows, rows, "a"),
        "name": spelled()["pieces"][0]["values"],
        **{how: experiments[how]["values"] for how in EXPERIMENTS},
    }
    assert set(values) == set(STAGES) == set(WORDS["stage"])
    for stage, said in values.items():
        told = {key: text for key, text in WORDS["stage"][stage].items() if key in ("focus", "why")}
        assert names(told) <= set(said)
        assert names(questions()[stage]) <= set(said)


def test_the_scene_can_be_sent(library: dict[str, Any], experiments: dict[str, Any]) -> None:
    everything_sent = scene.scene(MODEL.config) | {
        "library": library,
        "experiments": experiments,
        "spelling": spelled(),
    }
    assert len(pack(everything_sent)) < 200_000
