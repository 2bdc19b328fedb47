"""The table of optimisers: one row each, and in it the rule of each dialect, line by line as published.

What a line may say is in ``rules``. ``w`` is the parameter, ``g`` its gradient, ``t`` counts the updates since the
slots began. Stepping, bulk runs and the explanation of an update are all made from these same lines.

A field whose default is 0 or false is a switch: while it is off it is left out of the definition, and so is the line
that it would add. ``sgd`` with ``momentum`` is the rule of ``momentum``, with ``nesterov`` too that of ``nesterov``.

Sources: PyTorch 2.13 and Keras 3.15 (their code; it is not always what their documentation says) for their dialects;
R. Karim, "10 Gradient Descent Optimisation Algorithms", for the article's.
"""

from __future__ import annotations

from api.engine.rules import Dialect, Optimizer

DIALECTS = ("torch", "keras", "article")


def _betas(rate: float, epsilon: float | None = None, beta2: float = 0.999, **more: float) -> dict[str, float]:
    last = {} if epsilon is None else {"epsilon": epsilon}
    return {"learning_rate": rate, "beta1": 0.9, "beta2": beta2, **last, **more}


_OFF = {"weight_decay": 0.0}
_DESCENT = "w = w - learning_rate*g"
_COUNT = "t = t + 1"
_FIRST = "m = beta1*m + (1 - beta1)*g"
_SECOND = "v = beta2*v + (1 - beta2)*g**2"
_SQUARES = "v = rho*v + (1 - rho)*g**2"
_MOMENTS = f"{_COUNT}\n{_FIRST}\n{_SECOND}"
_MHAT, _VHAT = "mhat = m/(1 - beta1**t)", "vhat = v/(1 - beta2**t)"
_ADAM = f"{_MOMENTS}\n{_MHAT}\n{_VHAT}\nw = w - learning_rate*mhat/(sqrt(vhat) + epsilon)"
_KERAS_RATE = "alpha = learning_rate*sqrt(1 - beta2**t)/(1 - beta1**t)"
_KERAS_ADAM = f"{_MOMENTS}\n{_KERAS_RATE}\nw = w - alpha*m/(sqrt(v) + epsilon)"
_AVERAGE = "m = momentum*m + (1 - momentum)*g\nw = w - learning_rate*m"
_VELOCITY = "m = momentum*m - learning_rate*g"
_BUFFER = f"{_COUNT}\nbuf = momentum*buf + (1 - dampening)*g if t > 1 else g"
_NADAM = f"""
P = P*mu
{_FIRST}
{_SECOND}
mhat = mu_next*m/(1 - P*mu_next) + (1 - mu)*g/(1 - P)
{_VHAT}
w = w - learning_rate*mhat/(sqrt(vhat) + epsilon)"""

