"""What names of columns and files, and the texts of actions, mean: the vocabulary of logs.

Names are cut into words: ``CustomerID``, ``customer_id`` and ``customerid`` are the words customer and id.
"""

from __future__ import annotations

import re
from functools import cache


def a_set(text: str) -> frozenset[str]:
    return frozenset(text.split())


ID = a_set(
    "id ids no nr num number code key hash hashed uuid guid pk ref "
    "uid index anonymous anon anonymized pseudo encrypted ga"
)

USER = a_set(
    "user users customer cust visitor client member buyer shopper person account household profile reader viewer "
    "consumer player subscriber guest uid userid cookie reviewer email mail"
)
SESSION = a_set("session sess sid visit sessionid")
ITEM = a_set(
    "item items product products prod article articles sku skus asin movie film track song artist book hotel prop "
    "property restaurant venue stock good goods video ad advert doc document url listing recipe game course job news "
    "isbn ean upc gtin merchandise accommodation show pid iid"
)
REFERENCE = a_set("reference target clicked chosen selected")
LINE = a_set("lineitem line")  # around the words of an order's line
ADDRESS = a_set("url document doc page")
LONG = a_set("detail details long short full")
ORDER = a_set("order invoice basket transaction receipt ticket bill checkout purchase cart trans trx")
SLATE = a_set(
    "query search srch request impression slate list page qid rec recommendation serp response group exposure q req "
    "imp display auction"
)
TIME = a_set(
    "time timestamp ts date datetime day created at when epoch unix unixtime utc moment event stamp shown server local "
    "occurred happened ms us ns s seconds millis purchase order invoice click view search transaction sec visit "
    "interaction rated review action epochms eventdate rating updated received logged"
)
TIME_CORE = a_set("time timestamp ts date datetime created at when epoch unix unixtime stamp day moment")
VALID_FROM = a_set("valid from since updated modified changed start effective")
ACTION = a_set("action event type behavior behaviour interaction activity kind name category verb act")
ACTION_CORE = a_set("action event behavior behaviour interaction activity verb act type")
PRICE = a_set("price cost unit sale current selling amount fare rate usd eur gbp euro dollars local")
PRICE_CORE = a_set("price cost fare unitprice prices")
VALUE = a_set("value amount total revenue sales paid spend line subtotal money sum turnover")
OLD = a_set("old list regular original was base rrp before full msrp strike")
QUANTITY = a_set("quantity qty units pieces count amount qnt quant")
QUANTITY_CORE = a_set("quantity qty units pieces qnt quant")
POSITION = a_set("position pos rank slot place ranking")
POSITION_AROUND = a_set(
    "in list display shown displayed item product original input page result search srch slate ad the of on"
)
RATING = a_set("rating ratings stars star score grade overall")
CATEGORY = a_set("category cat cats categories genre genres department aisle section class subcategory group")
CATEGORY_CORE = a_set("category cat cats categories genre genres department aisle section")
BRAND = a_set("brand manufacturer maker vendor label")
SHOP = a_set("shop store seller merchant outlet market marketplace")
TITLE = a_set("title name description desc text summary url image")
ACTOR = a_set("is was has bool flag label binary n")  # around a word of an outcome

# Outcomes of a candidate, by the depth of what the user did. The gain of several is their order.
OUTCOMES: dict[int, frozenset[str]] = {
    1: a_set("click clicked clicks clk viewed ctr reward opened feedback"),
    2: a_set("cart carted basket added like liked fav saved wishlisted"),
    3: a_set(
        "purchase purchased order ordered buy bought book booked booking conversion converted transaction sale sold "
        "paid install subscribed"
    ),
}
GRADES = a_set("relevance label target gain grade judgement judgment rel y outcome response")

# Words of columns that come to be after the list was shown, or that the logging policy made.
AFTERWARDS = a_set(
    "dwell watch watched duration after bookings revenue gross conversion converted purchased reward clicked spent "
    "payment paid checkout outcome seen returned refund profit margin bounce bounced engaged engagement"
)
POLICY = a_set("propensity pscore logging ipw exploration")

FLAG = a_set("is has was flag bool binary promo promotion recommended sponsored new")

