"""Coded errors of the service, E4xx, their HTTP statuses, and the one envelope in which every error is sent."""

from typing import Any

from pydantic import BaseModel, Field

from classifier.errors import InputError, JiankeError, Message, ModelError

_TABLE: dict[str, tuple[int, str, str]] = {
    "E400": (
        500,
        "设置 {name} 无效：{found}。应为 {expected}；请对照 README 的设置表修改环境变量或 .env",
        "setting {name} is not valid: {found}; expected {expected}; see the table of settings in README.md",
    ),
    "E401": (
        500,
        "密钥不安全：JIANKE_SECRET_KEY 为{found}。正式环境应为至少 32 个字符的随机串；可用 openssl rand -hex 32 生成，试用请设 JIANKE_ENVIRONMENT=development",
        "unsafe JIANKE_SECRET_KEY: {found}; production expects at least 32 random characters; make some with openssl rand -hex 32, or set"
        " JIANKE_ENVIRONMENT=development for a trial",
    ),
    "E402": (
        500,
        "专家票数设置无效：{found}。多数应超过一半且不超过总数；请改 JIANKE_EXPERT_MAJORITY 或 JIANKE_EXPERT_PANEL",
        "invalid expert votes {found}; the majority must exceed half of the panel and not the panel; change JIANKE_EXPERT_MAJORITY or"
        " JIANKE_EXPERT_PANEL",
    ),
    "E403": (
        500,
        "数据库结构不是本版本的：应为 {expected}，实际为 {found}。请先运行 jianke init",
        "the database schema is {found}, this version expects {expected}; run jianke init first",
    ),
    "E405": (
        500,
        "审计链在第 {sequence} 条断开：{found}。该条或其前的记录被改动、删除或插入；请封存数据库并查明",
        "the audit chain breaks at event {sequence}: {found}; it or an earlier event was changed, removed or inserted; keep the database"
        " and find out",
    ),
    "E410": (
        422,
        "请求内容不合要求：{found}。应为 {expected}；请对照 /docs 修改",
        "the request is not valid: {found}; expected {expected}; see /docs",
    ),
    "E411": (
        404,
        "找不到{kind} {found}。应为存在且在您所辖区域内的编号；请核对",
        "no {kind} {found}; expected one that exists in your district; check the id",
    ),
    "E412": (404, "没有这个地址或方法：{found}。可用的地址见 /docs", "no such address or method: {found}; see /docs for those that exist"),
    "E413": (
        413,
        "请求过大：{found}。至多 {expected} 字节；请拆分，或由管理员调高 JIANKE_MAX_BODY_BYTES",
        "the request is too large: {found}; at most {expected} bytes; split it, or have JIANKE_MAX_BODY_BYTES raised",
    ),
    "E414": (
        413,
        "条数过多：{found}。至多 {expected} 条；请拆分后再交",
        "too many records: {found}; at most {expected}; split them",
    ),
    "E415": (
        422,
        "文本过长：{found} 字。至多 {expected} 字；请只交课程或广告本身",
        "the text is too long: {found} characters; at most {expected}; send the course or the advertisement alone",
    ),
    "E416": (
        413,
        "工作簿解压后过大：{found}。至多 {expected} 字节；请另存为不含图片的工作簿或 CSV",
        "the workbook unfolds to {found}; at most {expected} bytes; save it without pictures, or as CSV",
    ),
    "E417": (
        415,
        "不支持的文件类型：{found}。应为 {expected}；请另存为其中一种",
        "unsupported file type {found}; expected {expected}; save it as one of these",
    ),
    "E420": (
        401,
        "没有有效的凭证：{found}。应在 Authorization: Bearer 后给出 API 密钥，或先登录；密钥可能已撤销",
        "no valid credentials: {found}; expected an API key after Authorization: Bearer, or a login; the key may have been revoked",
    ),
    "E421": (
        403,
        "无权进行此操作：{found}。需要 {expected}；请联系管理员",
        "not permitted: {found}; this needs {expected}; ask an administrator",
    ),
    "E422": (
        403,
        "不在您的辖区：{found}。您的辖区为 {expected}；请由该区域的人员办理",
        "not in your district: {found}; yours is {expected}; have it done by someone of that district",
    ),
    "E423": (
        401,
        "用户名或密码不对。请核对后重试；多次失败会暂时锁定",
        "wrong name or password; check them; repeated failures lock the account for a while",
    ),
    "E424": (
        429,
        "登录失败次数过多，账户已暂时锁定。请在 {expected} 之后重试，或由管理员解锁",
        "too many failed logins, the account is locked; try again after {expected}, or have it unlocked",
    ),
    "E425": (
        403,
        "缺少或不符的 CSRF 令牌。修改数据时应在 X-CSRF-Token 给出登录时得到的令牌；请重新登录",
        "missing or wrong CSRF token; changes need the token given at login in X-CSRF-Token; log in again",
    ),
    "E426": (
        429,
        "请求过于频繁：每分钟至多 {expected} 次。请在 {found} 秒后重试，或改用批量接口",
        "too many requests: at most {expected} a minute; try again in {found} seconds, or use the batch endpoint",
    ),
    "E430": (
        422,
        "同一 Idempotency-Key 已用于不同的请求内容。应为每个新请求换一个键；重试时请原样重发",
        "this Idempotency-Key was used with another body; use a new key for a new request, and the same body for a retry",
    ),
    "E431": (409, "已经存在：{found}。应为新的 {expected}；请查询后修改", "already exists: {found}; expected a new {expected}; look it up"),
    "E432": (
        409,
        "当前状态不允许此操作：{found}。可以的是 {expected}；请刷新后再试",
        "not possible in this state: {found}; possible: {expected}; reload and try again",
    ),
    "E433": (
        409,
        "{found} 已对这一条投过票。每位专家对一条只投一票；如需更改请以 supersedes 指明原来的一票",
        "{found} has voted on this item; one vote an expert; to change it, name the earlier vote in supersedes",
    ),
    "E440": (
        422,
        "不允许的回调地址：{found}。应为 https（或设置中允许的主机），且不指向内网或元数据地址；请由管理员加入 JIANKE_WEBHOOK_HOSTS",
        "webhook address not allowed: {found}; expected an allowed host that is neither private nor a metadata address; have it added to"
        " JIANKE_WEBHOOK_HOSTS",
    ),
    "E450": (
        503,
        "数据库暂时无法使用（{found}）。未完成的改动已撤回；请稍后原样重试",
        "the database cannot be reached ({found}); nothing was half done; try the same request again later",
    ),
    "E451": (
        507,
        "无法写出文件（{found}）。应有足够的磁盘空间；数据未受影响，请清理磁盘后重试",
        "the file cannot be written ({found}); expected free disk space; no data is affected; free some and try again",
    ),
    "E459": (
        500,
        "内部错误。已记录，编号 {found}；请把编号告诉管理员",
        "internal error, logged as {found}; tell the administrator this id",
    ),
}


