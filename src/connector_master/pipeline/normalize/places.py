"""Places: countries by ISO code, Indian states by their English names, pincodes.

The lists are generated (tools/generate_places.py); here is what people write instead of them.
"""

import re
import unicodedata
from functools import cache

from ._places_data import COUNTRIES, INDIAN_STATES
from .text import clean_text

_LONGEST = 100
_PINCODE_LONGEST = 20

_ALSO_COUNTRIES = {
    "AE": "UAE|U A E|Emirates|Dubai|Abu Dhabi|Sharjah",
    "BA": "Bosnia",
    "CD": "DRC|DR Congo|Congo Kinshasa",
    "CG": "Congo Brazzaville|Republic of Congo",
    "CI": "Ivory Coast",
    "CN": "PRC|Mainland China",
    "CV": "Cape Verde",
    "CZ": "Czech Republic",
    "DE": "Deutschland",
    "ES": "España",
    "GB": "UK|U K|Great Britain|Britain|England|Scotland|Wales|Northern Ireland",
    "GR": "EL|Hellas",
    "IN": "Bharat|Hindustan|भारत|INDIA (IN)|Republic of Bharat",
    "IR": "Islamic Republic of Iran",
    "KP": "North Korea|DPRK",
    "KR": "South Korea|Korea|Republic of Korea|Korea South",
    "LA": "Laos",
    "MK": "Macedonia",
    "MM": "Burma",
    "NL": "Holland|The Netherlands",
    "PS": "Palestine",
    "RU": "Russia",
    "SA": "KSA|Saudi|Kingdom of Saudi Arabia",
    "SY": "Syria",
    "SZ": "Swaziland",
    "TL": "East Timor",
    "TR": "Turkey",
    "US": "U S|U S A|America|United States of America (USA)|USA (United States)",
    "VA": "Vatican|Vatican City",
    "VN": "Vietnam|Viet Nam",
    # Not in ISO's list, but the code that everybody uses for it.
    "XK": "XKX|Kosovo",
}

# Codes of older ISO editions and of vehicle plates; former names; spellings seen in enquiries.
_ALSO_STATES = {
    "Andaman and Nicobar Islands": "Andaman and Nicobar|Andaman Nicobar Island|Andamans",
    "Andhra Pradesh": "Andhra|Andra Pradesh",
    "Arunachal Pradesh": "Arunachal",
    "Chhattisgarh": "CT|Chattisgarh|Chhatisgarh|Chatisgarh",
    "Dadra and Nagar Haveli and Daman and Diu": (
        "DN|DD|DNH|DNHDD|Dadra and Nagar Haveli|Silvassa|Daman and Diu|Daman|Diu"
    ),
    "Delhi": "New Delhi|Delhi NCR|NCT of Delhi|NCT Delhi|National Capital Territory of Delhi|Delhi NCT",
    "Gujarat": "Gujrat|Gujarath",
    "Haryana": "Hariyana",
    "Himachal Pradesh": "Himachal",
    "Jammu and Kashmir": "J and K|JnK|Jammu|Kashmir",
    "Jharkhand": "Jharkand",
    "Karnataka": "Karnatka|Karnatak|Mysore State",
    "Kerala": "Keralam|Kerela",
    "Ladakh": "Leh Ladakh",
    "Lakshadweep": "Lakshadweep Islands|Laccadive Islands",
    "Madhya Pradesh": "Madya Pradesh",
    "Maharashtra": "Maharastra|Maharashtra State|Maharashtr",
    "Odisha": "OR|Orissa|Odisa",
    "Puducherry": "Pondicherry|Pondichery",
    "Punjab": "Panjab",
    "Rajasthan": "Rajastan|Rajsthan",
    "Tamil Nadu": "Tamilnad|Madras State",
    "Telangana": "TG|Telengana|Telangana State",
    "Uttar Pradesh": "Uttarpradesh|Utter Pradesh",
    "Uttarakhand": "UT|UA|Uttaranchal|Uttrakhand|Uttrakhand State|Uttarkhand",
    "West Bengal": "Bengal|Paschim Banga|Paschimbanga",
}

