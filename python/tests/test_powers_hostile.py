"""Guests that say anything: the host stays right, bounded and quick, and each refusal has its reason."""

from __future__ import annotations

import contextlib
import random
import time
from typing import Any, ClassVar

import pytest

import brine
from brine._brine import power_message_decode, power_message_encode
from brine._guest.cbor import MAX_DEPTH, MalformedError, NotPlainError, decode, encode
from brine._guest.peer import (
    CALL,
    HELLO,
    MAX_MESSAGE_BYTES,
    RELEASE,
    RETURN,
    REVOKED,
    THROW,
    LostError,
    PowerError,
    ProtocolError,
)
from brine._power_table import MAX_POWERS
from sandbox_kit import RawGuest, Tagged, raw_guest, refuse_parts


class Book:
    """An object of the host."""

    def __init__(self) -> None:
        self.made = 0
        self.heard: list[Any] = []

    def get(self, number: int = 0) -> str:
        """Return a text."""
        return f"page {number}"

    def make(self) -> Book:
        """Return another one."""
        self.made += 1
        return Book()

    def take(self, *given: Any, **named: Any) -> None:
        """Keep what is given."""
        self.heard.append((given, named))

    def each(self, function: Any) -> Any:
        """Call a function."""
        return function(1)


def power(book: Book) -> brine.Power:
    return brine.Power(
        book,
        ["get", "make", "take", "each"],
        returns={"make": brine.Facet(["get"])},
        takes_functions=["each"],
    )


def test_an_honest_guest_is_served() -> None:
    with raw_guest({"book": power(Book()), "x": 1}) as guest:
        kind, version, names = guest.hello
        assert (kind, version, names["x"]) == (HELLO, 1, 1)
        assert names["book"][:2] == ["power", 1]
        assert guest.asked(CALL, 9, 1, "get", [7], {}) == [RETURN, 9, "page 7"]


@pytest.mark.parametrize(
    ("handle", "method", "arguments", "reason"),
    [
        (0, "get", [], "power-unknown"),
        (2, "get", [], "power-unknown"),
        (-1, "get", [], "power-unknown"),
        (2**63, "get", [], "power-unknown"),
        (2**200, "get", [], "power-unknown"),
        (id(object), "get", [], "power-unknown"),
        (1, "delete", [], "power-method"),
        (1, "", [], "power-method"),
        (1, ".", [], "power-method"),
        (1, ".get", [], "power-method"),
        (1, "__class__", [], "power-method"),
        (1, ".__class__", [], "power-method"),
        (1, "get\0", [], "power-method"),
        (1, "x" * 10_000, [], "power-method"),
        (1, "take", [Tagged(["function", 1])], "power-argument"),
    ],
)
def test_what_names_nothing_is_refused(
    handle: int, method: str, arguments: list[Any], reason: str
) -> None:
    book = Book()
    with raw_guest({"book": power(book)}) as guest:
        kind, number, name, message = guest.asked(CALL, 1, handle, method, arguments, {})
        assert (kind, number, name) == (THROW, 1, "PowerError")
        assert message.startswith(f"{reason}: ")
        assert len(message) < 300
        assert guest.asked(CALL, 2, 1, "get", [], {})[2] == "page 0"
    assert book.heard == []


def test_a_handle_is_good_for_one_guest_until_it_is_released() -> None:
    book = Book()
    with raw_guest({"book": power(book)}) as one, raw_guest({}) as other:
        made = one.asked(CALL, 1, 1, "make", [], {})[2]
        assert made[:2] == ["power", 2]
        assert other.asked(CALL, 1, 2, "get", [], {})[3].startswith("power-unknown")
        assert one.asked(CALL, 2, 2, "get", [], {})[2] == "page 0"
        one.say(RELEASE, 2, 1)
        one.table.serve_one()
        assert one.asked(CALL, 3, 2, "get", [], {})[3].startswith("power-unknown")
        # It is never drawn again.
        assert one.asked(CALL, 4, 1, "make", [], {})[2][1] == 3


