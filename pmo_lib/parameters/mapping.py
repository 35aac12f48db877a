"""How a foreign layout becomes contract tables: written in YAML by somebody who knows the files, not the code."""

from __future__ import annotations

from pmo_lib.parameters.models import Model


class Mapping(Model):
    """A foreign layout."""
