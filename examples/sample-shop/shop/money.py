"""Amounts of money as whole cents."""


def parse(text):
    """Return the cents of a price such as '12.30' or '7'.

    Raise ValueError for anything that is not a price.
    """
    whole, dot, cents = text.strip().partition(".")
    if not whole.isdigit() or (dot and (len(cents) != 2 or not cents.isdigit())):
        raise ValueError(f"not a price: {text!r}")
    return int(whole) * 100 + (int(cents) if dot else 0)


def show(cents):
    """Return an amount as people write it, such as '12.30'."""
    sign = "-" if cents < 0 else ""
    return f"{sign}{abs(cents) // 100}.{abs(cents) % 100:02d}"