ENDING = {
    "nothing that is known": [[99, 1]],
    "no array": [7],
    "nothing": [[]],
    "too few parts": [[CALL, 1, 1]],
    "too many parts": [[CALL, 1, 1, "get", [], {}, 0]],
    "a method that is no text": [[CALL, 1, 1, 5, [], {}]],
    "arguments that are no list": [[CALL, 1, 1, "get", {}, {}]],
    "keywords that are no map": [[CALL, 1, 1, "get", [], []]],
    "a keyword that is no text": [[CALL, 1, 1, "get", [], {1: 2}]],
    "a return that nobody waits for": [[RETURN, 1, None]],
    "a throw that nobody waits for": [[THROW, 1, "ValueError", "x"]],
    "a release of what was not given": [[RELEASE, 7, 1]],
    "a release of itself": [[RELEASE, 0, 1]],
    "a release of more than was given": [[RELEASE, 1, 2]],
    "a release of none": [[RELEASE, 1, 0]],
    "a release of less than none": [[RELEASE, 1, -1]],
    "a release twice": [[RELEASE, 1, 1], [RELEASE, 1, 1]],
    "a hello": [[HELLO, 1, {}]],
    "a revocation": [[REVOKED, 1]],
    "a power of its own": [[CALL, 1, 1, "take", [Tagged(["power", 5, {}])], {}]],
    "a power that it was not given": [[CALL, 1, 1, "take", [Tagged(["yours", 5])], {}]],
    "a power in a name that is none": [[CALL, 1, 1, "take", [Tagged(["yours", "1"])], {}]],
    "an object that is none": [[CALL, 1, 1, "take", [Tagged(["os.system", "true"])], {}]],
    "an object without a name": [[CALL, 1, 1, "take", [Tagged([])], {}]],
}


@pytest.mark.parametrize("messages", ENDING.values(), ids=ENDING)
def test_what_nobody_says_ends_the_guest(messages: list[Any]) -> None:
    book = Book()
    with raw_guest({"book": power(book)}) as guest:
        for message in messages:
            guest.say_bytes(encode(message, list))
        with pytest.raises(ProtocolError):
            for _ in messages:
                guest.table.serve_one()
    assert book.heard == []


BYTES = {
    "an empty message": b"",
    "a cut array": b"\x86\x01",
    "a cut length": b"\x9a\x00",
    "an array of more than there is": b"\x9b\x7f\xff\xff\xff\xff\xff\xff\xff",
    "a text of more than there is": b"\x7b\xff\xff\xff\xff\xff\xff\xff\xff",
    "a map of more than there is": b"\xbb\x00\xff\xff\xff\xff\xff\xff\xff",
    "an indefinite array": b"\x9f\x01\xff",
    "an indefinite text": b"\x7f\x61a\xff",
    "a break": b"\xff",
    "a reserved length": b"\x1c",
    "text that is no UTF-8": b"\x61\xff",
    "half a character": b"\x63\xed\xa0\x80",
    "a key twice": b"\xa2\x01\x01\x01\x02",
    "a key that none can be": b"\xa1\x81\x01\x01",
    "a set of what none can have": b"\xd8\x1b\x82\x63set\x81\x01",
    "a tag that is not known": b"\xc1\x01",
    "an integer of a text": b"\xc2\x61a",
    "an integer of two kilobytes": b"\xc2\x59\x08\x00" + b"\x01" * 2048,
    "undefined": b"\xf7",
    "a simple value": b"\xf8\x20",
    "bytes behind it": b"\x01\x01",
    "too deep": b"\x81" * (MAX_DEPTH + 1) + b"\x01",
    "very deep": b"\x81" * 100_000 + b"\x01",
    "tags very deep": b"\xc2" * 100_000 + b"\x01",
    "maps very deep": b"\xa1\x01" * 50_000 + b"\x01",
}


@pytest.mark.parametrize("data", BYTES.values(), ids=BYTES)
def test_bytes_that_are_no_message_end_the_guest(data: bytes) -> None:
    with pytest.raises(MalformedError):
        decode(data, refuse_parts)
    with raw_guest({"book": power(Book())}) as guest:
        guest.say_bytes(data)
        with pytest.raises(ProtocolError):
            guest.table.serve_one()


