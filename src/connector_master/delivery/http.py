"""HTTP: leads sent to any system that takes them, as our envelope or as a template makes them (docs/destinations.md)."""

from datetime import UTC, datetime

from connector_master.delivery.answers import beginning, problem_of
from connector_master.delivery.destination import Attempt, Destination, Means, Parcel
from connector_master.delivery.http_authentication import authenticated, forget_token
from connector_master.delivery.http_request import Outgoing, outgoing
from connector_master.delivery.http_settings import ANSWER_VARIABLES, Credentials, Settings, needs
from connector_master.delivery.signing import signed_headers
from connector_master.model.json import Json
from connector_master.model.problem import (
    AddressRefused,
    DestinationRefused,
    Problem,
    ProviderUnavailable,
    ReceiverUnavailable,
    TransformFailed,
    UnexpectedAnswer,
)
from connector_master.outbound.client import Answer
from connector_master.pipeline.expressions import compile_expression
from connector_master.pipeline.templates import written

_LONGEST_ID = 200


async def deliver(means: Means, settings: Settings, credentials: Credentials, parcel: Parcel) -> Attempt:
    """Send one parcel, and read from the answer whether it was taken."""
    request = outgoing(settings, parcel)
    try:
        answer = await _send(means, settings, credentials, parcel, request)
        if answer.status == 401 and forget_token(means, settings, credentials):
            answer = await _send(means, settings, credentials, parcel, request)
    except ProviderUnavailable as error:
        return Attempt(request=request.summary(), problem=ReceiverUnavailable(f"The {error.detail}"))
    except AddressRefused as error:
        return Attempt(request=request.summary(), problem=DestinationRefused(error.detail, remedy=error.remedy))
    except Problem as problem:
        return Attempt(request=request.summary(), problem=problem)
    read = _read(answer)
    verdict = _verdict(settings, answer, read)
    return Attempt(
        request=request.summary(),
        status=answer.status,
        answer=beginning(answer.text()),
        external_id=_id_in(settings, answer, read) if verdict is None else None,
        problem=verdict,
    )


destination = Destination(
    type="http",
    title="HTTP",
    summary="Any system that takes leads over HTTP: a webhook, a CRM's API.",
    settings=Settings,
    credentials=Credentials,
    deliver=deliver,
    needs=needs,
    signs=True,
)


async def _send(
    means: Means, settings: Settings, credentials: Credentials, parcel: Parcel, request: Outgoing
) -> Answer:
    headers = {**request.headers, **await authenticated(means, settings, credentials)}
    headers |= signed_headers(str(parcel.id), datetime.now(UTC), request.body or b"", means.secrets)
    client = means.client(request.base, float(settings.timeout_seconds))
    return await client.send(request.method, request.path, headers=headers, body=request.body)


def _read(answer: Answer) -> Json:
    try:
        return answer.json()
    except ProviderUnavailable:
        return answer.text()


def _verdict(settings: Settings, answer: Answer, read: Json) -> Problem | None:
    by_status = problem_of(answer)
    if settings.success_when is None:
        return by_status
    try:
        is_success = compile_expression(settings.success_when, ANSWER_VARIABLES).compute(
            {"status": answer.status, "body": read}
        )
        why = "The rule for success does not hold"
    except TransformFailed as error:
        is_success, why = False, f"The rule for success can't be read from the answer: {error.detail}"
    if is_success is True:
        return None
    return by_status or UnexpectedAnswer(f"The receiver answered HTTP {answer.status}, but that is no success. {why}.")


def _id_in(settings: Settings, answer: Answer, read: Json) -> str | None:
    if settings.id_from is None:
        return None
    try:
        found = compile_expression(settings.id_from, ANSWER_VARIABLES).compute({"status": answer.status, "body": read})
    except TransformFailed:
        return None
    return written(found)[:_LONGEST_ID] or None
