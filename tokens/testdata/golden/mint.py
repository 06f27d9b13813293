"""Mints the tokens of claims.json with pymacaroons.

It shares no code with Postern: the identifier and the caveats are written here once more, from
the description in the package documentation of tokens.
"""
import json
import sys

from pymacaroons import MACAROON_V2, Macaroon


def uvarint(n):
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def mint(c):
    session = bytes.fromhex(c["session"])
    identifier = (
        b"\x01" + uvarint(int(c["keyId"])) + uvarint(len(session)) + session
        + uvarint(int(c["generation"]))
    )
    m = Macaroon(
        location=c["location"], identifier=identifier, key=bytes.fromhex(c["key"]), version=MACAROON_V2
    )
    m.add_first_party_caveat("gen = 1")
    m.add_first_party_caveat("user_id = " + c["userId"])
    m.add_first_party_caveat("type = " + c["type"])
    if c["expires"] is not None:
        m.add_first_party_caveat("time < " + c["expires"])
    for caveat in c["appended"]:
        m.add_first_party_caveat(caveat)
    return {"name": c["name"], "signature": m.signature, "token": m.serialize()}


with open(sys.argv[1], encoding="utf-8") as f:
    json.dump([mint(c) for c in json.load(f)], sys.stdout, indent=2)
print()
