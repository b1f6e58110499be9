"""A recording as an audio source in real time.

One pass before the start finds its length, its damage and the channel to use.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cstalk_bridge.audio.decoder import (
    CONTAINER_SUFFIXES,
    COUNTED_FRAMES,
    MAX_DECODED_S,
    open_decoder,
)
from cstalk_bridge.audio.levels import ChannelLevels, pick_channel
from cstalk_bridge.audio.preprocessing import MAX_RATE_HZ, MIN_RATE_HZ
from cstalk_bridge.audio.source import BLOCK_S, BLOCKS_PER_S, Block, BlockSchedule, SourceState
from cstalk_bridge.models.errors import Problem, UserError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from cstalk_bridge.audio.decoder import Decoder
    from cstalk_bridge.audio.file_header import Layout
    from cstalk_bridge.audio.levels import Channel


@dataclass(frozen=True, slots=True)
class Survey:
    """Contents of a recording: `frames` that can be decoded, and the channel to use.

    `announced_s` is the length in its header where the file holds less, else 0; `fault` is the
    reason why it could not be decoded further. `notices` are for the user.
    """

    frames: int
    channel: Channel
    announced_s: float = 0.0
    fault: str = ""
    notices: tuple[str, ...] = ()

    def damage(self, rate_hz: int) -> str:
        """Return where the recording is truncated, as a message; empty where it is complete."""
        if not self.announced_s and not self.fault:
            return ""
        of = f" of {self.announced_s:.2f} s" if self.announced_s else ""
        why = f" ({self.fault})" if self.fault else ""
        return f"damaged: it is truncated at {self.frames / rate_hz:.2f} s{of}{why}"


def survey(decoder: Decoder, layout: Layout, channel: Channel) -> Survey:
    """Return the contents of a recording, and leave the decoder at its start.

    It is decoded, up to `MAX_DECODED_S`, only where its length or the channel to use is unknown.
    """
    notices = [layout.notice] if layout.notice else []
    frames, fault = decoder.frames, layout.fault
    announced_s = 0.0
    if frames is not None and 0 < layout.missing < 1:
        announced_s = frames / (1.0 - layout.missing) / decoder.rate_hz
    if frames is None or (channel is None and decoder.channels > 1):
        levels, most = ChannelLevels(decoder.channels), int(MAX_DECODED_S * decoder.rate_hz) + 1
        while levels.frames < most and len(piece := decoder.read(COUNTED_FRAMES)):
            levels.add(piece)
        fault = decoder.fault or fault
        if decoder.fault and frames is not None:
            announced_s = frames / decoder.rate_hz
        if decoder.fault or frames is None:
            frames = levels.frames
        if channel is None:
            channel, notice = levels.choice()
            notices += [notice] if notice else []
        decoder.seek(0)
    return Survey(frames, channel, announced_s, fault, tuple(notices))


AUDIO_SUFFIXES = (
    *(".wav", ".wave", ".w64", ".rf64", ".flac", ".ogg", ".oga", ".opus", ".mp3"),
    *(".aif", ".aiff", ".aifc", ".au", ".caf"),
    *CONTAINER_SUFFIXES,
)
"""Suffixes by which an input means a file, even one that does not exist."""

logger = logging.getLogger(__name__)


class FileSource:
    """A recording in blocks of 10 ms, played in real time from `start` on.

    `channel` counts from 1; "all" is the mean of all, None the same unless they cancel. With
    `is_loop` the file starts again at its end, else the last block is filled up with silence and
    the state becomes ENDED. UserError when it cannot be opened, is empty, or lacks the channel. A
    truncated file ends where it is truncated, with a warning in the log or in `notices`, which are
    for the user.
    """

    is_device = False

    def __init__(
        self,
        path: Path,
        *,
        now: Callable[[], float],
        channel: Channel = None,
        is_loop: bool = False,
    ) -> None:
        self.name = path.name
        self.state = SourceState.RUNNING
        self.dropped_blocks = 0
        self._path = path
        self._now = now
        self._is_loop = is_loop
        self._schedule: BlockSchedule | None = None
        self._played = 0
        self._decoder, layout = open_decoder(path)
        self.rate_hz = self._decoder.rate_hz
        try:
            if problems := _format_problems(path, self._decoder, channel):
                raise UserError.of(problems)
            found = survey(self._decoder, layout, channel)
            self._channel = found.channel
            damage = found.damage(self.rate_hz)
            self.notices = tuple(filter(None, (*found.notices, damage)))
            self._is_truncated = bool(damage)
            self._ahead = _first_frame(path, self._decoder)
        except UserError:
            self._decoder.close()
            raise

    @property
    def next_due_s(self) -> float | None:
        """Host time of the next block; None before the start and after the end."""
        if self._schedule is None or self.state is SourceState.ENDED:
            return None
        return self._schedule.next_due_s

    def start(self) -> None:
        """Start to play."""
        self._schedule = BlockSchedule(self._now())

    def poll(self, now_s: float) -> list[Block]:
        """Return the blocks that became due."""
        if self._schedule is None or self.state is SourceState.ENDED:
            return []
        blocks: list[Block] = []
        for number in self._schedule.take(now_s):
            samples = self._next_samples(number)
            if samples is None:
                self.state = SourceState.ENDED
                break
            captured_s = self._schedule.captured_s(number)
            blocks.append(Block(samples, captured_s, captured_s + BLOCK_S))
        return blocks

    def reopen(self) -> None:
        """Do nothing: a file is never lost."""

    def close(self) -> None:
        """Close the file."""
        self.state = SourceState.ENDED
        self._decoder.close()

    def _next_samples(self, number: int) -> NDArray[np.float32] | None:
        """Return block `number`, or None when the file was over before it."""
        begin = number * self.rate_hz // BLOCKS_PER_S
        frames = (number + 1) * self.rate_hz // BLOCKS_PER_S - begin
        pieces, missing = [], frames
        while missing:
            piece = self._take(missing)
            if not len(piece):
                break
            pieces.append(piece)
            missing -= len(piece)
        if not pieces:
            return None
        samples = pick_channel(np.concatenate(pieces), self._channel)
        return np.concatenate([samples, np.zeros(missing, dtype=np.float32)])

    def _take(self, frames: int) -> NDArray[np.float32]:
        """Return up to `frames` of the file, [frames, channels]; none at the end."""
        if len(self._ahead):
            taken, self._ahead = self._ahead[:frames], self._ahead[frames:]
            self._played += len(taken)
            return taken
        taken = self._decoder.read(frames)
        if not len(taken) and self._is_loop:
            self._decoder.seek(0)
            taken = self._decoder.read(frames)
        self._played += len(taken)
        if not len(taken) and self._decoder.fault and not self._is_truncated:
            self._is_truncated = True
            played_s, fault = self._played / self.rate_hz, self._decoder.fault
            logger.warning("%s is truncated at %.2f s: %s", self._path, played_s, fault)
        return taken


def _first_frame(path: Path, decoder: Decoder) -> NDArray[np.float32]:
    """Return the first frame, [1, channels]. UserError where there is none."""
    first = decoder.read(1)
    if not len(first):
        what = "it contains no readable audio"
        raise UserError(Problem(str(path), what, "use another"))
    return first


def _format_problems(path: Path, decoder: Decoder, channel: Channel) -> list[Problem]:
    problems = []
    if not MIN_RATE_HZ <= decoder.rate_hz <= MAX_RATE_HZ:
        what = f"its rate {decoder.rate_hz} Hz is not within {MIN_RATE_HZ}..{MAX_RATE_HZ} Hz"
        problems.append(Problem(str(path), what, "convert it, for instance to 48000 Hz"))
    if isinstance(channel, int) and channel > decoder.channels:
        what = f"channel {channel} does not exist, the file has {decoder.channels}"
        remedy = f"choose a channel from 1 to {decoder.channels}, or none to mix them"
        problems.append(Problem(str(path), what, remedy))
    return problems
