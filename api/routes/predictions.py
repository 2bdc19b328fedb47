"""``…/predict``: the model is used, and nothing is changed by it."""

from __future__ import annotations

import math
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from api.documents.predictions import PredictBody, Predictions, predictions, predictions_csv
from api.documents.state import to_json
from api.routes.bodies import read
from api.routes.endpoint import router
from api.routes.negotiation import MEDIA_TYPES, Kind, negotiate
from api.routes.operations import BODY, json_of, media, operation
from api.routes.service import service_of, work_of_row
from api.training.definition import Definition
from api.training.limits import Limits
from api.training.prediction import predict
from api.training.snapshot import Snapshot

routes = router()

INLINE_ROWS = 1_000  # more are read, predicted and written by another process, so that nobody waits for them
INLINE_WORK = 100_000  # primitive operations for all rows, beyond which the same

EXAMPLE = {"rows": [[4, 1], [2, 8]]}


@routes.post(
    "/v1/sessions/{id}/predict",
    **operation(
        "predict", "Use the model", "sessions", {200: json_of(Predictions)}, body=PredictBody, example=EXAMPLE,
        problems=BODY,
    ),
)  # fmt: skip
async def predict_rows(request: Request) -> Response:
    """The outputs for rows, CSV or a grid, with the present parameters, in any phase; the read-only id may ask, too."""
    return await _answer(request, negotiate(request, (Kind.JSON, Kind.CSV)))


@routes.post(
    "/v1/sessions/{id}/predict.csv",
    **operation(
        "predict_csv", "Use the model, as a table", "sessions", {200: media("csv")}, body=PredictBody, example=EXAMPLE,
        problems=BODY,
    ),
)  # fmt: skip
async def predict_csv(request: Request) -> Response:
    """The rows with the outputs beside them."""
    return await _answer(request, Kind.CSV)


async def _answer(request: Request, kind: Kind) -> Response:
    service = service_of(request)
    stored = await service.store.load(request.path_params["id"])
    ask = await read(request, service.limits)
    body = ask.typed(PredictBody)
    session, rows = stored.session, _rows_of(body)
    about = (session.definition, session.snapshot, stored.revision, body, service.limits, kind)
    if rows > INLINE_ROWS or rows * work_of_row(session) > INLINE_WORK:
        answer = await service.workers.call(answered, *about)
    else:
        answer = answered(*about)
    return Response(answer, headers={"Cache-Control": "no-store", "Vary": "Accept"}, media_type=MEDIA_TYPES[kind])


def answered(
    definition: Definition, snapshot: Snapshot, revision: int, body: dict[str, Any], limits: Limits, kind: Kind
) -> bytes:
    """The bytes of an answer, for whichever process makes it."""
    done = predict(definition, snapshot.parameters, body, limits)
    if kind is Kind.CSV:
        return predictions_csv(definition, done).encode()
    return to_json(predictions(revision, snapshot.position.step, done))


def _rows_of(body: dict[str, Any]) -> int:
    """How many rows a body asks for, before it has been looked at."""
    if "grid" in body:
        ranges = [given for given in body["grid"].values() if isinstance(given, list) and len(given) == 3]
        points = [given[2] if isinstance(given[2], int) else INLINE_ROWS for given in ranges]
        return int(math.prod(points))
    rows: int = len(body.get("rows", ())) + body.get("csv", "").count("\n")
    return rows
