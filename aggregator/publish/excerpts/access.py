"""The degrees of access to the texts of articles."""

from typing import Literal

Access = Literal["owner", "all", "excerpt"]
