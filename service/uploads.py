"""Files that are sent, as temporary copies."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fastapi import UploadFile

from classifier.errors import InputError
from service.errors import clean

_LONGEST_SUFFIX = 10


@contextmanager
def received(file: UploadFile, folder: Path | None) -> Iterator[tuple[Path, str]]:
    """A copy in `folder` with the suffix of the file's own name, and that name; the copy is deleted at the end.

    Input errors raised meanwhile speak of the file by its own name.
    """
    name = clean(Path(file.filename or "").name).replace("\0", "")[-255:]
    with tempfile.NamedTemporaryFile(suffix=Path(name).suffix.lower()[:_LONGEST_SUFFIX], dir=folder) as copy:
        while chunk := file.file.read(1 << 20):
            copy.write(chunk)
        copy.flush()
        try:
            yield Path(copy.name), name
        except InputError as error:
            error.chinese = error.chinese.replace(copy.name, name)
            error.english = error.english.replace(copy.name, name)
            raise