def test_a_message_that_is_too_large_is_not_waited_for() -> None:
    with raw_guest({}) as guest:
        guest.ours.sendall((MAX_MESSAGE_BYTES + 1).to_bytes(4, "big"))
        with pytest.raises(ProtocolError, match="a message is too large"):
            guest.table.serve_one()


def test_a_guest_that_hangs_up_or_stops_is_noticed() -> None:
    with raw_guest({}) as guest:
        guest.ours.sendall(b"\0\0\0\x05ab")
        guest.ours.close()
        with pytest.raises(LostError):
            guest.table.serve_one()
    quiet = RawGuest({}, 0.2)
    start = time.monotonic()
    quiet.ours.sendall(b"\0\0\0\x05ab")
    with pytest.raises(TimeoutError):
        quiet.table.serve_one()
    assert time.monotonic() - start < 5
    quiet.close()


def test_a_guest_that_does_not_read_does_not_block_for_ever() -> None:
    guest = RawGuest({"book": power(Book())}, 0.2)
    start = time.monotonic()
    with pytest.raises(TimeoutError):
        for number in range(100_000):
            guest.say(CALL, number, 1, "x" * 1000, [], {})
            guest.table.serve_one()
    assert time.monotonic() - start < 20
    guest.close()


def test_a_million_handles_are_refused() -> None:
    book = Book()
    with raw_guest({"book": power(book)}) as guest:
        start = time.monotonic()
        refusal = None
        for number in range(MAX_POWERS + 10):
            answer = guest.asked(CALL, number, 1, "make", [], {})
            refusal = refusal or (answer if answer[0] == THROW else None)
        assert refusal is not None
        assert refusal[3].startswith(f"power-data: the guest has {MAX_POWERS} powers")
        assert guest.table.given() == MAX_POWERS
        assert guest.asked(CALL, 0, 1, "get", [], {})[2] == "page 0"
        assert time.monotonic() - start < 60


def test_what_is_not_sent_gives_nothing() -> None:
    class Half:
        def both(self) -> Any:
            return [brine.Power(Book(), ["get"]), object()]

    with raw_guest({"half": brine.Power(Half(), ["both"])}) as guest:
        for number in range(50):
            assert guest.asked(CALL, number, 1, "both", [], {})[3].startswith("power-data")
        assert guest.table.given() == 1


def test_a_call_in_the_middle_of_a_call_is_refused() -> None:
    with raw_guest({"book": power(Book())}) as guest:
        guest.say(CALL, 1, 1, "each", [Tagged(["function", 5])], {})
        # The host calls the function; the guest calls instead of answering, and then answers.
        guest.say(CALL, 2, 1, "get", [], {})
        guest.say(RETURN, 1, "answer")
        guest.table.serve_one()
        assert guest.heard() == [CALL, 1, 5, "__call__", [1], {}]
        kind, number, name, message = guest.heard()
        assert (kind, number, name) == (THROW, 2, "PowerError")
        assert message.startswith("power-busy")
        assert guest.heard() == [RETURN, 1, "answer"]


@pytest.mark.parametrize(
    "answer",
    [
        [RETURN, 7, None],
        [THROW, 7, "ValueError", ""],
        [RETURN, 1, Tagged(["function", 9])],
        [RETURN, 1],
        [THROW, 1, 5, ""],
    ],
)
def test_a_wrong_answer_to_the_host_ends_the_guest(answer: list[Any]) -> None:
    with raw_guest({"book": power(Book())}) as guest:
        guest.say(CALL, 1, 1, "each", [Tagged(["function", 5])], {})
        guest.say(*answer)
        with pytest.raises(ProtocolError):
            guest.table.serve_one()


def test_what_a_method_catches_of_a_hostile_guest_holds_all_the_same() -> None:
    class Careless:
        def each(self, function: Any) -> str:
            with contextlib.suppress(Exception):
                function(1)
            return "went on"

    careless = brine.Power(Careless(), ["each"], takes_functions=["each"])
    with raw_guest({"careless": careless}) as guest:
        guest.say(CALL, 1, 1, "each", [Tagged(["function", 5])], {})
        guest.say(RETURN, 77, None)
        for _ in range(2):
            with pytest.raises(ProtocolError, match="nobody waits for"):
                guest.table.serve_one()


