"""What a run says of itself while it goes on."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from models.training.run import Run


class Progress:
    """Prints a run's losses and the time it has left, every `every` steps."""

    def __init__(
        self, run: Run[Any], every: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`clock` gives seconds; the pace counts from now."""
        self.run = run
        self.every = every
        self.clock = clock
        self.began_s, self.began_at = clock(), run.step

    def tell(self, **losses: Tensor) -> None:
        """Print the losses, by name, of the step just taken, if it is one of those to print."""
        if self.run.step % self.every:
            return
        text = " ".join(f"{name} {loss.item():.4f}" for name, loss in losses.items())
        print(f"step {self.run.step}: {text}, {self.minutes_left():.0f} min left", flush=True)

    def minutes_left(self) -> float:
        """Return how long the steps left take at the pace of those taken, at least one."""
        step_s = (self.clock() - self.began_s) / (self.run.step - self.began_at)
        return (self.run.settings.steps - self.run.step) * step_s / 60
