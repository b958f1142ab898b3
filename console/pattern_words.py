"""What a pattern of the schemas wants, in words: who types an id need not read a regular expression."""

from __future__ import annotations

_ID = "[A-Za-z0-9][A-Za-z0-9_-]{0,39}"

# Pattern -> what is wanted. One that is not here is shown as it stands.
WORDS = {
    f"^{_ID}$": "an id has letters, digits, '-' and '_', at most 40, and begins with a letter or digit",
    "^[A-Za-z0-9][A-Za-z0-9_-]{0,19}$": "letters, digits, '-' and '_' are wanted, at most 20",
    "^[A-Za-z0-9][A-Za-z0-9_.:-]{0,79}$": "a command's id has letters, digits and '_.:-', at most 80",
    rf"^{_ID}\.[1-9][0-9]{{0,17}}$": "a payment's id is wanted, such as kiosk-7.12",
    rf"^({_ID}\.[1-9][0-9]{{0,17}}|entry [1-9][0-9]{{0,14}})$": "a payment's id, or such as 'entry 17', is wanted",
    "^[0-9a-f]{32}$": "32 hex digits in small letters are wanted",
    f"^{_ID}/{_ID}$": "a tree and an agent are wanted, such as dealer/shop",
    r"^https?://[^\s]+$": "an address is wanted that begins with http:// or https://",
}
