"""Powers stay where their objects are: no pickle and no copy takes an object along."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import brine
from brine._guest.peer import CALL
from brine._power_table import GuestFunction
from sandbox_kit import Tagged, raw_guest, refuse_without_confinement

if TYPE_CHECKING:
    from collections.abc import Callable


class Account:
    """An object of the host with something that is nobody else's."""

    def __init__(self) -> None:
        self.password = "hunter2"

    def get(self) -> int:
        """Return what may be known."""
        return 7

    def __reduce__(self) -> Any:
        raise AssertionError("an object of the host was asked for its parts")


ACCOUNT = brine.Power(Account(), ["get"])
POWERS = {
    "a power": ACCOUNT,
    "a limited one": ACCOUNT.limited(calls=3),
    "one of a class of its own": type("Own", (brine.Power,), {})(Account(), ["get"]),
    "its method": ACCOUNT.only,
    "a list": [ACCOUNT],
}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("value", POWERS.values(), ids=POWERS)
def test_no_power_is_pickled(value: Any, protocol: int) -> None:
    with pytest.raises(
        brine.UsageError, match="stays in this process, and is not pickled"
    ) as refused:
        pickle.dumps(value, protocol)
    assert refused.value.reason == "usage"
    assert "give it to the guest by name" in str(refused.value.hint)


def test_no_function_of_a_guest_is_pickled() -> None:
    kept: list[Any] = []

    class Each:
        def each(self, function: Any) -> None:
            kept.append(function)

    with raw_guest({"each": brine.Power(Each(), ["each"], takes_functions=["each"])}) as guest:
        guest.asked(CALL, 1, 1, "each", [Tagged(["function", 5])], {})
        for value in (kept[0], guest.table):
            with pytest.raises(brine.UsageError, match="stays in this process"):
                pickle.dumps(value)
    assert type(kept[0]) is GuestFunction


def test_a_copy_of_a_power_is_the_power() -> None:
    for value in POWERS.values():
        if isinstance(value, brine.Power):
            assert copy.copy(value) is value
            assert copy.deepcopy({"deep": [value]})["deep"][0] is value


def test_code_takes_no_power_along() -> None:
    cloudpickle = pytest.importorskip("cloudpickle")
    own = brine.Power(Account(), ["get"])

    def closure() -> Any:
        return own._obj

    def default(power: Any = own) -> Any:
        return power._obj

    functions: list[Callable[..., Any]] = [closure, default, lambda: own._obj]
    for function in functions:
        with pytest.raises(brine.UsageError, match="stays in this process"):
            cloudpickle.dumps(function)


def test_a_function_that_names_a_power_is_told_what_to_do() -> None:
    refuse_without_confinement()
    pytest.importorskip("cloudpickle")
    own = brine.Power(Account(), ["get"])
    with brine.Sandbox() as sandbox:
        with pytest.raises(
            brine.UsageError, match="give it to the guest by name, or to a function"
        ):
            sandbox.call(lambda: own._obj.password)
        assert sandbox.call(lambda given: given.get(), own) == 7
        with pytest.raises(brine.UsageError, match="a Sandbox stays in this process"):
            pickle.dumps(sandbox)


def test_a_server_is_not_pickled(tmp_path: Path) -> None:
    with (
        brine.PowerServer(tmp_path / "s", {"account": ACCOUNT}) as server,
        pytest.raises(brine.UsageError, match="a PowerServer stays in this process"),
    ):
        pickle.dumps(server)
