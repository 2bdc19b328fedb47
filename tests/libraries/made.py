"""``python -m tests.libraries.made``: what PyTorch and Keras themselves make of every case, as JSON.

With ``--write`` it goes to ``tests/golden/libraries.json``, else to standard output. Needs ``stepgrad[libraries]``; all
in float64, Keras on its torch backend, gradients by torch's autograd.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.libraries import cases
from tests.libraries.cases import Body

GOLDEN = Path(__file__).parents[1] / "golden" / "libraries.json"
ROWS = ((4, 1, 2), (2, 8, -14), (1, 0, 1), (3, 2, -1), (1, 4, -7), (6, 7, -8))
_SGD = ("sgd", "momentum", "nesterov")
_CLASSES = {
    "adagrad": ("Adagrad", "Adagrad"), "rmsprop": ("RMSprop", "RMSprop"), "adadelta": ("Adadelta", "Adadelta"),
    "adam": ("Adam", "Adam"), "amsgrad": ("Adam", "Adam"), "adamax": ("Adamax", "Adamax"), "nadam": ("NAdam", "Nadam"),
    "adamw": ("AdamW", "AdamW"), "radam": ("RAdam", ""), "lion": ("", "Lion"),
} | dict.fromkeys(_SGD, ("SGD", "SGD"))  # fmt: skip
_TORCH_NAMES = {"learning_rate": "lr", "epsilon": "eps"}
_KERAS_NAMES = {"beta1": "beta_1", "beta2": "beta_2"}
_SCHEDULERS = {
    "step": "StepLR", "multistep": "MultiStepLR", "exponential": "ExponentialLR", "linear": "LinearLR",
    "polynomial": "PolynomialLR", "cosine": "CosineAnnealingLR", "cosine_restarts": "CosineAnnealingWarmRestarts",
    "plateau": "ReduceLROnPlateau", "cyclic": "CyclicLR", "one_cycle": "OneCycleLR",
}  # fmt: skip
_SCHEDULER_NAMES = {"t_max": "T_max", "t_0": "T_0", "t_mult": "T_mult"}


class Libraries:
    """Both libraries, imported when asked for: neither comes with the tests."""

    def __init__(self) -> None:
        os.environ["KERAS_BACKEND"] = "torch"
        self.torch: Any = importlib.import_module("torch")
        self.schedulers: Any = importlib.import_module("torch.optim.lr_scheduler")
        self.keras: Any = importlib.import_module("keras")
        self.torch.set_default_dtype(self.torch.float64)
        self.keras.config.set_floatx("float64")

    def made(self) -> dict[str, Any]:
        """Every case: parameters after each update, the rate of each step, where a run stops, and which libraries they
        are of."""
        return {
            "versions": {"torch": self.torch.__version__.partition("+")[0], "keras": self.keras.__version__},
            "optimizers": {name: self.trajectory(body) for name, body in cases.optimizers().items()},
            "schedules": {name: self.rates(body) for name, body in cases.SCHEDULES.items()},
            "early_stopping": {name: self.stopped(body) for name, body in cases.EARLY_STOPPING.items()},
        }

    def trajectory(self, body: Body) -> list[list[float]]:
        """w1, w2, b after each of the updates, one row of the article's data at a time."""
        torch, clip = self.torch, body.get("clip", {})
        tensors = [torch.tensor(value, requires_grad=True) for value in cases.START.values()]
        step = self.torch_step(body, tensors) if body["dialect"] == "torch" else self.keras_step(body, tensors)
        found = []
        for place in range(cases.UPDATES):
            x1, x2, y = ROWS[place % len(ROWS)]
            w1, w2, b = tensors
            for tensor in tensors:
                tensor.grad = None
            (w1 * x1 + w2 * x2 + b - y).square().backward()
            if "norm" in clip:
                torch.nn.utils.clip_grad_norm_(tensors, clip["norm"])
            if "value" in clip:
                torch.nn.utils.clip_grad_value_(tensors, clip["value"])
            step()
            found.append([tensor.item() for tensor in tensors])
        return found

    def torch_step(self, body: Body, tensors: list[Any]) -> Callable[[], None]:
        given = {name: value for name, value in body.items() if name not in ("kind", "dialect", "clip", "rho")}
        fields = {_TORCH_NAMES.get(name, name): value for name, value in given.items()}
        betas = (fields.pop("beta1", 0.9), fields.pop("beta2", 0.999))
        if body["kind"] in ("adam", "amsgrad", "adamax", "nadam", "adamw", "radam"):
            fields["betas"] = betas
        if "rho" in body:
            fields["alpha" if body["kind"] == "rmsprop" else "rho"] = body["rho"]
        optimizer = getattr(self.torch.optim, _CLASSES[body["kind"]][0])(tensors, **fields, **_special(body["kind"]))
        step: Callable[[], None] = optimizer.step
        return step

    def keras_step(self, body: Body, tensors: list[Any]) -> Callable[[], None]:
        given = {name: value for name, value in body.items() if name not in ("kind", "dialect", "clip")}
        fields = {_KERAS_NAMES.get(name, name): value for name, value in given.items()}
        optimizer = getattr(self.keras.optimizers, _CLASSES[body["kind"]][1])(**fields, **_special(body["kind"]))
        variables = [self.keras.Variable(tensor.item()) for tensor in tensors]
        optimizer.build(variables)

        def step() -> None:
            optimizer.apply([tensor.grad for tensor in tensors], variables)
            with self.torch.no_grad():
                for tensor, variable in zip(tensors, variables, strict=True):
                    tensor.copy_(variable.value)

        return step

    def rates(self, body: Body) -> list[float]:
        """The learning rate of each step."""
        fields = {_SCHEDULER_NAMES.get(name, name): value for name, value in body.items() if name != "kind"}
        if body["kind"] == "inverse_time":
            fields = {"decay_steps": 1.0} | fields
            schedule = self.keras.optimizers.schedules.InverseTimeDecay(cases.BASE_RATE, **fields)
            return [float(schedule(step)) for step in range(cases.RATES)]
        return list(self.scheduled(body["kind"], fields))

    def scheduled(self, kind: str, fields: Body) -> Iterator[float]:
        optimizer = self.torch.optim.SGD([self.torch.tensor(0.0, requires_grad=True)], lr=cases.BASE_RATE)
        if kind == "warmup_cosine":
            warm = fields["warmup_iters"]
            first = self.schedulers.LinearLR(optimizer, fields.get("start_factor", 1 / 3), 1.0, warm)
            then = self.schedulers.CosineAnnealingLR(optimizer, fields["T_max"], fields.get("eta_min", 0.0))
            scheduler = self.schedulers.SequentialLR(optimizer, [first, then], [warm])
        else:
            if kind in ("cyclic", "one_cycle"):
                fields = fields | {"cycle_momentum": False}
            if kind == "cyclic":
                fields = fields | {"base_lr": cases.BASE_RATE}
            scheduler = getattr(self.schedulers, _SCHEDULERS[kind])(optimizer, **fields)
        for loss in cases.MEAN_LOSSES:
            yield optimizer.param_groups[0]["lr"]
            optimizer.step()
            scheduler.step(*([loss] if kind == "plateau" else []))

    def stopped(self, body: Body) -> list[float]:
        """After how many epochs a run stops early, its best epoch, and the metric there."""
        fields = {name: value for name, value in body.items() if name != "monitor"}
        mode = "max" if body.get("monitor") == "validation_accuracy" else "min"
        callback = self.keras.callbacks.EarlyStopping(monitor="metric", mode=mode, **fields)
        callback.set_model(SimpleNamespace(stop_training=False))
        callback.on_train_begin()
        seen = 0
        for epoch, value in enumerate(cases.METRICS):
            seen += 1
            callback.on_epoch_end(epoch, {"metric": value})
            if callback.model.stop_training:
                break
        return [seen, callback.best_epoch + 1, float(callback.best)]


def _special(kind: str) -> Body:
    """What makes a class into this kind."""
    made: dict[str, Body] = {
        "momentum": {"momentum": 0.9},
        "nesterov": {"momentum": 0.9, "nesterov": True},
        "amsgrad": {"amsgrad": True},
    }
    return made.get(kind, {})


if __name__ == "__main__":
    text = json.dumps(Libraries().made(), indent=0)
    if "--write" in sys.argv:
        GOLDEN.write_text(text + "\n", encoding="utf-8")
    else:
        sys.stdout.write(text)
