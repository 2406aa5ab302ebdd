"""Passwords, tokens and signatures."""

import base64
import hashlib
import hmac
import secrets
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from cryptography.fernet import Fernet

KEY_PREFIX = "jk"


@cache
def _hasher() -> PasswordHasher:
    return PasswordHasher()


def hash_password(password: str) -> str:
    """An argon2id hash."""
    return _hasher().hash(password)


def password_matches(stored: str, password: str) -> bool:
    """Whether `password` is the one of the hash `stored`."""
    try:
        return _hasher().verify(stored, password)
    except VerificationError:
        return False


def new_token() -> str:
    """256 random bits, safe in URLs and headers."""
    return secrets.token_urlsafe(32)


def hash_token(token: str) -> str:
    """SHA-256 of a random token, hexadecimal; enough, as tokens are long and random."""
    return hashlib.sha256(token.encode()).hexdigest()


def new_key() -> tuple[str, str, str]:
    """A new API key: its public id, the whole key (shown once), and the hash to store."""
    identifier, secret = secrets.token_hex(6), new_token()
    return identifier, f"{KEY_PREFIX}_{identifier}_{secret}", hash_token(secret)


def parse_key(key: str) -> tuple[str, str] | None:
    """Public id and secret of an API key, None where it does not look like one."""
    parts = key.split("_", 2)
    return (parts[1], parts[2]) if len(parts) == 3 and parts[0] == KEY_PREFIX and parts[1] and parts[2] else None


def same(left: str, right: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(left.encode(), right.encode())


def derive(secret_key: str, purpose: str) -> str:
    """A secret of its own for `purpose`, from the installation's secret."""
    return hmac.new(secret_key.encode(), purpose.encode(), hashlib.sha256).hexdigest()


@cache
def _sealer(secret_key: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(bytes.fromhex(derive(secret_key, "seal"))))


def seal(secret_key: str, content: bytes) -> bytes:
    """Encrypt and sign what only this installation may read."""
    return _sealer(secret_key).encrypt(content)


def unseal(secret_key: str, sealed: bytes) -> bytes:
    """What was sealed with the same secret."""
    return _sealer(secret_key).decrypt(sealed)
