"""The client for another host: the same files, with the API's address in every form."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from api.app import client_folder
from api.engine.errors import InvalidInput
from api.hosting import checked, export


def test_every_form_goes_to_the_api_and_every_file_is_there(tmp_path: Path) -> None:
    count = export(client_folder(), tmp_path / "site", "https://api.example.org/deep/")
    copied = {path.relative_to(tmp_path / "site") for path in (tmp_path / "site").rglob("*") if path.is_file()}
    assert copied == {path.relative_to(client_folder()) for path in client_folder().rglob("*") if path.is_file()}
    assert count == len(copied)
    for name in ("index.html", "guide.html"):
        before, after = ((folder / name).read_text() for folder in (client_folder(), tmp_path / "site"))
        actions = re.findall(r'action="([^"]*)"', after)
        assert actions
        assert set(actions) == {"https://api.example.org/deep/v1/sessions"}
        assert after.replace("https://api.example.org/deep/", "") == before
    assert (tmp_path / "site" / "style.css").read_bytes() == (client_folder() / "style.css").read_bytes()
    assert export(client_folder(), tmp_path / "site", "http://localhost:8000") == count


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x.org",
        "/v1",
        "ftp://x",
        "https://",
        'https://x"a="',
        "https://x/?a=1",
        "https://x/#y",
        "http://[1",
        "data:,x",
    ],
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match="absolute"):
        checked(url)
