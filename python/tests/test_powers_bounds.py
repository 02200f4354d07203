"""What bounds a power holds for all that comes from it, and what makes no sense is refused where it is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import brine
from brine import _bounds, _guest_process
from brine._guest.cbor import decode, encode
from brine._guest.peer import CALL, RETURN, THROW, ProtocolError
from conftest import in_child
from sandbox_kit import RawGuest, Tagged, raw_guest

if TYPE_CHECKING:
    from collections.abc import Callable


class Row:
    """What is at the bottom."""

    def read(self) -> str:
        """Return what may be read."""
        return "read"

    def wipe(self) -> str:
        """Do what no guest may."""
        raise AssertionError


class Table:
    """What leads to rows."""

    def row(self) -> Any:
        """Return an object."""
        return Row()

    def given_row(self) -> Any:
        """Return a power that gives more."""
        return brine.Power(Row(), ["read", "wipe"])

    def count(self) -> int:
        """Return data."""
        return 7

    def each(self, function: Callable[[int], Any]) -> Any:
        """Call a function."""
        return function(1)


class Door:
    """An object whose method returns what a test says."""

    def __init__(self, inside: Any) -> None:
        self.inside = inside

    def open(self) -> Any:
        """Return it."""
        return self.inside


READ, WIPE = brine.Facet(["read"]), brine.Facet(["read", "wipe"])


def door(inside: Any, facet: brine.Facet) -> brine.Power:
    """Return a power that leads to something, with a facet for that."""
    return brine.Power(Door(inside), ["open"], returns={"open": facet})


def followed(guest: RawGuest, *path: str) -> Any:
    """Call methods, each of what the one before it returned, and return the last answer."""
    answer, handle = None, 1
    for number, method in enumerate(path, 1):
        answer = guest.asked(CALL, number, handle, method, [], {})
        given = answer[2][0] if type(answer[2]) is list else answer[2]
        handle = given[1] if type(given) is Tagged else 0
    return answer


def table(**more: Any) -> brine.Power:
    """Return a power over a table."""
    names = ["row", "given_row", "count", "each"]
    return brine.Power(Table(), names, takes_functions=["each"], **more)


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("method", ["row", "given_row"])
@pytest.mark.parametrize(("own", "said"), [(READ, WIPE), (WIPE, READ)])
def test_two_facets_give_what_both_give_at_every_depth(
    depth: int, method: str, own: brine.Facet, said: brine.Facet
) -> None:
    facet = brine.Facet([method], returns={method: said})
    inside: Any = [table(returns={method: own})]
    for _ in range(depth):
        inside, facet = door(inside, facet), brine.Facet(["open"], returns={"open": facet})
    with raw_guest({"door": inside}) as guest:
        kind, _, (_, _, interface) = followed(guest, *["open"] * depth, method)
        assert (kind, interface["methods"]) == (RETURN, ["read"])


def test_an_object_crosses_only_where_both_facets_give_it() -> None:
    for own, said in ((None, READ), (READ, None)):
        inner = table(returns={"row": own, "given_row": own} if own else {})
        names = ["row", "given_row", "count"]
        facet = brine.Facet(names, returns=dict.fromkeys(names[:2], said) if said else {})
        with raw_guest({"door": door(inner, facet)}) as guest:
            kind, _, name, text = followed(guest, "open", "row")
            assert (kind, name) == (THROW, "PowerError")
            assert text == "power-data: Row is neither data nor a power"
            # A power has a facet of its own, and the other one holds, too.
            assert followed(guest, "open", "given_row")[2][2]["methods"] == ["read"]
            assert followed(guest, "open", "count") == [RETURN, 2, 7]


def test_data_crosses_only_where_no_facet_asks_for_an_object() -> None:
    inner = table(returns={"count": READ})
    with raw_guest({"door": door(inner, brine.Facet(["count"]))}) as guest:
        text = "power-data: 'count' returned data, and was to return an object"
        assert followed(guest, "open", "count")[3] == text


@pytest.mark.parametrize(
    ("own", "said", "is_taken"),
    [(True, True, True), (True, False, False), (False, True, False)],
)
def test_functions_and_reentrance_are_given_by_both(own: bool, said: bool, is_taken: bool) -> None:
    def more(is_given: bool) -> dict[str, Any]:
        return {"takes_functions": ["each"] if is_given else [], "reentrant": is_given}

    inner = brine.Power(Table(), ["each"], **more(own))
    with raw_guest({"door": door(inner, brine.Facet(["each"], **more(said)))}) as guest:
        followed(guest, "open")
        guest.say(CALL, 2, 2, "each", [Tagged(["function", 5])], {})
        if is_taken:
            guest.say(CALL, 3, 2, "each", [0], {})
            guest.say(RETURN, 1, "answer")
        guest.table.serve_one()
        heard = [guest.heard() for _ in range(3 if is_taken else 1)]
        if is_taken:
            assert heard[1][2:] == ["TypeError", "'int' object is not callable"]
            assert heard[2] == [RETURN, 2, "answer"]
        else:
            assert heard[0][3] == "power-argument: 'each' takes no functions"


def test_what_came_through_a_limit_of_time_takes_no_functions() -> None:
    for inner in (table(), [table()], {"it": table()}):
        limited = brine.Power(Door(inner), ["open"]).limited(each="20s")
        with raw_guest({"door": limited}) as guest:
            followed(guest, "open")
            function = Tagged(["function", 5])
            answer = guest.asked(CALL, 2, 2, "each", [function], {})
            assert answer[3] == "power-argument: 'each' takes no functions"
            assert guest.asked(CALL, 3, 2, "count", [], {}) == [RETURN, 3, 7]


def test_a_facet_that_gives_itself_is_taken_as_far_as_a_guest_goes() -> None:
    facet = brine.Facet(["me", "wipe"])
    facet.returns["me"] = facet

    class Node(Row):
        def me(self) -> Any:
            return self

    outer = door(brine.Power(Node(), facet), brine.Facet(["me"], returns={"me": facet}))
    with raw_guest({"door": outer}) as guest:
        assert followed(guest, "open")[2][2]["methods"] == ["me"]
        assert followed(guest, "open", *["me"] * 50)[2][2]["methods"] == ["me", "wipe"]


@pytest.mark.parametrize(
    "weaken",
    [
        lambda power: power.only("count"),
        lambda power: power.watched(print),
        lambda power: power.limited(calls=1),
        lambda power: power.limited(each="1s"),
    ],
    ids=["only", "watched", "limited", "each"],
)
def test_a_power_that_is_weakened_too_often_is_refused_by_its_name(weaken: Any) -> None:
    power = brine.Power(Table(), ["count"])
    for _ in range(999):
        power = weaken(power)
    with pytest.raises(brine.UsageError, match="a power comes from more than 1000 others"):
        weaken(power)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: brine.Power(Table(), None), "methods: expected a list"),
        (lambda: brine.Power(Table(), 5), "methods: expected a list"),
        (lambda: brine.Power(Table(), attributes=5), "attributes: expected a list"),
        (lambda: brine.Facet(["row"], takes_functions=None), "takes_functions: expected a list"),
        (lambda: brine.Facet(["row"], returns=READ), "returns: expected a mapping"),
        (lambda: brine.Facet(["row"], returns={"row": ["read"]}), "'row': expected a Facet"),
        (
            lambda: brine.Facet(["row"], returns={"row": brine.Power(Row(), ["read"])}),
            "'row': expected a Facet",
        ),
        (lambda: brine.Facet(["row"], returns={"row": None}), "'row': expected a Facet"),
        (lambda: brine.Power(Table(), on_call=5), "on_call: expected a function"),
        (lambda: brine.Power(Table()).watched(None), "on_call: expected a function"),
        (lambda: brine.Power(Table(), reentrant="no"), "reentrant: expected True or False"),
        (lambda: brine.Power(Table()).only(5), "only: 5 is no name"),
        (lambda: brine.Power(Table()).limited(), "limited: nothing says by what"),
        (lambda: brine.Power(Table()).limited(calls=True), "calls: expected a number"),
        (lambda: brine.Power(Table()).limited(bytes=-1), "expected a size"),
        (lambda: brine.Power(Table()).limited(until=5), "until: expected a datetime"),
        (lambda: brine.Power(Table()).limited(each=0), "expected a length of time"),
    ],
)
def test_what_makes_no_power_is_refused_where_it_is_made(make: Any, message: str) -> None:
    with pytest.raises(brine.UsageError, match=message) as refused:
        make()
    assert refused.value.reason == "usage"


class Store:
    """An object that takes from a guest whatever it answers."""

    def __init__(self) -> None:
        self.taken = 0

    def loop(self, function: Callable[[], bytes]) -> None:
        """Call a function as often as that goes."""
        for _ in range(100):
            self.taken += len(function())

    def fetch(self) -> bytes:
        """Return much."""
        return bytes(900_000)


def store(most_bytes: str) -> brine.Power:
    """Return a power over a store that is limited."""
    given = brine.Power(Store(), ["loop", "fetch"], takes_functions=["loop"])
    return given.limited(bytes=most_bytes)


BIG = [RETURN, 1, bytes(200_000)]
LOOP = [CALL, 1, 1, "loop", [Tagged(["function", 5])], {}]


def framed(message: list[Any]) -> bytes:
    """Return the bytes of a message without its length."""
    return encode(message, list)


@pytest.mark.parametrize(
    ("said", "ends"),
    [
        ([framed(LOOP), framed([RETURN, 999, bytes(200_000)])], ProtocolError),
        ([framed(LOOP), framed([99, bytes(200_000)])], ProtocolError),
        ([framed(LOOP), framed(BIG) + b"more"], ProtocolError),
        ([framed(LOOP), framed(BIG)], None),
        ([framed([CALL, 1, 1, "loop", [Tagged(["function", 5]), bytes(200_000)], {}])], None),
        ([framed([CALL, 1, 1, "fetch", [], {}])], TimeoutError),
    ],
    ids=["a wrong answer", "no message", "no item", "answers", "arguments", "what is not read"],
)
def test_bytes_count_however_a_call_ends(said: list[bytes], ends: Any) -> None:
    power = store("100KiB")
    guest = RawGuest({"store": power}, 0.3)
    for message in said:
        guest.say_bytes(message)
    if ends is None:
        guest.table.serve_one()
    else:
        with pytest.raises(ends):
            guest.table.serve_one()
    guest.close()
    with raw_guest({"store": power}) as other:
        text = "power-spent: the power has no bytes left"
        assert other.asked(CALL, 1, 1, "fetch", [], {})[3] == text


def test_functions_bring_no_more_bytes_than_are_left() -> None:
    power = store("8KiB")
    with raw_guest({"store": power}) as guest:
        guest.say(*LOOP)
        for number in range(1, 9):
            guest.say(RETURN, number, bytes(1000))
        guest.table.serve_one()
        assert [guest.heard()[0] for _ in range(8)] == [CALL] * 8
        text = "power-spent: the power has no bytes left"
        assert guest.heard() == [THROW, 1, "PowerError", text]
    assert power._obj.taken == 8000


def test_bytes_of_a_call_inside_of_a_call_count_once() -> None:
    class Wide:
        def each(self, function: Callable[[], Any]) -> Any:
            return function()

        def put(self, data: bytes) -> int:
            return len(data)

    wide = brine.Power(Wide(), ["each", "put"], takes_functions=["each"], reentrant=True)
    with raw_guest({"wide": wide.limited(bytes="5KiB")}) as guest:
        guest.say(CALL, 1, 1, "each", [Tagged(["function", 5])], {})
        guest.say(CALL, 2, 1, "put", [bytes(3000)], {})
        guest.say(RETURN, 1, None)
        guest.table.serve_one()
        assert [guest.heard() for _ in range(3)][1:] == [[RETURN, 2, 3000], [RETURN, 1, None]]
        assert guest.asked(CALL, 3, 1, "put", [bytes(3000)], {}) == [RETURN, 3, 3000]
        assert guest.asked(CALL, 4, 1, "put", [b""], {})[3].startswith("power-spent")


def test_a_child_waits_for_no_lock_of_its_parent() -> None:
    power = brine.Power(Table(), ["count"]).limited(calls=1)

    def use() -> None:
        with raw_guest({"table": power}) as guest:
            assert guest.asked(CALL, 1, 1, "count", [], {}) == [RETURN, 1, 7]
            assert guest.asked(CALL, 2, 1, "count", [], {})[3].startswith("power-spent")
        _guest_process._starter()

    # Another thread may have them when a process forks.
    with _bounds._lock, _guest_process._lock:
        assert in_child(use, 10) == 0


def test_only_what_a_guest_takes_is_time_that_it_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, ends = [0.0], []
    monkeypatch.setattr("brine._power_table.monotonic", lambda: clock[0])

    class Slow:
        def each(self, function: Callable[[], Any]) -> None:
            for _ in range(3):
                function()
                clock[0] += 100

    power = brine.Power(Slow(), ["each"], takes_functions=["each"])
    with raw_guest({"slow": power}) as guest:
        read = guest.table._read

        def waited() -> bytes:
            ends.append(guest.table.waits_until(5))
            clock[0] += 1
            return read()

        monkeypatch.setattr(guest.table, "_read", waited)
        for _ in range(2):
            begin = clock[0] + 1
            guest.say(CALL, 7, 1, "each", [Tagged(["function", 5])], {})
            monkeypatch.setattr(guest.table, "_write", answer(guest))
            guest.table.serve_one()
            assert ends == [None, begin + 5, begin + 101 + 4, begin + 202 + 3]
            ends.clear()


def answer(guest: RawGuest) -> Callable[[bytes], None]:
    """Return what writes for a host to a guest that answers each function at once."""

    def write(data: bytes) -> None:
        message = decode(data[4:], Tagged)
        if message[0] == CALL:
            guest.say(RETURN, message[1], None)

    return write
