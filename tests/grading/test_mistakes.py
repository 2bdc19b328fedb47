"""The table of mistakes: planted, each comes out by its name; what is random or right comes out unnamed."""

from __future__ import annotations

import random
import re
from typing import Any

import numpy as np
import pytest

from api.engine.graph import Node
from api.engine.optimizers import OPTIMIZERS
from api.grading.diagnosis import LISTED, Diagnosis
from api.grading.edits import as_node
from api.grading.exercise import Exercise
from api.grading.mistakes import MISTAKES, planted
from api.grading.reference import reference_of
from api.grading.shapes import SHAPES
from api.grading.slip import Back, Forward, Slip
from api.training.definition import define
from api.training.session import Session
from tests.grading.planting import Json, checked, codes, exercise, first_wrong, plain, sheet

MOONS: Json = {"data": {"dataset": "moons"}, "batch_size": 4}
LOSSES = ("squared_error", "half_squared_error", "absolute_error", "huber", "log_cosh", "binary_cross_entropy",
          "binary_cross_entropy_with_logits", "hinge")  # fmt: skip


def network(*layers: tuple[int, str], scalars: bool = False) -> Json:
    return {
        "kind": "mlp",
        "scalars": scalars,
        "layers": [{"units": units, "activation": name} for units, name in layers],
    }


THREE_LAYERS = network((3, "relu"), (2, "tanh"), (1, "sigmoid"))
SESSIONS: dict[str, Json] = {
    "one row": {},
    "three rows": {"batch_size": 3},
    "a sum": {"batch_size": 3, "loss": {"reduction": "sum"}},
    **{
        loss: {**MOONS, "loss": {"kind": loss}, "model": network((3, "relu"), (2, "tanh"), (1, "sigmoid"))}
        for loss in LOSSES
    },
    "neurons": {**MOONS, "model": network((2, "sigmoid"), (1, "identity"), scalars=True)},
    **{
        f"{kind} in {dialect}": {"batch_size": 3, "optimizer": {"kind": kind, "dialect": dialect}}
        for kind, row in OPTIMIZERS.items()
        for dialect in row.dialects
    },
    "decay and clipping": {"batch_size": 3, "optimizer": {"kind": "adam", "weight_decay": 0.1, "clip": {"norm": 1}}},
    "decay apart": {
        "batch_size": 3,
        "optimizer": {"kind": "sgd", "dialect": "keras", "momentum": 0.9, "weight_decay": 0.1},
    },
    "a schedule": {"batch_size": 2, "schedule": {"kind": "exponential", "gamma": 0.5, "every": "update"}},
    "softmax": {"model": {"kind": "preset", "name": "softmax_classifier"}, "batch_size": 6},
    "convolution": {"model": {"kind": "preset", "name": "convolution_1d"}},
    "attention": {"model": {"kind": "preset", "name": "self_attention"}, "batch_size": 3},
    "no data": {"data": None, "model": {"kind": "expression", "source": "q = x + y\nL = q*z + x**2/(y*y)"}},
}
TRIED = 40
"""Mistakes planted in each session and section."""


def tried(body: Json, sections: str) -> tuple[list[str], int]:
    """What was planted and not named, of how many that can be seen."""
    diagnosis = Diagnosis(exercise(body))
    right = sheet(diagnosis.right, sections)
    everything = planted(diagnosis.exercise)
    lost, seen = [], 0
    for one in random.Random(1).sample(everything, min(TRIED, len(everything))):
        answers = sheet(diagnosis.right.again(one.slip), sections)
        found = checked(diagnosis, answers)
        if not found["correct"]:
            seen += 1
            named = codes(first_wrong(found))
            if one.mistake.code not in named and len(named) <= LISTED:
                lost.append(f"{one.mistake.code} ({one.slip.where} {one.slip.note}): {named}")
    assert checked(diagnosis, right)["correct"]
    return lost, seen


@pytest.mark.parametrize("name", SESSIONS)
@pytest.mark.parametrize("sections", ["vgu", "g", "u"])
def test_a_mistake_that_is_planted_comes_out_by_its_name(name: str, sections: str) -> None:
    lost, seen = tried(SESSIONS[name], sections)
    assert seen >= 5
    assert len(lost) <= 0.05 * seen, "\n".join(lost)


