"""Sealing: secrets at rest, readable only with a key that is kept outside the database, and only in their own place.

AES-256-GCM. A sealed value is `1 | length of key id | key id | nonce (12) | ciphertext and tag`; its place and its key
id are associated data, so a value copied to another row, column or workspace does not open. The first key of the ring
seals, all of them open.
"""

import os
import re
import secrets
import tempfile
from base64 import b64decode, b64encode
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Self
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from connector_master.model.problem import Permanent

KEY_BYTES = 32
KEY_FILE = "secret.keys"

_VERSION = 1
_NONCE_BYTES = 12
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")
_HEX = re.compile(rf"[0-9A-Fa-f]{{{2 * KEY_BYTES}}}")
_CHECK_PLAIN = b"connector-master key check"


class InvalidSecretKeys(Permanent):
    """SECRET_KEYS or the key file is missing, misshapen, or not what the database was sealed with."""

    code = "invalid_secret_keys"
    title = "Secret keys unusable"
    remedy = "Set SECRET_KEYS (or restore DATA_DIR/secret.keys) to the keys this database was sealed with."


class UnknownSealingKey(Permanent):
    """A sealed value names a key that the ring does not hold."""

    code = "unknown_sealing_key"
    title = "Sealing key unknown"
    remedy = "Add the key named here to SECRET_KEYS, after the first one."


class SealBroken(Permanent):
    """A sealed value was changed, or does not belong in this place."""

    code = "seal_broken"
    title = "Sealed value damaged"
    remedy = "Enter the secret again; if nobody touched the database, restore a backup."


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sealed value lives. `row` is the row's id, or whatever else names it within its table."""

    workspace: UUID
    table: str
    row: UUID | str
    column: str

    def encoded(self) -> bytes:
        """Return the place as bytes that no other place has: each part behind its length."""
        parts = [self.workspace.bytes, *(str(part).encode() for part in (self.table, self.row, self.column))]
        return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


class KeyRing:
    """The sealing keys of this installation, by id. Its representation shows ids only."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        if not keys:
            raise InvalidSecretKeys("There is no secret key.")
        for key_id, key in keys.items():
            _check_key(key_id, key)
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self._first = next(iter(keys))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the ring that `text` describes: keys between commas, each `id:key` or only the key, in base64 or hex.

        A key without an id is named by the start of its SHA-256. Raises InvalidSecretKeys, saying which key is wrong.
        """
        keys: dict[str, bytes] = {}
        entries = [entry.strip() for entry in text.split(",")]
        for number, entry in enumerate(entries, start=1):
            given_id, separator, encoded = entry.rpartition(":")
            key = _decode(encoded, f"Key {given_id}" if separator else f"Key number {number}")
            key_id = given_id.strip() if separator else fingerprint(key)[:8]
            if key_id in keys:
                raise InvalidSecretKeys(f"Two secret keys are named {key_id}.")
            _check_key(key_id, key)
            keys[key_id] = key
        return cls(keys)

    @classmethod
    def load(cls, text: str | None, data_dir: Path, *, known: Collection[str]) -> Self:
        """Return the ring from `text` (SECRET_KEYS), else from the key file in `data_dir`, else a new one put there.

        `known` are the ids of keys that sealed something already (storage/key_checks.py): with any, no key is made.
        Raises InvalidSecretKeys. Touches the disk.
        """
        if text is not None and text.strip():
            return cls.parse(text)
        path = data_dir / KEY_FILE
        if not path.exists():
            if known:
                raise InvalidSecretKeys(
                    f"This database holds data sealed with {_named(known)}, but SECRET_KEYS is not set and "
                    f"{path} does not exist."
                )
            _make_key_file(path)
        return cls.parse(_read_key_file(path))

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all keys, the sealing one first."""
        return tuple(self._ciphers)

    @property
    def seals_with(self) -> str:
        """The id of the key that seals."""
        return self._first

    def seal(self, plain: bytes, place: Place) -> bytes:
        """Return `plain` sealed for `place` with the first key."""
        return self._seal(self._first, plain, place)

    def open(self, sealed: bytes, place: Place) -> bytes:
        """Return what was sealed for `place`. Raises UnknownSealingKey or SealBroken."""
        key_id, header_bytes = _header(sealed)
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise UnknownSealingKey(f"A value in {place.table}.{place.column} is sealed with key {key_id}.")
        nonce, ciphertext = sealed[header_bytes : header_bytes + _NONCE_BYTES], sealed[header_bytes + _NONCE_BYTES :]
        try:
            return cipher.decrypt(nonce, ciphertext, sealed[:header_bytes] + place.encoded())
        except (InvalidTag, ValueError) as error:
            raise SealBroken(f"A sealed value in {place.table}.{place.column} does not open.") from error

    def make_checks(self) -> dict[str, bytes]:
        """Return, by key id, the value that proves at a later start that the key is still the same."""
        return {key_id: self._seal(key_id, _CHECK_PLAIN, _check_place(key_id)) for key_id in self._ciphers}

    def verify_checks(self, checks: Mapping[str, bytes]) -> None:
        """Compare the ring with the stored `checks`. Raises InvalidSecretKeys naming the missing and the wrong keys."""
        missing = sorted(checks.keys() - self._ciphers.keys())
        wrong = sorted(
            key_id for key_id in checks.keys() & self._ciphers.keys() if not self._proves(key_id, checks[key_id])
        )
        if wrong:
            raise InvalidSecretKeys(
                f"{_named(wrong).capitalize()} differs from the one that sealed this database's data."
            )
        if missing:
            raise InvalidSecretKeys(
                f"This database holds data sealed with {_named(missing)}, but the keys given are {', '.join(self.ids)}."
            )

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(self._ciphers)})"

    def _proves(self, key_id: str, check: bytes) -> bool:
        try:
            return self.open(check, _check_place(key_id)) == _CHECK_PLAIN
        except (SealBroken, UnknownSealingKey):
            return False

    def _seal(self, key_id: str, plain: bytes, place: Place) -> bytes:
        name = key_id.encode("ascii")
        header = bytes([_VERSION, len(name)]) + name
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return header + nonce + self._ciphers[key_id].encrypt(nonce, plain, header + place.encoded())


def key_id_of(sealed: bytes) -> str:
    """Return the id of the key that `sealed` was sealed with. Raises SealBroken when it is no sealed value."""
    return _header(sealed)[0]


def generate_key() -> str:
    """Return a new random key as base64, as SECRET_KEYS wants it."""
    return b64encode(secrets.token_bytes(KEY_BYTES)).decode("ascii")


def fingerprint(secret: str | bytes) -> str:
    """Return the first 16 hex digits of the SHA-256 of `secret`: tells secrets apart, and can't be used as one."""
    return sha256(secret.encode() if isinstance(secret, str) else secret).hexdigest()[:16]