# Action of the log -> words. The first that matches is taken: the order matters.
CART = a_set("cart carts basket bag trolley atc addtocart tocart addcart addtobasket")
WISHED = a_set("like likes liked fav favorite favourite favorites wishlist wish save saved heart bookmark")
REMOVED = a_set("remove removed removal delete deleted uncart unlike")
ACTION_WORDS: dict[str, frozenset[str]] = {
    "remove_from_cart": REMOVED,
    "clear_cart": a_set("clear empty"),
    "like": WISHED | {"collect"},
    "add_to_cart": CART,
    "order": a_set(
        "purchase purchases purchased buy bought buys order orders ordered transaction transactions checkout book "
        "booked booking conversion sale sales pay paid clickout invoice invoices receipt receipts conv rent "
        "subscribe"
    ),
    "search": a_set("search searches query find"),
    "impression": a_set("impression impressions imp show shown display displayed exposure expose"),
    "view": a_set(
        "view views viewed click clicks clicked clk pv pageview detail details open opened product look watch play "
        "read visit browse browsing item page image"
    ),
}
ADDED = a_set("add added to item product")  # alone: to the cart
LISTED = a_set("view open show see begin start initiate")  # of a cart or checkout: it is looked at
UNDONE = a_set("cancelled canceled cancel refunded refund returned void voided failed declined rejected chargeback")
NO_ACTION = a_set("shipping payment info refund return returned logout")
REFINED = a_set("sort filter filters refine")  # a search is narrowed
CATEGORY_VISIT = a_set("category listing list plp")
HOME_VISIT = a_set("home homepage login start")

_KNOWN = frozenset().union(
    ID, USER, SESSION, ITEM, ORDER, SLATE, TIME, ACTION, PRICE, VALUE, QUANTITY, POSITION, RATING, CATEGORY, BRAND,
    SHOP, TITLE, *OUTCOMES.values(), GRADES, OLD,
)  # fmt: skip
_SHORT = 2  # a word that is found inside another has more letters, but for "id"


@cache
def words(name: str) -> tuple[str, ...]:
    """``InvoiceNo`` -> invoice, no; ``visitorid`` -> visitor, id; ``product_skus_hash`` -> product, skus, hash."""
    cut = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name)
    cut = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1 \2", cut)
    found = re.findall(r"[a-z]+|\d+", cut.lower())
    return tuple(part for word in found for part in _parts(word))


def _parts(word: str) -> tuple[str, ...]:
    if word in _KNOWN or len(word) <= _SHORT:
        return (word,)
    for at in range(len(word) - 2, _SHORT, -1):
        head, tail = word[:at], word[at:]
        if head in _KNOWN and tail in _KNOWN and (len(tail) > _SHORT or tail in ("id", "no", "ts", "at")):
            return (head, tail)
    return (word,)


def core(name: str) -> frozenset[str]:
    """The words of a name without those that only say that it is an id; all of them where nothing else is left."""
    found = words(name)
    return frozenset(each for each in found if each not in ID) or frozenset(found)


def is_named(name: str, known: frozenset[str], around: frozenset[str] = frozenset()) -> bool:
    """Whether every word of the name, but for those of ids and ``around``, is one of ``known``."""
    found = core(name) - around
    return bool(found) and found <= known


def speaks_of(name: str, known: frozenset[str]) -> bool:
    """Whether one word of the name is one of ``known``."""
    return bool(set(words(name)) & known)


def is_id_like(name: str) -> bool:
    return bool(set(words(name)) & ID)


def action_of_name(name: str) -> str | None:
    """The same for the name of a file or a time: ``order_products.csv`` are orders, ``products.csv`` no views."""
    told = [each for each in words(name) if each not in ITEM | {"page", "image", "detail", "details", "item"}]
    return action_of(" ".join(told))


def action_of(text: str) -> str | None:
    """The log's action that a text means, or None. ``search for item`` is a search, ``clickout item`` an order."""
    in_order = words(text)
    found = set(in_order)
    if not found or found & NO_ACTION or (found & REMOVED and found & WISHED):
        return None
    if in_order[0] in ACTION_WORDS["search"] or found & REFINED:
        return "search"
    if found & LISTED and found & (CART | {"checkout"}) and not found & {"add", "added"}:
        return "list_cart"
    if found <= ADDED and found & {"add", "added"}:
        return "add_to_cart"
    if found & {"view", "pv"} and found & CATEGORY_VISIT:
        return "visit_category"
    if found & HOME_VISIT and not found & CART:
        return "visit"
    return next((action for action, known in ACTION_WORDS.items() if found & known), None)
