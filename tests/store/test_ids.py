from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode

from api.store import ids


def test_ids_are_128_bits_in_22_characters() -> None:
    made = {ids.new_id() for _ in range(1000)}
    assert len(made) == 1000
    assert all(len(id) == 22 and len(ids._raw(id)) == 16 for id in made)


def test_the_read_id_is_the_half_of_an_hmac_and_the_hash_hides_it() -> None:
    id = ids.new_id()
    digest = hmac.new(id.encode(), b"read", hashlib.sha256).digest()[:16]
    assert ids.read_id(id) == urlsafe_b64encode(digest).decode().rstrip("=")
    assert ids.id_hash(ids.read_id(id)) == hashlib.sha256(ids.read_id(id).encode()).digest()


def test_a_key_and_its_salt_always_name_the_same_session() -> None:
    salt = ids.new_salt()
    assert ids.derived_id("key", salt) == ids.derived_id("key", salt) != ids.derived_id("key", ids.new_salt())
    assert len(ids.derived_id("ключ", salt)) == 22


def test_a_parents_read_id_is_veiled_for_everybody_but_its_fork() -> None:
    parent, child, other = (ids.read_id(ids.new_id()) for _ in range(3))
    assert ids.unveil(child, ids.veil(child, parent)) == parent
    assert ids.unveil(other, ids.veil(child, parent)) != parent