def test_every_row_of_the_table_can_be_seen_somewhere() -> None:
    seen: set[str] = set()
    for body in SESSIONS.values():
        for steps in (1, 2) if "optimizer" in body else (1,):
            here = exercise(body, steps)
            right = sheet(Diagnosis(here).right)
            for one in planted(here):
                if one.mistake.code not in seen and sheet(Diagnosis(here).right.again(one.slip)) != right:
                    seen.add(one.mistake.code)
    assert {row.code for row in MISTAKES} - seen == set()


WANTED = """
missing_factor_2 doubled_factor_2 error_sign ascent mean_for_sum sum_for_mean averaged_twice product_of_means
target_and_prediction_swapped derivative_of_other derivative_at_operand derivative_skipped derivative_twice
mask_on_other_array mask_on_gradient path_missing gradients_overwritten gradients_not_zeroed updated_weight_in_backward
matrix_not_transposed bias_not_summed bias_frozen bias_first_row last_example_only only_last_layer rate_missing
rate_squared rate_divided momentum_missing one_minus_beta_missing one_minus_beta_added no_bias_correction betas_swapped
step_count_off epsilon_inside epsilon_outside stale_state bias_left_out term_left_out activation_skipped
other_activation inputs_swapped
"""
GUIDE = """
forward loss backward chain-rule reduction update momentum bias-correction weight-decay matrix-transpose activation
"""
ROWS = [(row.code, row.anchor, row.message) for row in MISTAKES] + [
    (row.code, row.anchor, row.sentence) for row in SHAPES
]


def test_what_teachers_asked_for_is_in_the_table() -> None:
    assert set(WANTED.split()) <= {code for code, _, _ in ROWS}


@pytest.mark.parametrize(("code", "anchor", "sentence"), ROWS)
def test_each_code_is_a_name_and_each_sentence_one(code: str, anchor: str, sentence: str) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]+", code)
    assert sentence.endswith(".")
    assert set(re.findall(r"{(\w*)}", sentence)) <= {"at", "where", "note"}
    assert anchor in GUIDE.split()


# No false accusation


@pytest.mark.parametrize(
    ("name", "decimals"), [("three rows", None), ("three rows", 3), ("adam in torch", 2), ("neurons", 4)]
)
def test_a_random_wrong_number_stays_without_a_name(name: str, decimals: int | None) -> None:
    diagnosis, draws, named, wrong = Diagnosis(exercise(SESSIONS[name])), random.Random(5), 0, 0
    for _ in range(40):
        answers = sheet(diagnosis.right, "vgu", decimals)
        section = draws.choice(("values", "gradients", "updated"))
        quantity = draws.choice(list(answers[section]))
        answers[section][quantity] = spoilt(answers[section][quantity], draws, decimals)
        found = {one["quantity"]: one for one in checked(diagnosis, answers)["quantities"]}
        one = found[f"{section}.{quantity}"]
        wrong += one["verdict"] != "right"
        named += one["mistake"] is not None
    assert wrong >= 30
    assert named <= 0.03 * wrong


def spoilt(value: Any, draws: random.Random, decimals: int | None) -> Any:
    if isinstance(value, list):
        return [spoilt(one, draws, decimals) for one in value]
    off = value + draws.choice((-1, 1)) * 10 ** draws.uniform(-2.5, 1) * max(abs(value), 0.1)
    return off if decimals is None else round(off, decimals)


@pytest.mark.parametrize("name", ["squared_error", "softmax", "convolution", "adam in torch", "adam in keras"])
def test_a_right_program_in_single_precision_and_another_order_is_right(name: str) -> None:
    """PyTorch's way: everything rounded to float32 after each operation, sums in any order."""
    for seed in range(8):
        diagnosis = Diagnosis(exercise(SESSIONS[name], seed=seed))
        answers = sheet(single(diagnosis, seed))
        found = checked(diagnosis, answers)
        assert found["correct"], first_wrong(found)


