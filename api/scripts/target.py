"""What a target is: how its library makes arrays, and under which names a script knows it."""

from __future__ import annotations

from dataclasses import dataclass

from api.scripts.helpers import HELPERS


@dataclass(frozen=True, slots=True)
class Target:
    """One library. ``array``, ``zeros`` and ``full`` are templates that make an array of nested lists, and one like
    another; ``scalar`` makes one of a plain number. ``modules`` are the names that no quantity can have there, ``data``
    the library that holds the rows (as a template of an array) and ``batch`` what a column's rows become."""

    name: str
    title: str
    needs: str
    imports: tuple[str, ...]
    modules: tuple[str, ...]
    array: str
    scalar: str
    zeros: str
    full: str
    data: str
    one_hot: str
    batch: str

    @property
    def filename(self) -> str:
        """What the script is called."""
        return f"stepgrad_{self.name}.py"

    @property
    def taken(self) -> tuple[str, ...]:
        """The names that the lines of a model call."""
        return (*self.modules, *HELPERS[self.name])


_NUMPY_ROWS = {
    "data": "np.array({})",
    "one_hot": "(data[:, [{column}]] == np.arange({classes}.0)).astype(np.float64)",
}

NUMPY = Target(
    "numpy", "NumPy", "numpy", ("import numpy as np",), ("np",), "np.array({})", "np.float64({})", "np.zeros_like({})",
    "np.full_like({}, {})", batch="column[{}]", **_NUMPY_ROWS,
)  # fmt: skip
PYTORCH = Target(
    "pytorch", "PyTorch", "torch", ("import torch",), ("torch",), "torch.tensor({})",
    "torch.tensor({}, dtype=torch.float64)", "torch.zeros_like({})", "torch.full_like({}, {})", "torch.tensor({})",
    "(data[:, [{column}]] == torch.arange({classes}.0)).to(data.dtype)", "column[{}]",
)  # fmt: skip
JAX = Target(
    "jax", "JAX", "jax", ("import jax", "import jax.numpy as jnp", "import numpy as np"), ("jax", "jnp"),
    "jnp.array({})", "jnp.array({}, jnp.float64)", "jnp.zeros_like({})", "jnp.full_like({}, {})", batch="column[{}]",
    **_NUMPY_ROWS,
)  # fmt: skip
TENSORFLOW = Target(
    "tensorflow", "TensorFlow", "tensorflow", ("import numpy as np", "import tensorflow as tf"), ("tf",),
    "tf.constant({}, tf.float64)", "tf.constant({}, tf.float64)", "tf.zeros_like({})",
    "tf.fill({0}.shape, tf.constant({1}, tf.float64))", batch="tf.constant(column[{}])", **_NUMPY_ROWS,
)  # fmt: skip
