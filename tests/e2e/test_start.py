"""The start page, the gallery and recipes, JavaScript off."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.e2e.walks import start, state_of, step

if TYPE_CHECKING:
    from tests.e2e.browser import Browser


def unfold(browser: Browser, field: str, kind: str = "") -> str:
    """Open the start page's part with this field, choose a kind of model, and say where its form is."""
    part = f"details:has({field})"
    browser.one(f"{part} summary").click()
    if kind:
        browser.one(f"input[name='model.kind'][value={kind}]").click()
    return f"{part} form"


def test_a_csv_file_is_sent_through_the_form(browser: Browser, address: str, tmp_path: Path) -> None:
    table = tmp_path / "houses.csv"
    table.write_text("House size;Rooms;Price\n51;2;148\n84;3;236\n120;5;331\n", encoding="utf-8-sig")
    browser.open(f"{address}/")
    form = unfold(browser, "textarea[name='data.csv']")
    browser.one(f"{form} input[type=file]").send_keys(str(table))
    browser.one(f"{form} input[name='data.standardize']").click()
    browser.one(f"{form} input[name=title]").send_keys("Houses")
    browser.click(f"{form} button")
    state = state_of(browser)
    assert state["definition"]["title"] == "Houses"
    assert state["definition"]["data"]["labels"] == ["House size", "Rooms", "Price"]
    assert [cell.text for cell in browser.all(".data thead th")][1:4] == ["House size", "Rooms", "Price"]
    step(browser, 3)
    assert state_of(browser)["step"] == 1


def test_a_table_can_be_typed_in_too(browser: Browser, address: str) -> None:
    browser.open(f"{address}/")
    form = unfold(browser, "textarea[name='data.csv']")
    browser.one(f"{form} textarea[name='data.csv']").send_keys("x,y\n1,2\n2,4\n3,6\n")
    browser.click(f"{form} button")
    assert state_of(browser)["definition"]["data"]["row_count"] == 3


def test_a_bad_cell_is_a_page_that_says_where(browser: Browser, address: str) -> None:
    browser.open(f"{address}/")
    form = unfold(browser, "textarea[name='data.csv']")
    browser.one(f"{form} textarea[name='data.csv']").send_keys("x,y\n1,2\n2,oops\n")
    browser.click(f"{form} button")
    assert browser.text(".status") == "422"
    assert "line 3" in browser.text("main")


def test_an_own_formula_trains(browser: Browser, address: str) -> None:
    browser.open(f"{address}/")
    form = unfold(browser, "textarea[name='model.source']", "expression")
    source = "h = tanh(w1*x1 + w2*x2 + b1)\nyhat = v*h + b2\nL = (yhat - y)**2"
    browser.one(f"{form} textarea[name='model.source']").send_keys(source)
    browser.click(f"{form} button")
    state = state_of(browser)
    assert state["definition"]["model"]["kind"] == "expression"
    assert set(state["parameters"]) == {"w1", "w2", "b1", "v", "b2"}
    step(browser, 3)
    after = state_of(browser)
    assert after["step"] == 1
    assert after["parameters"] != state["parameters"]


def test_the_form_shows_what_belongs_to_the_kind_chosen_and_what_is_filled_in(browser: Browser, address: str) -> None:
    def shown(selector: str) -> bool:
        return browser.one(selector).is_displayed()

    units, source, momentum = "[name='model.layers.0.units']", "[name='model.source']", "[name='optimizer.momentum']"
    browser.open(f"{address}/")
    form = unfold(browser, source)
    assert not any(map(shown, (units, source, momentum)))
    browser.one(f"{form} [value=mlp]").click()
    assert (shown(units), shown(source)) == (True, False)
    browser.one(units).send_keys("2")
    browser.one(f"{form} [value=expression]").click()
    assert shown(source)
    assert shown(units), "it would be sent, so it is seen"
    browser.one(units).clear()
    browser.one(source).send_keys("L = w*w")
    assert not shown(units)
    browser.one("[name='optimizer.kind']").send_keys("Gradient descent with")
    assert shown(momentum)
    browser.click(f"{form} button")
    assert state_of(browser)["optimizer"]["kind"] == "momentum"


def test_what_was_filled_in_is_still_there_behind_a_problem(browser: Browser, address: str) -> None:
    browser.open(f"{address}/")
    form = unfold(browser, "[name=batch_size]", "mlp")
    browser.one("[name=batch_size]").send_keys("none")
    browser.one("[name='model.layers.0.units']").send_keys("7")
    browser.click(f"{form} button")
    assert browser.text(".status") == "422"
    browser.back()
    assert browser.one("[name=batch_size]").get_property("value") == "none"
    assert browser.one("[name='model.layers.0.units']").get_property("value") == "7"


def test_a_recipe_gives_everyone_a_session_of_their_own(browser: Browser, address: str) -> None:
    start(browser, address)
    step(browser, 2)
    own = state_of(browser)
    browser.one(".tools summary").click()
    link = browser.one("section[aria-label=Recipe] a").get_attribute("href")
    assert link is not None
    assert own["id"] not in link
    made = []
    for _ in range(2):
        browser.open(link)
        assert browser.focused.get_attribute("id") == "next"
        browser.enter()
        made.append(state_of(browser))
    assert len({own["id"], *(state["id"] for state in made)}) == 3
    assert [state["gradients"] for state in made] == [own["gradients"]] * 2
    assert browser.focused.text.split()[-1] == "Update"


def test_the_gallery_starts_what_it_shows(browser: Browser, address: str) -> None:
    browser.open(f"{address}/gallery.html")
    assert all(
        browser.measure(
            "[...document.images].map(one => (one.loading = 'eager', one.naturalWidth > 0 || !one.complete))"
        )
    )
    browser.click("#xor button")
    assert state_of(browser)["definition"]["data"]["dataset"] == "xor"
    browser.open(f"{address}/gallery.html")
    browser.click("#lstm .plainly")
    assert browser.url == f"{address}/v1/new?preset=lstm"


def test_a_session_is_found_again_by_its_id(browser: Browser, address: str) -> None:
    start(browser, address)
    step(browser, 1)
    session = browser.url.partition("/revisions")[0]
    browser.open(f"{address}/")
    form = unfold(browser, "input[name=id]")
    browser.one(f"{form} input").send_keys(session.rpartition("/")[2])
    browser.click(f"{form} button")
    assert state_of(browser)["revision"] == 1
