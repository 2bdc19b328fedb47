"""The OpenAPI document says what the service does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.documents import schemas
from api.documents.bodies import CreateBody
from api.documents.predictions import Predictions
from tests.routes.conftest import BROWSER

METHODS = ("get", "post", "patch", "delete", "put", "head", "options")


@pytest.fixture
def document(client: TestClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/openapi.json").json()
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Each path, method and operation."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method]


def references(value: Any) -> Iterator[str]:
    """Every $ref in a document."""
    if isinstance(value, dict):
        yield from (part for name, part in value.items() if name == "$ref")
        for part in value.values():
            yield from references(part)
    elif isinstance(value, list):
        for part in value:
            yield from references(part)


def test_every_operation_has_an_id_a_tag_and_a_summary(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    assert "servers" not in document
    found = list(operations(document))
    ids = [operation["operationId"] for _, _, operation in found]
    assert len(ids) == len(set(ids)) > 30
    assert all(operation["tags"] and operation["summary"] for _, _, operation in found)


def test_every_body_has_an_example_that_is_accepted(client: TestClient, document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        if "requestBody" not in operation:
            continue
        content = operation["requestBody"]["content"]
        assert set(content) == {"application/json", "application/x-www-form-urlencoded", "multipart/form-data"}
        session = client.post("/v1/sessions").json()["id"]
        for action in {"backward": ["forward"], "update": ["forward", "backward"], "undo": ["forward"]}.get(
            operation["operationId"], []
        ):
            client.post(f"/v1/sessions/{session}/{action}")
        assignment = client.post("/v1/assignments").json()["id"]
        address = path.format(id=session, revision=0, assignment=assignment)
        answer = client.request(method, address, json=content["application/json"]["example"])
        assert answer.status_code < 300, (path, answer.text)
        if operation["operationId"] in ("create", "run", "rewind", "evaluate", "predict"):
            example = content["application/x-www-form-urlencoded"]["example"]
            answer = client.request(method, address, data=example)
            assert answer.status_code < 300, (path, answer.text)


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    for reference in set(references(document)):
        place: Any = document
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]


def test_no_two_schemas_share_a_name(document: dict[str, Any]) -> None:
    schemas_ = document["components"]["schemas"]
    assert [name for name in schemas_ if "__" in name] == []
    titles = [schema.get("title", name) for name, schema in schemas_.items()]
    assert len(titles) == len(set(titles))


def test_every_operation_documents_its_problems(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        responses = operation["responses"]
        assert "application/problem+json" in responses["500"]["content"], path
        if "requestBody" in operation:
            assert {"400", "413", "415", "422"} <= set(responses), (path, method)
        if "{id}" in path:
            assert "404" in responses


def test_create_links_to_the_actions(document: dict[str, Any]) -> None:
    ids = {operation["operationId"] for _, _, operation in operations(document)}
    links = document["paths"]["/v1/sessions"]["post"]["responses"]["201"]["links"]
    assert {"forward", "backward", "update", "run", "undo"} <= set(links)
    assert {link["operationId"] for link in links.values()} <= ids


def test_tensor_is_one_named_schema(document: dict[str, Any]) -> None:
    state = document["components"]["schemas"]["State"]
    assert state["properties"]["inputs"]["additionalProperties"] == {"$ref": "#/components/schemas/Tensor"}
    request = document["components"]["schemas"]["CreateRequest"]["properties"]
    assert set(request) == {*CreateBody.model_fields, "revision", "idempotency_key", "server_key", "return"}


def test_every_answer_is_what_its_schema_says(client: TestClient) -> None:
    session = client.post("/v1/sessions", json={"batch_size": 4}).headers["location"]
    states = [client.get(session)]
    states += [client.post(f"{session}/{action}") for action in ("forward", "backward", "update")]
    states += [
        client.post(f"{session}/run", json={"epochs": 2}),
        client.get(f"{session}?detail=ops&arrays=full&layout=true"),
        client.get(f"/v1/sessions/{states[0].json()['share']['read']}"),
    ]
    for answer in states:
        schemas.State.model_validate(answer.json())
    schemas.Evaluation.model_validate(client.post("/v1/evaluate").json())
    schemas.History.model_validate(client.get(f"{session}/history").json())
    schemas.Definition.model_validate(client.get(f"{session}/definition").json())
    schemas.Data.model_validate(client.get(f"{session}/data").json())
    for script in ("latex", "mathml", "text"):
        for item in client.get(f"{session}/equations?format={script}").json():
            schemas.Equation.model_validate(item)
    schemas.Check.model_validate(client.post(f"{session}/check", json={"answers": {"values": {"L": 1, "q": 2}}}).json())
    Predictions.model_validate(client.post(f"{session}/predict", json={"rows": [[1, 2]]}).json())
    schemas.Catalog.model_validate(client.get("/v1/catalog").json())
    schemas.LimitsDocument.model_validate(client.get("/v1/limits").json())


def test_the_reference_is_a_page_for_people_and_the_document_for_programs(client: TestClient) -> None:
    page = client.get("/docs", headers=BROWSER)
    assert page.headers["content-type"].startswith("text/html")
    assert "<script" not in page.text
    assert client.get("/docs").json() == client.get("/openapi.json").json()
