"""
Secrets are stored so that only the keys of the file can read them.
"""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from monitor.config.secret import Secret
from monitor.engine.ciphers import Cipher, KeyUnusable, open_secrets, seal_secrets

KEY, OTHER = (Fernet.generate_key().decode() for _ in range(2))

PATHS = st.lists(st.text(max_size=9) | st.integers(0, 9), min_size=1, max_size=3).map(tuple)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@given(st.dictionaries(PATHS, TEXTS, max_size=4))
def test_secrets_are_the_same_again(secrets):
    cipher = Cipher(Secret(KEY))
    assert open_secrets(seal_secrets(secrets, cipher), cipher) == secrets


def test_a_former_key_still_reads_and_another_does_not():
    sealed = seal_secrets({("token",): "hunter2"}, Cipher(Secret(KEY)))
    assert b"hunter2" not in sealed
    assert open_secrets(sealed, Cipher(Secret(OTHER), [Secret(KEY)])) == {("token",): "hunter2"}
    with pytest.raises(KeyUnusable, match=r"web\.key is not the key"):
        open_secrets(sealed, Cipher(Secret(OTHER)))