def single(diagnosis: Diagnosis, seed: int) -> Any:
    """The exercise with every operation's result rounded to float32, and up to two units off as by another order."""
    random = np.random.default_rng(seed)

    def rounded(value: Any) -> Any:
        off = np.asarray(value) * (1 + random.integers(-2, 3, np.shape(value)) * 2.0**-24)
        cut = off.astype(np.float32).astype(np.float64)
        return cut.tolist() if isinstance(value, list | float) else cut

    def pull(back: Back) -> Any:
        share = back.go()
        return None if share is None else rounded(share)

    nodes = diagnosis.exercise.graph.nodes

    def forward(node: Node) -> Forward:
        return lambda working, values: rounded(as_node(node)(working, values))

    slip = Slip(
        forward={node.index: forward(node) for node in nodes if node.op},
        backward={(node.index, place): pull for node in nodes for place in range(len(node.operands))},
        gradients=lambda _working, found: {name: rounded(value) for name, value in found.items()},
        update=lambda working: {name: rounded(value) for name, value in working.step.after.items()},
    )  # fmt: skip
    return diagnosis.right.again(slip)


def test_a_wrong_program_in_single_precision_is_told_what_is_wrong() -> None:
    diagnosis = Diagnosis(exercise(SESSIONS["squared_error"]))
    halved = next(one for one in planted(diagnosis.exercise) if one.mistake.code == "missing_factor_2")
    answers = sheet(diagnosis.right.again(halved.slip), "g")
    answers["gradients"] = {
        name: plain(np.float32(value).astype(float)) for name, value in answers["gradients"].items()
    }
    found = checked(diagnosis, answers)
    assert {codes(one)[0] for one in found["quantities"]} == {"missing_factor_2"}


# What follows from what


def test_what_follows_from_a_wrong_number_by_the_right_rule_is_follow_through() -> None:
    diagnosis = Diagnosis(exercise({"optimizer": {"learning_rate": 0.05}}, steps=0))
    right = sheet(diagnosis.right)
    before = diagnosis.exercise.parameters
    yhat = right["values"]["yhat"][0] + 0.37
    (x1,), (x2,), (y,) = (diagnosis.exercise.inputs[name] for name in ("x1", "x2", "y"))
    slope = 2 * (yhat - y)
    gradients = {"w1": slope * x1, "w2": slope * x2, "b": slope}
    answers = {
        "values": {"yhat": yhat, "L": (yhat - y) ** 2},
        "gradients": gradients,
        "updated": {name: before[name] - 0.05 * gradient for name, gradient in gradients.items()},
    }
    found = checked(diagnosis, answers)
    verdicts = [one["verdict"] for one in found["quantities"]]
    assert verdicts == ["wrong", *["follow_through"] * 7]
    assert (found["correct"], found["score"], found["first_wrong"]) == (False, 0.0, "values.yhat")


def test_a_second_mistake_is_found_on_ones_own_numbers() -> None:
    diagnosis = Diagnosis(exercise({}, steps=0))
    right = sheet(diagnosis.right)
    yhat = right["values"]["yhat"][0] + 0.37
    (x1,), (y,) = (diagnosis.exercise.inputs[name] for name in ("x1", "y"))
    found = checked(diagnosis, {"values": {"yhat": yhat}, "gradients": {"w1": (yhat - y) * x1}})
    assert [one["verdict"] for one in found["quantities"]] == ["wrong", "wrong"]
    assert found["quantities"][0]["mistake"] is None
    assert codes(found["quantities"][1])[0] == "missing_factor_2"


def test_partials_that_are_given_are_what_gradients_follow_from() -> None:
    diagnosis = Diagnosis(exercise({}, steps=0))
    (x1,), (x2,), (y,) = (diagnosis.exercise.inputs[name] for name in ("x1", "x2", "y"))
    yhat = sheet(diagnosis.right)["values"]["yhat"][0]
    half = yhat - y
    found = checked(
        diagnosis, {"partials": {"L/yhat": half}, "gradients": {"w1": half * x1, "w2": 2 * half * x2, "b": 1}}
    )
    assert [one["verdict"] for one in found["quantities"]] == ["wrong", "follow_through", "right", "wrong"]
    assert codes(found["quantities"][0])[0] == "missing_factor_2"


