"""Models and tables are loaded from what has verified, and nothing of them is where they were changed."""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING, Any

import pytest

import brine

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType


class Evil:
    """Makes a file when it is loaded."""

    def __reduce__(self) -> Any:
        return pathlib.Path.touch, (pathlib.Path("ran"),)


def _joblib() -> tuple[ModuleType, Any]:
    joblib = pytest.importorskip("joblib")
    return joblib.dump, joblib.load


def _pandas() -> tuple[Any, Any]:
    pandas = pytest.importorskip("pandas")
    return lambda value, file: pandas.to_pickle(value, file, compression=None), pandas.read_pickle


def _torch() -> tuple[Any, Any]:
    torch = pytest.importorskip("torch")
    return torch.save, lambda path: torch.load(path, weights_only=False)


LIBRARIES: dict[str, Callable[[], tuple[Any, Any]]] = {
    "joblib": _joblib,
    "pandas": _pandas,
    "torch": _torch,
}


@pytest.fixture(params=LIBRARIES)
def library(
    request: pytest.FixtureRequest, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Any, Any]:
    """What saves and loads, in an empty directory."""
    monkeypatch.chdir(tmp_path)
    return LIBRARIES[request.param]()


def signed(save: Any, value: Any, key: brine.Key) -> None:
    """Save a value to a file that is signed."""
    with brine.open("model", "wb", key=key, context="models") as file:
        save(value, file)


def test_what_was_saved_is_loaded(
    library: tuple[Any, Any], alice: brine.Key, trust: brine.Trust
) -> None:
    save, load = library
    signed(save, {"weights": [1.0, 2.0]}, alice)
    with brine.verified_path("model", context="models", trust=trust) as path:
        assert load(path) == {"weights": [1.0, 2.0]}


def test_an_exchanged_file_runs_without_signatures(library: tuple[Any, Any]) -> None:
    save, load = library
    with open("model", "wb") as file:
        save(Evil(), file)
    load("model")
    assert pathlib.Path("ran").exists()


@pytest.mark.parametrize(
    ("attack", "reason"),
    [
        ("unsigned", "not-an-envelope"),
        ("stranger", "unknown-signer"),
        ("context", "context-mismatch"),
    ],
)
def test_an_exchanged_file_is_refused_and_nothing_of_it_runs(
    attack: str,
    reason: str,
    library: tuple[Any, Any],
    alice: brine.Key,
    mallory: brine.Key,
    trust: brine.Trust,
) -> None:
    save, load = library
    if attack == "unsigned":
        with open("model", "wb") as file:
            save(Evil(), file)
    else:
        signed(save, Evil(), mallory if attack == "stranger" else alice)
    context = "tables" if attack == "context" else "models"
    with (
        pytest.raises(brine.Error) as caught,
        brine.verified_path("model", context=context, trust=trust) as path,
    ):
        load(path)
    assert caught.value.reason == reason
    assert not pathlib.Path("ran").exists()


def test_a_file_that_is_exchanged_after_it_verified_is_not_the_one_that_is_loaded(
    library: tuple[Any, Any], alice: brine.Key, trust: brine.Trust
) -> None:
    save, load = library
    signed(save, [1, 2], alice)
    with brine.verified_path("model", context="models", trust=trust) as path:
        pathlib.Path("model").unlink()
        with open("model", "wb") as file:
            save(Evil(), file)
        assert load(path) == [1, 2]
    assert not pathlib.Path("ran").exists()


@pytest.mark.parametrize("mode", ["r", "c"])
def test_joblib_maps_what_verified(
    mode: str,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    alice: brine.Key,
    trust: brine.Trust,
) -> None:
    monkeypatch.chdir(tmp_path)
    joblib, numpy = pytest.importorskip("joblib"), pytest.importorskip("numpy")
    signed(joblib.dump, {"weights": numpy.arange(6.0)}, alice)
    with brine.verified_path("model", context="models", trust=trust) as path:
        weights = joblib.load(path, mmap_mode=mode)["weights"]
        with pytest.raises(PermissionError):
            joblib.load(path, mmap_mode="r+")
        assert isinstance(weights, numpy.memmap)
        if mode == "c":
            weights[0] = 7
        # Nobody else sees that.
        assert joblib.load(path)["weights"].sum() == 15
    assert weights.sum() == (22 if mode == "c" else 15)


def test_processes_of_joblib_do_not_have_a_path_of_this_one(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    alice: brine.Key,
    trust: brine.Trust,
) -> None:
    monkeypatch.chdir(tmp_path)
    joblib, numpy = pytest.importorskip("joblib"), pytest.importorskip("numpy")
    signed(joblib.dump, numpy.arange(6.0), alice)
    with brine.verified_path("model", context="models", trust=trust) as path:
        weights = joblib.load(path, mmap_mode="r")
    total = joblib.delayed(numpy.sum)
    assert joblib.Parallel(n_jobs=2, prefer="threads")([total(weights)] * 2) == [15, 15]
    assert joblib.Parallel(n_jobs=2)([total(numpy.array(weights))] * 2) == [15, 15]
    assert "/fd/" in str(weights.filename)


def test_scikit_learn_predicts_from_what_verified(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    alice: brine.Key,
    trust: brine.Trust,
) -> None:
    monkeypatch.chdir(tmp_path)
    joblib = pytest.importorskip("joblib")
    linear_model = pytest.importorskip("sklearn.linear_model")
    model = linear_model.LinearRegression().fit([[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0])
    signed(joblib.dump, model, alice)
    with brine.verified_path("model", context="models", trust=trust) as path:
        assert joblib.load(path).predict([[3.0]]).round() == [7]


def test_torch_maps_weights_that_verified(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    alice: brine.Key,
    trust: brine.Trust,
) -> None:
    monkeypatch.chdir(tmp_path)
    torch = pytest.importorskip("torch")
    model = torch.nn.Linear(2, 1)
    signed(torch.save, model.state_dict(), alice)
    other = torch.nn.Linear(2, 1)
    with brine.verified_path("model", context="models", trust=trust) as path:
        other.load_state_dict(torch.load(path, weights_only=True, mmap=True))
    assert torch.equal(model.weight, other.weight)
