#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""
Looks at an anonymized log with eyes of its own: nothing here is shared with the program.

    anonymize-check.py extract LOG                  what a log of a real server gives away, "KIND<TAB>VALUE in hex" a line
    anonymize-check.py attempts TSV                 the same of the corpus' record of who tried what
    anonymize-check.py search SECRETS OUTPUT        prints where OUTPUT holds one of them, in any spelling
    anonymize-check.py pairs INPUT OUTPUT           prints where a value of a known place was kept, became two, or two became one
    anonymize-check.py kinds INPUT OUTPUT           compares what `explain --json` says of both
"""
import base64
import ipaddress
import json
import re
import sys
import urllib.parse

# ---- what a log gives away -------------------------------------------------------------------------

IP4 = rb"(?<![0-9.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![0-9.])"
PLACES = {
    "user": [rb", sasl_username=(.*?)\]?$", rb"user=<([^>]*)>"],
    "ip": [rb"(?<![0-9A-Za-z])(" + IP4 + rb")", rb"\[([0-9a-fA-F:]*:[0-9a-fA-F:.]*)\]", rb"[rl]ip=([0-9a-fA-F:.]+)"],
    "host": [rb"(?:from|client=|warning:) ?([A-Za-z0-9_.-]+)\[", rb"helo=<([^>]*)>", rb"relay=([^ ,\[]+)\["],
    "mail": [rb"(?:from|to|orig_to)=<([^>]+)>"],
    "id": [rb": ([0-9A-F]{7,}|(?=[^:]*[0-9])[0-9B-Zb-z]{12,}): ", rb"message-id=<([^>]+)>", rb"session=<([^>]+)>", rb"queued as ([0-9A-Za-z]+)"],
    "server": [rb"^(?:<[0-9]+>)?(?:1 )?(?:[0-9]{4}-\S+|[A-Z][a-z]{2} [ 0-9][0-9] \S+) (\S+) "],
}
# what stays, or is nobody's
HARMLESS = {"", "unknown", "localhost", "127.0.0.1", "::1", "(unavailable)", "0.0.0.0", "::", "127.0.0.5"}


def extract(path):
    found = {}
    for line in open(path, "rb").read().split(b"\n"):
        for kind, patterns in PLACES.items():
            for pattern in patterns:
                for value in re.findall(pattern, line):
                    found[(kind, value.decode("utf-8", "surrogateescape"))] = True
    return [pair for pair in found if pair[1] not in HARMLESS]


def attempts(path):
    found = {}
    for row in open(path, encoding="utf-8"):
        fields = row.rstrip("\n").split("\t")
        found[("ip", fields[3])] = True
        if fields[1] == "RAW":
            continue  # no login, and no user
        found[("user", base64.b64decode(fields[5]).decode("utf-8", "surrogateescape"))] = True
    return [pair for pair in found if pair[1] not in HARMLESS]


# ---- spellings -------------------------------------------------------------------------------------

def in_base64(data):
    """What base64 of anything that holds data contains, whatever stands before and behind it."""
    for shift in range(3):
        text = base64.b64encode(b"\0" * shift + data + b"\0\0\0").decode()
        start, end = (shift * 8 + 5) // 6, (shift + len(data)) * 8 // 6
        yield text[start:end]


def of_bytes(data):
    text = data.decode("utf-8", "replace")
    yield text
    yield text[::-1]
    yield data.hex()
    yield "".join(f"%{b:02x}" for b in data)
    yield "".join(f"={b:02x}" for b in data)
    yield "".join(f"\\x{b:02x}" for b in data)
    yield "".join(f"\\{b:03o}" for b in data)
    yield "".join(f"&#{b};" for b in data)
    yield urllib.parse.quote(data)
    yield urllib.parse.quote_plus(data)
    yield text.replace(" ", "_")
    yield from in_base64(data)


def of_ip4(address):
    number, octets = int(address), str(address).split(".")
    data = address.packed
    for parts in (octets, octets[::-1], [f"{int(o):03d}" for o in octets], [f"{int(o):03d}" for o in octets[::-1]],
                  [f"{b:02x}" for b in data], [f"{b:02x}" for b in data[::-1]]):
        for separator in (".", "-", "_", ":", "x"):
            yield separator.join(parts)
    yield f"{data.hex()}"
    yield f"{data[::-1].hex()}"
    yield f"{data[:2].hex()}:{data[2:].hex()}"
    yield "".join(f"{int(o):03d}" for o in octets)
    yield str(number)
    yield str(int.from_bytes(data, "little"))
    yield f"{octets[0]}.{number & 0xffffff}"
    yield from of_bytes(str(address).encode())


def of_ip6(address):
    text, full = str(address), address.exploded
    nibbles = full.replace(":", "")
    for spelled in (text, full, ":".join(group.lstrip("0") or "0" for group in full.split(":"))):
        yield spelled
        yield spelled.replace(":", "-")
        yield spelled.replace(":", ".")
    yield nibbles
    yield ".".join(nibbles)
    yield ".".join(nibbles[::-1])
    yield str(int(address))
    yield from of_bytes(text.encode())
    # the host's part alone
    if not re.match(r"0{8}", nibbles[16:]):
        yield ":".join(full.split(":")[4:])
        yield ":".join(group.lstrip("0") or "0" for group in full.split(":")[4:])


# Words of the programs' own and addresses that stay, which attackers write into names.
OWN = HARMLESS | {"sasl_username", "authentication", "failed", "method", "plain", "warning"}


def spellings(kind, value):
    data = value.encode("utf-8", "surrogateescape")
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        address = None
    if address is None:
        found = set(of_bytes(data))
        # a piece of it gives it away, too
        if kind in ("user", "mail", "id"):
            for piece in re.findall(rb"[\w.-]{6,}", data):
                if piece.decode("utf-8", "replace").lower() not in OWN:
                    found.update(of_bytes(piece))
    elif address.version == 4:
        found = set(of_ip4(address))
    else:
        found = set(of_ip6(address))
    # a piece of base64 is as sure as it is long
    return {text.lower() for text in found if len(text) >= (3 if text == value else 6)}


def search(secrets, output):
    data = open(output, "rb").read().decode("utf-8", "replace")
    lowered = data.lower()
    if len(lowered) != len(data):
        lowered = "".join(c.lower() if len(c.lower()) == 1 else c for c in data)
    # where nothing starts as a spelling does, nobody needs to look for it
    starts = {lowered[i:i + 6] for i in range(len(lowered))}
    for kind, value in secrets:
        if kind == "slot":
            continue
        for text in spellings(kind, value):
            if len(text) >= 6 and text[:6] not in starts:
                continue
            # what is long must stand nowhere; what is short, and digits of a number that a stand-in may have by chance, not alone
            at = lowered.find(text)
            by_chance = len(text) < (7 if re.search("[^0-9a-f]", text) else 11) or re.fullmatch(r"[0-9a-f]{1,9}\.example", text)
            if at >= 0 and by_chance:
                match = re.search(r"(?<![0-9a-z])" + re.escape(text) + r"(?![0-9a-z])", lowered)
                at = match.start() if match else -1
            if at < 0:
                continue
            start, end = data.rfind("\n", 0, at) + 1, data.find("\n", at)
            print(f"{kind} {value!r} as {text!r}: {data[start:end][:300]!r}")
            break


# ---- values in known places ------------------------------------------------------------------------

# Kind, where it stands, what stays there. Values that are more than one word are looked at by search().
PLACES_OF_PAIRS = (
    ("user", rb"authentication failed: [^,]*, sasl_username=(.*?)\]?$", rb"|\(unavailable\)"),
    ("user", rb"(?<=[ ,])user=<([^<>]*)>, method=", rb""),
    ("ip", rb" (?:connect from|disconnect from|warning:) [^\[ ]*\[([0-9a-fA-F.:]+)\]", rb"127\..*|::1"),
    ("ip", rb", rip=([0-9a-f.:]+)(?=, |$)", rb"127\..*|::1"),
    ("mail", rb" to=<([^<> ]*)>, relay", rb""),
    ("mail", rb": from=<([^<> ]*)>, size", rb""),
    ("session", rb", session=<([^<>]*)>$", rb""),
)
SIMPLE = re.compile(rb"[A-Za-z0-9._@:/+-]+")


def canonical(kind, value):
    if kind != "ip":
        return value
    address = ipaddress.ip_address(value.decode())
    return getattr(address, "ipv4_mapped", None) or address


def pairs(before, after):
    lines = [open(path, "rb").read().split(b"\n") for path in (before, after)]
    if len(lines[0]) != len(lines[1]):
        print(f"{len(lines[0])} lines became {len(lines[1])}")
        return
    forwards, backwards, seen = {}, {}, 0
    for number, (old, new) in enumerate(zip(*lines), 1):
        if re.search(rb"[\x00-\x1f\x7f]|imap-login: proxy.*sasl_username", old) or b"\xff\xfe" in old or len(old.decode(errors="ignore").encode()) != len(old):
            continue  # damaged: what the words beside the value are is not sure
        for kind, pattern, stays in PLACES_OF_PAIRS:
            was, now = re.findall(pattern, old), re.findall(pattern, new)
            # where one client plays another, or there is no header, the whole is free text
            if len(was) != 1 or not SIMPLE.fullmatch(was[0]) or b"198.18.7." in old or b"198.51.100.9" in old or old.startswith((b"warning:", b"message")):
                continue
            if len(now) != 1:
                print(f"line {number}: {kind} {was[0]!r} is not to be found: {new[:300]!r}")
                continue
            was, now, seen = was[0], now[0], seen + 1
            if (was == now) != bool(re.fullmatch(stays, was)):
                print(f"line {number}: {kind} {was!r} became {now!r}")
                continue
            was, now = canonical(kind, was), canonical(kind, now)
            if forwards.setdefault((kind, was), now) != now:
                print(f"line {number}: {kind} {was!r} became {now!r} and {forwards[(kind, was)]!r}")
            if backwards.setdefault((kind, now), was) != was:
                print(f"line {number}: {kind} {was!r} and {backwards[(kind, now)]!r} became {now!r}")
    if not seen:
        print("there is no value in a known place")


# ---- what explain says -----------------------------------------------------------------------------

def reason_class(reason):
    """A challenge in base64 is a value; other reasons are the programs' words, which an attacker may have gone on with."""
    if reason is None:
        return None
    known = re.match(r"\(reason unavailable\)|authentication failure|generic failure|Password:|no mechanism available|bad protocol / cancel"
                     r"|Invalid authentication mechanism|Invalid base64 data in initial response|Connection lost to authentication server"
                     r"|Can't connect to authentication server|$", reason)
    if known:
        return known.group()
    try:
        return "base64" if base64.b64decode(reason, validate=True) else ""
    except ValueError:
        return "text"


