"""The wav2vec 2.0 front end of the paper, from a checkpoint folder in Hugging Face's layout.

    front_end = load_wav2vec("wav2vec2-base-960h")
    features = front_end(samples)                    # [batch, frames, hidden], one frame per 20 ms

The network is that of the `transformers` library (extra `wav2vec`). Nothing is downloaded, and
weights are read from safetensors only: pickled ones can run code. Its attention spans the whole
recording, so it serves offline work (`cstalk_bridge.models.baselines.teacher`) only.
"""

from __future__ import annotations

import json
import math
import re
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from cstalk_bridge.models.errors import WeightsError
from cstalk_bridge.models.timing import HOP_SAMPLES, SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence


CONFIG, PREPROCESSOR, WEIGHTS = "config.json", "preprocessor_config.json", "model.safetensors"
LARGEST_JSON_BYTES = 1024**2
LARGEST_FILE_BYTES = 2 * 1024**3
"""Of the weights in the file, and of the network that its configuration describes."""
MAX_NAMED = 8
"""Tensors that one message names."""

SIZE_LIMITS = {
    "hidden_size": 2048,
    "num_hidden_layers": 48,
    "num_attention_heads": 64,
    "intermediate_size": 8192,
    "num_conv_pos_embeddings": 512,
    "num_conv_pos_embedding_groups": 256,
}
"""The largest value of each size; the large architecture stays well within."""
CONV_LIMITS = {"conv_dim": 2048, "conv_stride": 16, "conv_kernel": 64}
MAX_CONV_LAYERS = 12
CHOICES = {
    "model_type": ("wav2vec2",),
    "hidden_act": ("gelu",),
    "feat_extract_activation": ("gelu",),
    "add_adapter": (False,),
    "conv_bias": (False, True),
    "do_stable_layer_norm": (False, True),
    "feat_extract_norm": ("group", "layer"),
}
"""Fields of the configuration and the values they may have."""
NORM_EPS = "layer_norm_eps"
UNMASKED = {"mask_time_prob": 0.0, "mask_feature_prob": 0.0}
"""Masking is part of training the front end, which stays frozen here."""
PREFIX = "wav2vec2."
"""Stands before the names where the checkpoint has a head for some task."""
UNUSED = re.compile(
    r"masked_spec_embed|(lm_head|classifier|projector|quantizer|project_hid|project_q)(\..+)?"
)
"""Tensors of pretraining and of task heads, which a front end does not need."""

MAX_SOUND_S = 60
"""Longest recording: attention costs the square of its length."""
MAX_BATCH_S = 120
"""Sound of all recordings of a batch together: the first convolution takes 7 MB for a second."""
VARIANCE_FLOOR = 1e-7
"""Of normalised sound, as in `Wav2Vec2FeatureExtractor`."""


class Wav2Vec(nn.Module):
    """A frozen wav2vec 2.0 model of `transformers`; `load_wav2vec` creates one."""

    def __init__(self, model: Any, *, do_normalize: bool) -> None:
        super().__init__()
        self.model = model
        self.do_normalize = do_normalize
        self.hidden_size: int = model.config.hidden_size
        self.frame_samples = 1
        """Samples that one frame spans."""
        kernels, strides = model.config.conv_kernel, model.config.conv_stride
        for kernel, stride in zip(kernels[::-1], strides[::-1], strict=True):
            self.frame_samples = (self.frame_samples - 1) * stride + kernel

    def forward(self, samples: Tensor, frames: int | None = None) -> Tensor:
        """Return `[batch, frames, hidden]` for mono 16 kHz `samples` `[batch, time]`, -1..1.

        Frame i spans samples 320 i to 320 i + 400. With `frames`, the output of the convolutions
        is first resampled linearly to that many, its ends kept, as FaceFormer and EmoFace do.
        ValueError: less than one frame, more than `MAX_SOUND_S` each or `MAX_BATCH_S` together.
        """
        self._check(samples, frames)
        if self.do_normalize:
            variance, mean = torch.var_mean(samples, -1, keepdim=True, correction=0)
            samples = (samples - mean) / torch.sqrt(variance + VARIANCE_FLOOR)
        x: Tensor = self.model.feature_extractor(samples)
        if frames is not None:
            x = functional.interpolate(x, frames, mode="linear", align_corners=True)
        projected, _ = self.model.feature_projection(x.transpose(1, 2))
        y: Tensor = self.model.encoder(projected).last_hidden_state
        return y

    def _check(self, samples: Tensor, frames: int | None) -> None:
        if samples.dim() != 2:
            raise ValueError(f"samples of shape {tuple(samples.shape)}: give [batch, time]")
        least, most = self.frame_samples, MAX_SOUND_S * SAMPLE_RATE_HZ
        if not least <= samples.shape[1] <= most:
            raise ValueError(f"{samples.shape[1]} samples: give from {least} to {most}, in pieces")
        if samples.numel() > MAX_BATCH_S * SAMPLE_RATE_HZ:
            raise ValueError(f"{len(samples)} recordings: give at most {MAX_BATCH_S} s together")
        if frames is not None and not 1 <= frames <= most // HOP_SAMPLES:
            raise ValueError(f"{frames} frames: ask for 1 to {most // HOP_SAMPLES}")