def test_revocation_in_the_middle_of_a_call_ends_what_comes_next() -> None:
    class Door:
        def shut(self) -> str:
            given.revoke()
            return "shut"

    given = brine.Power(Door(), ["shut"])
    with raw_guest({"door": given}) as guest:
        assert guest.asked(CALL, 1, 1, "shut", [], {}) == [RETURN, 1, "shut"]
        # It is told once, and refused each time.
        assert guest.asked(CALL, 2, 1, "shut", [], {}) == [REVOKED, 1]
        assert guest.heard()[3].startswith("power-revoked")
        assert guest.asked(CALL, 3, 1, "shut", [], {})[3].startswith("power-revoked")


def test_what_a_method_gets_is_exact_plain_data() -> None:
    book = Book()
    with raw_guest({"book": power(book)}) as guest:
        given = [1, 1.5, "a", b"b", None, True, [1], {"k": (1, {2}, frozenset({3}))}, 2**99]
        guest.asked(CALL, 1, 1, "take", given, {"n": 1})
        (arguments, keywords), *_ = book.heard
        assert list(arguments) == given
        assert [type(one) for one in arguments] == [type(one) for one in given]
        assert keywords == {"n": 1}


def test_random_bytes_and_mutations_change_nothing() -> None:
    random.seed(20261201)
    counts = {"answered": 0, "ended": 0, "lost": 0}
    book = Book()
    seeds = [
        encode([CALL, 1, 1, "get", [7], {}], list),
        encode([CALL, 2, 1, "take", [[1, {"a": 2}]], {"b": (1,)}], list),
        encode([CALL, 3, 1, "each", [Tagged(["function", 5])], {}], list),
        encode([RELEASE, 1, 1], list),
        encode([RETURN, 1, None], list),
    ]
    rounds = 20_000
    guest = RawGuest({"book": power(book)}, 0.003)
    for _ in range(rounds):
        data = bytearray(random.choice(seeds))
        for _ in range(random.randrange(4)):
            place = random.randrange(len(data) + 1)
            match random.randrange(3):
                case 0 if data:
                    data[place % len(data)] = random.randrange(256)
                case 1:
                    data.insert(place, random.randrange(256))
                case _:
                    del data[place : place + random.randrange(3)]
        guest.say_bytes(bytes(data))
        try:
            guest.table.serve_one()
            counts["answered"] += 1
            continue
        except ProtocolError:
            counts["ended"] += 1
        except (LostError, TimeoutError):
            counts["lost"] += 1
        guest.close()
        guest = RawGuest({"book": power(book)}, 0.003)
    guest.close()
    assert sum(counts.values()) == rounds
    assert min(counts["answered"], counts["ended"]) > rounds // 20, counts


def test_keys_that_are_found_slowly_are_refused() -> None:
    prime = (1 << 61) - 1
    alike = [number * prime for number in range(1, 20_000)]
    many = list(range(1025))
    for numbers in (alike, many, [float(number) for number in many], [(n,) for n in many]):
        head = b"\x83\x02\x01"
        count = len(numbers).to_bytes(4, "big")
        keys = b"".join(encode(number, list) for number in numbers)
        as_set = b"\xd8\x1b\x9a" + (len(numbers) + 1).to_bytes(4, "big") + b"\x63set" + keys
        pairs = b"".join(encode(number, list) + b"\xf6" for number in numbers)
        for data in (head + as_set, head + b"\xba" + count + pairs):
            for read in (decode, power_message_decode):
                start = time.monotonic()
                with pytest.raises(MalformedError, match="keys are too many"):
                    read(data, refuse_parts)
                assert time.monotonic() - start < 5
        for value in (set(numbers), dict.fromkeys(numbers)):
            for write in (encode, power_message_encode):
                with pytest.raises(NotPlainError, match="keys are too many"):
                    write(value, list)
    # What text is looked for by, nobody knows.
    wide = {f"{number}": number for number in range(20_000)}
    assert power_message_decode(encode(wide, list), refuse_parts) == wide
    assert decode(encode(set(range(1024)), list), refuse_parts) == set(range(1024))


