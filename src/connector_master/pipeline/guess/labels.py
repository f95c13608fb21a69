"""Labels: what the name of a form's field says about the field (docs/connectors/webhook.md, section 5).

A label is a key (`q5_phoneNumber`, `your-phone`, `Name_First`) or the question that people see. It is read as words,
without case, blanks, `_`, `-` and filler such as "your"; the words alone decide.
"""

import re
from functools import lru_cache

FIRST_NAME = "name.first"
LAST_NAME = "name.last"

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
# Outside ASCII capitals divide no words, and signs such as vowels of Indian scripts belong to them.
_FOREIGN_WORD = re.compile(r"(?:[^\W\d_][\u0300-\u036f\u0900-\u0dff]*)+|\d+")
_JOTFORM = re.compile(r"q\d+_")


def word_set(words: str) -> frozenset[str]:
    """Return the words of a text as a set."""
    return frozenset(words.split())


_FILLER = word_set(
    """
    your my our the a an please enter provide share give fill select choose what whats is are s of us kindly
    can you we i customer client buyer lead sender visitor applicant user primary main preferred best current
    field input text menu radio checkbox textarea dropdown required optional here below details detail for
    to on at
    """
)


# A lead field, its rank (the lowest is asked first), and labels with their words joined.
_TABLE = """
phoneNumber 1 phones mobiles phonenumbers telephones numbers
phoneNumber 1 phone phonenumber phoneno phonenum mobile mobilenumber mobileno mobilenum mob mobno mobilephone
phoneNumber 1 phonemobile cell cellphone cellnumber phn ph phno msisdn फोन फ़ोन मोबाइल मोबाइलनंबर फोननंबर
phoneNumber 1 फ़ोननंबर telefono teléfono telefon
phoneNumber 2 tel telephone telephonenumber telno whatsapp whatsappnumber whatsappno whatsappphone wanumber
phoneNumber 2 whatsappmobile
phoneNumber 3 contact contactnumber contactno contactnum contactphone contactmobile number callbacknumber
phoneNumber 3 reminder reminderphone remindernumber textremindernumber remindertextnumber phonewhatsapp
phoneNumber 3 mobilewhatsapp
phoneNumber 4 workphone homephone officephone workphonenumber businessphone companyphone landline
phoneNumber 4 landlinenumber
phoneNumber 5 alternatephone altphone alternatenumber alternatemobile altmobile phonealt mobilealt
phoneNumber 5 secondaryphone otherphone
email 1 emails emailaddresses email emailaddress emailid mail mailid mailaddress eaddress ईमेल emailadress
email 2 workemail businessemail workemailaddress companyemail contactemail personalemail officialemail
email 4 alternateemail altemail emailalt secondaryemail otheremail
name 1 name fullname completename namefull नाम पूरानाम
name 2 contactname contactperson contactpersonname personname nameperson nombre nameofperson
name 3 studentname patientname guestname parentname membername participantname candidatename ownername
name 3 firstandlastname
name.first 1 firstname fname givenname first namefirst forename contactfirstname
name.last 1 lastname lname surname familyname last namelast secondname contactlastname
businessName 1 company companyname organisation organisationname organization organizationname business
businessName 1 businessname
businessName 2 firm firmname shopname storename nameofcompany nameofbusiness companyorganization org orgname
businessName 2 कंपनी
notes 1 message messages comment comments requirement requirements query queries enquiry inquiry notes note
notes 1 remark remarks enquirymessage inquirymessage querymessage enquirydetails description additionalinfo
notes 1 additionalinformation संदेश additionalcomments additionalnotes specialrequirements questions
notes 1 howcanhelp howcanhelpyou yourmessage
productName 1 product products productname item items itemname productinterest productinterested
productName 1 interestedproduct whichproduct whichproducts productofinterest productrequired
productName 1 productinterestedin interestedin queryproductname
productName 2 service services servicename whichservice servicerequired serviceinterested productservice
productName 2 productsservices
attributes.quantity 1 quantity qty quantityrequired requiredquantity orderquantity howmany
city 1 city town cityname citytown शहर addresscity
state 1 stateprovince statename province stateregion addressstate राज्य
state 2 state
country 1 country countryname addresscountry देश nation
pincode 1 pincode pin zip zipcode postal postalcode postcode zippostalcode zippostal ziporpostalcode addresszip
pincode 1 postalzip
addressLine1 1 address streetaddress street address1 addressline1 addrline1 addressline fulladdress
addressLine1 1 postaladdress पता deliveryaddress shippingaddress billingaddress mailingaddress homeaddress
addressLine1 1 officeaddress companyaddress line1
addressLine2 1 address2 addressline2 addrline2 street2 streetaddress2 line2 streetaddressline2
campaign 1 campaign campaignname utmcampaign
source 1 source leadsource enquirysource
"""
_EXACT = {
    label: (field, int(rank))
    for field, rank, *labels in (line.split() for line in _TABLE.strip().splitlines())
    for label in labels
}
_PHONE = word_set(
    """
    phone mobile cell cellphone telephone tel whatsapp phonenumber mobilenumber mobileno phoneno फोन फ़ोन मोबाइल
    """
)
_SECOND = word_set("alternate alternative alt secondary other second work office home landline")
_NOTES = word_set(
    """
    message comment comments requirement requirements query enquiry inquiry remarks
    """
)
_PRODUCT = word_set("product products service services")
_COMPANY = word_set("company organisation organization business firm")
_NOT_CONTACT = word_set(
    """
    type country code consent verified status os device model brand id ids time date ext extension receiver
    recipient seller agent owner assigned assignee support count opt optin agree preference method url link
    subscribed subscription confirmed provider carrier operator prefix format hash valid validation clicks call
    calls opened sent template subject referrer staff salesperson representative rep vendor emergency domain
    bounced unsubscribe marketing permission
    """
)
_NOT_OTHER = word_set(
    """
    id ids code type size url link date time number no phone email mail price count status page form category
    website address quantity qty sku ip gst gstin city state country year years revenue turnover industry sector
    """
)


