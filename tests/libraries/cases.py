"""What is run side by side with the libraries: optimisers on the article's data, schedules by themselves.

Each case is an optimiser's or a schedule's object as a definition has it. ``made`` lets the
libraries do them, the tests train sessions with the same.
"""

from __future__ import annotations

from typing import Any

from api.engine.optimizers import OPTIMIZERS

Body = dict[str, Any]
UPDATES = 20
RATES = 45
START = {"w1": -0.017, "w2": -0.048, "b": 0.1}
BASE_RATE = 0.05
MEAN_LOSSES = [9.0, 5.0, 5.0, 4.9999, 4.0, 4.1, 4.2, 4.3, 4.4, 3.0, *([3.0] * 20), 2.0, *([2.5] * 14)]
"""What the plateau is shown: RATES losses that fall, stay and rise."""


def optimizers() -> dict[str, Body]:
    """By name, for both libraries: every kind as it is, with weight decay, with an epsilon that shows where it stands,
    and what else can be switched on."""
    found: dict[str, Body] = {}
    for kind, row in OPTIMIZERS.items():
        for dialect in ("torch", "keras"):
            if dialect not in row.dialects:
                continue
            changes: dict[str, Body] = {"": {}, "weight_decay": {"weight_decay": 0.1}}
            defaults = row.dialects[dialect].defaults
            if "epsilon" in defaults:
                changes["epsilon"] = {"epsilon": 0.1, "learning_rate": 0.02}
            if "beta1" in defaults:
                changes["betas"] = {"beta1": 0.8, "beta2": 0.5}
            if "rho" in defaults:
                changes["rho"] = {"rho": 0.5}
            changes |= _MORE.get((kind, dialect), {})
            for name, change in changes.items():
                title = f"{dialect}-{kind}{'-' if name else ''}{name}"
                found[title] = {"kind": kind, "dialect": dialect, **change}
    return found


_CLIPS: dict[str, Body] = {
    "clip_norm": {"clip": {"norm": 5.0}},
    "clip_value": {"clip": {"value": 2.0}},
    "clip_and_decay": {"clip": {"norm": 5.0}, "weight_decay": 0.1},
}
_MORE: dict[tuple[str, str], dict[str, Body]] = {
    ("sgd", "torch"): {
        "momentum": {"momentum": 0.9},
        "dampening": {"momentum": 0.8, "dampening": 0.5},
        "nesterov": {"momentum": 0.9, "nesterov": True},
        "everything": {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1, "clip": {"value": 2.0}},
        **_CLIPS,
    },
    ("sgd", "keras"): {
        "momentum": {"momentum": 0.9, "learning_rate": 0.001},
        "nesterov": {"momentum": 0.9, "nesterov": True, "learning_rate": 0.001},
        **_CLIPS,
    },
    ("momentum", "torch"): {"dampening": {"dampening": 0.5}},
    ("adam", "torch"): _CLIPS,
    ("adam", "keras"): _CLIPS,
    ("nadam", "torch"): {"momentum_decay": {"momentum_decay": 0.5}},
}

SCHEDULES: dict[str, Body] = {
    "step": {"kind": "step", "step_size": 7},
    "step-gamma": {"kind": "step", "step_size": 3, "gamma": 0.5},
    "multistep": {"kind": "multistep", "milestones": [3, 10, 10, 20]},
    "exponential": {"kind": "exponential", "gamma": 0.9},
    "linear": {"kind": "linear"},
    "linear-down": {"kind": "linear", "start_factor": 1.0, "end_factor": 0.25, "total_iters": 12},
    "polynomial": {"kind": "polynomial"},
    "polynomial-square": {"kind": "polynomial", "total_iters": 30, "power": 2.0},
    "cosine": {"kind": "cosine", "t_max": 10},
    "cosine-minimum": {"kind": "cosine", "t_max": 30, "eta_min": 0.001},
    "cosine_restarts": {"kind": "cosine_restarts", "t_0": 7},
    "cosine_restarts-longer": {"kind": "cosine_restarts", "t_0": 3, "t_mult": 2, "eta_min": 0.001},
    "plateau": {"kind": "plateau"},
    "plateau-impatient": {"kind": "plateau", "patience": 2, "factor": 0.5, "cooldown": 3, "min_lr": 0.002},
    "plateau-absolute": {"kind": "plateau", "patience": 1, "threshold": 0.5, "threshold_mode": "abs"},
    "plateau-maximum": {"kind": "plateau", "mode": "max", "patience": 1, "factor": 0.3, "eps": 1e-3},
    "cyclic": {"kind": "cyclic", "max_lr": 0.4, "step_size_up": 4},
    "cyclic-uneven": {"kind": "cyclic", "max_lr": 0.4, "step_size_up": 4, "step_size_down": 7, "mode": "triangular2"},
    "cyclic-range": {"kind": "cyclic", "max_lr": 0.4, "step_size_up": 5, "mode": "exp_range", "gamma": 0.95},
    "one_cycle": {"kind": "one_cycle", "max_lr": 0.5, "total_steps": RATES},
    "one_cycle-linear": {"kind": "one_cycle", "max_lr": 0.5, "total_steps": RATES, "anneal_strategy": "linear"},
    "one_cycle-three": {"kind": "one_cycle", "max_lr": 0.5, "total_steps": RATES, "three_phase": True},
    "one_cycle-late": {"kind": "one_cycle", "max_lr": 0.5, "total_steps": 50, "pct_start": 0.8, "div_factor": 10.0},
    "inverse_time": {"kind": "inverse_time", "decay_rate": 0.5},
    "inverse_time-stairs": {"kind": "inverse_time", "decay_rate": 0.5, "decay_steps": 4.0, "staircase": True},
    "warmup_cosine": {"kind": "warmup_cosine", "warmup_iters": 6, "t_max": 20, "eta_min": 0.001},
    "warmup_cosine-short": {"kind": "warmup_cosine", "warmup_iters": 1, "t_max": 44, "start_factor": 0.1},
}

METRICS = [0.9, 0.7, 0.71, 0.7, 0.69, 0.69, 0.6, 0.65, 0.61, 0.605, 0.6, 0.62, 0.5, 0.6, 0.6, 0.6, 0.6]
"""What early stopping is shown, epoch by epoch: a metric that gets better, stays and gets worse."""
EARLY_STOPPING: dict[str, Body] = {
    "patience_0": {"patience": 0},
    "patience_1": {"patience": 1},
    "patience_2": {"patience": 2},
    "patience_3": {"patience": 3},
    "patience_4": {"patience": 4},
    "patience_9": {"patience": 9},
    "min_delta": {"patience": 3, "min_delta": 0.05},
    "min_delta_exact": {"patience": 2, "min_delta": 0.25},
    "accuracy": {"patience": 2, "monitor": "validation_accuracy"},
    "accuracy_min_delta": {"patience": 1, "min_delta": 0.1, "monitor": "validation_accuracy"},
}