class Touchy(Book):
    """An object whose special methods nobody was given."""

    touched = 0

    def __hash__(self) -> int:
        Touchy.touched += 1
        return 1

    def __eq__(self, other: object) -> bool:
        Touchy.touched += 1
        return self is other

    def __str__(self) -> str:
        Touchy.touched += 1
        return "shown"


@pytest.mark.parametrize(
    "message",
    [
        [CALL, 1, 1, "take", [Tagged(["set", Tagged(["yours", 1]), 5])], {}],
        [CALL, 1, 1, "take", [Tagged(["frozenset", Tagged(["tuple", Tagged(["yours", 1])])])], {}],
        [THROW, 1, "E", "m", Tagged(["yours", 1])],
        [THROW, 1, "E", "m", "text", "more"],
    ],
)
def test_no_method_runs_that_was_not_given(message: list[Any]) -> None:
    Touchy.touched = 0
    with raw_guest({"book": power(Touchy())}) as guest:
        guest.say(*message)
        with pytest.raises(ProtocolError):
            guest.table.serve_one()
    assert Touchy.touched == 0


def test_an_object_of_the_host_is_no_part_of_a_message() -> None:
    # For the host, these are an array and digits.
    for data, tag in ((["tuple", "secret"], 27), (b"\x07", 2)):
        book = Book()
        with raw_guest({"book": power(book), "data": brine.Power(data, ["__len__"])}) as guest:
            given = bytes([0xD8, tag]) + encode(Tagged(["yours", 2]), list)
            guest.say_bytes(b"\x86\x01\x01\x01\x64take\x81" + given + b"\xa0")
            with pytest.raises(ProtocolError, match="a tag is none that is known"):
                guest.table.serve_one()
        assert book.heard == []


class Alive:
    """An object of which everything is noted that is asked of it."""

    asked: ClassVar[list[str]] = []

    def __getattribute__(self, name: str) -> Any:
        Alive.asked.append(name)
        raise AttributeError(name)

    def __eq__(self, other: object) -> bool:
        Alive.asked.append("==")
        return True

    def __hash__(self) -> int:
        Alive.asked.append("hash")
        return 1

    def __iter__(self) -> Any:
        Alive.asked.append("iter")
        return iter(())

    def __len__(self) -> int:
        Alive.asked.append("len")
        return 2


SELF = Tagged(["yours", 2])
WELL = [CALL, 1, 1, "take", [1], {}]


@pytest.mark.parametrize("place", range(6))
@pytest.mark.parametrize("given", ["alive", "list", "dict", "int", "text"])
def test_nothing_of_the_host_stands_in_the_frame_of_a_message(given: str, place: int) -> None:
    objects: dict[str, Any] = {
        "alive": Alive(),
        "list": ["secret"],
        "dict": {"password": "secret"},
        "int": type("Int", (int,), {})(1),
        "text": type("Text", (str,), {})("take"),
    }
    book = Book()
    with raw_guest({"book": power(book), "it": brine.Power(objects[given], ["x"])}) as guest:
        Alive.asked.clear()
        guest.say(*WELL[:place], SELF, *WELL[place + 1 :])
        with pytest.raises(ProtocolError):
            guest.table.serve_one()
        guest.say_bytes(encode(SELF, list))
        with pytest.raises(ProtocolError):
            guest.table.serve_one()
    assert (book.heard, Alive.asked) == ([], [])


@pytest.mark.parametrize("given", ["alive", "list", "dict", "text"])
@pytest.mark.parametrize(
    "answer",
    [
        SELF,
        [SELF],
        {"value": 1, "more": SELF},
        {"value": SELF, "raised": SELF},
        {"raised": SELF},
        {"raised": [SELF, "a", "b"]},
        {"raised": ["a", "b", SELF]},
        {"broken": SELF},
        {"broken": ["syntax", "message", SELF, 1]},
    ],
    ids=str,
)
def test_nothing_of_the_host_stands_in_the_frame_of_an_evaluation(given: str, answer: Any) -> None:
    objects = {
        "alive": Alive(),
        "list": ["kind", "secret", "text"],
        "dict": {"value": "secret"},
        "text": type("Text", (str,), {})("syntax"),
    }
    with raw_guest({"book": power(Book()), "it": brine.Power(objects[given], ["x"])}) as guest:
        Alive.asked.clear()
        guest.say(RETURN, 1, answer)
        with pytest.raises(ProtocolError, match="an object of the host stands where none may"):
            guest.table.call_root("evaluate", ["1", {}])
    assert Alive.asked == []


