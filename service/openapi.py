"""The OpenAPI document as a file: `python -m service.openapi > docs/openapi.json`."""

import json
import sys

from service.app import create_app
from service.settings import Settings


def document() -> str:
    """The document of this version, the same on every machine."""
    app = create_app(Settings(_env_file=None, environment="development", database_url="sqlite://"))
    return json.dumps(app.openapi(), ensure_ascii=False, indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    sys.stdout.write(document())
