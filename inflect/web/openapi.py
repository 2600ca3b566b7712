"""The API described for machines (OpenAPI 3.1). A test holds it against the routes."""

from typing import Any

DESCRIPTION: dict[str, Any] = {}
