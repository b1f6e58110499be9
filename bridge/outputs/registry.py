"""The registry of output protocols, one line each; reads links from URLs and mappings, and opens
them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin
from urllib.parse import parse_qsl, unquote

from pydantic import BeforeValidator, TypeAdapter, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError, PydanticKnownError

from cstalk_bridge.document import FieldError
from cstalk_bridge.models.errors import Problem, UserError
from cstalk_bridge.outputs.link import UdpLink
from cstalk_bridge.outputs.livelink_face import LIVELINK_FACE
from cstalk_bridge.outputs.metahuman.protocol import METAHUMAN
from cstalk_bridge.outputs.osc import OSC
from cstalk_bridge.outputs.protocol import (
    LinkConfig,
    LinkSource,
    ListeningConfig,
    OutputProtocol,
    repetition_fault,
)
from cstalk_bridge.outputs.udp import MAX_TARGETS, Target, filled_target, has_port, parse_target
from cstalk_bridge.outputs.vmc import VMC

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cstalk_bridge.outputs.link import Floats, Link
    from cstalk_bridge.outputs.protocol import OutputServer, Recorder
    from cstalk_bridge.timecode.smpte import FrameRate


OUTPUTS: dict[str, OutputProtocol[Any]] = {
    protocol.name: protocol
    for protocol in (
        LIVELINK_FACE,
        OSC,
        VMC,
        METAHUMAN,
    )
}
"""Every output protocol, by the scheme of its URLs."""


def protocol_of(config: LinkConfig) -> OutputProtocol[Any]:
    """Return the protocol of a link."""
    return OUTPUTS[config.protocol]


class OutputServers:
    """What the links of one run share, by protocol; `recorder` records what receivers ask for."""

    def __init__(self, recorder: Recorder | None = None) -> None:
        servers = {name: protocol.serve(recorder) for name, protocol in OUTPUTS.items()}
        self._servers = {name: each for name, each in servers.items() if each is not None}

    def of(self, config: LinkConfig) -> OutputServer | None:
        """Return the server of the protocol of a link."""
        return self._servers.get(config.protocol)

    def start(self, notice: Callable[[str], None]) -> None:
        """Begin to serve; `notice` gets what users should know, from other threads."""
        for server in self._servers.values():
            server.start(notice)

    def close(self) -> None:
        """End all sessions and close the ports; close the links before."""
        for server in self._servers.values():
            server.close()


def open_link(
    config: LinkConfig,
    subject: str,
    outputs: Sequence[str],
    rate: FrameRate,
    servers: OutputServers | None = None,
    rest: Floats | None = None,
) -> Link:
    """Open the link of a subject whose rig map has these outputs.

    A link that listens needs the `servers` of the run. `rest` is what the map makes of a face at
    rest, [outputs]; None is 0, or the curve's own rest where the protocol knows it.
    UserError: a subject name or outputs which the protocol cannot carry, a host that is not found.
    """
    source = LinkSource(subject, tuple(outputs), rate, rest)
    server = None if servers is None else servers.of(config)
    protocol = protocol_of(config)
    link = protocol.open(config, source, server)
    if isinstance(link, UdpLink):
        link.receiver_remedy = protocol.receiver_remedy
    return link


SWITCH = ("yes", "no")
"""The values of an option of a URL that is a truth value."""


def parse_link_url(url: str) -> LinkConfig:
    """Read `protocol://host:port,host:port/path?option=value&option=value`.

    `livelink-face://10.0.0.5` and `osc://127.0.0.1:8000/face?rigmap=metahuman` are complete: a
    target without a port gets the default port of the protocol, a link without a `rigmap` its
    default rig map. UserError names everything that is wrong with the URL at once.
    """
    scheme, separator, rest = url.partition("://")
    protocol = OUTPUTS.get(scheme.lower())
    if protocol is None or not separator:
        known = ", ".join(f"{name}://" for name in OUTPUTS)
        raise UserError(Problem(url, f"unknown protocol {scheme!r}", f"start with one of {known}"))
    place, _, query = rest.partition("?")
    authority, _, path = place.partition("/")
    faults: list[str] = []
    targets = _targets(authority, protocol.default_port, faults)
    options = _options(query, protocol.config, faults)
    options |= _path(path, protocol.name, protocol.config, faults)
    if fault := repetition_fault(targets):
        faults.append(fault)
    if faults:
        raise UserError.of(Problem(url, fault) for fault in faults)
    data = {"targets": targets, **options}
    if issubclass(protocol.config, ListeningConfig):
        data["takes_next_port"] = not has_port(authority)
    try:
        config: LinkConfig = protocol.config.model_validate(data)
    except ValidationError as error:
        raise UserError.of(Problem(url, *each) for each in _messages(error)) from None
    return config


def _messages(error: ValidationError) -> list[tuple[str, str]]:
    """Return what each error is, and its remedy."""
    found = []
    for details in error.errors(include_url=False):
        cause = details.get("ctx", {}).get("error")
        if isinstance(cause, FieldError):
            found.append((cause.what, cause.remedy))
        else:
            found.append((str(cause or details["msg"]), ""))
    return found


def _targets(authority: str, default_port: int, faults: list[str]) -> list[Target]:
    texts = authority.split(",")
    if len(texts) > MAX_TARGETS:
        faults.append(f"{len(texts)} targets, at most {MAX_TARGETS} are possible")
        return []
    targets = []
    for text in texts:
        try:
            targets.append(parse_target(text, default_port))
        except ValueError as error:
            faults.append(str(error))
    return targets


def _options(query: str, config: type[LinkConfig], faults: list[str]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in config.options():
            known = ", ".join(f"{each}=" for each in config.options())
            faults.append(f"unknown option {name!r}; known: {known}")
        elif name in options:
            faults.append(f"option {name!r} is given twice")
        elif not _is_allowed(config, name, value):
            faults.append(f"option {name!r} must be {_allowed_values(config, name)}")
        options[name] = value
    return options


def _path(path: str, name: str, config: type[LinkConfig], faults: list[str]) -> dict[str, str]:
    """Return the option that the path of a URL sets."""
    value = f"/{unquote(path)}".rstrip("/")
    if not value:
        return {}
    if not config.path_option:
        faults.append(f"{name} has no prefix, leave {value!r} out")
        return {}
    try:
        _adapter(config, config.path_option).validate_python(value)
    except ValidationError as error:
        faults += [what for what, _ in _messages(error)]
    return {config.path_option: value}


def _adapter(config: type[LinkConfig], name: str) -> TypeAdapter[Any]:
    field = config.model_fields[name]
    return TypeAdapter(Annotated[field.annotation, field])  # type: ignore[arg-type]


def _choices(config: type[LinkConfig], name: str) -> tuple[str, ...]:
    """Return the values of an option that has few of them."""
    annotation = config.model_fields[name].annotation
    if annotation is bool:
        return SWITCH
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def _allowed_values(config: type[LinkConfig], name: str) -> str:
    choices = _choices(config, name)
    return f"one of {', '.join(choices)}" if choices else str(config.model_fields[name].description)


def _is_allowed(config: type[LinkConfig], name: str, value: str) -> bool:
    if choices := _choices(config, name):
        return value in choices
    try:
        _adapter(config, name).validate_python(value)
    except ValidationError:
        return False
    return True


def read_link(value: Any) -> LinkConfig:
    """Read a link of a config file: a URL, or a mapping with the fields of its protocol's config.

    In a mapping a target is `host`, `host:port` or `{host, port}`. ValueError, which includes
    pydantic's ValidationError, lists what is wrong with it.
    """
    if isinstance(value, LinkConfig):
        return value
    if isinstance(value, str):
        try:
            return parse_link_url(value)
        except UserError as error:
            faults = (str(Problem("", fault.what, fault.remedy)) for fault in error.problems)
            raise ValueError(f"{value}: {'; '.join(faults)}") from None
    if not isinstance(value, dict):
        raise PydanticKnownError("dict_type")
    protocol = OUTPUTS.get(value["protocol"]) if _has_protocol(value) else None
    if protocol is None:
        raise _protocol_error(value)
    config: LinkConfig = protocol.config.model_validate(
        _filled(_own_options(value, protocol.name, protocol.config), protocol)
    )
    return config


def _has_protocol(value: dict[str, Any]) -> bool:
    return isinstance(value.get("protocol"), str)


def _protocol_error(value: dict[str, Any]) -> ValidationError:
    """Return the error of a link whose protocol is missing or unknown."""
    if "protocol" not in value:
        details = InitErrorDetails(type="missing", loc=("protocol",), input=value)
    else:
        *names, last = [repr(name) for name in OUTPUTS]
        expected = {"expected": f"{', '.join(names)} or {last}"}
        details = InitErrorDetails(
            type="literal_error", loc=("protocol",), input=value["protocol"], ctx=expected
        )
    return ValidationError.from_exception_data("LinkConfig", [details])


def _own_options(value: dict[str, Any], name: str, config: type[LinkConfig]) -> dict[str, Any]:
    """Return the mapping without options of other protocols that equal the default.

    ValidationError for those that differ.
    """
    own = dict(value)
    errors = []
    for other in OUTPUTS.values():
        for key in own.keys() & other.config.model_fields.keys() - config.model_fields.keys():
            given = own.pop(key)
            if given != other.config.model_fields[key].default:
                what = f"{name} has no {key!r}, leave it out"
                fault = PydanticCustomError("value_error", what, {"error": what})
                errors.append(InitErrorDetails(type=fault, loc=(key,), input=given))
    if errors:
        raise ValidationError.from_exception_data("LinkConfig", errors)
    return own


def _filled(value: dict[str, Any], protocol: OutputProtocol[Any]) -> dict[str, Any]:
    """Return the mapping with the ports that its targets leave out."""
    targets = value.get("targets")
    if not isinstance(targets, list | tuple):
        return value
    filled = {**value, "targets": [filled_target(t, protocol.default_port) for t in targets]}
    if issubclass(protocol.config, ListeningConfig):
        filled.setdefault("takes_next_port", not any(map(has_port, targets)))
    return filled


LinkValue = Annotated[LinkConfig, BeforeValidator(read_link)]
"""A link in a config: any text or mapping that `read_link` reads."""
