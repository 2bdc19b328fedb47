"""A student's own server: linear regression by gradient descent over HTTP, in the standard library alone.

Like the programs of ``students`` it is kept as a text, in which a mistake is a replacement.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from typing import Any

SOURCE = """
import itertools, json, re
from http.server import BaseHTTPRequestHandler

SESSIONS = {}
NUMBERS = itertools.count(1)


class Session:
    def __init__(self, body):
        self.rows = body["data"]["rows"]
        self.size = body.get("batch_size", 1)
        self.rate = body["optimizer"]["learning_rate"]
        self.parameters = dict(body["parameters"])
        self.step, self.offset, self.phase = 0, 0, "ready"
        self.outputs = self.loss = self.gradients = None

    @property
    def batch(self):
        return self.rows[self.offset:self.offset + self.size]

    def forward(self):
        w1, w2, b = (self.parameters[name] for name in ("w1", "w2", "b"))
        yhat = [w1 * x1 + w2 * x2 + b for x1, x2, y in self.batch]
        self.outputs = {"yhat": yhat}
        self.loss = sum((p - row[2]) ** 2 for p, row in zip(yhat, self.batch)) / len(yhat)
        self.phase = "forward"

    def backward(self):
        slopes = [2 * (p - row[2]) / len(self.batch) for p, row in zip(self.outputs["yhat"], self.batch)]
        self.gradients = {
            "w1": sum(s * row[0] for s, row in zip(slopes, self.batch)),
            "w2": sum(s * row[1] for s, row in zip(slopes, self.batch)),
            "b": sum(slopes),
        }
        self.phase = "backward"

    def update(self):
        for name in self.parameters:
            self.parameters[name] -= self.rate * self.gradients[name]
        self.step, self.offset, self.phase = self.step + 1, self.offset + self.size, "ready"
        self.outputs = self.loss = self.gradients = None

    def state(self, number):
        columns = list(zip(*self.batch)) or [(), (), ()]
        return {
            "id": str(number), "phase": self.phase, "step": self.step,
            "inputs": dict(zip(("x1", "x2", "y"), map(list, columns))),
            "parameters": self.parameters, "outputs": self.outputs, "loss": self.loss, "gradients": self.gradients,
        }


ALLOWED = {"forward": "ready", "backward": "forward", "update": "backward"}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, document, **headers):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        number = int(self.path.rsplit("/", 1)[1])
        self.answer(200, SESSIONS[number].state(number))

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/v1/sessions":
            number = next(NUMBERS)
            SESSIONS[number] = Session(json.loads(body))
            return self.answer(201, SESSIONS[number].state(number), Location=f"/v1/sessions/{number}")
        number, action = re.fullmatch(r"/v1/sessions/(\\d+)/(\\w+)", self.path).groups()
        session = SESSIONS[int(number)]
        if session.phase != ALLOWED[action]:
            return self.answer(409, {"detail": f"{action} is not possible in phase {session.phase}"})
        getattr(session, action)()
        self.answer(200, session.state(number))
"""

MISTAKES = (
    ("* x2 + b", "* x2", "bias_left_out", "values.yhat"),
    ("** 2 for", "for", "square_left_out other_loss", "values.L"),
    ("zip(yhat, self.batch)) / len(yhat)", "zip(yhat, self.batch))", "sum_for_mean", "values.L"),
    ("2 * (p - row[2])", "(p - row[2])", "missing_factor_2", "gradients.w1"),
    ("2 * (p - row[2])", "2 * (row[2] - p)", "error_sign", "gradients.w1"),
    (" / len(self.batch) for", " for", "sum_for_mean", "gradients.w1"),
    ("sum(s * row[1]", "sum(s * row[0]", "other_quantity gradients_exchanged", "gradients.w2"),
    ('"b": sum(slopes)', '"b": sum(slopes) / len(slopes)', "bias_averaged averaged_twice", "gradients.b"),
    ('"b": sum(slopes)', '"b": slopes[-1]', "bias_last_row last_example_only", "gradients.b"),
    ("-= self.rate", "+= self.rate", "ascent", "updated.w1"),
    ("-= self.rate * ", "-= ", "rate_missing", "updated.w1"),
    ("-= self.rate * ", "-= self.rate / len(self.batch) * ", "rate_divided", "updated.w1"),
)


@contextmanager
def serving(source: str = SOURCE) -> Iterator[str]:
    """The address of such a server, as long as it is wanted."""
    space: dict[str, Any] = {}
    exec(source, space)  # noqa: S102 - our own student
    server = ThreadingHTTPServer(("127.0.0.1", 0), space["Handler"])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
