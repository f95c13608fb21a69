"""What a WhatsApp message says, in words for a lead's notes, and what its sender filled into a form (a Flow)."""

from collections.abc import Callable, Iterator, Mapping
from re import compile as pattern
from types import MappingProxyType

from connector_master.model.json import Json, as_list, as_object
from connector_master.model.json_text import enter_text

_MEDIA = ("image", "video", "document", "audio", "sticker")
_MOST_LINES = 50
_LONGEST_ANSWER = 1_000

# Meta's form builder names its fields screen_0_Full_name_1.
_BUILDERS_AFFIXES = pattern(r"(?i)^screen_[0-9]+_|_[0-9]+$")
_BEYOND_LETTERS = pattern(r"[^a-z]")
_ANSWER_FIELDS: Mapping[str, str] = MappingProxyType(
    {"name": "name", "fullname": "name", "yourname": "name", "yourfullname": "name", "customername": "name"}
    | {"email": "email", "emailid": "email", "emailaddress": "email", "mail": "email", "youremail": "email"}
    | {"city": "city", "town": "city", "yourcity": "city"}
    | {"company": "company", "companyname": "company", "businessname": "company", "organisation": "company"}
    | {"organization": "company", "state": "state", "pincode": "pincode", "zipcode": "pincode", "postalcode": "pincode"}
)
"""Keys of a form's answers that say what they are → our name. A phone is none: the sender's own is proven."""


def text_of_message(message: Mapping[str, Json]) -> str:
    """Return what a person would read, one thing a line; in brackets what WhatsApp doesn't pass on, such as a picture."""
    kind = str(message.get("type") or "unknown")
    # An older kind of "unsupported" calls itself unknown.
    if kind == "unknown" and "errors" in message:
        kind = "unsupported"
    say = _SAY.get(kind)
    lines = [line for line in (say(message) if say else ()) if line][:_MOST_LINES] or [f"[{kind}]"]
    product = as_object(as_object(message.get("context")).get("referred_product"))
    if product:
        where = f" (catalogue {product['catalog_id']})" if product.get("catalog_id") else ""
        lines.append(f"Product: {_text(product.get('product_retailer_id')) or 'unknown'}{where}")
    return "\n".join(lines)


def answers_of(message: Mapping[str, Json]) -> dict[str, Json]:
    """Return the answers of a Flow by their keys, empty for every other message and for answers that can't be read."""
    reply = as_object(as_object(message.get("interactive")).get("nfm_reply"))
    answers = enter_text(reply.get("response_json"))
    return {key: value for key, value in as_object(answers).items() if key != "flow_token"}


def known_answers(answers: Mapping[str, Json]) -> dict[str, str]:
    """Return of a Flow's answers those that say what they are: name, email, city, company, state, pincode.

    >>> known_answers({"screen_0_Full_name_1": "Asha", "requirement": "10 looms"})
    {'name': 'Asha'}
    """
    known: dict[str, str] = {}
    for key, value in answers.items():
        field = _ANSWER_FIELDS.get(_bare(key))
        if field and (text := _text(value)):
            known.setdefault(field, text)
    if "name" not in known:
        parts = {_bare(key): _text(value) for key, value in answers.items()}
        if whole := " ".join(filter(None, (parts.get("firstname"), parts.get("lastname")))):
            known["name"] = whole
    return known


def _media(message: Mapping[str, Json]) -> Iterator[str]:
    kind = str(message["type"])
    media = as_object(message.get(kind))
    file = _text(media.get("filename")) or ("voice message" if media.get("voice") is True else "")
    yield _text(media.get("caption")) or (f"[{kind}: {file}]" if file else f"[{kind}]")


def _button(message: Mapping[str, Json]) -> Iterator[str]:
    button = as_object(message.get("button"))
    yield _text(button.get("text")) or _text(button.get("payload"))


def _interactive(message: Mapping[str, Json]) -> Iterator[str]:
    interactive = as_object(message.get("interactive"))
    kind = _text(interactive.get("type"))
    reply = as_object(interactive.get(kind))
    if kind == "nfm_reply":
        answers = answers_of(message)
        for key, value in answers.items():
            if _ANSWER_FIELDS.get(_bare(key)) is None and (text := _text(value)):
                yield f"{_BUILDERS_AFFIXES.sub('', key).replace('_', ' ')}: {text}"
        if not answers:
            yield _text(reply.get("response_json")) or _text(reply.get("body"))
    elif kind == "call_permission_reply":
        yield f"[call permission: {_text(reply.get('response')) or 'unknown'}]"
    else:
        yield _text(reply.get("title")) or (f"[{kind}]" if kind else "")


def _location(message: Mapping[str, Json]) -> Iterator[str]:
    location = as_object(message.get("location"))
    name, address = _text(location.get("name")), _text(location.get("address"))
    yield name
    yield address
    if not (name or address):
        where = ", ".join(filter(None, (_text(location.get("latitude")), _text(location.get("longitude")))))
        yield f"[location: {where}]" if where else ""


def _contacts(message: Mapping[str, Json]) -> Iterator[str]:
    if message.get("origin") == "contact_request":
        yield "[phone number shared on request]"
        return
    for card in _objects(message.get("contacts")):
        parts = [
            _text(as_object(card.get("name")).get("formatted_name")),
            _text(as_object(card.get("org")).get("company")),
        ]
        parts += [_text(phone.get("phone")) for phone in _objects(card.get("phones"))]
        parts += [_text(email.get("email")) for email in _objects(card.get("emails"))]
        yield "Shared contact: " + (", ".join(filter(None, parts)) or "without details")


def _order(message: Mapping[str, Json]) -> Iterator[str]:
    order = as_object(message.get("order"))
    yield _text(order.get("text"))
    for item in _objects(order.get("product_items")):
        price = " ".join(filter(None, (_text(item.get("item_price")), _text(item.get("currency")))))
        product = _text(item.get("product_retailer_id")) or "unknown product"
        yield f"{_text(item.get('quantity')) or '?'} x {product}" + (f" at {price}" if price else "")


def _unsupported(message: Mapping[str, Json]) -> Iterator[str]:
    kind = _text(as_object(message.get("unsupported")).get("type"))
    yield "[message content not available" + (f": {kind}]" if kind not in ("", "unknown") else "]")


_SAY: Mapping[str, Callable[[Mapping[str, Json]], Iterator[str]]] = MappingProxyType(
    {
        "text": lambda message: iter([_text(as_object(message.get("text")).get("body"))]),
        "button": _button,
        "interactive": _interactive,
        "location": _location,
        "contacts": _contacts,
        "order": _order,
        "unsupported": _unsupported,
    }
    | dict.fromkeys(_MEDIA, _media)
)


def _bare(key: str) -> str:
    return _BEYOND_LETTERS.sub("", _BUILDERS_AFFIXES.sub("", key).lower())


def _text(value: Json) -> str:
    """Return text and numbers as text, a list of them with commas, nothing of anything else."""
    if isinstance(value, list):
        return ", ".join(filter(None, map(_text, value[:_MOST_LINES])))[:_LONGEST_ANSWER]
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip() if isinstance(value, str | int | float) else ""


def _objects(value: Json) -> Iterator[dict[str, Json]]:
    return (one for one in as_list(value) if isinstance(one, dict))
