"""Messages of powers by an encoder that is not brine's, and the example of SPEC.md."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from brine._brine import power_message_decode, power_message_encode
from brine._guest.cbor import MalformedError, decode, encode
from sandbox_kit import Tagged

PROJECT = Path(__file__).parent.parent.parent
MESSAGES = json.loads((PROJECT / "fixtures/powers/messages.json").read_text())
OBJECTS = {"tuple": tuple, "set": set, "frozenset": frozenset}


def meant(value: Any) -> Any:
    """Return the value that JSON shows."""
    match value:
        case {"#bytes": str(text)}:
            return bytes.fromhex(text)
        case {"#object": [name, *parts]} if name in OBJECTS:
            return OBJECTS[name](map(meant, parts))
        case {"#object": list(parts)}:
            return Tagged(map(meant, parts))
        case dict(members):
            return {key: meant(item) for key, item in members.items()}
        case list(items):
            return [meant(item) for item in items]
        case other:
            return other


@pytest.mark.parametrize(
    ("write", "read"),
    [(encode, decode), (power_message_encode, power_message_decode)],
    ids=["guest", "host"],
)
@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message["name"])
def test_a_message_says_what_it_says_elsewhere(
    message: dict[str, Any], write: Any, read: Any
) -> None:
    data = bytes.fromhex(message["bytes"])
    if "refused" in message:
        with pytest.raises(MalformedError):
            read(data, Tagged)
        return
    assert read(data, Tagged) == meant(message["says"])
    is_same = write(meant(message["says"]), list) == data
    assert is_same == ("form" not in message)


def test_there_are_messages_of_both_sorts() -> None:
    refused = [message for message in MESSAGES if "refused" in message]
    assert (len(refused), len(MESSAGES)) == (13, 31)


def test_the_example_of_the_specification_is_a_call_and_its_answer() -> None:
    page = (PROJECT / "SPEC.md").read_text()
    _, _, rest = page.partition("<!-- example: power-call -->\n```\n")
    example, _, _ = rest.partition("```")
    data = bytes.fromhex("".join(re.findall(r"^([0-9a-f]+)", example, re.MULTILINE)))
    said = []
    while data:
        end = 4 + int.from_bytes(data[:4], "big")
        said.append(decode(data[4:end], Tagged))
        data = data[end:]
    assert said == [[1, 1, 1, "get", [7], {}], [2, 1, "a book"]]
