"""Write src/connector_master/pipeline/normalize/_places_data.py from pycountry's copy of the ISO lists.

pycountry is needed for this alone, so it is no dependency of the product: install it anywhere, then
`PYTHONPATH=<where> python tools/generate_places.py > src/connector_master/pipeline/normalize/_places_data.py`.
"""

import unicodedata

import pycountry

_HEAD = '''"""Countries and Indian states by their ISO 3166 names: written by tools/generate_places.py, not by hand."""

# alpha-2, alpha-3, then names.
COUNTRIES = """
{countries}
"""

# Code behind "IN-", then the name.
INDIAN_STATES = """
{states}
"""
'''


def countries() -> list[str]:
    """Return one line per country, by alpha-2."""
    lines = []
    for country in sorted(pycountry.countries, key=lambda country: country.alpha_2):
        names = [getattr(country, kind, None) for kind in ("common_name", "name", "official_name")]
        lines.append("|".join([country.alpha_2, country.alpha_3, *dict.fromkeys(filter(None, names))]))
    return lines


def states() -> list[str]:
    """Return one line per Indian state or union territory, its name without the marks nobody types."""
    found = sorted(pycountry.subdivisions.get(country_code="IN"), key=lambda state: state.code)
    return [f"{state.code.removeprefix('IN-')}|{_plain(state.name)}" for state in found]


def _plain(name: str) -> str:
    return "".join(part for part in unicodedata.normalize("NFD", name) if not unicodedata.combining(part))


if __name__ == "__main__":
    print(_HEAD.format(countries="\n".join(countries()), states="\n".join(states())), end="")
