# SPDX-License-Identifier: GPL-3.0-or-later
"""Composes messages of random parts with mail-play, reads them with Python's email package, compares.

    message.py MAIL-PLAY DIRECTORY SEED COUNT

Prints what differs, nothing when all is well.
"""

import email
import email.policy
import os
import random
import subprocess
import sys
from datetime import datetime, timezone
from email.header import decode_header, make_header
from email.utils import unquote

PLAY, WORK, SEED, COUNT = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])

PIECES = [
    "a", "word", " ", "  ", "=", "=_", "=3D", ".", "..", "From ", ">From ", "--", "--=_mixed_", "-- ", "é", "日本", "💩",
    "\t", '"', "\\", "<b>", "&amp;", ",", ";", "(c)", "?=", "=?utf-8?Q?x?=", "x" * 70, "y" * 300, "~", "_", "\u0301",
]
LINE_ENDS = ["\n", "\n\n", " \n", "\t\n", "\n.\n", "\nFrom "]
UNSAFE = ["\r\n", "\n", "\r", "\x1b[2J", "\x7f", "\u0085", "\u202e", "\u2066", "\u2028"]


def text(rng, pieces, most):
    return "".join(rng.choice(pieces) for _ in range(rng.randrange(most)))


def safe(value):
    """What the header's texts become."""
    out = []
    for char in value:
        cp = ord(char)
        unsafe = cp < 0x20 or 0x7F <= cp < 0xA0 or 0x2028 <= cp <= 0x202E or 0x2066 <= cp <= 0x2069
        out.append("\ufffd" if unsafe else char)
    return "".join(out)


def cut(value, limit):
    return value.encode()[:limit].decode(errors="ignore")


def write(name, value):
    path = os.path.join(WORK, name)
    if value is None:
        if os.path.exists(path):
            os.unlink(path)
        return
    with open(path, "wb") as file:
        file.write(value if isinstance(value, bytes) else value.encode())


def make(rng):
    header = PIECES + UNSAFE
    has_attachment = rng.random() < 0.8
    to = ["root", "alice@example.com", '"a b"@example.com', "x" * 64 + "@example.org"]
    return {
        "from": rng.choice(["mls@mail.example.com", "root"]),
        "from_name": rng.choice([None, "MailLogSentinel", cut(text(rng, header, 12), 255)]),
        "to": rng.sample(to, rng.randrange(1, len(to) + 1)),
        "subject": cut(text(rng, header, 30), 1000),
        "date": str(rng.randrange(2**31) * 10**6),
        "id": "%d-%d@mail.example.com" % (rng.randrange(100), rng.randrange(10**9)),
        "text": text(rng, PIECES + LINE_ENDS, 80),
        "html": text(rng, PIECES + LINE_ENDS, 80),
        # the package takes quotes and <> around a name away
        "name": cut("f" + text(rng, header, 10), 255).strip() if has_attachment else None,
        "type": rng.choice(["text/csv; charset=utf-8", "application/gzip"]) if has_attachment else None,
        "attachment": rng.randbytes(rng.randrange(400)) if has_attachment else None,
    }


def differences(parts, raw):
    for number, line in enumerate(raw.split(b"\r\n")):
        if b"\n" in line or b"\r" in line:
            yield f"line {number}: a bare CR or LF"
        if len(line) > 998:
            yield f"line {number}: {len(line)} bytes"
        if any(byte > 126 or (byte < 32 and byte != 9) for byte in line):
            yield f"line {number}: not printable ASCII"
        if line.startswith(b"From ") or line == b".":
            yield f"line {number}: {line!r}"
    body = raw.split(b"\r\n\r\n", 1)[1]
    head = raw[: len(raw) - len(body)]
    if any(len(line) > 76 for line in body.split(b"\r\n") if not line.startswith(b" ") and b": " not in line):
        yield "a line of the body is too long"
    names = [line.split(b":")[0].decode() for line in head.split(b"\r\n") if line and line[:1] not in b" \t"]
    if names != ["Date", "From", "To", "Subject", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"]:
        yield f"headers {names}"
    message = email.message_from_bytes(raw, policy=email.policy.default)
    for part in message.walk():
        if part.defects:
            yield f"defects {part.defects}"
    got = message["From"].addresses
    if len(got) != 1 or got[0].addr_spec.strip("<>") != parts["from"]:
        yield f"From is {message['From']!r}"
    # the package puts blanks between the encoded words of a phrase, its older decoder does not
    raw_name = email.message_from_bytes(raw, policy=email.policy.compat32)["From"].rpartition("<")[0].strip()
    name = str(make_header(decode_header(raw_name)))
    if raw_name.startswith('"'):
        name = unquote(raw_name)
    if name != safe(parts["from_name"] or ""):
        yield f"From's name is {name!r}, not {safe(parts['from_name'] or '')!r}"
    got = [address.addr_spec for address in message["To"].addresses]
    if got != parts["to"]:
        yield f"To is {got}"
    if str(message["Subject"]) != safe(parts["subject"]):
        yield f"Subject is {str(message['Subject'])!r}, not {safe(parts['subject'])!r}"
    if message["Message-ID"] != "<" + parts["id"] + ">":
        yield f"Message-ID is {message['Message-ID']}"
    expected = datetime.fromtimestamp(int(parts["date"]) // 10**6, timezone.utc)
    if message["Date"].datetime != expected:
        yield f"Date is {message['Date']}, not {expected}"
    for kind in "plain", "html":
        found = message.get_body((kind,))
        wanted = parts["text" if kind == "plain" else "html"].encode().replace(b"\n", b"\r\n")
        if found is None or found.get_payload(decode=True) != wanted:
            yield f"{kind} is {found and found.get_payload(decode=True)!r}, not {wanted!r}"
    attached = list(message.iter_attachments()) if parts["name"] is not None else []
    if parts["name"] is None:
        if message.get_content_type() != "multipart/alternative":
            yield f"is {message.get_content_type()}"
    elif message.get_content_type() != "multipart/mixed" or len(attached) != 1:
        yield f"{len(attached)} attachments"
    else:
        if attached[0].get_filename() != safe(parts["name"]):
            yield f"file name is {attached[0].get_filename()!r}, not {safe(parts['name'])!r}"
        if attached[0].get_payload(decode=True) != parts["attachment"]:
            yield "the attachment differs"
        if attached[0].get_content_type() != parts["type"].split(";")[0]:
            yield f"the attachment is {attached[0].get_content_type()}"


def main():
    rng = random.Random(SEED)
    for number in range(COUNT):
        parts = make(rng)
        for name, value in parts.items():
            write(name, "\n".join(value) if name == "to" else value)
        run = subprocess.run([PLAY, "compose", WORK], capture_output=True, timeout=60)
        if run.returncode:
            print(f"message {number}: exit status {run.returncode}: {run.stderr.decode()[:300]}")
            continue
        for difference in differences(parts, run.stdout):
            print(f"message {number}: {difference}")


main()