def load_wav2vec(folder: Path | str, device: str = "cpu") -> Wav2Vec:
    """Return the frozen front end of a checkpoint folder.

    The folder holds `config.json`, `model.safetensors` and, as a rule, `preprocessor_config.json`.
    Raises WeightsError with all that is wrong with it, or where `transformers` is not installed.
    """
    folder = Path(folder)
    _check_files(folder)
    try:
        library: Any = import_module("transformers")
    except ImportError as error:
        raise WeightsError(
            f"{folder}: wav2vec 2.0 needs the transformers library ({error}); install it:"
            " pip install 'cstalk-bridge[wav2vec]'"
        ) from error
    library.utils.logging.disable_progress_bar()
    library.utils.logging.set_verbosity_error()
    config, do_normalize = read_config(folder, library.Wav2Vec2Config)
    _check_memory(folder, library.Wav2Vec2Model, config)
    model, report = library.Wav2Vec2Model.from_pretrained(
        None,  # no name: neither the internet nor other files are looked at
        config=config,
        state_dict=_read_tensors(folder / WEIGHTS),
        output_loading_info=True,
        ignore_mismatched_sizes=True,  # the report lists all of them
    )
    _check_report(folder / WEIGHTS, report)
    network = Wav2Vec(model, do_normalize=do_normalize)
    return network.to(device).eval().requires_grad_(requires_grad=False)


def _check_files(folder: Path) -> None:
    path = folder / WEIGHTS
    if not folder.is_dir():
        raise WeightsError(f"{folder}: there is no such folder; name one of a wav2vec 2.0 model")
    if not path.is_file():
        pickled = sorted(p.name for p in folder.glob("*.bin")) + sorted(
            p.name for p in folder.glob("*.pt*")
        )
        why = f" ({pickled[0]} is pickled and could run code: it is not read)" if pickled else ""
        raise WeightsError(
            f"{path}: there is no such file{why}; download the model's safetensors in one file"
        )
    if path.stat().st_size > LARGEST_FILE_BYTES:
        raise WeightsError(
            f"{path}: larger than {LARGEST_FILE_BYTES} bytes; use a base or large model"
        )


def read_config(folder: Path, config_type: Callable[..., Any]) -> tuple[Any, bool]:
    """Return the `Wav2Vec2Config` of `config.json`, and whether sound gets unit variance.

    Only fields of the architecture are taken. WeightsError names every fault.
    """
    given, base = _read_json(folder / CONFIG), config_type(**UNMASKED)
    names = (*CHOICES, *SIZE_LIMITS, *CONV_LIMITS, NORM_EPS)
    fields = {name: given.get(name, getattr(base, name)) for name in names}
    faults = [*_choice_faults(fields), *_size_faults(fields)]
    do_normalize = _do_normalize(folder / PREPROCESSOR, faults)
    if faults := faults or list(_combination_faults(fields)):
        raise WeightsError(
            f"{folder / CONFIG}: {'; '.join(faults)}; use a wav2vec 2.0 base or large checkpoint"
        )
    del fields["model_type"]
    return config_type(**fields, **UNMASKED), do_normalize


def _read_json(path: Path) -> dict[str, Any]:
    try:
        size = path.stat().st_size
        text = path.read_text("utf-8") if size <= LARGEST_JSON_BYTES else ""
    except OSError as error:
        raise WeightsError(
            f"{path}: cannot be read ({error.strerror}); name the folder of a checkpoint"
        ) from error
    except UnicodeDecodeError as error:
        raise WeightsError(f"{path}: not JSON ({error}); download it again") from error
    if size > LARGEST_JSON_BYTES:
        raise WeightsError(f"{path}: larger than {LARGEST_JSON_BYTES} bytes; download it again")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{path}: not JSON ({error}); download it again") from error
    if not isinstance(document, dict):
        raise WeightsError(f"{path}: holds no JSON object; download it again")
    return document