def test_numbers_rounded_on_the_way_are_not_held_against_anyone() -> None:
    diagnosis = Diagnosis(exercise({"batch_size": 1}, steps=0))
    inputs, parameters = diagnosis.exercise.inputs, diagnosis.exercise.parameters
    yhat = round(parameters["w1"] * inputs["x1"][0] + parameters["w2"] * inputs["x2"][0] + parameters["b"], 1)
    loss = round((yhat - inputs["y"][0]) ** 2, 1)
    slope = round(2 * (yhat - inputs["y"][0]), 1)
    answers = {
        "values": {"yhat": yhat, "L": loss},
        "gradients": {"w1": round(slope * inputs["x1"][0], 1)},
        "decimals": 1,
    }
    verdicts = {one["verdict"] for one in checked(diagnosis, answers)["quantities"]}
    assert verdicts <= {"right", "follow_through"}


@pytest.mark.parametrize("name", ["three rows", "neurons", "squared_error"])
def test_a_sheet_by_hand_with_three_decimals_is_told_its_mistake(name: str) -> None:
    diagnosis = Diagnosis(exercise(SESSIONS[name]))
    wanted = ("missing_factor_2", "error_sign", "sum_for_mean", "bias_left_out", "rate_missing", "ascent")
    for one in planted(diagnosis.exercise):
        if one.mistake.code in wanted and one.slip.where in ("", "everywhere", "yhat"):
            found = checked(diagnosis, sheet(diagnosis.right.again(one.slip), "vgu", 3))
            if not found["correct"]:
                assert one.mistake.code in codes(first_wrong(found)), (one.mistake.code, first_wrong(found))


def test_mistakes_that_give_the_same_numbers_are_listed_together() -> None:
    """With two rows the mean of products is halved by averaging twice, and by leaving the 2 out."""
    diagnosis = Diagnosis(exercise({"batch_size": 2}))
    answers = sheet(diagnosis.right, "g")
    answers["gradients"] = {name: value / 2 for name, value in answers["gradients"].items()}
    found = checked(diagnosis, answers)
    assert all({"missing_factor_2", "averaged_twice"} <= set(codes(one)) for one in found["quantities"])


# Shapes


def test_the_shape_gives_some_mistakes_away() -> None:
    body = {**MOONS, "model": network((3, "tanh"), (1, "identity"))}
    diagnosis = Diagnosis(exercise(body))
    gradients = diagnosis.right.gradients
    rows = np.full((4, 3), np.asarray(gradients["b1"]) / 4)
    answers = {"gradients": {"W1": gradients["W1"].T.tolist(), "b1": rows.tolist(), "W2": [1.0, 2.0], "b2": None}}
    found = checked(diagnosis, answers)
    named = {one["quantity"]: (one["verdict"], codes(one)) for one in found["quantities"]}
    assert named == {
        "gradients.W1": ("malformed", ["matrix_not_transposed"]),
        "gradients.b1": ("malformed", ["bias_not_summed"]),
        "gradients.W2": ("malformed", []),
        "gradients.b2": ("missing", []),
    }
    loss = checked(diagnosis, {"values": {"L": [1.0, 2.0, 3.0, 4.0]}})["quantities"][0]
    assert (loss["verdict"], loss["mistake"]) == ("malformed", None)


# Hard places


def test_a_step_that_has_diverged_is_checked_all_the_same() -> None:
    body = {"model": {"kind": "expression", "source": "yhat = w*x\nL = exp(yhat*yhat)"}, "parameters": {"w": 100},
            "data": {"columns": ["x"], "rows": [[2], [3]]}, "batch_size": 2}  # fmt: skip
    diagnosis = Diagnosis(Exercise.of(Session.start(define(body)).forward().backward()))
    assert reference_of(diagnosis).updated == {}
    found = checked(diagnosis, {"values": {"yhat": [200, 300], "L": 7}, "gradients": {"w": 1}, "updated": {"w": 1}})
    assert [one["verdict"] for one in found["quantities"]] == ["right", "wrong", "wrong", "malformed"]
    assert all(one["mistake"] is None for one in found["quantities"])


def test_a_step_without_parameters_can_be_checked() -> None:
    body = {"model": {"kind": "expression", "source": "yhat = 2*x\nL = (yhat - y)**2"},
            "data": {"columns": ["x", "y"], "rows": [[2, 1]]}}  # fmt: skip
    diagnosis = Diagnosis(Exercise.of(Session.start(define(body))))
    found = checked(diagnosis, {"values": {"yhat": [4], "L": 3}})
    assert [codes(one)[:1] for one in found["quantities"]] == [[], ["square_left_out"]]
