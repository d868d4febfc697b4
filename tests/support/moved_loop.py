"""An event loop whose time a test moves ahead."""

import asyncio


class MovedLoop(asyncio.SelectorEventLoop):
    """Its time runs as always, and jumps when it is told."""

    _ahead = 0.0

    def time(self) -> float:
        return super().time() + self._ahead

    def run_ahead(self, seconds: float) -> None:
        """Let time pass for the loop, which runs in another thread."""
        self.call_soon_threadsafe(self._jump, seconds)

    def _jump(self, seconds: float) -> None:
        self._ahead += seconds
