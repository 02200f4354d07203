"""A worker of Celery that begins what has verified, once, and keeps what it refuses."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from celery.worker.consumer import Consumer
from celery.worker.state import task_ready
from kombu.exceptions import ContentDisallowed, OperationalError
from kombu.messaging import Producer

from brine import _task_signatures
from brine._celery_channel import as_bytes, guard_connection
from brine._celery_messages import REFUSED_QUEUE
from brine._errors import Error
from brine._lease_keeper import LeaseKeeper
from brine._refused_tasks import Refused, is_verdict, log, logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from brine._brine import Lease

LATER_SECONDS = 2.0
"""When something is tried again that nothing of the message is to blame for."""


class SignedConsumer(Consumer):  # type: ignore[misc]
    """A consumer whose tasks have verified."""

    app: Any
    timer: Any
    qos: Any
    task_consumer: Any

    def __init__(
        self, on_task_request: Callable[[Any], Any], *arguments: Any, **named: Any
    ) -> None:
        super().__init__(self._begin, *arguments, **named)
        self._hand_on = on_task_request
        self._leases = LeaseKeeper(_task_signatures.LEASE.total_seconds())
        self._refusals: Any = None
        # In an election, an event that nobody has signed names a task, and the winner sends it with its own key.
        gossip = getattr(self, "gossip", None)
        if gossip is not None:
            gossip.election_handlers.clear()
            gossip.on_message = _unless_it_fails(gossip.on_message)

    def connection_for_read(self, *arguments: Any, **named: Any) -> Any:
        return guard_connection(super().connection_for_read(*arguments, **named))

    def create_task_handler(self, *arguments: Any, **named: Any) -> Any:
        self.task_consumer.refuse = self._refuse_unread
        self.task_consumer.connection_errors = self.connection_errors
        return super().create_task_handler(*arguments, **named)

    def _refuse_unread(self, message: Any, queue: str, error: Exception) -> None:
        if not is_verdict(error):
            logger.error("a message of %s waits: %s", queue, error)
            receive = self.task_consumer.receive_of
            self.timer.call_after(LATER_SECONDS, receive, (queue, message))
            return
        self._put(message, queue, error)
        if not message.acknowledged:
            message.ack_log_error(logger, self.connection_errors)

    def _begin(self, request: Any) -> None:
        """Hand a request to the pool, if it may begin now."""
        verified = getattr(request.message, "brine", None)
        if verified is not None:
            try:
                lease = verified.reserve()
            except Error as error:
                self._not_begun(request, error)
                return
            self._leases.keep(_Held(lease, request, self.timer))
        self._hand_on(request)

    def _not_begun(self, request: Any, error: Error) -> None:
        if not is_verdict(error):
            # Another has begun it, for one: it will have been done, or its process has died. What waits takes no place.
            self.qos.increment_eventually()
            self.timer.call_after(LATER_SECONDS, self._begin_again, (request,))
            return
        try:
            self._put(request.message, request.message.brine.queue, error)
        except ConnectionError:
            self.timer.call_after(LATER_SECONDS, self._begin, (request,))
            return
        task_ready(request)
        request.acknowledge()

    def _begin_again(self, request: Any) -> None:
        self.qos.decrement_eventually()
        self._begin(request)

    def on_unknown_message(self, body: Any, message: Any) -> None:
        self.keep(message, Error("it is no message of Celery", reason="task-form"))
        super().on_unknown_message(body, message)

    def on_unknown_task(self, body: Any, message: Any, exc: Exception) -> None:
        self.keep(message, Error("no task has this name here", reason="task-unknown"))
        super().on_unknown_task(body, message, exc)

    def on_invalid_task(self, body: Any, message: Any, exc: Exception) -> None:
        self.keep(message, exc)
        super().on_invalid_task(body, message, exc)

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        self.keep(message, exc)
        super().on_decode_error(message, exc)

    def keep(self, message: Any, error: Exception) -> None:
        """Keep a message that was read, with the reason."""
        verified = getattr(message, "brine", None)
        place = message.delivery_info.get("exchange") or message.delivery_info.get("routing_key")
        self._put(message, verified.queue if verified else str(place), error)

    def _put(self, message: Any, queue: str, error: Exception) -> None:
        """Put a message among those that are kept, with the reason. It is on the broker when this returns.

        Raise `ConnectionError` if it is not, for which Celery connects anew, and the broker gives the message again.
        """
        verified = getattr(message, "brine", None)
        content = verified.envelope if verified else as_bytes(message.body)
        kept = Refused.of(_cause(error), content, queue)
        log(f"celery:{queue}", error)
        if self._refusals is None:
            options = {**self.app.conf.broker_transport_options, "confirm_publish": True}
            self._refusals = self.app.connection_for_write(transport_options=options)
        try:
            Producer(self._refusals, auto_declare=False).publish(
                kept.to_json(),
                routing_key=REFUSED_QUEUE.name,
                declare=[REFUSED_QUEUE],
                content_type="application/json",
                content_encoding="utf-8",
                delivery_mode=2,
                retry=True,
                retry_policy={"max_retries": 3},
            )
        except OperationalError as lost:
            raise ConnectionError(f"a refused message of {queue} was not kept: {lost}") from lost


class _Held:
    """A task that has begun, until it is acknowledged, rejected or forgotten."""

    def __init__(self, lease: Lease, request: Any, timer: Any) -> None:
        self._lease, self._timer, self.is_settled = lease, timer, False
        self._acknowledge, self._reject = request._on_ack, request._on_reject
        request._on_ack, request._on_reject = self._acknowledged, self._rejected
        request.brine_held = self

    def renew(self) -> bool:
        self._lease.renew()
        return True

    def _acknowledged(self, *arguments: Any) -> None:
        self._settle(self._lease.commit, partial(self._acknowledge, *arguments))

    def _rejected(self, logger_of: Any, errors: Any, requeue: bool = False) -> None:
        end = self._lease.give_back if requeue else self._lease.commit
        self._settle(end, partial(self._reject, logger_of, errors, requeue))

    def _settle(self, end: Callable[[], None], tell_broker: Callable[[], None]) -> None:
        """Note how it ended, and then tell the broker. While that cannot be noted, it is held, and tried again."""
        try:
            end()
        except Error as error:
            logger.error("it cannot be noted that a task was begun: %s", error)
            if error.reason != "replay-lease-lost":
                self._timer.call_after(LATER_SECONDS, self._settle, (end, tell_broker))
                return
        self.is_settled = True
        tell_broker()


def _unless_it_fails(work: Callable[..., Any]) -> Callable[..., Any]:
    """Return what does the same, and goes on where an event cannot be read: these are for monitoring."""

    def guarded(*arguments: Any) -> None:
        try:
            work(*arguments)
        except Exception as error:  # noqa: BLE001
            logger.error("left an event out: %s", error)

    return guarded


def _cause(error: Exception) -> Exception:
    """Return what stands behind an exception of kombu."""
    if isinstance(error, ContentDisallowed):
        return Error("it is not signed", reason="not-an-envelope")
    cause = error.__context__
    return cause if isinstance(cause, Error) and not isinstance(error, Error) else error
