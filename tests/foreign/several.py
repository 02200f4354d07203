#!/usr/bin/env python3
"""Envelopes of several signers (COSE_Sign) by other people's libraries, for the tests of brine against them.

    several.py pycose|cwt sign SEED[,SEED...] PAYLOADFILE OUTFILE
    several.py pycose|cwt verify PUBLIC[,PUBLIC...] ENVELOPEFILE

Keys are raw Ed25519 keys of 32 bytes, in hex. `verify` demands that each key verifies a signature, and prints the payload.
Status 0: done. 1: the library refused. 2: wrong usage, or a library that is not installed.
"""

import sys

try:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cwt import COSE, COSEKey, Signer
    from pycose.keys import OKPKey
    from pycose.messages import CoseMessage, SignMessage
    from pycose.messages.signer import CoseSignature
except ImportError as missing:
    print(f"not installed: {missing}", file=sys.stderr)
    sys.exit(2)

ALG, KID, EDDSA = 1, 4, -8


def public_of(seed):
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def pycose_sign(seeds, payload):
    signers = []
    for seed in seeds:
        signer = CoseSignature(phdr={ALG: EDDSA})
        signer.key = OKPKey(crv="ED25519", x=public_of(seed), d=seed)
        signers.append(signer)
    return SignMessage(payload=payload, signers=signers).encode()


def pycose_verify(public, envelope):
    message = CoseMessage.decode(envelope)

    def verifies(signer):
        signer.key = OKPKey(crv="ED25519", x=public)
        return signer.verify_signature()

    if not any(verifies(signer) for signer in message.signers):
        sys.exit(1)
    return message.payload


def cwt_key(public, seed=None, kid=None):
    found = {1: 1, 3: EDDSA, -1: 6, -2: public}
    if seed is not None:
        found[-4] = seed
    if kid is not None:
        found[2] = kid
    return COSEKey.new(found)


def cwt_sign(seeds, payload):
    signers = [Signer.new(cose_key=cwt_key(public_of(seed), seed), protected={ALG: EDDSA}) for seed in seeds]
    return COSE.new().encode(payload, signers=signers)


def cwt_verify(public, envelope):
    import cbor2
    # It finds a key by the kid of the signature alone.
    for protected, _, _ in cbor2.loads(envelope).value[3]:
        kid = cbor2.loads(protected).get(KID)
        try:
            return COSE.new().decode(envelope, [cwt_key(public, kid=kid)])
        except Exception as error:  # noqa: BLE001: each library has errors of its own
            last = error
    print(type(last).__name__, last, file=sys.stderr)
    sys.exit(1)


def main():
    library, verb, keys, *files = sys.argv[1:]
    keys = [bytes.fromhex(key) for key in keys.split(",")]
    data = open(files[0], "rb").read()
    if verb == "sign":
        signed = {"pycose": pycose_sign, "cwt": cwt_sign}[library](keys, data)
        open(files[1], "wb").write(signed)
        return
    for key in keys:
        payload = {"pycose": pycose_verify, "cwt": cwt_verify}[library](key, data)
    sys.stdout.buffer.write(payload)


if __name__ == "__main__":
    main()
