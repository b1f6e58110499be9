"""YAML documents: what is read, where problems are reported, and what is refused."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Annotated, Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from cstalk_bridge.document import (
    MAX_BYTES,
    FieldError,
    examine,
    parse_document,
    read_document,
    validate,
)
from cstalk_bridge.models.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path


class Port(BaseModel):
    model_config = ConfigDict(extra="forbid")
    host: str
    port: int = Field(11111, ge=1, le=65535)


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid")
    rate: float = 60.0
    outputs: list[Port] = []
    named: dict[str, Port] = {}


def problems_of(text: str, loader: type[yaml.SafeLoader] = yaml.SafeLoader) -> list[str]:
    with pytest.raises(UserError) as caught:
        validate(Settings, parse_document(text, "c.yaml", loader))
    return [str(problem) for problem in caught.value.problems]


LOADERS = [yaml.SafeLoader] + ([yaml.CSafeLoader] if hasattr(yaml, "CSafeLoader") else [])
both_parsers = pytest.mark.parametrize("loader", LOADERS)


@both_parsers
def test_every_problem_is_reported_at_its_place_and_in_order(loader: type[yaml.SafeLoader]) -> None:
    text = """\
rate: fast
outputs:
  - host: here
    port: 70000
  - hots: there
    port: 1
named:
  a: {host: x}
  a: {host: y}
