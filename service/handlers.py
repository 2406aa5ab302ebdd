"""Every error in one envelope."""

import errno
import logging
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InterfaceError, OperationalError
from starlette.exceptions import HTTPException

from classifier.errors import JiankeError
from service.errors import ErrorDetail, ServiceError, clean, envelope, status_of

_UNIQUE_VIOLATION = "23505"
_LOGGER = logging.getLogger("jianke.errors")


def _answer(request: Request, error: JiankeError, details: list[ErrorDetail] | None = None, status: int | None = None) -> JSONResponse:
    request_id = getattr(request.state, "request_id", "")
    headers = {"WWW-Authenticate": "Bearer"} if error.code == "E420" else {}
    if isinstance(error, ServiceError) and error.retry_after:
        headers["Retry-After"] = str(error.retry_after)
    return JSONResponse(envelope(error, request_id, details), status or status_of(error), headers)


async def _coded(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, JiankeError)
    return _answer(request, error)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    details = [ErrorDetail(field=clean(".".join(map(str, item["loc"]))), message=clean(item["msg"])) for item in error.errors()[:50]]
    first = details[0] if details else ErrorDetail(field="body", message="")
    return _answer(request, ServiceError("E410", found=f"{first.field}：{first.message}", expected="符合接口文档的字段与类型"), details)


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if isinstance(error.__cause__, JiankeError):
        return _answer(request, error.__cause__)
    if isinstance(error.__cause__, OSError):
        return await _system(request, error.__cause__)
    if error.status_code in (404, 405):
        answer = _answer(request, ServiceError("E412", found=f"{request.method} {request.url.path}"), status=error.status_code)
        answer.headers.update(error.headers or {})
        return answer
    return _answer(
        request, ServiceError("E410", found=str(error.detail), expected=HTTPStatus(error.status_code).phrase), status=error.status_code
    )


async def _database(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, DBAPIError)
    _LOGGER.error("database", exc_info=error)
    return _answer(request, ServiceError("E450", found=type(error.orig).__name__))


async def _conflict(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, IntegrityError)
    if getattr(error.orig, "sqlstate", "") != _UNIQUE_VIOLATION and "UNIQUE" not in str(error.orig):
        return await _internal(request, error)
    return _answer(request, ServiceError("E431", found="同时有另一个请求登记了相同的内容", expected="名称或编号"))


async def _unstorable(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, DataError)
    _LOGGER.warning("unstorable", exc_info=error)
    return _answer(request, ServiceError("E410", found=type(error.orig).__name__, expected="数据库能存的值：文字不含 NUL，数不过大"))


async def _system(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, OSError)
    if error.errno != errno.ENOSPC:
        return await _internal(request, error)
    return _answer(request, ServiceError("E451", found=error.strerror))


async def _internal(request: Request, error: Exception) -> JSONResponse:
    request_id = getattr(request.state, "request_id", "")
    _LOGGER.error("internal", exc_info=error, extra={"fields": {"request_id": request_id}})
    return _answer(request, ServiceError("E459", found=request_id))


def install(app: FastAPI) -> None:
    """Add the handlers to an application."""
    app.add_exception_handler(JiankeError, _coded)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(IntegrityError, _conflict)
    app.add_exception_handler(DataError, _unstorable)
    app.add_exception_handler(OperationalError, _database)
    app.add_exception_handler(InterfaceError, _database)
    app.add_exception_handler(OSError, _system)
    app.add_exception_handler(Exception, _internal)
