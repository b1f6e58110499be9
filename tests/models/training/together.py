"""A short training in several processes: started by `torchrun` with a corpus, a run's folder, and
the step before which the second process kills itself the first time (0: never)."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import torch

from cstalk_bridge.models.training import train as trainer
from cstalk_bridge.models.training.processes import joined
from cstalk_bridge.models.training.run import Run, TrainingConfig

if TYPE_CHECKING:
    from torch import Tensor

SETTINGS = TrainingConfig(
    steps=8, batch=3, warm_up_steps=1, check_every=100, save_every=2, precision="fp32"
)
"""Three clips, of which one process has two."""

CPU = torch.device("cpu")


def main(corpus: Path, folder: Path, death_at: int) -> None:
    """Train and write the averaged weights of the first process; print the loss of every step."""
    trainer.REPORT_EVERY = 1
    update = Run.update
    restarts = int(os.environ["TORCHELASTIC_RESTART_COUNT"])

    def update_or_die(run: Run[Any], loss: Tensor) -> None:
        if run.processes.rank == 1 and run.step == death_at and death_at and not restarts:
            os.kill(os.getpid(), signal.SIGKILL)
        update(run, loss)

    with patch.object(Run, "update", update_or_die), joined(CPU) as processes:
        network, _ = trainer.train(corpus, folder, SETTINGS, CPU, processes=processes)
        torch.save(network.state_dict(), folder / f"rank{processes.rank}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
