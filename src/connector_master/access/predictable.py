"""Predictable passwords: what a guesser tries first, at the lengths that we accept.

Lists of leaked passwords hold few of 15 characters or more, and those are nearly all built from known pieces: words,
names, years, runs of keys. So the pieces are listed here and what a password adds to them is counted.
"""

import re
from collections.abc import Iterable

_OWN_CHARACTERS = 8
"""What must be left of a password once its predictable pieces are gone."""
_DISTINCT_CHARACTERS = 6

_KNOWN_WHOLE = """
    correcthorsebatterystaple thequickbrownfox thequickbrownfoxjumpsoverthelazydog tobeornottobe
    tobeornottobethatisthequestion maytheforcebewithyou loremipsumdolorsitamet alliswellthatendswell onceuponatime
    ihaveadream wearethechampions youwillneverwalkalone neversaynever carpediem2020 theanswerisfortytwo
    imissyousomuch ilovemyfamily ilovemymom ilovemyhusband ilovemywife ilovejesuschrist jesuslovesme jesusismysavior
    ingodwetrust thisismypassword thisisapassword thisisasecret thisisnotapassword mysecretpassword mynewpassword
    iforgotmypassword dontforgetthis pleaseletmein idontknow123456 nopasswordneeded enteryourpassword
    yourpasswordhere changethispassword changemeplease changeitnow12345 defaultpassword administrator123
    rootrootrootroot supersecretpassword verysecretpassword averylongpassword longpassword12345 unbreakablepassword
    letmeinletmein1 opensesame12345 trustno1trustno1 q1w2e3r4t5y6u7i8o9p0 zaq12wsxcde34rfv manchesterunited
    liverpoolfootballclub realmadridcf1234 chelseafootballclub barcelonafc12345 indianpremierleague bharatmatakijai
    jaishreeram12345 jaihindjaibharat omnamahshivaya1 vandematram1234 radhekrishna1234 tradeindiaindiamart
    starwarsepisode harrypotter12345 gameofthrones123 lordoftherings12 pokemonpokemon1 spongebobsquarepants
    justinbieber1234 michaeljackson12 blink182blink182 metallicametallica
    """
_WHOLE = frozenset(_KNOWN_WHOLE.split())

_KNOWN_WORDS = """
    password passwort passwd passphrase passcode welcome letmein admin administrator root superuser login logon
    signin access secret secure security private default changeme change temporary temp test testing tester demo
    sample example guest user username master server system database postgres network internet computer office
    company business sales leads lead enquiry inquiry hello iloveyou loveyou love lovely princess sunshine monkey
    dragon football baseball cricket soccer basketball hockey superman batman spiderman starwars pokemon shadow
    ninja mustang ferrari porsche mercedes michael jordan jennifer jessica ashley daniel matthew andrew joshua
    charlie thomas robert william george samantha rahul priya sachin kohli dhoni krishna ganesh ganesha shiva
    hanuman jaishreeram omsairam india indian bharat hindustan mumbai delhi bangalore bengaluru chennai kolkata
    hyderabad gujarat punjab winter spring summer autumn january february march april june july august september
    october november december monday tuesday wednesday thursday friday saturday sunday google facebook instagram
    linkedin whatsapp youtube twitter amazon microsoft windows apple iphone android samsung indiamart tradeindia
    webhook connector connectors connectormaster hub freedom whatever trustno blink liverpool arsenal chelsea
    barcelona manchester united jesus christ angel flower cookie chocolate purple orange yellow banana cheese pepper
    ginger buster tigger hunter killer soccer player please forever family mother father sister brother
    """
_WORDS = frozenset(_KNOWN_WORDS.split())

_ROWS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890123456789",
    "qwertyuiop[]",
    "asdfghjkl;'",
    "zxcvbnm,./",
    "qwertzuiop",
    "yxcvbnm",
    "azertyuiop",
    "qsdfghjklm",
    "!@#$%^&*()_+",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
    "qazwsxedcrfvtgbyhnujmikolp",
    "1q2w3e4r5t6y7u8i9o0p",
    "q1w2e3r4t5y6u7i8o9p0",
    "zaq1xsw2cde3vfr4bgt5nhy6mju7",
    "zaq12wsxcde34rfvbgt56yhnmju7",
)
_RUNS = tuple(run for row in _ROWS for run in (row, row[::-1]))
_SHORTEST_RUN = 3
_YEAR = re.compile(r"(19|20)\d\d")
_SAME = re.compile(r"(.)\1{2,}", re.DOTALL)
# 1 stands for i or for l, so a password is read both ways.
_LEET = tuple(str.maketrans("0134578@$!|", f"o{one}eastbasi{one}") for one in "il")


def is_predictable(password: str, about: Iterable[str] = ()) -> bool:
    """Return whether `password` is common, one piece over and over, or little more than known pieces in a row.

    `about` are texts that a guesser would know: the user's e-mail address and name.

    >>> is_predictable("ConnectorMaster2026!"), is_predictable("qwertyuiop123456"), is_predictable("aXaXaXaXaXaXaXaX")
    (True, True, True)
    >>> is_predictable("mossy-teapot-verdict-lunar")
    False
    """
    text = password.casefold()
    bare = re.sub(r"[\W_]+", "", text)
    if bare in _WHOLE or len(set(text)) < _DISTINCT_CHARACTERS or _repeats(text):
        return True
    words = _WORDS | {word for known in about for word in re.findall(r"\w{4,}", known.casefold())}
    return any(_own_characters(text, text.translate(leet), words) < _OWN_CHARACTERS for leet in _LEET)


def _repeats(text: str) -> bool:
    # A text that equals itself when moved along repeats a piece of that size.
    return any(text[size:] == text[:-size] for size in range(1, min(len(text) // 2, 14) + 1))


def _own_characters(text: str, plain: str, words: Iterable[str]) -> int:
    known = [False] * len(text)
    for word in words:
        for form in {text, plain}:
            start = form.find(word)
            while start >= 0:
                known[start : start + len(word)] = [True] * len(word)
                start = form.find(word, start + 1)
    for pattern in (_YEAR, _SAME):
        for match in pattern.finditer(text):
            known[match.start() : match.end()] = [True] * (match.end() - match.start())
    start = 0
    while start < len(text):
        size = _run_length(text, start)
        if size >= _SHORTEST_RUN:
            known[start : start + size] = [True] * size
        start += max(1, size - 1)
    # Spaces and punctuation join pieces; they add little to guess.
    return sum(
        (character.isalnum() or not character.isascii()) and not taken
        for character, taken in zip(text, known, strict=True)
    )


def _run_length(text: str, start: int) -> int:
    size = 1
    while start + size < len(text) and any(text[start : start + size + 1] in run for run in _RUNS):
        size += 1
    return size
