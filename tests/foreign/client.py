#!/usr/bin/env python3
"""Other people's COSE libraries as small commands, for the tests of brine against them.

    client.py pycose|cwt sign --key SEED --alg -8|-19 [--aad HEX] [--detached]
                              [--protected-kid HEX] PAYLOADFILE OUTFILE
    client.py pycose|cwt verify --key PUBLIC [--aad HEX] [--detached PAYLOADFILE] ENVELOPEFILE
    client.py ref tbs [--aad HEX] [--detached PAYLOADFILE] ENVELOPEFILE

Keys are raw Ed25519 keys of 32 bytes, in hex. `sign` writes a COSE_Sign1 with tag 18, `verify` prints
the SHA-256 of the payload in hex, `tbs` writes the bytes that a signature is over (RFC 9052, Section
4.4), built with a CBOR library alone.

Status 0: done. 1: the library refused; standard error begins with the name of its exception. 2: wrong
usage, a file that cannot be read or written, or a library that is not installed.
"""

import argparse
import hashlib
import sys

try:
    import cbor2
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
except ImportError as missing:
    print(f"not installed: {missing}", file=sys.stderr)
    sys.exit(2)

# Header labels (RFC 9052, Section 3.1) and COSE_Key labels (RFC 9053, Section 7.2).
ALG, KID = 1, 4
KTY, KEY_KID, KEY_ALG, CRV, X, D = 1, 2, 3, -1, -2, -4
OKP, ED25519 = 1, 6
SIGN1 = 18


def public_of(seed):
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def headers_of(envelope):
    """The protected and the unprotected map of an envelope."""
    protected, unprotected, _, _ = cbor2.loads(envelope).value
    return (cbor2.loads(protected) if protected else {}), unprotected


class Pycose:
    """pycose knows EdDSA (-8) only. It has detached payloads on both sides."""

    def sign(self, seed, alg, aad, detached, kid, payload):
        from pycose.keys import OKPKey
        from pycose.messages import Sign1Message

        # By number, which pycose looks up in its register: -19 is not there.
        protected = {ALG: alg} if kid is None else {ALG: alg, KID: kid}
        message = Sign1Message(
            phdr=Sign1Message._parse_header(protected, allow_unknown_attributes=True),
            payload=None if detached else payload,
            external_aad=aad,
            key=OKPKey(crv="ED25519", x=public_of(seed), d=seed),
        )
        return message.encode(detached_payload=payload if detached else None)

    def verify(self, public, aad, detached, envelope):
        from pycose.keys import OKPKey
        from pycose.messages import Sign1Message

        message = Sign1Message.decode(envelope)
        message.external_aad = aad
        message.key = OKPKey(crv="ED25519", x=public)
        if not message.verify_signature(detached_payload=detached):
            raise InvalidSignature("pycose says no")
        return message.payload if detached is None else detached


class Cwt:
    """python-cwt knows EdDSA (-8) and Ed25519 (-19), and verifies detached payloads."""

    def sign(self, seed, alg, aad, detached, kid, payload):
        from cwt import COSE, COSEKey

        key = COSEKey.new({KTY: OKP, KEY_ALG: alg, CRV: ED25519, X: public_of(seed), D: seed})
        protected = {ALG: alg} if kid is None else {ALG: alg, KID: kid}
        message = COSE.new().encode_and_sign(
            payload, key, protected=protected, external_aad=aad, out="cbor2/CBORTag"
        )
        # python-cwt has no way to sign a detached payload. A signature is over the same bytes
        # wherever the payload is, so this signs it embedded and takes it out by hand.
        if detached:
            message.value[2] = None
        return cbor2.dumps(message)

    def verify(self, public, aad, detached, envelope):
        from cwt import COSE, COSEKey

        # python-cwt takes only a key that has the kid of the envelope ("key is not found"), and
        # does not compare algorithms. So the key gets both from the envelope: an algorithm that is
        # not one of Ed25519 is then refused when the key is made.
        protected, unprotected = headers_of(envelope)
        key = {KTY: OKP, KEY_ALG: protected[ALG], CRV: ED25519, X: public}
        kid = protected.get(KID, unprotected.get(KID))
        if kid is not None:
            key[KEY_KID] = kid
        return COSE.new().decode(
            envelope, COSEKey.new(key), external_aad=aad, detached_payload=detached
        )


def to_be_signed(aad, detached, envelope):
    """The Sig_structure of an envelope, from nothing but its parts."""
    message = cbor2.loads(envelope)
    if message.tag != SIGN1:
        raise ValueError(f"tag {message.tag}")
    protected, _, payload, _ = message.value
    if (payload is None) == (detached is None):
        raise ValueError("the payload must be in one place")
    if protected == b"\xa0":
        protected = b""
    return cbor2.dumps(["Signature1", protected, aad, payload if detached is None else detached])


def arguments():
    def key(text):
        raw = bytes.fromhex(text)
        if len(raw) != 32:
            raise ValueError("not 32 bytes")
        return raw

    def contents(path):
        try:
            with open(path, "rb") as file:
                return file.read()
        except OSError as error:
            raise argparse.ArgumentTypeError(error) from error

    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    who = parser.add_subparsers(dest="who", required=True)
    for name in ("pycose", "cwt"):
        what = who.add_parser(name).add_subparsers(dest="what", required=True)
        sign = what.add_parser("sign")
        sign.add_argument("--key", type=key, required=True, help="seed, hex")
        sign.add_argument("--alg", type=int, choices=(-8, -19), required=True)
        sign.add_argument("--aad", type=bytes.fromhex, default=b"")
        sign.add_argument("--detached", action="store_true")
        sign.add_argument("--protected-kid", type=bytes.fromhex)
        sign.add_argument("payload", type=contents)
        sign.add_argument("out")
        verify = what.add_parser("verify")
        verify.add_argument("--key", type=key, required=True, help="public key, hex")
        verify.add_argument("--aad", type=bytes.fromhex, default=b"")
        verify.add_argument("--detached", type=contents)
        verify.add_argument("envelope", type=contents)
    tbs = who.add_parser("ref").add_subparsers(dest="what", required=True).add_parser("tbs")
    tbs.add_argument("--aad", type=bytes.fromhex, default=b"")
    tbs.add_argument("--detached", type=contents)
    tbs.add_argument("envelope", type=contents)
    return parser.parse_args()


def main():
    a = arguments()
    try:
        if a.what == "tbs":
            result = to_be_signed(a.aad, a.detached, a.envelope)
        else:
            library = {"pycose": Pycose, "cwt": Cwt}[a.who]()
            if a.what == "sign":
                result = library.sign(a.key, a.alg, a.aad, a.detached, a.protected_kid, a.payload)
            else:
                result = library.verify(a.key, a.aad, a.detached, a.envelope)
    except ImportError as error:
        print(f"not installed: {error}", file=sys.stderr)
        return 2
    except Exception as error:  # whatever a library raises is its way to refuse
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1

    if a.what == "sign":
        try:
            with open(a.out, "wb") as file:
                file.write(result)
        except OSError as error:
            print(f"not written: {error}", file=sys.stderr)
            return 2
    elif a.what == "verify":
        print(hashlib.sha256(result).hexdigest())
    else:
        sys.stdout.buffer.write(result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
