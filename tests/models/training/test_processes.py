"""Training in several processes under `torchrun` is that of one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from cstalk_bridge.models.errors import WeightsError
from cstalk_bridge.models.training import train as trainer
from cstalk_bridge.models.training.processes import Processes
from cstalk_bridge.models.training.run import Run
from tests.models.training.together import CPU, SETTINGS

ROOT = Path(__file__).parents[3]
OWN_STORE = "TORCH_DISABLE_SHARE_RDZV_TCP_STORE"
"""As docs/cluster.md has it: without, restarted processes may read the addresses of dead ones."""


def losses(output: str) -> dict[int, float]:
    """Return the last loss that was printed for each step."""
    found = re.findall(r"step (\d+): face ([0-9.]+)", output)
    return {int(step): float(loss) for step, loss in found}


@pytest.fixture(scope="module")
def alone(corpus_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    """The averaged weights of a training in one process."""
    folder = tmp_path_factory.mktemp("alone")
    network, _ = trainer.train(corpus_folder, folder, SETTINGS, CPU)
    return network.state_dict()


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is not on Windows")
@pytest.mark.parametrize("death_at", [0, 5])
def test_two_processes_train_as_one_also_when_one_is_killed(
    corpus_folder: Path, tmp_path: Path, alone: dict[str, torch.Tensor], death_at: int
) -> None:
    arguments = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    arguments += ["--nproc-per-node", "2", "--max-restarts", "5"]
    arguments += ["-m", "tests.models.training.together"]
    made = subprocess.run(
        [*arguments, str(corpus_folder), str(tmp_path), str(death_at)],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1", OWN_STORE: "1"},
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr
    assert ("resumed at step 4" in made.stdout) == bool(death_at)
    assert list(losses(made.stdout)) == list(range(1, SETTINGS.steps + 1))
    weights = [torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in (0, 1)]
    for name, tensor in alone.items():
        assert torch.equal(weights[0][name], weights[1][name]), "all processes have the same"
        torch.testing.assert_close(weights[0][name], tensor, atol=2e-5, rtol=1e-4)


def test_shares_of_a_batch_are_all_of_it() -> None:
    batch = torch.arange(7)[:, None]
    shares = [Processes(rank, 3).share(batch) for rank in range(3)]
    assert [len(share) for share in shares] == [3, 2, 2]
    assert torch.equal(torch.cat(shares), batch)


def test_more_processes_than_clips_of_a_batch_are_refused(tmp_path: Path) -> None:
    processes = Processes(0, SETTINGS.batch + 1)
    with pytest.raises(WeightsError, match="cannot share a batch of 3; start fewer"):
        Run(tmp_path, SETTINGS, lambda: torch.nn.Linear(1, 1), CPU, processes=processes)
