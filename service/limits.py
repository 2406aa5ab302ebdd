"""Limits on what is sent: the body's size, and what a workbook unfolds to."""

import lzma
import re
import struct
import zipfile
import zlib
from pathlib import Path

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from classifier.errors import InputError
from service.errors import ServiceError

_DAMAGED = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError, RuntimeError, ValueError)
"""What the standard library raises for archives that are damaged or encrypted."""
_CELL_BYTES = 32  # what a cell takes in a table that has been read, whether or not something stands in it
_LONGEST_TAG = 1 << 16
_FILLED = re.compile(rb"<(?:\w{1,20}:)?(row|c)(\s[^<>]*)?(?<!/)>")
_PLACE = re.compile(rb"""\sr\s*=\s*["']([A-Z]{0,3})(\d{1,7})["']""")


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
    """Look at a workbook before it unfolds. Raises ServiceError E416 above `limit` bytes, InputError E103 where it is damaged.

    A directory may lie, so members are also unfolded once, piece by piece: one that does not end as declared is damaged. Two cells
    far apart span a table of everything between them, so that is counted as well.
    """
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            declared = sum(member.file_size for member in members)
            if declared > limit:
                raise ServiceError("E416", found=declared, expected=limit)
            for member in members:
                span = _Span()
                with archive.open(member) as stream:
                    while chunk := stream.read(1 << 20):
                        span.read(chunk)
                if span.cells * _CELL_BYTES > limit:
                    raise ServiceError("E416", found=f"{span.rows} × {span.columns} {member.filename[:80]}", expected=limit)
    except _DAMAGED as error:
        raise InputError("E103", path=path, found=str(error)[:120]) from error


class _Span:
    """The table that a sheet's cells span, empty ones left out; `read` its XML in pieces."""

    def __init__(self) -> None:
        self.rows = 0
        self.columns = 1
        self._row = 0
        self._rest = b""

    @property
    def cells(self) -> int:
        """Cells from the first to the last."""
        return self.rows * self.columns

    def read(self, chunk: bytes) -> None:
        """Take the next piece of the XML in."""
        text = self._rest + chunk
        end = text.rfind(b">") + 1
        self._rest = text[end:][-_LONGEST_TAG:]
        for tag, attributes in _FILLED.findall(text[:end]):
            place = _PLACE.search(attributes)
            if tag == b"row":
                self._row = int(place[2]) if place else self._row + 1
            elif place is None:
                self.rows = max(self.rows, self._row)
            else:
                self.rows = max(self.rows, int(place[2]))
                self.columns = max(self.columns, _column_number(place[1]))


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - ord("A") + 1
    return number