def _choice_faults(fields: Mapping[str, Any]) -> Iterator[str]:
    for name, allowed in CHOICES.items():
        value = fields[name]
        if not any(type(value) is type(one) and value == one for one in allowed):
            yield f"{name} is {value!r}, expected {' or '.join(map(repr, allowed))}"
    eps = fields[NORM_EPS]
    if not isinstance(eps, float) or not 0.0 < eps < 1.0:
        yield f"{NORM_EPS} is {eps!r}, not between 0 and 1"


def _size_faults(fields: Mapping[str, Any]) -> Iterator[str]:
    for name, limit in SIZE_LIMITS.items():
        if not _is_count(fields[name], limit):
            yield f"{name} is {fields[name]!r}, not a whole number from 1 to {limit}"
    for name, limit in CONV_LIMITS.items():
        values = fields[name]
        is_list = isinstance(values, list | tuple) and bool(values)
        if not is_list or not all(_is_count(value, limit) for value in values):
            yield f"{name} is {values!r}, not a list of whole numbers from 1 to {limit}"


def _is_count(value: object, limit: int) -> bool:
    return type(value) is int and 1 <= value <= limit


def _do_normalize(path: Path, faults: list[str]) -> bool:
    """Return whether sound is brought to unit variance; without the file, it is."""
    if not path.exists():
        return True
    document = _read_json(path)
    rate_hz = document.get("sampling_rate", SAMPLE_RATE_HZ)
    if rate_hz != SAMPLE_RATE_HZ:
        faults.append(f"{path.name} says {rate_hz!r} Hz, not {SAMPLE_RATE_HZ}")
    if document.get("feature_size", 1) != 1:
        faults.append(f"{path.name} says feature_size {document['feature_size']!r}, not 1")
    normalize = document.get("do_normalize", True)
    if not isinstance(normalize, bool):
        faults.append(f"{path.name} says do_normalize {normalize!r}, neither true nor false")
    return bool(normalize)


def _combination_faults(fields: Mapping[str, Any]) -> Iterator[str]:
    """Yield what each of the sizes allows, but not all of them together."""
    lengths = {len(fields[name]) for name in CONV_LIMITS}
    if len(lengths) != 1 or max(lengths) > MAX_CONV_LAYERS:
        names = ", ".join(CONV_LIMITS)
        yield f"{names} must be equally long, at most {MAX_CONV_LAYERS}"
    hop_samples = math.prod(fields["conv_stride"])
    if hop_samples != HOP_SAMPLES:
        yield f"a frame is {hop_samples} samples, not {HOP_SAMPLES} (20 ms)"
    for name in ("num_attention_heads", "num_conv_pos_embedding_groups"):
        if fields["hidden_size"] % fields[name]:
            yield f"hidden_size {fields['hidden_size']} is not a multiple of {name}"


def _check_memory(folder: Path, model_type: Callable[..., nn.Module], config: Any) -> None:
    """Refuse a network larger than a file may be: tensors that a file lacks are allocated, too."""
    with torch.device("meta"):
        size = sum(p.numel() * p.element_size() for p in model_type(config).parameters())
    if size > LARGEST_FILE_BYTES:
        raise WeightsError(
            f"{folder / CONFIG}: describes a network of {size} bytes, more than"
            f" {LARGEST_FILE_BYTES}; use a base or large checkpoint"
        )


def _read_tensors(path: Path) -> dict[str, Tensor]:
    try:
        tensors = {name: tensor.float() for name, tensor in load_file(path).items()}
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f"{path}: damaged or no safetensors file ({error}); download it again"
        ) from error
    if not all(bool(tensor.isfinite().all()) for tensor in tensors.values()):
        raise WeightsError(f"{path}: holds values that are not finite; download it again")
    return tensors


def _check_report(path: Path, report: Mapping[str, Any]) -> None:
    """Refuse tensors that are missing, unknown or of another shape, all of them at once."""
    names = (name.removeprefix(PREFIX) for name in report["unexpected_keys"])
    unexpected = sorted(name for name in names if not UNUSED.fullmatch(name))
    missing = sorted(report["missing_keys"])
    faults = [
        f"{len(names)} {what} tensors ({_listed(names)})"
        for what, names in (("missing", missing), ("unexpected", unexpected))
        if names
    ]
    faults += [
        f"{name} is {list(found)}, not {list(expected)}"
        for name, found, expected in sorted(report["mismatched_keys"])[:MAX_NAMED]
    ]
    if faults:
        raise WeightsError(
            f"{path}: does not fit its config.json: {'; '.join(faults)};"
            " use both files of one wav2vec 2.0 model"
        )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + more
