"""Passwords from files, in clear (readable by their owner alone) or as ansible-vault made them; never from arguments."""

from pathlib import Path

from controlplane.errors import KasumiError, RefusedError

_OTHERS = 0o077
_VAULT = b"$ANSIBLE_VAULT;"


def read_secret(file: Path, *, vault_password_file: Path | None = None) -> str:
    """The first line of the file. Raises KasumiError naming the file, RefusedError when others may read what is in clear."""
    try:
        content = file.read_bytes()
        mode = file.stat().st_mode
    except OSError as error:
        raise KasumiError(f"password file {file}: {error.strerror}") from None
    if content.startswith(_VAULT):
        content = _opened(file, content, vault_password_file)
    elif mode & _OTHERS:
        raise RefusedError(f"password file {file}: others may read it; `chmod 600 {file}`, or encrypt it with ansible-vault")
    lines = content.decode("utf-8", errors="replace").splitlines()
    if not lines or not lines[0]:
        raise KasumiError(f"password file {file}: wanted a password on its first line, found nothing")
    return lines[0]


def _opened(file: Path, content: bytes, vault_password_file: Path | None) -> bytes:
    if vault_password_file is None:
        raise KasumiError(f"password file {file}: is encrypted; say --vault-password-file")
    from ansible.errors import AnsibleError  # noqa: PLC0415 (costs every command most of a second)
    from ansible.parsing.vault import VaultLib, VaultSecret  # noqa: PLC0415

    secret = VaultSecret(read_secret(vault_password_file).encode())
    try:
        return bytes(VaultLib([("default", secret)]).decrypt(content))
    except AnsibleError as error:
        raise KasumiError(f"password file {file}: {vault_password_file} does not open it: {error}") from None
