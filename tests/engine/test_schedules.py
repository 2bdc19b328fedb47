"""The table of schedules: step by step against the libraries, and what it refuses."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from api.engine.errors import InvalidInput
from api.engine.schedules import SCHEDULES, Plateau, rate, resolve, watched
from tests.libraries import cases
from tests.libraries.made import GOLDEN

NEEDED: dict[str, dict[str, Any]] = {
    "step": {"step_size": 2},
    "multistep": {"milestones": [3]},
    "exponential": {"gamma": 0.9},
    "cosine": {"t_max": 9},
    "cosine_restarts": {"t_0": 3},
    "cyclic": {"max_lr": 1},
    "one_cycle": {"max_lr": 1, "total_steps": 20},
    "inverse_time": {"decay_rate": 1},
    "warmup_cosine": {"warmup_iters": 2, "t_max": 9},
}
"""The fields that have no default."""


def rates(body: dict[str, Any]) -> list[float]:
    """The rate of every epoch, with a plateau that sees the golden losses."""
    schedule, plateau, found = resolve(body), None, []
    for epoch, loss in enumerate(cases.MEAN_LOSSES, start=1):
        found.append(rate(schedule, cases.BASE_RATE, 10 * epoch, epoch, plateau))
        plateau = watched(schedule, cases.BASE_RATE, plateau, loss)
    return found


@pytest.mark.parametrize("name", cases.SCHEDULES)
def test_every_rate_is_that_which_the_library_made(name: str) -> None:
    stored = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert rates(cases.SCHEDULES[name]) == pytest.approx(stored["schedules"][name], rel=1e-12, abs=0)


def test_every_schedule_is_compared_with_a_library() -> None:
    assert {body["kind"] for body in cases.SCHEDULES.values()} | {"constant"} == set(SCHEDULES)


def test_a_rate_follows_epochs_or_updates() -> None:
    body = {"kind": "step", "step_size": 2, "gamma": 0.5}
    by_update = resolve(body | {"every": "update"})
    assert [rate(resolve(body), 1.0, 100, epoch, None) for epoch in (1, 2, 3, 4, 5)] == [1, 1, 0.5, 0.5, 0.25]
    assert [rate(by_update, 1.0, step, 1, None) for step in range(5)] == [1, 1, 0.5, 0.5, 0.25]


@pytest.mark.parametrize("kind", SCHEDULES)
def test_only_what_has_no_default_is_needed_and_the_rest_is_filled_in(kind: str) -> None:
    given = {"kind": kind, **NEEDED.get(kind, {})}
    document = resolve(given)
    assert resolve(document) == document
    assert document.get("every", "epoch") == "epoch"
    for name in NEEDED.get(kind, {}):
        refused({key: value for key, value in given.items() if key != name}, f"/schedule/{name}")


@pytest.mark.parametrize("kind", SCHEDULES)
def test_rates_stay_finite_far_beyond_the_end(kind: str) -> None:
    schedule = resolve({"kind": kind, **NEEDED.get(kind, {})})
    for epoch in (1, 2, 3, 1000, 10**9, 2**53):
        assert math.isfinite(rate(schedule, 0.1, 0, epoch, Plateau(1.0, 0.0, 0.0, float(epoch))))


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"kind": "cosin"}, "/schedule/kind"),
        ({"kind": []}, "/schedule/kind"),
        ({"kind": "constant", "gamma": 1}, "/schedule/gamma"),
        ({"kind": "step", "step_size": 0}, "/schedule/step_size"),
        ({"kind": "step", "step_size": 1.5}, "/schedule/step_size"),
        ({"kind": "step", "step_size": 5, "every": "batch"}, "/schedule/every"),
        ({"kind": "multistep", "milestones": []}, "/schedule/milestones"),
        ({"kind": "multistep", "milestones": [1, "2"]}, "/schedule/milestones"),
        ({"kind": "linear", "start_factor": 0}, "/schedule/start_factor"),
        ({"kind": "linear", "end_factor": 2}, "/schedule/end_factor"),
        ({"kind": "plateau", "factor": 1}, "/schedule/factor"),
        ({"kind": "plateau", "mode": "best"}, "/schedule/mode"),
        ({"kind": "plateau", "every": "update"}, "/schedule/every"),
        ({"kind": "cyclic", "max_lr": 1, "base_lr": 0.1}, "/schedule/base_lr"),
        ({"kind": "one_cycle", "max_lr": 1, "total_steps": 9, "pct_start": 1.5}, "/schedule/pct_start"),
        ({"kind": "inverse_time", "decay_rate": 1, "decay_steps": 0}, "/schedule/decay_steps"),
        ({"kind": "cosine", "T_max": 5}, "/schedule/T_max"),
    ],
)
def test_what_has_no_meaning_is_refused(body: dict[str, Any], pointer: str) -> None:
    refused(body, pointer)


def refused(body: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        resolve(body)
    assert caught.value.errors[0].pointer == pointer


def test_a_name_in_torchs_capitals_is_understood() -> None:
    with pytest.raises(InvalidInput, match="did you mean 't_max'"):
        resolve({"kind": "cosine", "T_max": 5})
