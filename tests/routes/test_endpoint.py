"""What our kind of route relies on in FastAPI and Starlette."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from api.routes.endpoint import Documented, Endpoint, include, router

routes = router()


@routes.get("/things/{id}", operation_id="thing", summary="A thing")
async def thing(request: Request) -> Response:
    return PlainTextResponse(request.path_params["id"])


@routes.delete("/things/{id}", operation_id="no_thing")
async def no_thing(request: Request) -> Response:
    raise KeyError(request.path_params["id"])


@routes.get("/things/first", operation_id="first_thing")
async def first_thing(_request: Request) -> Response:
    return PlainTextResponse("the first")


def app() -> FastAPI:
    """An application with endpoints, and a layer that answers what they raise."""

    def layer(inner: ASGIApp) -> ASGIApp:
        async def answering(scope: Scope, receive: Receive, send: Send) -> None:
            try:
                await inner(scope, receive, send)
            except KeyError:
                await PlainTextResponse("none", 404)(scope, receive, send)
            except HTTPException as error:
                await PlainTextResponse("", error.status_code, error.headers)(scope, receive, send)

        return answering

    made = Documented(layer=layer, default=PlainTextResponse("elsewhere", 404))
    include(made, routes)
    return made


def test_an_endpoint_is_called_with_the_request_and_nothing_else() -> None:
    assert all(isinstance(route, Endpoint) for route in routes.routes)
    assert TestClient(app()).get("/things/7").text == "7"


def test_its_exceptions_reach_the_layer_around_it() -> None:
    assert TestClient(app()).delete("/things/7").status_code == 404


def test_a_name_beats_a_parameter_and_a_parameter_is_never_empty() -> None:
    with TestClient(app()) as client:
        assert client.get("/things/first").text == "the first"
        assert client.get("/things/first.json").text == "the first"
        assert client.get("/things/second").text == "second"
        assert [client.get(path).text for path in ("/things/", "/things/7/8", "/")] == ["elsewhere"] * 3


def test_it_is_in_the_openapi_document() -> None:
    document = app().openapi()
    assert document["paths"]["/things/{id}"]["get"]["operationId"] == "thing"
    assert document["paths"]["/things/{id}"]["delete"]["operationId"] == "no_thing"


def test_a_wrong_method_names_all_that_work_at_the_address() -> None:
    answer = TestClient(app()).put("/things/7")
    assert (answer.status_code, answer.headers["allow"]) == (405, "DELETE, GET, HEAD")
    answer = TestClient(app()).put("/things/first")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
