"""Passwords from files: their first line, readable by their owner alone or encrypted by ansible-vault."""

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret

from controlplane.connectors.secret_files import read_secret
from controlplane.errors import KasumiError, RefusedError


def kept(path, text, mode=0o600):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)
    return path


def test_the_first_line_is_the_password(tmp_path):
    assert read_secret(kept(tmp_path / "p", "geheim 年金\nsecond\n")) == "geheim 年金"


def test_a_file_that_others_may_read_is_refused(tmp_path):
    with pytest.raises(RefusedError, match=r"others may read it; `chmod 600 .*/p`"):
        read_secret(kept(tmp_path / "p", "geheim\n", 0o640))


@pytest.mark.parametrize(("content", "words"), [("", "found nothing"), ("\nsecond", "found nothing")])
def test_an_empty_one_is_named(tmp_path, content, words):
    with pytest.raises(KasumiError, match=words):
        read_secret(kept(tmp_path / "p", content))
    with pytest.raises(KasumiError, match="No such file"):
        read_secret(tmp_path / "none")


def test_an_encrypted_one_is_opened_whoever_may_read_it(tmp_path):
    key = kept(tmp_path / "key", "the key\n")
    sealed = VaultLib([("default", VaultSecret(b"the key"))]).encrypt("geheim\n")
    file = kept(tmp_path / "p", sealed, 0o644)
    assert read_secret(file, vault_password_file=key) == "geheim"
    with pytest.raises(KasumiError, match="is encrypted; say --vault-password-file"):
        read_secret(file)
    with pytest.raises(KasumiError, match="does not open it"):
        read_secret(file, vault_password_file=kept(tmp_path / "wrong", "another\n"))