def _header(sealed: bytes) -> tuple[str, int]:
    if len(sealed) < 2 or sealed[0] != _VERSION or len(sealed) < 2 + sealed[1] + _NONCE_BYTES:
        raise SealBroken("A value is not in the form of a sealed one.")
    end = 2 + sealed[1]
    name = sealed[2:end].decode("latin-1")
    if not _KEY_ID.fullmatch(name):
        raise SealBroken("A value is not in the form of a sealed one.")
    return name, end


def _check_place(key_id: str) -> Place:
    return Place(UUID(int=0), "key_checks", key_id, "sealed")


def _check_key(key_id: str, key: bytes) -> None:
    if not _KEY_ID.fullmatch(key_id):
        raise InvalidSecretKeys("A secret key's id has 1 to 32 letters, digits, hyphens or underscores.")
    if len(key) != KEY_BYTES:
        raise InvalidSecretKeys(f"Secret key {key_id} has {len(key)} bytes; it needs {KEY_BYTES}.")


def _decode(encoded: str, which: str) -> bytes:
    text = encoded.strip()
    if not text:
        raise InvalidSecretKeys(f"{which} is empty.")
    if _HEX.fullmatch(text):
        return bytes.fromhex(text)
    padded = text + "=" * (-len(text) % 4)
    try:
        key = b64decode(padded.replace("-", "+").replace("_", "/"), validate=True)
    except ValueError as error:
        raise InvalidSecretKeys(f"{which} is neither base64 nor {2 * KEY_BYTES} hex digits.") from error
    if len(key) != KEY_BYTES:
        raise InvalidSecretKeys(f"{which} has {len(key)} bytes; it needs {KEY_BYTES}.")
    return key


def _named(key_ids: Collection[str]) -> str:
    return f"key{'s' if len(key_ids) > 1 else ''} {', '.join(sorted(key_ids))}"


def _make_key_file(path: Path) -> None:
    # Written whole under another name and then linked, so that of two first starts one wins and both read its key.
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{KEY_FILE}.")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(generate_key() + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)
        except FileExistsError:
            return
    finally:
        os.unlink(temporary)
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _read_key_file(path: Path) -> str:
    if os.name == "posix" and path.stat().st_mode & 0o077:
        raise InvalidSecretKeys(
            f"Other users of this machine can read {path}.",
            remedy=f"Run: chmod 600 '{path}'; then consider rotate-keys.",
        )
    lines = path.read_text("utf-8", "replace").splitlines()
    entries = ",".join(line.strip().rstrip(",") for line in lines if line.strip() and not line.lstrip().startswith("#"))
    if not entries:
        raise InvalidSecretKeys(f"{path} holds no key.")
    return entries
