"""/v1/session, /v1/accounts, /v1/keys."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response
from sqlalchemy import event
from starlette.concurrency import run_in_threadpool

from service.access import service
from service.access.credentials import Login, log_in, log_out
from service.access.roles import AccessPolicy, Principal
from service.access.schemas import AccountChange, AccountIn, AccountOut, KeyIn, KeyOut, LoginIn, LoginOut, NewKeyOut
from service.deps import SESSION_COOKIE, CurrentPrincipal, Permit, RequestId, RuntimeDep, SessionDep, login_of
from service.idempotency import TransactionalRoute

login_router = APIRouter(prefix="/session", tags=["session 登录"])
manage_router = APIRouter(tags=["access 账户与密钥"], route_class=TransactionalRoute)
Manager = Annotated[Principal, Depends(Permit(AccessPolicy, "manage"))]
AccountId = Annotated[str, Path(max_length=32, pattern=r"^[^\x00]*$")]
KeyId = Annotated[str, Path(max_length=12, pattern=r"^[^\x00]*$")]


def _login_out(login: Login) -> LoginOut:
    principal = login.principal
    name = principal.actor.removeprefix("account:")
    return LoginOut.model_validate({"name": name, "role": principal.role, "district": principal.district, "csrf_token": login.csrf_token})


@login_router.post("", name="log_in", response_model=LoginOut)
def log_in_route(given: LoginIn, runtime: RuntimeDep, response: Response, request_id: RequestId) -> LoginOut:
    """登录；会话放在 cookie 里，返回修改数据时要带的 CSRF 令牌。"""
    token, login = log_in(runtime.database, runtime.settings, given.name, given.password, request_id)
    response.set_cookie(
        SESSION_COOKIE,
        token,
        max_age=round(runtime.settings.session_hours * 3600),
        httponly=True,
        secure=runtime.settings.cookie_secure,
        samesite="strict",
    )
    return _login_out(login)


@login_router.get("", name="get_session", response_model=LoginOut)
async def get_session(login: Annotated[Login, Depends(login_of)]) -> LoginOut:
    """当前登录的人与 CSRF 令牌。"""
    return _login_out(login)


@login_router.delete("", name="log_out", status_code=204)
async def log_out_route(request: Request, response: Response, principal: CurrentPrincipal, runtime: RuntimeDep) -> None:
    """退出登录。"""

    def end() -> None:
        with runtime.database.writing() as session:
            log_out(session, request.cookies.get(SESSION_COOKIE, ""))

    await run_in_threadpool(end)
    response.delete_cookie(SESSION_COOKIE, httponly=True, secure=runtime.settings.cookie_secure, samesite="strict")


@manage_router.get("/accounts", name="list_accounts", response_model=list[AccountOut])
def list_accounts(principal: Manager, session: SessionDep) -> list[AccountOut]:
    """辖区内的账户。"""
    return [AccountOut.model_validate(account, from_attributes=True) for account in service.accounts(session, principal)]


@manage_router.post("/accounts", name="create_account", status_code=201, response_model=AccountOut)
def create_account(given: AccountIn, principal: Manager, session: SessionDep, request_id: RequestId) -> AccountOut:
    """新建账户。"""
    return AccountOut.model_validate(service.create_account(session, principal, given, request_id), from_attributes=True)


@manage_router.patch("/accounts/{account_id}", name="change_account", response_model=AccountOut)
def change_account(
    account_id: AccountId, change: AccountChange, principal: Manager, session: SessionDep, request_id: RequestId
) -> AccountOut:
    """修改、停用、解锁账户或重设密码；随即结束其登录。"""
    return AccountOut.model_validate(service.change_account(session, principal, account_id, change, request_id), from_attributes=True)


@manage_router.get("/keys", name="list_keys", response_model=list[KeyOut])
def list_keys(principal: Manager, session: SessionDep) -> list[KeyOut]:
    """辖区内的 API 密钥（不含密钥本身）与最近使用时间。"""
    return [KeyOut.model_validate(key, from_attributes=True) for key in service.keys(session, principal)]


@manage_router.post("/keys", name="create_key", status_code=201, response_model=NewKeyOut)
def create_key(given: KeyIn, principal: Manager, session: SessionDep, request_id: RequestId) -> NewKeyOut:
    """新建 API 密钥；密钥只在这里显示一次。"""
    key, text = service.create_key(session, principal, given, request_id)
    return NewKeyOut(**KeyOut.model_validate(key, from_attributes=True).model_dump(), key=text)


@manage_router.delete("/keys/{key_id}", name="revoke_key", response_model=KeyOut)
def revoke_key(key_id: KeyId, principal: Manager, session: SessionDep, runtime: RuntimeDep, request_id: RequestId) -> KeyOut:
    """撤销密钥，不可恢复。"""
    key = service.revoke_key(session, principal, key_id, request_id)
    event.listen(session, "after_commit", lambda _: runtime.principals.clear(), once=True)
    return KeyOut.model_validate(key, from_attributes=True)


router = APIRouter()
router.include_router(login_router)
router.include_router(manage_router)
