"""Powers: what a guest can do with an object of the host, and that it can do nothing else."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import pytest

import brine
from sandbox_kit import refuse_without_confinement

ALL = ["class", "def", "for", "raise", "try", "while", "with"]


@pytest.fixture(autouse=True)
def confined() -> None:
    refuse_without_confinement()


class Order:
    """What the shop returns."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.secret = "not for guests"

    def total(self) -> float:
        """Return what it costs."""
        return self.number * 1.5


class Shop:
    """An object of the host."""

    def __init__(self) -> None:
        self.name = "the shop"
        self.calls: list[str] = []
        self.is_open = False

    def get(self, number: int) -> Order:
        """Return an order."""
        self.calls.append(f"get {number}")
        return Order(number)

    def all(self) -> list[Order]:
        """Return several."""
        return [Order(1), Order(2)]

    def add(self, *numbers: int, more: int = 0) -> int:
        """Add numbers."""
        return sum(numbers) + more

    def same(self, order: Order) -> bool:
        """Say whether this is an object of the host again."""
        return type(order) is Order

    def each(self, function: Callable[[int], Any], count: int = 3) -> list[Any]:
        """Call a function."""
        return [function(number) for number in range(count)]

    def fails(self, kind: str) -> None:
        """Raise something."""
        local_secret = "must not cross"
        raise {"value": ValueError, "own": OwnError}[kind](f"about {kind}", len(local_secret))

    def delete(self) -> None:
        """Do what no guest may."""
        raise AssertionError

    def __enter__(self) -> Self:
        self.is_open = True
        return self

    def __exit__(self, *told: object) -> None:
        self.is_open = False
        self.calls.append(f"exit {told[:2]}")

    def __iter__(self) -> Iterator[int]:
        return iter((1, 2, 3))

    def __len__(self) -> int:
        return 3

    def __getitem__(self, key: str) -> str:
        return key.upper()


class OwnError(Exception):
    """An exception of the host's own."""


ORDER = brine.Facet(["total"], ["number"])
METHODS = ["get", "all", "add", "same", "each", "fails"]


@pytest.fixture
def shop() -> Shop:
    """An object of the host."""
    return Shop()


@pytest.fixture
def power(shop: Shop) -> brine.Power:
    """A power over it."""
    return brine.Power(
        shop, METHODS, ["name"], returns={"get": ORDER, "all": ORDER}, takes_functions=["each"]
    )


@pytest.fixture
def sandbox(power: brine.Power) -> Iterator[brine.Sandbox]:
    """A guest that has it."""
    with brine.Sandbox({"shop": power}, ALL) as one:
        yield one


def raised(sandbox: brine.Sandbox, code: str) -> tuple[str, str]:
    """Return what is raised there, which the guest can catch."""
    caught = f"try:\n    {code}\n    found = None\nexcept BaseException as error:\n    found = (type(error).__name__, str(error))\nfound"
    kind, text = sandbox.evaluate(caught)
    return kind, text


def test_methods_run_in_the_host(sandbox: brine.Sandbox, shop: Shop) -> None:
    assert sandbox.evaluate("shop.add(1, 2, more=3)") == 6
    assert sandbox.evaluate("shop.name") == "the shop"
    assert sandbox.evaluate("shop.get(7).total()") == 10.5
    assert shop.calls == ["get 7"]


def test_nothing_else_is_there(sandbox: brine.Sandbox) -> None:
    for code in (
        "shop.delete()",
        "shop.calls",
        "shop.get(1).secret",
        "shop.__dict__",
        "shop.get.__self__",
        "shop._obj",
        "len(shop)",
        "shop['a']",
        "iter(shop)",
    ):
        kind, _ = raised(sandbox, code)
        assert kind in {"AttributeError", "TypeError"}, code
    assert sandbox.evaluate("repr(shop), repr(shop.get), type(shop).__name__") == (
        "<a power>",
        "<method get of a power>",
        "Power",
    )
    shown = sandbox.evaluate("sorted(name for name in dir(shop) if not name.startswith('_'))")
    assert shown == sorted([*METHODS, "name"])


