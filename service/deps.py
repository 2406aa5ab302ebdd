"""What handlers ask for: settings, session, the acting principal and permission."""

from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyCookie, HTTPBearer
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from service.access.credentials import Login, key_principal, session_login
from service.access.roles import Policy, Principal
from service.errors import ServiceError
from service.idempotency import Unit
from service.runtime import Runtime
from service.security import hash_token, same

SESSION_COOKIE = "jianke_session"
CSRF_HEADER = "X-CSRF-Token"


async def runtime_of(request: Request) -> Runtime:
    """The process's runtime."""
    runtime: Runtime = request.app.state.runtime
    return runtime


async def session_of(request: Request) -> Session:
    """The request's session, see TransactionalRoute."""
    unit: Unit = request.state.unit
    return unit.session


RuntimeDep = Annotated[Runtime, Depends(runtime_of)]
SessionDep = Annotated[Session, Depends(session_of)]
_KEY_SCHEME = Security(HTTPBearer(scheme_name="apiKey", description="API 密钥", auto_error=False))
_LOGIN_SCHEME = Security(APIKeyCookie(name=SESSION_COOKIE, scheme_name="login", description="登录后的 cookie", auto_error=False))


async def principal_of(
    request: Request, runtime: RuntimeDep, _key: Annotated[object, _KEY_SCHEME], _cookie: Annotated[object, _LOGIN_SCHEME]
) -> Principal:
    """Who makes the request: the API key's system, or the person logged in. Raises E420, E425, E426."""
    header = request.headers.get("authorization")
    if header is not None:
        principal = await _by_key(header, runtime)
    else:
        login = await login_of(request, runtime)
        if request.method not in ("GET", "HEAD") and not same(request.headers.get(CSRF_HEADER, ""), login.csrf_token):
            raise ServiceError("E425")
        principal = login.principal
    runtime.rates.spend(principal.actor)
    request.state.actor = principal.actor
    return principal


async def login_of(request: Request, runtime: RuntimeDep) -> Login:
    """The login of the request's cookie. Raises E420."""
    token = request.cookies.get(SESSION_COOKIE)
    if not token:
        raise ServiceError("E420", found="未提供 none given")
    return await run_in_threadpool(session_login, runtime.database, token)


async def _by_key(header: str, runtime: Runtime) -> Principal:
    scheme, _, key = header.partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise ServiceError("E420", found=f"Authorization: {scheme[:20]}")
    digest = hash_token(key.strip())
    principal = runtime.principals.get(digest)
    if principal is None:
        principal = await run_in_threadpool(key_principal, runtime.database, key.strip())
        runtime.principals.put(digest, principal)
    return principal


CurrentPrincipal = Annotated[Principal, Depends(principal_of)]


class Permit:
    """A dependency: the principal, if the policy lets it take the action."""

    def __init__(self, policy: type[Policy], action: str) -> None:
        """`action` must be one of the policy's."""
        if action not in policy.actions:
            raise KeyError(action)
        self.policy = policy
        self.action = action

    async def __call__(self, principal: CurrentPrincipal, request: Request) -> Principal:
        """Raise ServiceError E421 where it may not, Answered where the request is a repetition."""
        self.policy.check(principal, self.action)
        unit: Unit = request.state.unit
        if unit.claim is not None:
            await run_in_threadpool(unit.claim.take, principal.actor)
        return principal


async def request_id_of(request: Request) -> str:
    """The id under which this request is logged."""
    return str(request.state.request_id)


RequestId = Annotated[str, Depends(request_id_of)]
