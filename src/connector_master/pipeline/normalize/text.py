"""Cleaning: what a sender's text loses before anybody reads, compares or stores it.

PostgreSQL refuses NUL and lone surrogates; people are misled by invisible characters and reversed text.
Everything here takes time linear in the length of the text, whatever a sender puts in.
"""

import re
import unicodedata

# Control characters that are not blanks (str.split knows those), bidirectional marks, embeddings,
# overrides and isolates, zero-width space, word joiner and its deprecated neighbours, byte order mark.
# ZWNJ and ZWJ (U+200C, U+200D) stay: Hindi, Persian and emoji need them.
_JUNK = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u061c\u180e\u200b\u200e\u200f"
    "\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff]"
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_LINE_END = re.compile("\r+\n?|[\x0b\x0c\x85\u2028\u2029]")
_EMPTY_LINES = re.compile("\n{3,}")

# More combining marks on one letter than any script needs (UAX #15, Stream-Safe Text Format).
_MARKS_PER_LETTER = 30
# Marks are neither letters nor blanks. A run shorter than this can't hold 30 of them.
_PERHAPS_MANY_MARKS = re.compile(r"[^\w\s]{11}")


def clean_text(value: str) -> str:
    """Return `value` as one line of visible text in NFC, blanks collapsed and trimmed.

    >>> clean_text("  Ravi\\x00 \\u202eSample\\r\\n(Surat) ")
    'Ravi Sample (Surat)'
    """
    if not value.isascii():
        value = _composed(value)
    elif not value.isprintable():
        value = _JUNK.sub("", value)
    elif _is_neat(value):
        return value
    return " ".join(value.split())


def clean_lines(value: str) -> str:
    """Return `value` cleaned like `clean_text`, but with its line breaks as `\\n`, at most two in a row.

    `\\r\\r` is one break: IndiaMART writes it so (docs/connectors/indiamart.md).

    >>> clean_lines("Gate  valve\\r\\rQuantity : 6\\r\\n\\r\\n\\r\\nKindly quote ")
    'Gate valve\\nQuantity : 6\\n\\nKindly quote'
    """
    if not value.isascii():
        value = _composed(value)
    elif not value.isprintable():
        value = _JUNK.sub("", value)
    else:
        return value if _is_neat(value) else " ".join(value.split())
    lines = _LINE_END.sub("\n", value).split("\n")
    text = "\n".join(" ".join(line.split()) for line in lines)
    return _EMPTY_LINES.sub("\n\n", text).strip("\n")


def _is_neat(value: str) -> bool:
    """Tell whether printable ASCII has no blank too many: what most texts are, so it is asked first."""
    return "  " not in value and value[:1] != " " and value[-1:] != " "


def _composed(value: str) -> str:
    if _SURROGATE.search(value):
        # Halves that belong together become their character; lone ones go.
        value = value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
    value = _JUNK.sub("", value)
    if _PERHAPS_MANY_MARKS.search(value):
        value = _with_few_marks(value)
    return unicodedata.normalize("NFC", value)


def _with_few_marks(value: str) -> str:
    # NFC sorts the marks of a letter by insertion: 100,000 of them would take it five seconds.
    kept = []
    marks = 0
    for character in value:
        for part in unicodedata.normalize("NFD", character):
            marks = marks + 1 if unicodedata.combining(part) else 0
        if marks <= _MARKS_PER_LETTER:
            kept.append(character)
    return "".join(kept)