def test_what_a_method_returns_is_a_power_only_where_that_is_said(
    shop: Shop, sandbox: brine.Sandbox
) -> None:
    assert sandbox.evaluate("[order.number for order in shop.all()]") == [1, 2]
    with brine.Sandbox({"shop": brine.Power(shop, ["get"])}, ALL) as strict:
        kind, text = raised(strict, "shop.get(1)")
        assert (kind, "Order is neither data nor a power" in text) == ("PowerError", True)
        assert raised(strict, "shop.get(1)") == (kind, text)


def test_a_power_comes_back_as_the_object_that_it_is(sandbox: brine.Sandbox, shop: Shop) -> None:
    assert sandbox.evaluate("shop.same(shop.get(1))") is True
    assert sandbox.evaluate("shop") is shop
    assert sandbox.evaluate("[shop]") == [shop]
    assert sandbox.evaluate("shop.get(1) is shop.get(1)") is False
    assert sandbox.evaluate("again is shop", again=brine.Power(shop)) is False


def test_a_weaker_power_keeps_no_more(shop: Shop, power: brine.Power) -> None:
    with brine.Sandbox({"shop": power.only("add", "name")}, ALL) as one:
        assert one.evaluate("shop.add(1), shop.name") == (1, "the shop")
        assert raised(one, "shop.get(1)")[0] == "AttributeError"
    with pytest.raises(brine.UsageError, match="'delete' is not given, and so it cannot be kept"):
        power.only("delete")
    with pytest.raises(brine.UsageError, match="'get' is not given"):
        power.only("add").only("get")


def test_a_limited_power_ends(power: brine.Power) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=1)
    with brine.Sandbox(
        {
            "thrice": power.limited(calls=3),
            "small": power.limited(bytes="1KiB"),
            "soon": power.limited(until=soon),
            "past": power.limited(until=timedelta(0)),
        },
        ALL,
    ) as one:
        assert one.evaluate("thrice.add(1) + thrice.get(1).total()") == 2.5
        # What came from it counts, too.
        spent = ("PowerError", "the power has no calls left")
        assert raised(one, "thrice.add(1)") == spent
        assert one.evaluate("small.add(*[1] * 2000)") == 2000
        assert raised(one, "small.add(1)") == ("PowerError", "the power has no bytes left")
        assert one.evaluate("soon.add(1)") == 1
        assert raised(one, "past.add(1)") == ("PowerError", "the time of the power is over")
        time.sleep(1.1)
        assert raised(one, "soon.add(1)") == ("PowerError", "the time of the power is over")
    with pytest.raises(brine.UsageError, match="no time zone"):
        power.limited(until=datetime(2030, 1, 1))


