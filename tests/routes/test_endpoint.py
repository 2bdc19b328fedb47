"""What our kind of route relies on in FastAPI and Starlette."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.testclient import TestClient

from api.routes.endpoint import Endpoint, include, router

routes = router()


@routes.get("/things/{id}", operation_id="thing", summary="A thing")
async def thing(request: Request) -> Response:
    return PlainTextResponse(request.path_params["id"])


@routes.delete("/things/{id}", operation_id="no_thing")
async def no_thing(request: Request) -> Response:
    raise KeyError(request.path_params["id"])


def app() -> FastAPI:
    """An application with two endpoints at one address."""

    async def none(_request: Request, _error: Exception) -> Response:
        return PlainTextResponse("none", 404)

    made = FastAPI(exception_handlers={KeyError: none})
    include(made, routes)
    return made


def test_an_endpoint_is_called_with_the_request_and_nothing_else() -> None:
    assert all(isinstance(route, Endpoint) for route in routes.routes)
    assert TestClient(app()).get("/things/7").text == "7"


def test_its_exceptions_reach_the_application_s_handlers() -> None:
    assert TestClient(app()).delete("/things/7").status_code == 404


def test_it_is_in_the_openapi_document() -> None:
    document = app().openapi()
    assert document["paths"]["/things/{id}"]["get"]["operationId"] == "thing"
    assert document["paths"]["/things/{id}"]["delete"]["operationId"] == "no_thing"


def test_a_wrong_method_names_all_that_work_at_the_address() -> None:
    answer = TestClient(app()).put("/things/7")
    assert (answer.status_code, answer.headers["allow"]) == (405, "DELETE, GET, HEAD")
