"""Messages of Dramatiq in Redis, which lie under ids of their own."""

from __future__ import annotations

from typing import Any

from brine._dramatiq_consumer import SignedConsumer
from brine._dramatiq_messages import REDIS_ID
from brine._errors import UsageError

_FETCH = """
local found = {}
for _ = 1, tonumber(ARGV[1]) do
    local id = redis.call("lpop", KEYS[1])
    if not id then break end
    local data = redis.call("hget", KEYS[2], id)
    if data then
        redis.call("sadd", KEYS[3], id)
        found[#found + 1] = {id, data}
    end
end
return found
"""
"""Fetches as Dramatiq does, and tells under which id each message lies. An id under which nothing lies is dropped."""


class Lying(bytes):
    """What lies in Redis under an id."""

    redis_id: bytes


def fetched(broker: Any, queue: str, count: int) -> list[Lying]:
    """Take so many messages of a queue at most."""
    # It says that this worker lives, and gives back what those have that do not.
    broker._dispatch("fetch")(queue, 0)
    name = f"{broker.namespace}:{queue}"
    taken = f"{broker.namespace}:__acks__.{broker.broker_id}.{queue}"
    fetch = broker.client.register_script(_FETCH)
    found = []
    for redis_id, data in fetch(keys=[name, f"{name}.msgs", taken], args=[count]):
        one = Lying(data)
        one.redis_id = redis_id
        found.append(one)
    return found


class SignedRedisConsumer(SignedConsumer):
    """Gives out messages that lie under the ids that are signed in them, by which Dramatiq removes them."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._given_out: set[bytes] = set()

    def check(self, fields: dict[str, Any], data: Any) -> None:
        own = fields["options"].get(REDIS_ID)
        if type(own) is not str or own.encode() != data.redis_id:
            raise UsageError("it does not lie under its id", reason="task-place")
        if data.redis_id in self._given_out:
            raise UsageError("this worker has it already", reason="task-place")

    def ack(self, message: Any) -> None:
        super().ack(message)
        self._given_out.discard(message.data.redis_id)

    def nack(self, message: Any) -> None:
        is_waiting = message.is_waiting
        super().nack(message)
        if not is_waiting:
            self._given_out.discard(message.data.redis_id)

    def _received(self) -> Any:
        message = super()._received()
        if message is None:
            return None
        redis_id = message.data.redis_id
        if message.refusal is None:
            self._given_out.add(redis_id)
        elif redis_id not in self._given_out:
            # It is removed from where it lies. What was given out from there is done there.
            message.options[REDIS_ID] = redis_id
        return message
