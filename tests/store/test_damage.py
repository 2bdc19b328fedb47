"""Files that have been cut off, or in which a bit has flipped: refused, or read as they were written."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from api.engine.errors import StoreDamaged, StoreUnavailable
from api.store import Store
from api.store.seals import checksum, seal, seal_text, unseal, unseal_text
from tests.store.conftest import Played, PlayedOnFile
from tests.store.walks import CYCLE, act, article, long_run, patch, seen, short_run

Everything = list[object]


async def lived(store: Store) -> tuple[list[str], Everything]:
    """Sessions with all that they can have, and all that can be read of them."""
    all_ids = []
    for size in (1, 2):
        id = (await store.create(article(batch_size=size))).id
        await act(store, id, *CYCLE * 4)
        await short_run(store, id, 30)
        await long_run(store, id, [10, 20])
        await patch(store, id, optimizer={"learning_rate": 0.02})
        await act(store, id, "forward", "undo")
        all_ids.append(id)
    return all_ids, await everything(store, all_ids)


async def everything(store: Store, all_ids: list[str]) -> Everything:
    found: Everything = []
    for id in all_ids:
        stored = await store.load(id)
        found.append(seen(stored))
        found += [seen(await store.at_revision(stored, revision)) for revision in range(stored.revision + 1)]
        found += [(await store.history(stored, -1, 1000)), await store.losses(stored, 50)]
    return found


def test_a_stopped_service_leaves_one_file_that_is_whole(file: PlayedOnFile) -> None:
    file(lived)
    assert [path.name for path in file.path.parent.iterdir()] == [file.path.name]


@pytest.mark.parametrize("part", range(4))
def test_a_bit_that_has_flipped_is_found_or_does_no_harm(file: PlayedOnFile, part: int) -> None:
    all_ids, expected = file(lived)
    whole, chance, found = file.path.read_bytes(), random.Random(part), list[str]()
    written = [place for place, byte in enumerate(whole) if byte]  # pages are mostly empty, where nothing can be found
    assert file(lambda store: everything(store, all_ids)) == expected
    for _ in range(25):
        flipped = bytearray(whole)
        flipped[chance.choice(written)] ^= 1 << chance.randrange(8)
        replace(file.path, bytes(flipped))
        try:
            assert file(lambda store: everything(store, all_ids)) == expected
        except StoreUnavailable as refusal:
            found.append(refusal.detail)
    assert found
    assert all("restore a backup" in detail for detail in found)


@pytest.mark.parametrize("kept", [0.9, 0.5, 0.2])
def test_a_file_that_was_cut_off_is_refused(file: PlayedOnFile, kept: float) -> None:
    file(lived)
    whole = file.path.read_bytes()
    replace(file.path, whole[: int(len(whole) * kept)])
    with pytest.raises(StoreUnavailable, match="damaged"):
        file(nothing)


def test_a_row_that_somebody_has_changed_is_refused_on_either_database(play: Played) -> None:
    id, _ = play(lived)[0]
    for table, changed in (
        ("events", "step = step + 1"),
        ("events", "loss = 0.5"),
        ("events", "action = 'edit'"),
        ("events", "detail = NULL"),
        ("slices", "epoch = 7"),
        ("sessions", "revision = revision - 1"),
        ("definitions", "document = replace(document, '4', '5')"),
    ):
        backup = f"{table}_backup"
        play.execute(f"CREATE TABLE {backup} AS SELECT * FROM {table}")
        play.execute(f"UPDATE {table} SET {changed}")
        with pytest.raises(StoreDamaged):
            play(lambda store: everything(store, [id]))
        restore(play, table, changed.partition(" ")[0])
        play.execute(f"DROP TABLE {backup}")
    play(lambda store: everything(store, [id]))


def restore(play: Played, table: str, column: str) -> None:
    """Undo a change of one column, which no row is known by."""
    keys = {"events": "revision", "slices": "first_step"}.get(table)
    same = "backup.key = {0}.key" if table == "sessions" else "backup.session_key = {0}.session_key"
    same += f" AND backup.{keys} = {{0}}.{keys}" if keys else ""
    same += " AND backup.revision = {0}.revision" if table == "slices" else ""
    before = f"SELECT backup.{column} FROM {table}_backup AS backup WHERE {same.format(table)}"
    play.execute(f"UPDATE {table} SET {column} = ({before})")


async def nothing(store: Store) -> None:
    pass


def replace(path: Path, content: bytes) -> None:
    for name in ("", "-wal", "-shm"):
        Path(f"{path}{name}").unlink(missing_ok=True)
    path.write_bytes(content)


@pytest.mark.parametrize("made", [lambda: seal(os.urandom(64)), lambda: seal(b"")])
def test_a_sealed_blob_comes_back_unless_it_has_changed(made: Callable[[], bytes]) -> None:
    sealed = made()
    assert seal(unseal(sealed)) == sealed
    for place in range(len(sealed)):
        wrong = bytearray(sealed)
        wrong[place] ^= 16
        with pytest.raises(StoreDamaged):
            unseal(bytes(wrong))
    assert unseal(bytes(16)) == bytes(16)  # from before there were checksums


def test_a_sealed_text_comes_back_unless_it_has_changed() -> None:
    text = '{"title":"ŷ"}'
    assert unseal_text(seal_text(text)) == unseal_text(text) == text
    for wrong in (seal_text(text)[1:], seal_text(text).replace("ŷ", "y"), "", "0"):
        with pytest.raises(StoreDamaged):
            unseal_text(wrong)


def test_a_rows_checksum_is_the_same_for_what_either_database_gives_back() -> None:
    assert checksum((1, 0.0, None, "a", b"x")) == checksum((1, -0.0, float("nan"), "a", memoryview(b"x")))
    assert checksum((1, 2.0)) == checksum((1, 2)) != checksum((1, "2"))
