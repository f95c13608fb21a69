"""Enquiries as Indian buyers write them: plausible, slightly dirty, the same ones for the same seed.

Nobody is meant: names are put together by chance, phones lie in +91 9000 0xxxxx and following, e-mails at example.com.
"""

from dataclasses import dataclass
from random import Random

_words = str.split
_FIRST = _words(
    """Aarav Aditi Ajay Amit Anil Anjali Arjun Asha Bhavna Deepa Dinesh Farhan Gauri Gurpreet Harish Imran Ishita Jaya
    Karthik Kavita Kiran Lakshmi Mahesh Manoj Meena Mohammed Neha Nikhil Pallavi Pooja Prakash Priya Rahul Rajesh Ramesh
    Ravi Rekha Rohit Sandeep Sangeeta Sanjay Shalini Shreya Sunil Sunita Suresh Swati Tanvi Uday Usha Varun Vijay Vikas Zoya"""
)
_LAST = _words(
    """Agarwal Bansal Bhat Chauhan Das Desai Deshmukh Fernandes Ghosh Gupta Iyer Jain Joshi Kapoor Kaur Khan Kulkarni Kumar
    Mehta Menon Mishra Nair Naidu Pandey Patel Pillai Qureshi Rao Reddy Roy Saxena Shah Sharma Shetty Singh Sinha Thakur
    Tiwari Varma Verma Yadav"""
)
# City, state, first three digits of its postal codes.
_PLACES = [
    ("Ahmedabad", "Gujarat", "380"),
    ("Bengaluru", "Karnataka", "560"),
    ("Bhopal", "Madhya Pradesh", "462"),
    ("Chennai", "Tamil Nadu", "600"),
    ("Coimbatore", "Tamil Nadu", "641"),
    ("Guwahati", "Assam", "781"),
    ("Hyderabad", "Telangana", "500"),
    ("Indore", "Madhya Pradesh", "452"),
    ("Jaipur", "Rajasthan", "302"),
    ("Kanpur", "Uttar Pradesh", "208"),
    ("Kochi", "Kerala", "682"),
    ("Kolkata", "West Bengal", "700"),
    ("Ludhiana", "Punjab", "141"),
    ("Meerut", "Uttar Pradesh", "250"),
    ("Mumbai", "Maharashtra", "400"),
    ("Nagpur", "Maharashtra", "440"),
    ("New Delhi", "Delhi", "110"),
    ("Patna", "Bihar", "800"),
    ("Pune", "Maharashtra", "411"),
    ("Rajkot", "Gujarat", "360"),
    ("Surat", "Gujarat", "395"),
    ("Visakhapatnam", "Andhra Pradesh", "530"),
]
_STREETS = [
    "Station Road",
    "MG Road",
    "Industrial Area Phase II",
    "Gandhi Nagar",
    "Ring Road",
    "Nehru Marg",
    "GIDC Estate",
]
# Product, its category, a unit.
_PRODUCTS = [
    ("Stainless Steel Gate Valve", "Gate Valves", "Piece"),
    ("Cotton Yarn 40s", "Cotton Yarn", "Kg"),
    ("Solar Water Heater 200 LPD", "Solar Water Heaters", "Unit"),
    ("Submersible Pump 5 HP", "Submersible Pumps", "Unit"),
    ("Basmati Rice 1121", "Basmati Rice", "Ton"),
    ("HDPE Pipe 110 mm", "HDPE Pipes", "Meter"),
    ("Dye Sublimation Ink", "Sublimation Ink", "Litre"),
    ("Turmeric Powder", "Spice Powder", "Kg"),
    ("LED Street Light 60 W", "LED Street Lights", "Piece"),
    ("Corrugated Box 5 Ply", "Corrugated Boxes", "Piece"),
    ("Biochemistry Analyzer", "Laboratory Equipment", "Unit"),
    ("TMT Bar 12 mm", "TMT Bars", "Ton"),
    ("Office Chair", "Office Furniture", "Piece"),
    ("Leather Safety Shoes", "Safety Shoes", "Pair"),
]
_SUFFIXES = ["Traders", "& Sons", "Enterprises", "Industries", "Exports", "Agencies", "Pvt Ltd", "& Co"]
_WISHES = [
    "I want to buy {product}. Kindly send me price and other details.",
    "We are looking for {product}, please quote your best price with delivery time.",
    "Need {product} urgently for our new unit. Do you deliver to {city}?",
    "Please share catalogue and price list of {product}.",
    "{product} chahiye, rate batayein.",
]
_PHONES = 1_000_000
_REMEMBERED = 500


