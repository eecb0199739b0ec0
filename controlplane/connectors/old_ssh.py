"""The ssh of 2006 to 2015: SHA-1 in key exchange and RSA signatures, which today's ssh has given up.

Only for servers whose inventory entry says `old_algorithms: true` (RHEL 5 and 6, appliances), and tried after the sound ones. What a
forger of SHA-1 could gain here is to read what such a server says of itself; move it to something newer first if that matters.
"""

from hashlib import sha1
from typing import Any

import paramiko
from cryptography.hazmat.primitives import hashes
from paramiko.kex_group14 import KexGroup14SHA256

SSH_RSA = "ssh-rsa"
_KEX = "diffie-hellman-group14-sha1"
_SOUND: Any = paramiko.Transport
"""Its tables of algorithms have no public name."""


class _Sha1RsaKey(paramiko.RSAKey):
    """An RSA key that also signs and verifies the old way."""

    HASHES = paramiko.RSAKey.HASHES | {SSH_RSA: hashes.SHA1}  # type: ignore[misc]


class _Group14Sha1(KexGroup14SHA256):
    name = _KEX
    hash_algo = sha1


class OldTransport(paramiko.Transport):
    """A transport that also speaks the old algorithms, after all others; RSA keys are shown the old way."""

    _kex_info = _SOUND._kex_info | {_KEX: _Group14Sha1}
    _preferred_kex = (*_SOUND._preferred_kex, _KEX)
    _key_info = _SOUND._key_info | {SSH_RSA: _Sha1RsaKey}
    _preferred_keys = (*_SOUND._preferred_keys, SSH_RSA)
    _preferred_pubkeys = (SSH_RSA, *_SOUND._preferred_pubkeys)


def old_key(key: paramiko.PKey) -> paramiko.PKey:
    """The same key, able to sign the old way if it is an RSA key read from a file."""
    return _Sha1RsaKey(key=key.key) if type(key) is paramiko.RSAKey else key