def test_what_is_watched_can_be_refused(power: brine.Power) -> None:
    seen: list[Any] = []

    def watch(name: str, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        seen.append((name, arguments, keywords))
        if arguments == (13,):
            raise PermissionError("thirteen is not for guests")

    with brine.Sandbox({"shop": power.watched(watch)}, ALL) as one:
        one.evaluate("shop.add(1, more=2)\nshop.get(5).total()\nshop.name")
        assert raised(one, "shop.add(13)") == ("PermissionError", "thirteen is not for guests")
    assert seen == [
        ("add", (1,), {"more": 2}),
        ("get", (5,), {}),
        ("total", (), {}),
        ("name", (), {}),
        ("add", (13,), {}),
    ]


def test_revoking_ends_all_that_came_from_it(power: brine.Power) -> None:
    lent = power.only("get", "same", "add")
    limited = lent.limited(calls=100)
    with brine.Sandbox({"shop": lent, "limited": limited, "other": power}, ALL) as one:
        one.evaluate("order = shop.get(1)")
        lent.revoke()
        revoked = ("PowerError", "the power was revoked")
        for code in ("shop.add(1)", "limited.add(1)", "order.total()", "shop.get"):
            if code != "shop.get":
                assert raised(one, code) == revoked, code
        kind, text = raised(one, "other.same(order)")
        assert (kind, text) == ("PowerError", "a power that is given back was revoked")
        assert one.evaluate("other.add(2)") == 2
        assert (lent.is_revoked, limited.is_revoked, power.is_revoked) == (True, True, False)


def test_functions_go_only_where_a_method_takes_them(sandbox: brine.Sandbox) -> None:
    assert sandbox.evaluate("shop.each(lambda number: number * 2)") == [0, 2, 4]
    assert sandbox.evaluate(
        "class A:\n    def double(self, n): return n + n\nshop.each(A().double)"
    ) == [0, 2, 4]
    kind, text = raised(sandbox, "shop.add(lambda: 1)")
    assert (kind, text) == ("PowerError", "'add' takes no functions")
    assert raised(sandbox, "shop.each(lambda number: 1 / number)")[0] == "ZeroDivisionError"
    for code in ("len", "shop", "A"):
        assert raised(sandbox, f"shop.each({code})")[0] in {
            "NotPlainError",
            "Thrown",
            "TypeError",
        }, code


def test_a_function_is_dead_when_its_call_is_over() -> None:
    kept: list[Callable[[], Any]] = []
    with brine.Sandbox(
        {"keep": brine.Power(kept, ["append"], takes_functions=["append"])}, ALL
    ) as one:
        one.evaluate("keep.append(lambda: 1)")
        with pytest.raises(
            RuntimeError, match="the function was given for one call, which is over"
        ):
            kept[0]()


def test_functions_of_the_guest_are_called_so_often() -> None:
    shop = brine.Power(Shop(), ["each"], takes_functions=["each"])
    with brine.Sandbox({"shop": shop}, ALL, wall="60s", cpu="30s") as one:
        kind, text = raised(one, "shop.each(lambda number: 1, 10_001)")
        assert (kind, "more than 10000 times" in text) == ("RuntimeError", True)


def test_a_guest_does_not_enter_the_host_again() -> None:
    shop = Shop()
    shut = brine.Power(shop, ["each", "add"], takes_functions=["each"])
    wide = brine.Power(shop, ["each", "add"], takes_functions=["each"], reentrant=True)
    with brine.Sandbox({"shut": shut, "wide": wide}, ALL) as one:
        kind, text = raised(one, "shut.each(lambda number: shut.add(number))")
        assert (kind, "this power waits for its end" in text) == ("PowerError", True)
        assert one.evaluate("shut.each(lambda number: wide.add(number, 1))") == [1, 2, 3]
        assert one.evaluate("wide.each(lambda n: wide.each(lambda m: n * m))")[2] == [0, 2, 4]
        deep = "def again(n): return wide.each(again, 1)\nagain(0)"
        with pytest.raises(brine.RemoteError, match="RecursionError"):
            one.evaluate(deep)
        assert one.evaluate("1") == 1


def test_iterators_and_context_managers_cross(shop: Shop) -> None:
    facet = brine.Facet(["__iter__", "__next__"])
    special = ["__enter__", "__exit__", "__iter__", "__len__", "__getitem__"]
    power = brine.Power(
        shop,
        special,
        returns={"__iter__": facet, "__enter__": brine.Facet(["add"])},
    )
    with brine.Sandbox({"shop": power}, ALL) as one:
        assert one.evaluate("[n for n in shop], len(shop), shop['a']") == ([1, 2, 3], 3, "A")
        assert one.evaluate("with shop as inner:\n    x = inner.add(4)\nx") == 4
        assert not shop.is_open
        with pytest.raises(brine.RemoteError, match="ZeroDivisionError"):
            one.evaluate("with shop: 1 / 0")
    assert shop.calls == ["exit (None, None)", "exit ('ZeroDivisionError', 'division by zero')"]


def test_what_the_host_raises_crosses_as_a_name_and_a_text(sandbox: brine.Sandbox) -> None:
    assert raised(sandbox, "shop.fails('value')") == ("ValueError", "('about value', 14)")
    kind, text = raised(sandbox, "shop.fails('own')")
    assert (kind, text) == ("Thrown", f"{OwnError.__module__}.OwnError: ('about own', 14)")
    code = "try:\n    shop.fails('value')\nexcept ValueError as error:\n    frames = []\n    t = error.__traceback__\n    while t:\n        frames.append(t.tb_frame.f_code.co_filename)\n        t = t.tb_next\nframes"
    frames = sandbox.evaluate(code)
    assert not any("test_powers" in name for name in frames)


def test_what_is_dropped_is_released(sandbox: brine.Sandbox) -> None:
    sandbox.evaluate("for i in range(2000): shop.get(i)")
    sandbox.evaluate("shop.add(1)")
    assert sandbox._guest.given() < 10


def test_a_power_says_what_it_is_made_of_or_is_refused() -> None:
    for bad, message in (
        ({"methods": "get"}, "expected a list"),
        ({"methods": ["_private"]}, "begins with an underscore"),
        ({"methods": ["__class__"]}, "begins with an underscore"),
        ({"methods": ["__getattribute__"]}, "begins with an underscore"),
        ({"methods": ["a.b"]}, "is no name"),
        ({"attributes": ["__len__"]}, "begins with an underscore"),
        ({"methods": ["a"], "attributes": ["a"]}, "is a method and an attribute"),
        ({"methods": ["a"], "returns": {"b": brine.Facet()}}, "'b' is not given"),
        ({"methods": ["a"], "takes_functions": ["b"]}, "'b' is not given"),
    ):
        with pytest.raises(brine.UsageError, match=message):
            brine.Power(object(), **bad)


def test_a_power_does_not_use_the_sandbox_that_uses_it() -> None:
    with brine.Sandbox(operations=ALL) as one:
        again = brine.Power(one, ["evaluate"])
        code = "try:\n    again.evaluate('1')\nexcept BaseException as error:\n    found = str(error)\nfound"
        assert "neither another thread nor a power" in one.evaluate(code, again=again)


def test_what_a_method_raises_is_never_taken_for_the_end_of_the_guest(power: brine.Power) -> None:
    class Away:
        def get(self) -> None:
            raise ConnectionRefusedError("the database is away")

        def late(self) -> None:
            raise TimeoutError("it took long")

    with brine.Sandbox({"away": brine.Power(Away(), ["get", "late"])}, ALL) as one:
        assert raised(one, "away.get()")[1].endswith("the database is away")
        assert raised(one, "away.late()") == ("TimeoutError", "it took long")
        assert one.evaluate("1") == 1


def test_a_guest_that_is_given_what_does_not_cross_is_not_left_behind() -> None:
    with pytest.raises(brine.UsageError) as refused:
        brine.Sandbox({"x": object()})
    assert refused.value.reason == "not-plain"


def test_a_power_that_a_method_returns_is_bound_by_both() -> None:
    class Desk:
        def lend(self) -> brine.Power:
            return brine.Power(Shop(), ["add", "get"])

    desk = brine.Power(Desk(), ["lend"]).limited(calls=3)
    with brine.Sandbox({"desk": desk}, ALL) as one:
        assert one.evaluate("lent = desk.lend()\nlent.add(1), lent.add(2)") == (1, 2)
        assert raised(one, "lent.add(3)") == ("PowerError", "the power has no calls left")
    narrow = brine.Power(Desk(), ["lend"], returns={"lend": brine.Facet(["add"])})
    with brine.Sandbox({"desk": narrow}, ALL) as one:
        assert one.evaluate("lent = desk.lend()\nlent.add(1)") == 1
        assert raised(one, "lent.get(1)")[0] == "AttributeError"
        narrow.revoke()
        assert raised(one, "lent.add(1)") == ("PowerError", "the power was revoked")


def test_data_is_no_object_to_give_a_power_over(shop: Shop) -> None:
    power = brine.Power(shop, ["add"], returns={"add": brine.Facet(["bit_length"])})
    with brine.Sandbox({"shop": power}, ALL) as one:
        assert "was to return an object" in raised(one, "shop.add(1)")[1]


def test_a_refused_call_takes_nothing(power: brine.Power) -> None:
    outer = power.limited(calls=3)
    inner = outer.limited(bytes=1)
    with brine.Sandbox({"outer": outer, "inner": inner}, ALL) as one:
        one.evaluate("inner.add(1)")
        for _ in range(5):
            assert raised(one, "inner.add(1)")[1] == "the power has no bytes left"
        assert one.evaluate("outer.add(1) + outer.add(1)") == 2


def test_an_honest_guest_gives_any_number_of_functions(sandbox: brine.Sandbox) -> None:
    assert sandbox.evaluate("for i in range(1500): shop.each(lambda n: n)\n1") == 1


def test_a_function_is_given_also_where_something_was_dropped(sandbox: brine.Sandbox) -> None:
    assert sandbox.evaluate("shop.get(1)\nshop.get(2)\nshop.each(lambda n: n)") == [0, 1, 2]


def test_functions_are_called_by_the_thread_that_has_them() -> None:
    class Pool:
        def each(self, function: Callable[[int], Any]) -> list[Any]:
            with ThreadPoolExecutor(2) as pool:
                return list(pool.map(function, range(3)))

    with brine.Sandbox({"p": brine.Power(Pool(), ["each"], takes_functions=["each"])}, ALL) as one:
        assert "by the thread that it was given to" in raised(one, "p.each(lambda n: n)")[1]
        assert one.evaluate("1") == 1


def test_a_sandbox_can_be_closed_while_it_is_at_work() -> None:
    class Ends:
        def stop(self) -> None:
            one.close()

    one = brine.Sandbox({"p": brine.Power(Ends(), ["stop"])}, ALL)
    with pytest.raises(brine.GuestError, match="the sandbox was closed"):
        one.evaluate("p.stop()")
    other = brine.Sandbox(operations=["while"], wall="30s", cpu="20s")
    threading.Timer(0.3, other.close).start()
    with pytest.raises(brine.GuestError, match="the sandbox was closed"):
        other.evaluate("while True: pass")


class Clock:
    """An object whose methods take as long as they are told."""

    def __init__(self) -> None:
        self.go_on = threading.Event()

    def wait(self) -> str:
        """Wait until somebody says so."""
        self.go_on.wait(30)
        return "waited"

    def now(self) -> int:
        """Return at once."""
        return 7

    def late(self) -> None:
        """Raise what waiting raises, too."""
        raise TimeoutError("the shop is closed")


def test_a_call_takes_no_longer_than_it_may() -> None:
    clock = Clock()
    power = brine.Power(clock, ["wait", "now", "late"]).limited(each="200ms")
    names = {
        "clock": power,
        "other": brine.Power(clock, ["now"]),
        "always": brine.Power(clock, ["now"], reentrant=True),
    }
    reason = "try:\n    value = %s\nexcept PowerError as error:\n    value = error.reason\nvalue"
    with brine.Sandbox(names, ["try"], wall="20s") as sandbox:
        start = time.monotonic()
        assert sandbox.evaluate(reason % "clock.wait()") == "power-time"
        assert time.monotonic() - start < 10
        # It runs on, and so nothing else does that is not meant to.
        assert sandbox.evaluate(reason % "clock.now()") == "power-busy"
        assert sandbox.evaluate(reason % "other.now()") == "power-busy"
        assert sandbox.evaluate("always.now()") == 7
        clock.go_on.set()
        for _ in range(200):
            if sandbox.evaluate(reason % "clock.now()") == 7:
                break
            time.sleep(0.01)
        assert sandbox.evaluate("clock.now(), clock.wait()") == (7, "waited")
        # What a method raises is its own.
        with pytest.raises(brine.RemoteError, match="TimeoutError: the shop is closed"):
            sandbox.evaluate("clock.late()")


def test_methods_that_take_longer_do_not_pile_up() -> None:
    clock = Clock()
    power = brine.Power(clock, ["wait"], reentrant=True).limited(each="10ms")
    code = "def reason():\n    try:\n        clock.wait()\n    except PowerError as error:\n        return error.reason\n[reason() for _ in range(20)]"
    with brine.Sandbox({"clock": power}, ["def", "try"], wall="20s") as sandbox:
        assert sandbox.evaluate(code) == ["power-time"] * 16 + ["power-busy"] * 4
    clock.go_on.set()


def test_the_least_time_holds() -> None:
    clock = Clock()
    power = brine.Power(clock, ["wait"]).limited(each="30s").limited(each="100ms", calls=9)
    for weaker in (power, power.limited(each="30s"), power.only("wait")):
        with (
            brine.Sandbox({"clock": weaker}, wall="20s") as sandbox,
            pytest.raises(brine.RemoteError, match="takes longer than 0.1 s"),
        ):
            sandbox.evaluate("clock.wait()")
    clock.go_on.set()
    each = brine.Power(clock, ["wait"], takes_functions=["wait"])
    with pytest.raises(brine.UsageError, match="'wait' takes functions"):
        each.limited(each="1s")


class Shelf:
    """An object whose methods return powers, in lists and otherwise."""

    def __init__(self) -> None:
        self.ran = 0

    def go(self) -> int:
        """Count."""
        self.ran += 1
        return self.ran

    def many(self) -> Any:
        """Return powers in a list, a tuple and a dictionary."""
        return [(brine.Power(self, ["go"]),), {"it": brine.Power(self, ["go", "many"])}]


@pytest.mark.parametrize("place", ["shelf.many()[0][0]", "shelf.many()[1]['it']"])
def test_powers_in_what_a_method_returns_are_bound_as_it_is(place: str) -> None:
    told: list[str] = []
    shelf = brine.Power(Shelf(), ["many"])
    limited = shelf.limited(calls=3).watched(lambda name, *_: told.append(name))
    with brine.Sandbox({"shelf": limited}, ALL) as one:
        one.evaluate(f"it = {place}\nit.go()")
        shelf.revoke()
        assert raised(one, "it.go()") == ("PowerError", "the power was revoked")
    assert told == ["many", "go"]
    with brine.Sandbox({"shelf": brine.Power(Shelf(), ["many"]).limited(calls=3)}, ALL) as one:
        assert one.evaluate(f"it = {place}\nit.go(), it.go()") == (1, 2)
        assert raised(one, "it.go()") == ("PowerError", "the power has no calls left")


def test_powers_in_a_list_get_the_facet_that_is_said() -> None:
    class Box:
        def all(self) -> Any:
            return [brine.Power(Shelf(), ["go", "many"])]

    box = brine.Power(Box(), ["all"], returns={"all": brine.Facet(["go"])})
    with brine.Sandbox({"box": box}, ALL) as one:
        assert one.evaluate("box.all()[0].go()") == 1
        assert raised(one, "box.all()[0].many()")[0] == "AttributeError"


class Node:
    """An object that returns the next one, as a power of its own or as itself."""

    def __init__(self) -> None:
        self.own = brine.Power(self, ["me", "next"])

    def me(self) -> brine.Power:
        """Return itself."""
        return self.own

    def next(self) -> brine.Power:
        """Return another one."""
        return Node().own


def test_steps_from_power_to_power_count_once_each_and_end() -> None:
    told: list[str] = []
    power = Node().own.watched(lambda name, *_: told.append(name)).limited(calls=5000)
    with brine.Sandbox({"n": power}, ALL, wall="30s", cpu="30s") as one:
        one.evaluate("for _ in range(2000):\n    n = n.me()")
        assert told == ["me"] * 2000
        reason = "try:\n    while True:\n        n = n.next()\nexcept PowerError as error:\n    reason = str(error)\nreason"
        assert one.evaluate(reason) == "a power comes from more than 1000 others"
        assert one.evaluate("n.me() is not None") is True


def test_honest_data_that_does_not_cross_is_refused_and_the_guest_goes_on() -> None:
    kept: list[Any] = []

    class Keeps:
        def keep(self, function: Any) -> None:
            kept.append(function)

        def last(self) -> Any:
            return kept[-1]

    power = brine.Power(Keeps(), ["keep", "last"], takes_functions=["keep"])
    with brine.Sandbox({"keeps": power}, ALL) as one:
        for code in ("{2**n for n in range(1000)}", "[2**64] * 70000"):
            with pytest.raises(
                brine.RemoteError, match="keys are too many|more than 131072 values"
            ):
                one.evaluate(code)
        with pytest.raises(brine.UsageError, match="more than 131072 values"):
            one.evaluate("x", x=[2**64] * 70000)
        one.evaluate("keeps.keep(lambda: 1)")
        assert raised(one, "keeps.last()")[0] == "PowerError"
        assert one.evaluate("1") == 1


def test_a_revoked_power_is_no_value_either(power: brine.Power) -> None:
    lent = power.only("add")
    with brine.Sandbox({"shop": lent}, ALL) as one:
        assert type(one.evaluate("shop")) is Shop
        lent.revoke()
        with pytest.raises(brine.UsageError, match="given back was revoked") as caught:
            one.evaluate("[shop]")
        assert caught.value.reason == "power-revoked"
        assert one.evaluate("1") == 1
