"""Who may read how much of the texts of articles."""

from typing import Literal

Access = Literal["owner", "all", "excerpt"]
