"""Access tokens that prove nothing, each by another trick. Source: RFC 8725, RFC 9068, and attacks on JWT libraries."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization

from tests.integration.oidc_server import AUDIENCE, OidcProvider, SigningKey

__all__ = ["forged_tokens", "signed"]

_ANA_TWICE = b'{"iss":"%s","sub":"eve","sub":"ana","aud":"%s","iat":%d,"exp":%d}'


def signed(claims: Mapping[str, Any] | bytes, key: SigningKey, **header: Any) -> str:
    """A token signed with the key; a header of None is left out. Claims may be the very bytes."""
    full = {"alg": key.algorithm, "typ": "at+jwt", "kid": key.kid, **header}
    head = _part({name: value for name, value in full.items() if value is not None})
    body = _encoded(claims) if isinstance(claims, bytes) else _part(claims)
    signature = jwt.get_algorithm_by_name(key.algorithm).sign(f"{head}.{body}".encode(), key.private)
    return f"{head}.{body}.{_encoded(signature)}"


def forged_tokens(provider: OidcProvider) -> dict[str, str]:
    """What is wrong → the token; save for that, each is a good token of the provider for `ana`."""
    key, other, small = provider.keys[0], SigningKey("RS256"), SigningKey("RS256", bits=1024)
    now = int(time.time())
    good = signed(provider.claims(), key)
    head, body, signature = good.split(".")
    public_pem = key.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    jwk = json.dumps(key.public_jwk).encode()

    def claims(**changed: Any) -> str:
        return signed(provider.claims(**changed), key)

    def header(**changed: Any) -> str:
        return signed(provider.claims(), key, **changed)

    return {
        # how it is signed
        "alg none": f"{_part({'alg': 'none', 'typ': 'at+jwt', 'kid': key.kid})}.{body}.",
        "alg none with the signature": f"{_part({'alg': 'none', 'typ': 'at+jwt', 'kid': key.kid})}.{body}.{signature}",
        "alg NONE": f"{_part({'alg': 'NoNe', 'typ': 'at+jwt', 'kid': key.kid})}.{body}.{signature}",
        "alg missing": header(alg=None),
        "alg a list": header(alg=["RS256"]),
        "HS256 with the public key as PEM": _mac(provider.claims(), public_pem, kid=key.kid),
        "HS256 with the public key as JWK": _mac(provider.claims(), jwk, kid=key.kid),
        "HS256 with an empty key": _mac(provider.claims(), b"", kid=key.kid),
        "RS384, which is not accepted": _as(provider, key, "RS384"),
        "RS256 key used as PS256": _as(provider, key, "PS256"),
        "signature of another key": signed(provider.claims(), other, kid=key.kid),
        "unknown key": signed(provider.claims(), other),
        "a key too short": signed(provider.claims(), small),
        "wrong curve": signed(provider.claims(), SigningKey("ES384"), alg="ES256", kid=key.kid),
        "an EC signature under an RSA key": signed(provider.claims(), SigningKey("ES256"), kid=key.kid),
        "an Ed25519 signature of an unknown key": signed(provider.claims(), SigningKey("EdDSA")),
        "signature cut": good[:-8],
        "signature empty": f"{head}.{body}.",
        "signature of zeros": f"{head}.{body}.{_encoded(bytes(256))}",
        "signature with a bit flipped": f"{head}.{body}.{_flipped(signature)}",
        "claims changed after signing": f"{head}.{_part(provider.claims(sub='admin'))}.{signature}",
        "header changed after signing": f"{_part({'alg': 'RS256', 'typ': 'at+jwt', 'kid': key.kid, 'x': 1})}.{body}.{signature}",
        # keys that the token brings
        "embedded jwk": signed(provider.claims(), other, jwk=other.public_jwk),
        "embedded jwk, kid of the provider": signed(provider.claims(), other, jwk=other.public_jwk, kid=key.kid),
        "jku": signed(provider.claims(), other, jku="http://127.0.0.1:9/keys"),
        "jku of the provider itself": header(jku=f"{provider.issuer}/jwks"),
        "x5u": signed(provider.claims(), other, x5u="http://127.0.0.1:9/cert"),
        "x5c": signed(provider.claims(), other, x5c=["MIIB"]),
        "kid missing": header(kid=None),
        "kid empty": header(kid=""),
        "kid a path": signed(provider.claims(), other, kid="../../../../dev/null"),
        "kid SQL": signed(provider.claims(), other, kid="x' UNION SELECT 'a"),
        "kid a number": header(kid=7),
        "kid an object": header(kid={"a": 1}),
        "kid with white space": header(kid=f" {key.kid}"),
        # headers
        "critical header": header(crit=["exp"]),
        "detached payload": header(b64=False, crit=["b64"]),
        "compressed": header(zip="DEF"),
        "nested": header(cty="JWT"),
        "typ of an ID token": header(typ="JWT"),
        "typ missing": header(typ=None),
        "typ of a logout token": header(typ="logout+jwt"),
        "typ a list": header(typ=["at+jwt"]),
        # whom it is for and from
        "wrong audience": claims(aud="https://other.example"),
        "audience in other letters": claims(aud=AUDIENCE.upper()),
        "audience with a slash": claims(aud=f"{AUDIENCE}/"),
        "audience missing": claims(aud=None),
        "audience empty": claims(aud=[]),
        "audience with a number": claims(aud=[AUDIENCE, 7]),
        "audience an object": claims(aud={AUDIENCE: True}),
        "wrong issuer": claims(iss="https://evil.example"),
        "issuer with a slash": claims(iss=f"{provider.issuer}/"),
        "issuer a list": claims(iss=[provider.issuer]),
        "issuer missing": claims(iss=None),
        # times
        "expired": claims(iat=now - 700, exp=now - 60),
        "expired long ago": claims(iat=1, exp=2),
        "exp missing": claims(exp=None),
        "exp a text": claims(exp=str(now + 300)),
        "exp true": claims(exp=True),
        "exp null": signed({**provider.claims(), "exp": None}, key),
        "exp infinite": signed(_raw(provider, exp="Infinity"), key),
        "exp beyond all time": claims(exp=10**20),
        "exp negative": claims(exp=-5),
        "nbf in the future": claims(nbf=now + 120),
        "nbf a text": claims(nbf="0"),
        "iat in the future": claims(iat=now + 120),
        "iat missing": claims(iat=None),
        "iat after exp": claims(iat=now + 20, exp=now + 10),
        # whom it proves
        "sub missing": claims(sub=None),
        "sub empty": claims(sub=""),
        "sub a number": claims(sub=7),
        "sub a list": claims(sub=["ana"]),
        "sub white space": claims(sub=" "),
        "sub with a line break": claims(sub="ana\nadmin"),
        "sub with an end of text": claims(sub="ana\x00"),
        "sub with a reversal": claims(sub="ana\u202eadmin"),
        "sub too long": claims(sub="a" * 300),
        "sub twice": signed(_ANA_TWICE % (provider.issuer.encode(), AUDIENCE.encode(), now, now + 300), key),
        "groups not a list": claims(groups="analysts", sub="nobody-yet"),
        "groups of numbers": claims(groups=[1], sub="nobody-yet"),
        "groups without end": claims(groups=[f"g{n}" for n in range(201)], sub="nobody-yet"),
        # its shape
        "payload a list": signed(b"[1]", key),
        "payload no JSON": signed(b"ana", key),
        "payload deep": signed(b'{"a":' * 1200 + b"1" + b"}" * 1200, key),
        "payload not UTF-8": signed(b'{"sub":"\xff"}', key),
        "two parts": f"{head}.{body}",
        "four parts": f"{good}.{signature}",
        "five parts, encrypted": f"{_part({'alg': 'RSA-OAEP', 'enc': 'A256GCM'})}.a.b.c.d",
        "one dot more": f"{good}.",
        "dots only": "..",
        "padded": f"{head}=.{body}.{signature}",
        "spaces around": f" {good} ",
        "a space inside": f"{head} .{body}.{signature}",
        "a line break at the end": f"{good}\\n",
        "twice": f"{good}{good}",
        "very long": claims(x="a" * 9300),
        "signed JSON instead": json.dumps({"payload": body, "protected": head, "signature": signature}),
    }


def _as(provider: OidcProvider, key: SigningKey, algorithm: str) -> str:
    """Signed truly, with the provider's key, by an algorithm that the key is not for."""
    head, body = _part({"alg": algorithm, "typ": "at+jwt", "kid": key.kid}), _part(provider.claims())
    return f"{head}.{body}.{_encoded(jwt.get_algorithm_by_name(algorithm).sign(f'{head}.{body}'.encode(), key.private))}"


def _mac(claims: Mapping[str, Any], secret: bytes, *, kid: str) -> str:
    head, body = _part({"alg": "HS256", "typ": "at+jwt", "kid": kid}), _part(claims)
    return f"{head}.{body}.{_encoded(hmac.digest(secret, f'{head}.{body}'.encode(), hashlib.sha256))}"


def _raw(provider: OidcProvider, *, exp: str) -> bytes:
    text: Callable[..., str] = json.dumps
    return text(provider.claims(exp="EXP")).replace('"EXP"', exp).encode()


def _flipped(part: str) -> str:
    data = bytearray(base64.urlsafe_b64decode(part + "=="))
    data[7] ^= 1
    return _encoded(bytes(data))


def _part(value: object) -> str:
    return _encoded(json.dumps(value).encode())


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