def test_an_object_is_given_back_as_the_value_of_an_evaluation() -> None:
    it = Alive()
    lent = brine.Power(it, ["x"])
    with raw_guest({"book": power(Book()), "it": lent}) as guest:
        Alive.asked.clear()
        for number, (value, where) in enumerate(
            [(SELF, ()), ([SELF], (0,)), ({"a": SELF}, ("a",))], 1
        ):
            guest.say(RETURN, number, {"value": value})
            found = guest.table.call_root("evaluate", ["1", {}])["value"]
            assert (found[where[0]] if where else found) is it
        lent.revoke()
        guest.say(RETURN, 4, {"value": SELF})
        with pytest.raises(PowerError, match="given back was revoked"):
            guest.table.call_root("evaluate", ["1", {}])
    assert Alive.asked == []


def test_an_object_is_given_back_where_a_value_stands() -> None:
    book, it = Book(), Alive()
    with raw_guest({"book": power(book), "it": brine.Power(it, ["x"])}) as guest:
        Alive.asked.clear()
        nested = Tagged(["tuple", SELF, {"deep": [SELF]}])
        assert guest.asked(CALL, 1, 1, "take", [SELF, nested], {"named": SELF})[0] == RETURN
        assert Alive.asked == []
        (arguments, keywords), *_ = book.heard
        assert arguments[0] is it
        assert arguments[1][0] is arguments[1][1]["deep"][0] is keywords["named"] is it


@pytest.mark.parametrize(
    "message",
    [
        [True, 1, 1, "get", [], {}],
        [CALL, True, 1, "get", [], {}],
        [CALL, -5, 1, "get", [], {}],
        [CALL, 1 << 64, 1, "get", [], {}],
        [CALL, 1, True, "get", [], {}],
        [RELEASE, 1, True],
    ],
)
def test_numbers_are_numbers(message: list[Any]) -> None:
    with raw_guest({"book": power(Book())}) as guest:
        guest.say(*message)
        with pytest.raises(ProtocolError):
            guest.table.serve_one()
    with raw_guest({"book": power(Book())}) as guest:
        guest.say_bytes(encode((CALL, 1, 1, "get", [], {}), list))
        with pytest.raises(ProtocolError):
            guest.table.serve_one()


def test_a_revoked_power_is_no_object_as_the_value_of_a_function_either() -> None:
    given = brine.Power(Book(), ["get"])
    kept: list[Any] = []

    class Each:
        def each(self, function: Any) -> str:
            given.revoke()
            try:
                kept.append(function(1))
            except PowerError as error:
                return str(error)
            return "got it"

    each = brine.Power(Each(), ["each"], takes_functions=["each"])
    with raw_guest({"each": each, "it": given}) as guest:
        guest.say(CALL, 1, 1, "each", [Tagged(["function", 5])], {})
        guest.say(RETURN, 1, SELF)
        guest.table.serve_one()
        assert guest.heard()[0] == CALL
        assert guest.heard()[2] == "a power that is given back was revoked"
    assert kept == []


def test_an_attribute_takes_no_arguments() -> None:
    with raw_guest({"book": brine.Power(Book(), [], ["made"])}) as guest:
        assert guest.asked(CALL, 1, 1, ".made", [], {}) == [RETURN, 1, 0]
        assert guest.asked(CALL, 2, 1, ".made", [1], {})[3].startswith("power-method")


def test_a_message_that_was_sent_in_part_is_the_last() -> None:
    class Pushes:
        def push(self, function: Any) -> None:
            for _ in range(3):
                with contextlib.suppress(Exception):
                    function(b"x" * 900_000)

    guest = RawGuest({"pushes": brine.Power(Pushes(), ["push"], takes_functions=["push"])}, 0.3)
    guest.say(CALL, 1, 1, "push", [Tagged(["function", 5])], {})
    start = time.monotonic()
    with pytest.raises(TimeoutError):
        guest.table.serve_one()
    assert time.monotonic() - start < 3
    guest.close()