@lru_cache(maxsize=4096)
def words_of(label: str) -> tuple[str, ...]:
    """Return the words of a label in lower case, filler and numbers left out (`2` stays in "address 2").

    >>> words_of("q5_phoneNumber"), words_of("What is your name?"), words_of("Address 2")
    (('phone', 'number'), ('name',), ('address', '2'))
    """
    label = _JOTFORM.sub("", label[:200], count=1)
    words = [word.casefold() for word in (_WORD if label.isascii() else _FOREIGN_WORD).findall(label)]
    kept = [word for word in words if word not in _FILLER]
    kept = kept or words
    place = any(word.startswith(("addr", "street", "line")) for word in kept)
    return tuple(word for word in kept if not word.isdigit() or (place and word in "12"))


@lru_cache(maxsize=4096)
def meaning_of(label: str) -> tuple[str, int] | None:
    """Return the lead field that a label names and how surely (1 is surest), None when it names none.

    >>> meaning_of("Phone number (WhatsApp)"), meaning_of("form_name"), meaning_of("E-Mail*")
    (('phoneNumber', 6), None, ('email', 1))
    """
    words = words_of(label)
    if not words or len(words) > 14:
        return None
    joined = "".join(words)
    if exact := _EXACT.get(joined):
        return exact
    said = frozenset(words)
    if not said & _NOT_CONTACT:
        if said & _PHONE:
            return "phoneNumber", 7 if said & _SECOND else 6
        if "email" in joined:
            return "email", 6
    return _other_meaning(words, said)


def _other_meaning(words: tuple[str, ...], said: frozenset[str]) -> tuple[str, int] | None:
    if len(words) > 6 or said & _NOT_OTHER:
        return None
    if said & _NOTES:
        return "notes", 6
    if said & _COMPANY and ("name" in said or len(words) == 1):
        return "businessName", 6
    if said & _PRODUCT:
        return "productName", 6
    if words[-1] in ("city", "town") and len(words) <= 2:
        return "city", 6
    if words[-1] in ("pincode", "zipcode", "postcode") and len(words) <= 2:
        return "pincode", 6
    return None
