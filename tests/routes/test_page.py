"""What a session's page is made from."""

from __future__ import annotations

from starlette.testclient import TestClient

from tests.routes.conftest import BROWSER


def test_the_page_of_a_step_inside_a_run_shows_only_what_came_before_it(client: TestClient, session: str) -> None:
    client.post(f"{session}/run", json={"steps": 12})
    for step in (0, 3, 12):
        page = client.get(f"{session}/steps/{step}", headers=BROWSER).text
        log = page.partition('aria-label="Progress, newest first"')[2].partition("</table>")[0]
        assert log.count("<tr><td>") == step
        assert (f"Update 1 to {step}:" in page) == (step > 0)