_TABLE = (
    Optimizer(
        "sgd",
        "Stochastic gradient descent",
        {
            "torch": Dialect(
                _DESCENT, {"learning_rate": 0.001, "momentum": 0.0, "dampening": 0.0, "nesterov": False} | _OFF
            ),
            "keras": Dialect(_DESCENT, {"learning_rate": 0.01, "momentum": 0.0, "nesterov": False} | _OFF),
            "article": Dialect(_DESCENT, {"learning_rate": 0.01}),
        },
        "H. Robbins, S. Monro, A Stochastic Approximation Method, 1951; torch.optim.SGD; keras.optimizers.SGD",
    ),
    Optimizer(
        "momentum",
        "Gradient descent with momentum",
        {
            "torch": Dialect(
                f"{_BUFFER}\nw = w - learning_rate*buf",
                {"learning_rate": 0.001, "momentum": 0.9, "dampening": 0.0} | _OFF,
            ),
            "keras": Dialect(f"{_VELOCITY}\nw = w + m", {"learning_rate": 0.01, "momentum": 0.9} | _OFF),
            "article": Dialect(_AVERAGE, {"learning_rate": 0.01, "momentum": 0.9}),
        },
        "B. T. Polyak, Some methods of speeding up the convergence of iteration methods, 1964; "
        "torch.optim.SGD(momentum=…); keras.optimizers.SGD(momentum=…)",
    ),
    Optimizer(
        "nesterov",
        "Nesterov accelerated gradient",
        {
            "torch": Dialect(
                f"{_COUNT}\nbuf = momentum*buf + g if t > 1 else g\nd = g + momentum*buf\nw = w - learning_rate*d",
                {"learning_rate": 0.001, "momentum": 0.9} | _OFF,
            ),
            "keras": Dialect(
                f"{_VELOCITY}\nw = w + momentum*m - learning_rate*g", {"learning_rate": 0.01, "momentum": 0.9} | _OFF
            ),
            "article": Dialect(
                _AVERAGE,
                {"learning_rate": 0.01, "momentum": 0.9},
                lead="ahead = w - learning_rate*m\ng = gradient(ahead)",
            ),
        },
        "I. Sutskever et al., On the importance of initialization and momentum in deep learning, 2013; "
        "torch.optim.SGD(nesterov=True); keras.optimizers.SGD(nesterov=True)",
    ),
    Optimizer(
        "adagrad",
        "Adagrad",
        {
            "torch": Dialect(
                "v = v + g**2\nw = w - learning_rate*g/(sqrt(v) + epsilon)",
                {"learning_rate": 0.01, "epsilon": 1e-10} | _OFF,
            ),
            "keras": Dialect(
                "v = v + g**2\nw = w - learning_rate*g/sqrt(v + epsilon)",
                {"learning_rate": 0.001, "epsilon": 1e-7} | _OFF,
                births={"v": 0.1},
            ),
            "article": Dialect(
                "v = v + g**2\nw = w - learning_rate*g/sqrt(v + epsilon)", {"learning_rate": 0.01, "epsilon": 1e-7}
            ),
        },
        "J. Duchi, E. Hazan, Y. Singer, Adaptive Subgradient Methods, 2011; torch.optim.Adagrad; "
        "keras.optimizers.Adagrad (initial_accumulator_value 0.1)",
    ),
    Optimizer(
        "rmsprop",
        "RMSprop",
        {
            "torch": Dialect(
                f"{_SQUARES}\nw = w - learning_rate*g/(sqrt(v) + epsilon)",
                {"learning_rate": 0.01, "rho": 0.99, "epsilon": 1e-8} | _OFF,
            ),
            "keras": Dialect(
                f"{_SQUARES}\nw = w - learning_rate*g/sqrt(v + epsilon)",
                {"learning_rate": 0.001, "rho": 0.9, "epsilon": 1e-7} | _OFF,
            ),
            "article": Dialect(
                f"{_SQUARES}\nw = w - learning_rate*g/sqrt(v + epsilon)",
                {"learning_rate": 0.001, "rho": 0.9, "epsilon": 1e-6},
            ),
        },
        "G. Hinton, Neural Networks for Machine Learning, lecture 6e; torch.optim.RMSprop (rho is its alpha); "
        "keras.optimizers.RMSprop",
    ),
    Optimizer(
        "adadelta",
        "Adadelta",
        {
            dialect: Dialect(
                f"{_SQUARES}\nd = sqrt(D + epsilon)/sqrt(v + epsilon)*g\nD = rho*D + (1 - rho)*d**2\n{last}", defaults
            )
            for dialect, last, defaults in (
                ("torch", "w = w - learning_rate*d", {"learning_rate": 1.0, "rho": 0.9, "epsilon": 1e-6} | _OFF),
                ("keras", "w = w - learning_rate*d", {"learning_rate": 0.001, "rho": 0.95, "epsilon": 1e-7} | _OFF),
                ("article", "w = w - d", {"rho": 0.95, "epsilon": 1e-6}),
            )
        },
        "M. D. Zeiler, ADADELTA, 2012; torch.optim.Adadelta; keras.optimizers.Adadelta",
    ),
    Optimizer(
        "adam",
        "Adam",
        {
            "torch": Dialect(_ADAM, _betas(0.001, 1e-8) | _OFF),
            "keras": Dialect(_KERAS_ADAM, _betas(0.001, 1e-7) | _OFF),
            "article": Dialect(_ADAM, _betas(0.001, 1e-8)),
        },
        "D. P. Kingma, J. Ba, Adam, 2014, algorithm 1, and for keras the form with epsilon-hat before section 2.1; "
        "torch.optim.Adam; keras.optimizers.Adam",
    ),
    Optimizer(
        "adamax",
        "Adamax",
        {
            "torch": Dialect(
                f"{_COUNT}\n{_FIRST}\nu = maximum(beta2*u, abs(g) + epsilon)\n{_MHAT}\nw = w - learning_rate*mhat/u",
                _betas(0.002, 1e-8) | _OFF,
            ),
            "keras": Dialect(
                f"{_COUNT}\n{_FIRST}\nu = maximum(beta2*u, abs(g))\n"
                "w = w - learning_rate*m/((1 - beta1**t)*(u + epsilon))",
                _betas(0.001, 1e-7) | _OFF,
            ),
            # s = 0 as long as every gradient was: there is no step to take, and the published 0/0 is none
            "article": Dialect(
                f"{_COUNT}\n{_FIRST}\ns = maximum(beta2*s, abs(g))\n{_MHAT}\n"
                "w = w - learning_rate*mhat/s if s > 0 else w",
                _betas(0.002),
            ),
        },
        "D. P. Kingma, J. Ba, Adam, 2014, algorithm 2; torch.optim.Adamax; keras.optimizers.Adamax",
    ),
    Optimizer(
        "nadam",
        "Nadam",
        {
            "torch": Dialect(
                f"{_COUNT}\nmu = beta1*(1 - 0.5*0.96**(t*momentum_decay))\n"
                f"mu_next = beta1*(1 - 0.5*0.96**((t + 1)*momentum_decay)){_NADAM}",
                _betas(0.002, 1e-8, momentum_decay=0.004) | _OFF,
                births={"P": 1.0},
            ),
            "keras": Dialect(
                f"{_COUNT}\nmu = beta1*(1 - 0.5*0.96**t)\nmu_next = beta1*(1 - 0.5*0.96**(t + 1)){_NADAM}",
                _betas(0.001, 1e-7) | _OFF,
                births={"P": 1.0},
            ),
            "article": Dialect(
                f"{_MOMENTS}\n{_MHAT}\n{_VHAT}\n"
                "w = w - learning_rate/(sqrt(vhat) + epsilon)*(beta1*mhat + (1 - beta1)*g/(1 - beta1**t))",
                _betas(0.002, 1e-7),
            ),
        },
        "T. Dozat, Incorporating Nesterov Momentum into Adam, 2016; torch.optim.NAdam; keras.optimizers.Nadam",
    ),
    Optimizer(
        "amsgrad",
        "AMSGrad",
        {
            "torch": Dialect(
                f"{_MOMENTS}\nvmax = maximum(vmax, v)\n{_MHAT}\nvhat = vmax/(1 - beta2**t)\n"
                "w = w - learning_rate*mhat/(sqrt(vhat) + epsilon)",
                _betas(0.001, 1e-8) | _OFF,
            ),
            "keras": Dialect(
                f"{_MOMENTS}\n{_KERAS_RATE}\nvhat = maximum(vhat, v)\nw = w - alpha*m/(sqrt(vhat) + epsilon)",
                _betas(0.001, 1e-7) | _OFF,
            ),
            "article": Dialect(
                f"{_FIRST}\n{_SECOND}\nvhat = maximum(vhat, v)\nw = w - learning_rate*m/(sqrt(vhat) + epsilon)",
                _betas(0.001, 1e-7),
            ),
        },
        "S. J. Reddi, S. Kale, S. Kumar, On the Convergence of Adam and Beyond, 2018; torch.optim.Adam(amsgrad=True); "
        "keras.optimizers.Adam(amsgrad=True)",
    ),
    Optimizer(
        "adamw",
        "AdamW",
        {
            "torch": Dialect(_ADAM, _betas(0.001, 1e-8, weight_decay=0.01), decoupled=True),
            "keras": Dialect(_KERAS_ADAM, _betas(0.001, 1e-7, weight_decay=0.004)),
        },
        "I. Loshchilov, F. Hutter, Decoupled Weight Decay Regularization, 2017; torch.optim.AdamW; "
        "keras.optimizers.AdamW",
    ),
    Optimizer(
        "radam",
        "Rectified Adam",
        {
            "torch": Dialect(
                f"{_MOMENTS}\n{_MHAT}\nrho_max = 2/(1 - beta2) - 1\nrho = rho_max - 2*t*beta2**t/(1 - beta2**t)\n"
                "r = sqrt((rho - 4)*(rho - 2)*rho_max/((rho_max - 4)*(rho_max - 2)*rho)) if rho > 5 else 1\n"
                "l = sqrt(1 - beta2**t)/(sqrt(v) + epsilon) if rho > 5 else 1\nw = w - learning_rate*mhat*r*l",
                _betas(0.001, 1e-8) | _OFF,
            ),
        },
        "L. Liu et al., On the Variance of the Adaptive Learning Rate and Beyond, 2019; torch.optim.RAdam",
    ),
    Optimizer(
        "lion",
        "Lion",
        {
            "keras": Dialect(
                "c = beta1*m + (1 - beta1)*g\nw = w - learning_rate*sign(c)\nm = beta2*m + (1 - beta2)*g",
                _betas(0.001, beta2=0.99) | _OFF,
            ),
        },
        "X. Chen et al., Symbolic Discovery of Optimization Algorithms, 2023; keras.optimizers.Lion",
    ),
)

OPTIMIZERS: dict[str, Optimizer] = {row.kind: row for row in _TABLE}
