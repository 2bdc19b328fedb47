"""One page of every kind that the service shows."""

from __future__ import annotations

import httpx2

NAMES = (
    *("start", "guide", "article 0", "article 1", "article 2", "article 3"),
    *("diverged", "network", "operations", "problem", "kind of problem"),
)
NETWORK = (
    "z1 = w11*x1 + w12*x2 + b1\nh1 = tanh(z1)\nz2 = w21*x1 + w22*x2 + b2\nh2 = tanh(z2)\n"
    "yhat = v1*h1 + v2*h2 + c\nL = (yhat - y)**2"
)


def made(address: str) -> dict[str, str]:
    """The path of each page of ``NAMES``, for which sessions are made."""
    client = httpx2.Client(base_url=address)
    small = client.post("/v1/sessions", json={"title": "A session with a title as long as people like them to be"})
    article = small.headers["location"]
    for call in ("forward", "backward", "update"):
        client.post(f"{article}/{call}")
    grown = client.post("/v1/sessions").headers["location"]
    client.post(f"{grown}/run", json={"epochs": 300})
    net = {"model": {"kind": "expression", "source": NETWORK}, "batch_size": 3, "seed": 1}
    network = client.post("/v1/sessions", json=net).headers["location"]
    for call in ("forward", "backward"):
        client.post(f"{network}/{call}")
    client.close()
    return {
        "start": "/",
        "guide": "/guide.html",
        **{f"article {revision}": f"{article}/revisions/{revision}" for revision in range(4)},
        "diverged": grown,
        "network": network,
        "operations": f"{article}/revisions/2?detail=ops",
        "problem": "/v1/sessions/AAAAAAAAAAAAAAAAAAAAAA",
        "kind of problem": "/problems/wrong-phase",
    }
