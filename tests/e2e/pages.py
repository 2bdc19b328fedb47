"""One page of every kind that the service shows."""

from __future__ import annotations

import httpx2

NAMES = (
    *(
        "start",
        "guide",
        "gallery",
        "recipe",
        "recipe of a cell",
        "reference",
        "article 0",
        "article 1",
        "article 2",
        "article 3",
    ),
    *(
        "diverged",
        "network",
        "layers",
        "a cell",
        "attention",
        "classes",
        "radam",
        "operations",
        "problem",
        "kind of problem",
    ),
    *("practice", "practice, wrong", "practice of a network", "practice, done", "replay"),
    *("assignment form", "assignment", "task", "report"),
)
NETWORK = (
    "z1 = w11*x1 + w12*x2 + b1\nh1 = tanh(z1)\nz2 = w21*x1 + w22*x2 + b2\nh2 = tanh(z2)\n"
    "yhat = v1*h1 + v2*h2 + c\nL = (yhat - y)**2"
)

START = {"step": 2, "phase": "backward"}
TENSORS = {
    "layers": {"model": {"kind": "preset", "name": "xor"}, "start": START},
    "a cell": {"model": {"kind": "preset", "name": "lstm"}, "start": START},
    "attention": {"model": {"kind": "preset", "name": "self_attention"}, "start": START},
    "classes": {"model": {"kind": "preset", "name": "softmax_classifier"}, "start": START},
    "radam": {"optimizer": {"kind": "radam"}, "start": {"step": 2}},
}


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
    others = {}
    for name, body in TENSORS.items():
        others[name] = client.post("/v1/sessions", json=body).headers["location"]
    classes = class_pages(client)
    client.close()
    return {
        "start": "/",
        "guide": "/guide.html",
        "gallery": "/gallery.html",
        "recipe": "/v1/new?title=A+start+for+all&preset=xor&optimizer.learning_rate=0.1&start.phase=backward",
        "recipe of a cell": "/v1/new?preset=lstm",
        "reference": "/docs",
        **{f"article {revision}": f"{article}/revisions/{revision}" for revision in range(4)},
        "diverged": grown,
        "network": network,
        **others,
        "operations": f"{article}/revisions/2?detail=ops",
        "problem": "/v1/sessions/AAAAAAAAAAAAAAAAAAAAAA",
        "kind of problem": "/problems/wrong-phase",
        "practice": f"{article}/practice",
        "practice, wrong": f"{article}/revisions/0/practice?done=1230111111&tries=1&answer=5",
        "practice of a network": f"{network}/practice?done=111110&tries=2&answer=1+2+3",
        "practice, done": f"{article}/revisions/0/practice?done=12301111111&show=1",
        "replay": f"{article}/replay?pace=20",
        **classes,
    }


def class_pages(client: httpx2.Client) -> dict[str, str]:
    """An assignment with a long name in its class, one of whose students has handed in wrong numbers."""
    network = {"model": {"kind": "mlp", "layers": [{"units": 3, "activation": "tanh"}, {"units": 1}]}}
    body = {
        "title": "A homework",
        "session": network,
        "cases": 2,
        "students": ["ada", "bob" * 20],
        "feedback": "values",
    }
    assigned = client.post("/v1/assignments", json=body, timeout=60).json()
    task = assigned["students"][0]["link"]
    answers = [{"case": 1, "values": {"L": 3.5}, "gradients": {"b2": [-0.25]}}]
    report = client.post(f"{task}/submissions", json={"answers": answers}, timeout=60)
    return {
        "assignment form": "/assignment.html",
        "assignment": assigned["links"]["self"],
        "task": task,
        "report": report.headers["location"],
    }