METHODS = {"PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5", "NTLM", "XOAUTH2", "OAUTHBEARER", "GSSAPI", "SCRAM-SHA-1", "SCRAM-SHA-256", "EXTERNAL", "ANONYMOUS"}


def kinds(before, after):
    rows = [[json.loads(line) for line in open(path, encoding="utf-8", errors="surrogateescape")] for path in (before, after)]
    if len(rows[0]) != len(rows[1]):
        print(f"{len(rows[0])} lines became {len(rows[1])}")
    for old, new in zip(*rows):
        if re.search(r"\\x|[\x00-\x1f]", old["reason"] or ""):
            old["reason"] = new["reason"] = None  # damaged: a word with a strange byte in it is no word
        for row in (old, new):
            row["reason"] = reason_class(row["reason"])
            if row["method"] and row["method"].upper() not in METHODS:
                row["method"] = "other"
            row["address"] = row["ip"] and ("unknown" if row["ip"] == "unknown" else "v6" if ":" in row["ip"] else "v4")
            row["named"] = row["user"] is not None and row["user"] != ""
            row["has_server"] = row["server"] is not None
        for field in ("line", "kind", "time", "count", "method", "reason", "address", "named", "has_server"):
            if old[field] != new[field]:
                print(f"line {old['line']}: {field} {old[field]!r} became {new[field]!r}")
        known = re.fullmatch(r"postfix(/(submission|smtps|submissions))?/(smtpd|cleanup|qmgr|smtp|local|pipe|lmtp|bounce|postscreen)|dovecot", old["service"] or "")
        if known and old["service"] != new["service"]:
            print(f"line {old['line']}: service {old['service']!r} became {new['service']!r}")


def main():
    command, *paths = sys.argv[1:]
    sys.stdout.reconfigure(errors="surrogateescape")
    if command in ("extract", "attempts"):
        for kind, value in (extract if command == "extract" else attempts)(*paths):
            print(f"{kind}\t{value.encode('utf-8', 'surrogateescape').hex()}")
    elif command == "search":
        secrets = []
        for line in open(paths[0], encoding="utf-8"):
            kind, value = line.rstrip("\n").split("\t", 1)
            secrets.append((kind, bytes.fromhex(value).decode("utf-8", "surrogateescape")))
        search(secrets, paths[1])
    elif command == "pairs":
        pairs(*paths)
    elif command == "kinds":
        kinds(*paths)
    else:
        sys.exit(__doc__)


main()
