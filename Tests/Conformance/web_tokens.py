"""Makes keys and tokens by PyJWT for the tests of tokens.

usage: python web_tokens.py FOLDER NOW_SECONDS
Writes FOLDER/keys.json (a JSON Web Key Set) and FOLDER/tokens.json (a token by the name of its case).
"""
import base64, hashlib, hmac, json, sys

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

folder, now = sys.argv[1], int(sys.argv[2])
rsa_key, rsa_other = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
ec_key, ec_other = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))


def jwk(algorithm, key, **more):
    return {**json.loads(algorithm.to_jwk(key.public_key())), **more}


keys = [
    jwk(RSAAlgorithm, rsa_key, kid="r", use="sig", alg="RS256"),
    jwk(ECAlgorithm, ec_key, kid="e"),
    {"kty": "oct", "k": "c2VjcmV0", "kid": "o"},
    jwk(RSAAlgorithm, rsa_other, kid="enc", use="enc"),
    jwk(RSAAlgorithm, rsa_other, kid="ps", alg="PS256"),
]
claims = {"iss": "https://issuer.example", "aud": "models", "sub": "shop", "exp": now + 600, "iat": now, "nbf": now,
          "roles": ["viewer", "other-service", "operator:endpoint/orders"]}


def token(key=rsa_key, algorithm="RS256", kid="r", headers=None, leave=(), **change):
    body = {name: value for name, value in {**claims, **change}.items() if name not in leave}
    return jwt.encode(body, key, algorithm=algorithm, headers={**({"kid": kid} if kid else {}), **(headers or {})})


def part(value):
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


good = token()
head, body, signature = good.split(".")
pem = rsa_key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
forged = part({"alg": "HS256", "kid": "r"}) + "." + body
confused = forged + "." + part(hmac.new(pem, forged.encode(), hashlib.sha256).digest())
es = token(ec_key, "ES256", "e")
tokens = {
    "good RS256": good,
    "good ES256": es,
    "good without kid": token(kid=None),
    "good with a list for aud": token(aud=["others", "models"]),
    "good expired within the leeway": token(exp=now - 59),
    "good not before within the leeway": token(nbf=now + 59, iat=now + 59),
    "good words for roles": token(roles="scientist viewer"),
    "bad expired": token(exp=now - 60),
    "bad not yet": token(nbf=now + 61),
    "bad from the future": token(iat=now + 61),
    "bad without exp": token(leave=["exp"]),
    "bad exp of text": part({"alg": "RS256", "kid": "r"}) + "." + part({**claims, "exp": str(now + 600)}) + "." + signature,
    "bad issuer": token(iss="https://other.example"),
    "bad without issuer": token(leave=["iss"]),
    "bad audience": token(aud="others"),
    "bad without audience": token(leave=["aud"]),
    "bad without subject": token(leave=["sub"]),
    "bad subject with a line": token(sub="a\nb"),
    "bad key": token(rsa_other),
    "bad EC key": token(ec_other, "ES256", "e"),
    "bad key for encryption": token(rsa_other, kid="enc"),
    "bad key of another algorithm": token(rsa_other, kid="ps"),
    "bad kid": token(kid="nobody"),
    "bad algorithm RS512": token(algorithm="RS512"),
    "bad algorithm PS256": token(algorithm="PS256"),
    "bad HS256 with the public key": confused,
    "bad HS256 with the listed secret": jwt.encode(claims, "secret" * 8, algorithm="HS256", headers={"kid": "o"}),
    "bad none": part({"alg": "none"}) + "." + body + ".",
    "bad None with a signature": part({"alg": "None", "kid": "r"}) + "." + body + "." + signature,
    "bad crit": token(headers={"crit": ["b64"], "b64": True}),
    "bad body": head + "." + part({**claims, "sub": "root"}) + "." + signature,
    "bad signature": head + "." + body + "." + ("A" if signature[0] != "A" else "B") + signature[1:],
    "bad signature cut": head + "." + body + "." + signature[:-4],
    "bad signature empty": head + "." + body + ".",
    "bad ES256 of zeros": ".".join(es.split(".")[:2]) + "." + part(bytes(64)),
    "bad RS256 said of the EC key": part({"alg": "RS256", "kid": "e"}) + "." + ".".join(es.split(".")[1:]),
    "bad padding": good + "==",
    "bad header": part(b"[]") + "." + body + "." + signature,
    "bad header of no JSON": part(b"{") + "." + body + "." + signature,
    "bad four parts": good + ".x",
    "bad long": token(filler="x" * 9000),
}
json.dump({"keys": keys}, open(f"{folder}/keys.json", "w"))
json.dump(tokens, open(f"{folder}/tokens.json", "w"))
json.dump({"keys": [jwk(RSAAlgorithm, rsa_other, kid="r")]}, open(f"{folder}/rotated.json", "w"))