speed: 3
"""
    assert problems_of(text, loader) == [
        "c.yaml:1:7: `rate` must be a number, unable to parse string as a number, found 'fast'",
        "c.yaml:4:11: `outputs[0].port` must be less than or equal to 65535, found 70000",
        "c.yaml:5:5: `outputs[1].host` is missing; add it",
        "c.yaml:5:5: unknown key `outputs[1].hots`; did you mean `host`?",
        "c.yaml:9:3: `a` is given twice, first in line 8; remove one",
        "c.yaml:10:1: unknown key `speed`; known: rate, outputs, named",
    ]


@both_parsers
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1", "c.yaml:"),
        ("a:\n\t- 1", "c.yaml:2:1: not YAML: found character"),
        ("a: 1\n---\nb: 2", "c.yaml:2:1: a second document"),
        ("a: *b", "alias *b has no complete anchor"),
        ("a: &b [*b]", "alias *b has no complete anchor"),
        ("? [1, 2]\n: 3", "c.yaml:1:3: a key that is not plain text"),
        ("a: {<<: {b: 1}}", "merge keys"),
        ("a: !!python/object/apply:os.system [x]", "c.yaml:1:4: the tag"),
        ("a: !!python/name:os.system ''", "not YAML"),
        ("a: 2001-99-99", "c.yaml:1:4: not a value"),
        ("a: !!timestamp foo", "c.yaml:1:4: 'foo' is not a valid timestamp; leave the tag out"),
        ("a: !!int ''", "c.yaml:1:4: '' is not a valid int"),
        ("a: !!bool foo", "c.yaml:1:4: 'foo' is not a valid bool"),
        ("a: !!float 1:x", "c.yaml:1:4: not a value"),
        pytest.param(f"a: {'9' * 400}", "c.yaml:1:4: a whole number of more than 64", id="long"),
        pytest.param(f"a: {'9' * 5000}", "c.yaml:1:4: not a value", id="longer"),
        pytest.param(f"a: 0x{'f' * 9000}", "c.yaml:1:4: a whole number of more", id="hex"),
        pytest.param(f"a: !!int 1{':59' * 3000}", "c.yaml:1:4: a whole number", id="to 60"),
        ("a: \x00", "not YAML"),
        ('a: "x\\0y"', "c.yaml:1:4: a character that is not text"),
        ('"x\\0y": 1', "c.yaml:1:1: a character that is not text"),
        ('a: "\\ud800"', "c.yaml:1:"),
    ],
)
def test_a_document_that_is_not_plain_is_refused_with_its_place(
    loader: type[yaml.SafeLoader], text: str, message: str
) -> None:
    with pytest.raises(UserError) as caught:
        parse_document(text, "c.yaml", loader)
    assert message in str(caught.value)


@both_parsers
@pytest.mark.parametrize("text", ["1:30", "190:20:30", "-1:0:0.5", f"1{':59' * 3000}"])
def test_base_60_numbers_are_text(loader: type[yaml.SafeLoader], text: str) -> None:
    assert parse_document(f"a: {text}", "c.yaml", loader).data == {"a": text}


@both_parsers
def test_aliases_are_copied_and_expansion_is_bounded(loader: type[yaml.SafeLoader]) -> None:
    document = parse_document("a: &p {host: x, ports: [1, 2]}\nb: *p", "c.yaml", loader)
    assert isinstance(document.data, dict)
    assert document.data["b"] == document.data["a"]
    assert document.where(("b", "ports", 1)) == "c.yaml:2:4"
    lines = ["l0: &l0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 12)]
    with pytest.raises(UserError, match="more than 100000 values"):
        parse_document("\n".join(lines), "c.yaml", loader)


@both_parsers
@pytest.mark.parametrize("text", ["[" * 5000, "- " * 5000 + "x", "{a: " * 5000])
def test_deep_nesting_is_refused(loader: type[yaml.SafeLoader], text: str) -> None:
    with pytest.raises(UserError, match="nested deeper than 32"):
        parse_document(text, "c.yaml", loader)


@both_parsers
def test_depth_of_aliases_counts(loader: type[yaml.SafeLoader]) -> None:
    lines = ["l0: &l0 [x]"] + [f"l{n}: &l{n} [*l{n - 1}]" for n in range(1, 60)]
    with pytest.raises(UserError, match="nested deeper than 32"):
        parse_document("\n".join(lines), "c.yaml", loader)


def test_keys_are_text_and_an_empty_file_is_an_empty_mapping() -> None:
    assert parse_document("on: 1\n2: two\n~: none", "c").data == {"on": 1, "2": "two", "~": "none"}
    assert parse_document("# nothing\n", "c").data == {}
    assert validate(Settings, parse_document("", "c")).rate == 60.0


def test_keys_in_a_repeated_value_are_no_second_problem() -> None:
    assert len(problems_of("named:\n  a: {host: x, port: 1}\n  a: {host: y, port: 2}\n")) == 1


def test_a_document_that_is_not_a_mapping_is_refused() -> None:
    assert problems_of("- 1") == [
        "c.yaml:1:1: the document must be a mapping (`key: value` lines), found [1]"
    ]


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        read_document(tmp_path / "none.yaml")
    with pytest.raises(UserError, match="cannot be read"):
        read_document(tmp_path)
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(UserError, match="larger than 1048576 bytes"):
        read_document(large)
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"a: 1\nb: caf\xe9\n")
    with pytest.raises(UserError, match=r"latin\.yaml:2:7: not UTF-8"):
        read_document(latin)
    marked = tmp_path / "marked.yaml"
    marked.write_bytes(b"\xef\xbb\xbfrate: 30\r\n")
    assert validate(Settings, read_document(marked)).rate == 30.0


plain_text = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=8)


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**63)
        | st.floats(allow_nan=False)
        | plain_text,
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(plain_text.filter(lambda key: key != "<<"), inner, max_size=4)
        ),
        max_leaves=20,
    ).filter(lambda data: isinstance(data, dict | list))
)
def test_output_of_yaml_round_trip(data: Any) -> None:
    assert parse_document(yaml.safe_dump(data, allow_unicode=True), "c").data == data


@given(st.binary(max_size=200))
def test_any_bytes_give_data_or_a_user_error(content: bytes) -> None:
    with contextlib.suppress(UserError):
        parse_document(content.decode("utf-8", errors="replace"), "c")


WORDS = st.sampled_from(
    [
        *("!!int ", "!!float ", "!!timestamp ", "!!bool ", "!!binary ", "!!null ", "1", ":59"),
        *("-", "0x", "f", ".", "e9", "2001-12-14", "t21:59:43", " -05:00", "Z", "&a ", "*a"),
        *("[", "]", "9" * 300),
    ]
)


@both_parsers
@given(st.lists(WORDS, max_size=8).map("".join))
def test_any_scalar_gives_a_value_or_a_user_error(loader: type[yaml.SafeLoader], text: str) -> None:
    with contextlib.suppress(UserError):
        document = parse_document(f"rate: {text}\n", "c", loader)
        validate(Settings, document)


def test_a_long_document_is_read_fast() -> None:
    text = "named:\n" + "".join(f"  n{n}: {{host: h{n}, port: {n + 1}}}\n" for n in range(1000))
    start = time.perf_counter()
    parse_document(text, "c")
    assert time.perf_counter() - start < 2.0


def must_be_short(key: str) -> str:
    if len(key) > 3:
        raise ValueError("is too long")
    return key


class Even(BaseModel):
    model_config = ConfigDict(extra="forbid")
    count: int = 0
    named: dict[Annotated[str, AfterValidator(must_be_short)], int] = {}

    @field_validator("count")
    @classmethod
    def _even(cls, count: int) -> int:
        if count % 2:
            raise FieldError(f"{count} is odd", f"write {count + 1}")
        return count


def test_validators_place_their_problems_at_values_and_at_keys() -> None:
    document = parse_document("named: {a: 1, long: 2}\ncount: 3", "c.yaml")
    instance, problems = examine(Even, document)
    assert instance is None
    assert list(map(str, problems)) == [
        "c.yaml:1:15: `named.long` is too long",
        "c.yaml:2:8: 3 is odd; write 4",
    ]
