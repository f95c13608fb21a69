"""The naive service: what a competent team writes in a day, FastAPI and an ORM, one transaction for each request.

It checks what the hub checks (HMAC over the raw body, JSON, a phone by libphonenumber), finds or creates the lead by a
unique index, keeps the raw event, and answers after its commit. No trick is left out that the frameworks' own
documentation teaches: asyncpg, a pool that is not exhausted at 64 connections, one engine, prepared statements cached,
one statement to find or create.
"""

import hmac
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated
from uuid import UUID, uuid4

import phonenumbers
from fastapi import Depends, FastAPI, Header, HTTPException, Request
from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy import ForeignKey, LargeBinary, func
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from benchmarks.serving import serve

SECRET = os.environ.get("BENCHMARK_SECRET", "")
engine = create_async_engine(
    os.environ.get("BENCHMARK_DATABASE_URL", "postgresql+asyncpg://"), pool_size=32, max_overflow=32
)
sessions = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    """All tables."""


class Lead(Base):
    """One person, by phone."""

    __tablename__ = "leads"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    phone: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str | None]
    email: Mapped[str | None]
    city: Mapped[str | None]
    product: Mapped[str | None]
    source: Mapped[str | None]
    message: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    times_seen: Mapped[int] = mapped_column(default=1)


class Event(Base):
    """One request, as it came."""

    __tablename__ = "events"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    lead_id: Mapped[UUID] = mapped_column(ForeignKey(Lead.id), index=True)
    payload: Mapped[bytes] = mapped_column(LargeBinary)
    headers: Mapped[dict[str, str]] = mapped_column(JSONB)
    ip: Mapped[str | None]
    received_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)


class Enquiry(BaseModel):
    """The body that is expected."""

    model_config = ConfigDict(extra="allow")

    phone: str
    name: str | None = None
    email: str | None = None
    city: str | None = None
    product: str | None = None
    source: str | None = None
    message: str | None = None


class Answer(BaseModel):
    """What the sender is told."""

    status: str
    lead_id: UUID
    event_id: UUID


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Make the tables."""
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield
    await engine.dispose()


async def session() -> AsyncIterator[AsyncSession]:
    """Give each request its session."""
    async with sessions() as one:
        yield one


app = FastAPI(lifespan=lifespan)


@app.post("/webhook")
async def receive(
    request: Request,
    session: Annotated[AsyncSession, Depends(session)],
    x_webhook_signature: Annotated[str, Header()] = "",
) -> Answer:
    """Verify, read, find or create, keep, commit, answer."""
    body = await request.body()
    expected = "sha256=" + hmac.digest(SECRET.encode(), body, "sha256").hex()
    if not hmac.compare_digest(expected.encode(), x_webhook_signature.encode()):
        raise HTTPException(401, "invalid signature")
    try:
        enquiry = Enquiry.model_validate_json(body)
    except ValidationError as error:
        raise HTTPException(400, "invalid body") from error
    lead_id, created = await find_or_create(session, enquiry)
    event = Event(
        lead_id=lead_id,
        payload=body,
        headers={name: value for name, value in request.headers.items() if name != "x-webhook-signature"},
        ip=request.client.host if request.client else None,
    )
    session.add(event)
    await session.commit()
    return Answer(status="created" if created else "duplicate", lead_id=lead_id, event_id=event.id)


async def find_or_create(session: AsyncSession, enquiry: Enquiry) -> tuple[UUID, bool]:
    """Return the lead's id, and whether it is new."""
    new_id = uuid4()
    statement = insert(Lead).values(
        id=new_id,
        phone=e164(enquiry.phone),
        **enquiry.model_dump(include={"name", "email", "city", "product", "source", "message"}),
    )
    statement = statement.on_conflict_do_update(
        index_elements=[Lead.phone],
        set_={
            "name": func.coalesce(Lead.name, statement.excluded.name),
            "email": func.coalesce(Lead.email, statement.excluded.email),
            "times_seen": Lead.times_seen + 1,
        },
    )
    lead_id = (await session.execute(statement.returning(Lead.id))).scalar_one()
    return lead_id, lead_id == new_id


def e164(text: str) -> str:
    """Return the phone number in E.164."""
    try:
        number = phonenumbers.parse(text, "IN")
    except phonenumbers.NumberParseException as error:
        raise HTTPException(400, "invalid phone") from error
    if not phonenumbers.is_valid_number(number):
        raise HTTPException(400, "invalid phone")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


if __name__ == "__main__":
    sys.exit(serve(app))
