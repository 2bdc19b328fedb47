"""Functions that scripts bring along for what a library lacks, or does otherwise than the session."""

from __future__ import annotations

HELPERS: dict[str, dict[str, str]] = {
    "numpy": {
        "sigmoid": '''
def sigmoid(a):
    """1 / (1 + exp(-a)), from the side where the exponential is at most 1."""
    small = np.exp(-np.abs(a))
    return np.where(a >= 0, 1.0, small) / (1.0 + small)
''',
        "softmax": '''
def softmax(a, axis):
    """exp(a) / sum(exp(a)); taking away the largest first changes nothing but that nothing overflows."""
    powers = np.exp(a - np.max(a, axis=axis, keepdims=True))
    return powers / np.sum(powers, axis=axis, keepdims=True)
''',
        "log_softmax": '''
def log_softmax(a, axis):
    """The logarithm of softmax, never by way of a number too small to have one."""
    low = a - np.max(a, axis=axis, keepdims=True)
    return low - np.log(np.sum(np.exp(low), axis=axis, keepdims=True))
''',
        "logsumexp": '''
def logsumexp(a, axis=None):
    """log(sum(exp(a))), with the largest taken out of the sum so that nothing overflows."""
    top = np.max(a, axis=axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    total = np.sum(np.exp(a - top), axis=axis)
    return np.log(total) + np.reshape(top, np.shape(total))
''',
        "above": '''
def above(a, b):
    """Which one a maximum is: 1 where a > b, 0 where a < b; at a tie each gets half of the gradient."""
    return np.where(np.equal(a, b), 0.5, np.greater(a, b))
''',
        "placed": '''
def placed(part, shape, where):
    """Zeros, but for the part that was taken from there."""
    whole = np.zeros(shape)
    whole[where] = part
    return whole
''',
    },
    "pytorch": {},
    "jax": {
        "absolute": '''
def absolute(a):
    """jnp.abs, but its derivative at 0 is 0; JAX's own has 1 there."""
    return jnp.where(a == 0, 0.0, jnp.abs(a))
'''
    },
    "tensorflow": {
        name: f'''
def {name}(a, b):
    """tf.{name}, but at a tie each gets half of the gradient; TensorFlow's own gives all of it to a."""
    return tf.where(a == b, (a + b) / 2, tf.{name}(a, b))
'''
        for name in ("maximum", "minimum")
    },
}
"""Functions that a script brings along, by target and name; none calls another."""
