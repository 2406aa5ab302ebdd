"""From an API key or a session cookie to a principal; and logging in, with lock-out."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from service.access.models import Account, ApiKey, LoginSession
from service.access.roles import Principal
from service.audit import service as audit
from service.audit.events import LoggedIn
from service.database.base import now
from service.database.engine import Database
from service.errors import ServiceError
from service.security import hash_password, hash_token, new_token, parse_key, password_matches, same
from service.settings import Settings


@dataclass(frozen=True, slots=True)
class Login:
    """A person's running session. `csrf_token` must come back with every change."""

    principal: Principal
    csrf_token: str


def principal_of_account(account: Account) -> Principal:
    """The principal that a person acts as."""
    return Principal(f"account:{account.name}", account.role, account.district, None, account.id)


def key_principal(database: Database, key: str) -> Principal:
    """The principal of an API key. Raises ServiceError E420."""
    parsed = parse_key(key)
    if parsed is None:
        raise ServiceError("E420", found="不是 API 密钥 not an API key")
    identifier, secret = parsed
    with database.reading() as session:
        known = session.get(ApiKey, identifier[:12])
        if known is None or not same(known.secret_hash, hash_token(secret)) or known.revoked_at is not None:
            raise ServiceError("E420", found="密钥无效或已撤销 unknown or revoked key")
        return Principal(f"key:{known.id}", known.role, known.district, frozenset(known.scopes))


def note_use(session: Session, used: Mapping[str, datetime]) -> None:
    """Write down when keys, by their ids, were last used."""
    for identifier, moment in used.items():
        session.execute(update(ApiKey).where(ApiKey.id == identifier).values(last_used_at=moment))


def session_login(database: Database, token: str) -> Login:
    """The login of a cookie's token. Raises ServiceError E420 where it is unknown, over, or its account disabled."""
    with database.reading() as session:
        known = session.get(LoginSession, hash_token(token))
        if known is None or known.expires_at <= now() or known.account.disabled:
            raise ServiceError("E420", found="登录已失效 the login is over")
        return Login(principal_of_account(known.account), known.csrf_token)


@cache
def _dummy_hash() -> str:
    return hash_password(new_token())


def log_in(database: Database, settings: Settings, name: str, password: str, request_id: str = "") -> tuple[str, Login]:
    """Check the password; give a new token for the cookie, and the login. Raises ServiceError E423 or E424.

    A failure counts even though the request fails, so this has transactions of its own; none is open while the password is
    hashed. An unknown name takes as long as a wrong password.
    """
    with database.reading() as session:
        account = session.scalar(select(Account).where(Account.name == name))
    if account is not None:
        _refuse_locked(account)
    matches = password_matches(account.password_hash if account else _dummy_hash(), password)
    if account is None:
        raise ServiceError("E423")
    with database.writing() as session:
        current = session.get_one(Account, account.id, with_for_update=True)
        _refuse_locked(current)
        if matches and not current.disabled and current.password_hash == account.password_hash:
            return _open_session(session, settings, current, request_id)
        current.failed_attempts += 1
        if current.failed_attempts >= settings.lockout_attempts:
            current.locked_until = now() + timedelta(minutes=settings.lockout_minutes)
            current.failed_attempts = 0
    raise ServiceError("E423")


def _refuse_locked(account: Account) -> None:
    if account.locked_until is not None and account.locked_until > now():
        raise ServiceError("E424", expected=account.locked_until.isoformat(timespec="minutes"))


def _open_session(session: Session, settings: Settings, account: Account, request_id: str) -> tuple[str, Login]:
    token, csrf = new_token(), new_token()
    account.failed_attempts, account.locked_until = 0, None
    session.execute(delete(LoginSession).where(LoginSession.expires_at <= now()))
    expires = now() + timedelta(hours=settings.session_hours)
    session.add(LoginSession(id=hash_token(token), account_id=account.id, csrf_token=csrf, expires_at=expires))
    principal = principal_of_account(account)
    audit.append(session, principal.actor, LoggedIn(account.id, account.district), request_id)
    return token, Login(principal, csrf)


def log_out(session: Session, token: str) -> None:
    """End the session of a cookie's token."""
    session.execute(delete(LoginSession).where(LoginSession.id == hash_token(token)))
