"""Limits on what is sent: the body's size, and what a workbook unfolds to."""

import lzma
import struct
import zipfile
import zlib
from pathlib import Path

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from classifier.errors import InputError
from service.errors import ServiceError

_DAMAGED = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError, RuntimeError, ValueError)
"""What the standard library raises for archives that are damaged or encrypted."""


class BodyLimitMiddleware:
    """Refuse bodies above a size, by their declared length at once, else as soon as they pass it."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        """`limit`: bytes."""
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count what is received. Raises ServiceError E413 into the reader of the body."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
        announced = int(declared) if declared.isdigit() else 0
        received = 0

        async def counted() -> Message:
            nonlocal received
            if announced > self._limit:
                raise ServiceError("E413", found=announced, expected=self._limit)
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._limit:
                raise ServiceError("E413", found=f"> {self._limit}", expected=self._limit)
            return message

        await self._app(scope, counted, send)


def refuse_bomb(path: Path, limit: int) -> None:
    """Look at a workbook's directory before it unfolds.

    A directory may lie, so members are also counted while they are read, up to the limit and no further. Raises
    ServiceError E416 above `limit` bytes, InputError E103 where the archive is damaged or encrypted.
    """
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            _count_members(archive, limit)
    except _DAMAGED as error:
        raise InputError("E103", path=path.name, found=str(error)[:80]) from error


def _count_members(archive: zipfile.ZipFile, limit: int) -> None:
    declared = sum(member.file_size for member in archive.infolist())
    if declared > limit:
        raise ServiceError("E416", found=declared, expected=limit)
    total = 0
    for member in archive.infolist():
        with archive.open(member) as stream:
            while chunk := stream.read(1 << 20):
                total += len(chunk)
                if total > limit:
                    raise ServiceError("E416", found=f"> {limit}", expected=limit)