_WITHIN_WORDS = re.compile("[.'\u2019]")
_BETWEEN_WORDS = re.compile(r"[,()\-_/]")

_SIX_DIGITS = re.compile(r"([1-9][0-9]{2})[ -]?([0-9]{3})")
# Not the second half of a longer number, such as a telephone's.
_LAST_SIX_DIGITS = re.compile(
    r"(?<![0-9])(?<![0-9][ -])([1-9][0-9]{2})[ -]?([0-9]{3})[ .,;()-]*(?:india|bharat)?[ .,;()-]*$", re.IGNORECASE
)


def normalize_country(text: str) -> str | None:
    """Return the ISO alpha-2 code of the country that `text` names or codes, or None.

    >>> [normalize_country(text) for text in ("IN", "ind", "U.S.A.", "South Korea", "Atlantis")]
    ['IN', 'IN', 'US', 'KR', None]
    """
    return _countries().get(text) or _countries().get(_key(text))


def normalize_state(text: str, country: str | None) -> str:
    """Return an Indian state's English name; the state of another country as cleaned text.

    `country` is ISO alpha-2. Where it is not known, Indian names are recognised, but no codes: GA is Georgia too.

    >>> normalize_state("IN-MH", "IN"), normalize_state("orissa", None), normalize_state("GA", "US")
    ('Maharashtra', 'Odisha', 'GA')
    """
    state = clean_text(text)
    if country not in ("IN", None):
        return state
    key = _state_key(state)
    if country is None:
        return _states().get(key, state) if len(key) > 2 else state
    return _states().get(key) or _states().get(key.removeprefix("in")) or state


def normalize_pincode(text: str, country: str | None) -> str | None:
    """Return the postal code in `text`, cleaned, at most 20 characters; an Indian one as six digits.

    >>> normalize_pincode(" 400 001", "IN"), normalize_pincode("SW1A  1AA", "GB")
    ('400001', 'SW1A 1AA')
    """
    pincode = clean_text(text[: 10 * _PINCODE_LONGEST])
    if country == "IN" and (digits := _SIX_DIGITS.fullmatch(pincode)):
        return digits[1] + digits[2]
    return pincode[:_PINCODE_LONGEST].rstrip() or None


def pincode_in(address: str) -> str | None:
    """Return the six digits at the end of an Indian address, or None.

    >>> pincode_in("14, Ring Road, Surat - 395 001, India")
    '395001'
    """
    digits = _LAST_SIX_DIGITS.search(clean_text(address[-_LONGEST:]))
    return digits[1] + digits[2] if digits else None


def _key(text: str) -> str:
    """Return what two spellings of a place have in common: letters without marks, words with one blank."""
    text = clean_text(text[:_LONGEST]).casefold().replace("&", " and ")
    text = _WITHIN_WORDS.sub("", text)
    if not text.isascii():
        text = "".join(part for part in unicodedata.normalize("NFD", text) if not unicodedata.combining(part))
    return " ".join(_BETWEEN_WORDS.sub(" ", text).split()).removeprefix("the ")


def _state_key(text: str) -> str:
    # "Tamilnadu", "J & K", "Jammu Kashmir"
    return "".join(word for word in _key(text).split() if word != "and")


@cache
def _countries() -> dict[str, str]:
    known: dict[str, str] = {}
    for line in COUNTRIES.split("\n")[1:-1]:
        code, *names = line.split("|")
        known |= {_key(name): code for name in names} | {code: code, code.lower(): code}
    for code, names_text in _ALSO_COUNTRIES.items():
        known |= {_key(name): code for name in [code, *names_text.split("|")]}
    return known | {"uk": "GB", "UK": "GB", "XK": "XK"}


@cache
def _states() -> dict[str, str]:
    known: dict[str, str] = {}
    for line in INDIAN_STATES.split("\n")[1:-1]:
        code, name = line.split("|")
        known |= {_state_key(code): name, _state_key(name): name}
    for name, others in _ALSO_STATES.items():
        known |= {_state_key(other): name for other in others.split("|")}
    return known
