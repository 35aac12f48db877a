"""What stands below an exhibit: its caption, with the settings that are in force."""

from __future__ import annotations

import re
from operator import attrgetter
from typing import TYPE_CHECKING

from pmo_lib.theme import number, share

if TYPE_CHECKING:
    from pmo_lib.parameters.models import Organisation

SETTING = re.compile(r"\{(?P<name>[a-z_.]+)(?P<share>:share)?\}")


def stated(caption: str, *, settings: Organisation) -> str:
    """Write ``{simulation.cost_low:share}`` in a caption as the value that is in force, as a share or plainly."""

    def value(found: re.Match[str]) -> str:
        setting = attrgetter(found["name"])(settings)
        return share(setting) if found["share"] else number(setting, decimals=0 if setting == int(setting) else 2)

    return SETTING.sub(value, caption)
