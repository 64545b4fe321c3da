"""Where the command line writes: results to standard output, everything else to standard error."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


def stdout() -> Console:
    """For results; coloured on a terminal only."""
    from rich.console import Console

    return Console(soft_wrap=True)


def stderr() -> Console:
    """For progress, warnings and mistakes; coloured on a terminal only."""
    from rich.console import Console

    return Console(stderr=True, soft_wrap=True)


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    print(json.dumps(value, indent=2, ensure_ascii=False))