@dataclass(frozen=True, slots=True)
class Enquiry:
    """What a buyer asked. Empty text where nothing was filled in; `phone` is E.164, spelt differently by each provider."""

    number: int
    kind: str
    name: str
    phone: str
    email: str
    company: str
    address: str
    city: str
    state: str
    pincode: str
    country: str
    product: str
    category: str
    quantity: str
    message: str


class Enquiries:
    """Makes enquiries by their number. `repeats` is the share that comes from a buyer who has asked lately."""

    def __init__(self, seed: int = 1, repeats: float = 0.08) -> None:
        self.seed = seed
        self.repeats = repeats

    def make(self, number: int) -> Enquiry:
        """Return enquiry `number`, always the same one.

        >>> Enquiries(1).make(7) == Enquiries(1).make(7)
        True
        """
        chance = Random(f"{self.seed}/{number}")  # noqa: S311 - nothing is to be kept secret
        buyer = number
        if number and chance.random() < self.repeats:
            buyer = max(0, number - _REMEMBERED) + chance.randrange(min(number, _REMEMBERED))
        person = Random(f"{self.seed}/buyer/{buyer}")  # noqa: S311
        first, last = person.choice(_FIRST), person.choice(_LAST)
        city, state, code = person.choice(_PLACES)
        pincode = f"{code}{person.randrange(1, 100):03d}"
        company = f"{last} {person.choice(_SUFFIXES)}" if person.random() < 0.6 else ""
        email = f"{first}.{last}{buyer % 97}@example.com".lower() if person.random() < 0.7 else ""
        street = f"{person.randrange(1, 200)} {person.choice(_STREETS)}"
        product, category, unit = chance.choice(_PRODUCTS)
        wish = chance.choice(_WISHES).format(product=product, city=city)
        return Enquiry(
            number=number,
            kind=chance.choices(["direct", "bought", "call", "view", "whatsapp"], [70, 12, 8, 4, 6])[0],
            name=_untidy(f"{first} {last}", chance),
            phone=f"+919{buyer % _PHONES:09d}",
            email=email.upper() if chance.random() < 0.1 else email,
            company=company,
            address=f"{street}, {city}, {state}, {pincode}",
            city=city.upper() if chance.random() < 0.1 else city,
            state=state,
            pincode=pincode if chance.random() < 0.8 else "",
            country="IN",
            product=product,
            category=category,
            quantity=f"{chance.choice([1, 2, 5, 10, 50, 100, 500])} {unit}",
            message=wish,
        )


def spell_phone(phone: str, number: int) -> str:
    """Return an Indian number in one of the ways in which people write it, chosen by `number`.

    >>> [spell_phone("+919000000007", number) for number in range(3)]
    ['+91-9000000007', '+919000000007', '9000000007']
    """
    if not phone.startswith("+91") or len(phone) != 13:
        return phone
    digits = phone[3:]
    ways = [f"+91-{digits}", phone, digits, f"0{digits}", f"+91 {digits[:5]} {digits[5:]}", f"+91-0{digits}"]
    return ways[number % len(ways)]


def _untidy(name: str, chance: Random) -> str:
    roll = chance.random()
    if roll < 0.12:
        return name.upper()
    if roll < 0.2:
        return name.lower()
    if roll < 0.26:
        return f"  {name.replace(' ', '   ')} "
    return f"Mr {name}" if roll < 0.3 else name