class ServiceError(JiankeError):
    """A coded error of the service, with its HTTP status. `retry_after`: seconds after which the same request may succeed."""

    retry_after: int | None = None

    messages = {code: Message(chinese, english) for code, (_, chinese, english) in _TABLE.items()}  # noqa: RUF012 - never changed


def status_of(error: JiankeError) -> int:
    """The HTTP status of a coded error."""
    if isinstance(error, ServiceError):
        return _TABLE[error.code][0]
    return 422 if isinstance(error, InputError) else 503 if isinstance(error, ModelError) else 500


class ErrorDetail(BaseModel):
    """One thing that is wrong, and where."""

    field: str = Field(description="where: a path into the request such as body.text")
    message: str


class ErrorBody(BaseModel):
    """What went wrong, in Chinese and English."""

    code: str = Field(examples=["E411"])
    message: str
    message_en: str
    request_id: str
    details: list[ErrorDetail] = []


class ErrorEnvelope(BaseModel):
    """The shape of every answer that is not a success."""

    error: ErrorBody


def envelope(error: JiankeError, request_id: str, details: list[ErrorDetail] | None = None) -> dict[str, Any]:
    """The envelope of an error, JSON-ready."""
    body = ErrorBody(
        code=error.code, message=clean(error.chinese), message_en=clean(error.english), request_id=request_id, details=details or []
    )
    return ErrorEnvelope(error=body).model_dump()


def clean(text: str) -> str:
    """Text that can be sent: what a caller sent and an error quotes may hold lone surrogates."""
    return text.encode("utf-8", "replace").decode()
