"""Accounts and keys: making, changing, revoking; all within the acting admin's district and scopes. People have every scope."""

from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from service.access.models import Account, ApiKey, LoginSession
from service.access.roles import SCOPES, Principal
from service.access.schemas import AccountChange, AccountIn, KeyIn
from service.audit import service as audit
from service.audit.events import AccountWritten, KeyCreated, KeyRevoked
from service.database.base import now
from service.errors import ServiceError
from service.security import hash_password, new_key

_SHOWN = ("display_name", "role", "district", "disabled")


def accounts(session: Session, principal: Principal) -> Sequence[Account]:
    """Accounts of the principal's district, by name."""
    statement = select(Account).where(Account.district.startswith(principal.district, autoescape=True))
    return session.scalars(statement.order_by(Account.name)).all()


def create_account(session: Session, principal: Principal, given: AccountIn, request_id: str = "") -> Account:
    """A new account. Raises ServiceError E421 (more scopes than its maker), E422 (another district), E431 (the name is taken)."""
    principal.must_cover(given.district)
    principal.must_hold(SCOPES)
    if session.scalar(select(Account.id).where(Account.name == given.name)):
        raise ServiceError("E431", found=f"账户 {given.name}", expected="用户名")
    values = given.model_dump(exclude={"password"})
    account = Account(**values, password_hash=hash_password(given.password))
    session.add(account)
    session.flush()
    audit.append(session, principal.actor, AccountWritten(account.id, account.district, after=values), request_id)
    return account


def change_account(session: Session, principal: Principal, identifier: str, change: AccountChange, request_id: str = "") -> Account:
    """Change an account; a new password, role or district, or disabling it, ends its logins.

    Raises ServiceError E411 (no such account in the district), E421 (more scopes than its changer), E422 (moved elsewhere).
    """
    account = session.get(Account, identifier, with_for_update=True)
    if account is None or not principal.covers(account.district):
        raise ServiceError("E411", kind="账户", found=identifier)
    principal.must_hold(SCOPES)
    wanted = change.model_dump(exclude_none=True, exclude={"password", "unlock"})
    principal.must_cover(wanted.get("district", account.district))
    before = {name: getattr(account, name) for name in _SHOWN}
    for name, value in wanted.items():
        setattr(account, name, value)
    if change.password is not None:
        account.password_hash = hash_password(change.password)
    if change.unlock or change.password is not None:
        account.locked_until, account.failed_attempts = None, 0
    if change.password is not None or wanted.keys() & {"role", "district", "disabled"}:
        session.execute(delete(LoginSession).where(LoginSession.account_id == account.id))
    after = {name: getattr(account, name) for name in _SHOWN} | {"password_changed": change.password is not None}
    audit.append(session, principal.actor, AccountWritten(account.id, account.district, before=before, after=after), request_id)
    return account


def keys(session: Session, principal: Principal) -> Sequence[ApiKey]:
    """API keys of the principal's district, revoked ones too, oldest first."""
    statement = select(ApiKey).where(ApiKey.district.startswith(principal.district, autoescape=True))
    return session.scalars(statement.order_by(ApiKey.created_at)).all()


def create_key(session: Session, principal: Principal, given: KeyIn, request_id: str = "") -> tuple[ApiKey, str]:
    """A new key, and its text, which is not stored. Raises ServiceError E421 (more scopes than its maker), E422 (another district)."""
    principal.must_cover(given.district)
    principal.must_hold(given.scopes)
    identifier, text, secret_hash = new_key()
    values = given.model_dump()
    key = ApiKey(id=identifier, secret_hash=secret_hash, **values)
    session.add(key)
    session.flush()
    audit.append(session, principal.actor, KeyCreated(key.id, key.district, after=values), request_id)
    return key, text


def revoke_key(session: Session, principal: Principal, identifier: str, request_id: str = "") -> ApiKey:
    """Revoke a key for good. Raises ServiceError E411 (no such key in the district)."""
    key = session.get(ApiKey, identifier, with_for_update=True)
    if key is None or not principal.covers(key.district):
        raise ServiceError("E411", kind="密钥", found=identifier)
    if key.revoked_at is None:
        key.revoked_at = now()
        audit.append(session, principal.actor, KeyRevoked(key.id, key.district, after={"name": key.name}), request_id)
    return key
