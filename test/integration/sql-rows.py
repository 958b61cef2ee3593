# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of SQL know of the CSV, written without the program: its values, and rows that are hard to carry.

    sql-rows.py log COUNT SEED           a log of failed logins with hostile user names
    sql-rows.py expect INSTANCE FILE...  the rows of these CSVs, which have the numbers 1, 2, ..., as a database must give them:
                                         instance, csv, byte_offset and the nine values; tabs between; "-" is NULL, "=" begins a value
    sql-rows.py compare EXPECTED GOT [SKIPPED]
                                         what differs, nothing when all is well; in any order; SKIPPED are offsets of rows that may be missing
    sql-rows.py plant CSV                puts rows and lines that no log makes in the place of the rows of a user "filler...", and prints
                                         "foreign OFFSET" for each line that is no row, "odd OFFSET" for each that a schema may refuse
    sql-rows.py damage FILE HOW SEED     damages a file in the way of that name
"""

import ipaddress
import random
import re
import sys

COLUMNS = ["server", "date", "ip", "user", "hostname", "reverse_dns_status", "country_code", "asn", "aso"]
PLACEHOLDERS = {"user": "N/A", "hostname": "null", "country_code": "N/A", "asn": "N/A", "aso": "N/A", "ip": "unknown", "server": ""}
FROM_OUTSIDE = ("server", "user", "hostname", "aso")
HEADER = b",".join(name.encode() for name in COLUMNS)

NASTY = [
    "'", "''", '"', '""', "\\", "\\\\", "\\'", "'\\", "\\0", "\\n", "\\x27", "\\u0027", ";", ";--", "--", "#", "/*", "*/", "-- x",
    "');", "'); DROP TABLE failed_logins; --", "\\'); DROP TABLE failed_logins; --", "'); COMMIT; --", "$$", "$x$", "$1", "?", ":a",
    "@x", "%s", "%", "_", "`", "{", "}", "E'", "X'41'", "_utf8mb4'", "\\.", "\\q", "\\! id", "\\c x", ".quit", ".shell id", ".read x",
    "DELIMITER //", "delimiter ;;", "source x", "system id", "null", "NULL", "NA", "N/A", "unknown", "nan", "inf", "0", "00", "1e3",
    "0x1f", "-1", "=1+1", "+1", "@sum", "'quoted", "'null", "true", " ", "  x", "x  ", "é", "É", "e\u0301", "ß", "ſ", "日本", "💩", "\U0010ffff",
    "\u200b", "\u202e", "\u2028", "\ufeff", "\ufffd", "\ufffe", "ı", "İ", "\x00", "\x01", "\x07", "\x1a", "\x1b[2J", "\x7f", "\x85", "\t",
    "a,b", "a\tb", "user@example.org", "root", "ROOT", "Root", "root ",
]  # fmt: skip
NOT_UTF8 = [b"\xff", b"\xfe\xff", b"\xc3", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\x80", b"\xe2\x82"]


def hostile_user(rng):
    kind = rng.randrange(20)
    if kind < 8:
        return rng.choice(NASTY).encode()
    if kind < 16:
        return b"".join(rng.choice(NASTY).encode() for _ in range(rng.randrange(1, 6)))
    if kind < 18:
        return rng.choice(NASTY).encode() + rng.choice(NOT_UTF8) + rng.choice(NASTY).encode()
    # what a compressed index entry can't hide
    return b"".join(rng.choice("abcdefghijklmnopqrstuvwxyz0123456789'\\").encode() for _ in range(rng.choice([255, 256, 3000, 10000])))


def address(rng):
    if rng.randrange(3):
        return "%d.%d.%d.%d" % (rng.randrange(1, 224), rng.randrange(256), rng.randrange(256), rng.randrange(256))
    return str(ipaddress.IPv6Address(rng.getrandbits(128) >> rng.choice([0, 0, 16, 64, 96, 120])))


def log(count, seed):
    rng = random.Random(seed)
    users = [item.encode() for item in NASTY] + [b"u" + item for item in NOT_UTF8]
    for i in range(count):
        user = users[i] if i < len(users) else hostile_user(rng)
        ip = rng.choice(["unknown", "127.0.0.1", "::1"]) if rng.randrange(10) == 0 else address(rng)
        head = "2026-%02d-%02dT%02d:%02d:48.060269+00:00 mx%d postfix/smtpd[9]: warning: unknown[%s]: SASL PLAIN authentication failed: x, sasl_username=" % (
            1 + i * 12 // count, 1 + i % 28, i % 24, i % 60, i % 3, ip)
        sys.stdout.buffer.write(head.encode() + user + b"\n")


def is_date(text):
    match = re.fullmatch(r"(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d)", text, re.ASCII)
    if not match:
        return False
    year, month, day, hour, minute = map(int, match.groups())
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    days = [31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    return year >= 1000 and 1 <= month <= 12 and 1 <= day <= days[month - 1] and hour < 24 and minute < 60


def is_address(text):
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return text == "unknown"
    return "%" not in text


FIELD = re.compile(r'(?:^|(?<=,))("(?:[^"]|"")*"|[^",]*)(?:,|$)')
ROW = re.compile(r'(?:"(?:[^"]|"")*"|[^",]*)(?:,(?:"(?:[^"]|"")*"|[^",]*))*')


def parse(line):
    """The values of a row, None for NULL; None for what is no row that a database can take."""
    try:
        text = line.decode()
    except ValueError:
        return None
    fields = [field[1:-1].replace('""', '"') if field.startswith('"') else field for field in FIELD.findall(text)]
    if not ROW.fullmatch(text) or text.endswith(",") or len(fields) != len(COLUMNS) or any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 for c in text):
        return None
    row = dict(zip(COLUMNS, fields))
    if not is_date(row["date"]) or not is_address(row["ip"]):
        return None
    for name, value in row.items():
        if value == PLACEHOLDERS.get(name) or (name == "server" and value == "'"):
            row[name] = None
        elif name in FROM_OUTSIDE and value.startswith("'"):
            row[name] = value[1:]
    if row["asn"] is not None and not (re.fullmatch(r"[0-9]+", row["asn"], re.ASCII) and int(row["asn"]) < 1 << 32):
        return None
    if row["asn"] is not None:
        row["asn"] = str(int(row["asn"]))
    return [row[name] for name in COLUMNS]


def rows_of(path):
    """Each line of a CSV with its offset, but the header."""
    offset = 0
    with open(path, "rb") as file:
        for line in file:
            if line.rstrip(b"\n") != HEADER:
                yield offset, line.rstrip(b"\n")
            offset += len(line)


def expect(instance, paths):
    for number, path in enumerate(paths, 1):
        for offset, line in rows_of(path):
            row = parse(line)
            if row:
                values = ["-" if value is None else "=" + value for value in row]
                print("\t".join([instance, str(number), str(offset)] + values))


def load(path):
    rows = {}
    with open(path, "rb") as file:
        for line in file:
            fields = line.rstrip(b"\n").decode(errors="surrogateescape").split("\t")
            key = tuple(fields[:3])
            if len(fields) != 12:
                print("not a row:", ascii(line[:200]))
            elif key in rows:
                print("twice:", *key)
            else:
                # an inet has no form of its own
                if fields[5].startswith("="):
                    fields[5] = ipaddress.ip_address(fields[5][1:]).packed
                rows[key] = fields[3:]
    return rows


def compare(expected_path, got_path, skipped_path="/dev/null"):
    expected, got = load(expected_path), load(got_path)
    with open(skipped_path) as file:
        skipped = set(file.read().split())
    for key in sorted(expected.keys() | got.keys(), key=lambda k: (k[0], int(k[1]), int(k[2]))):
        if key not in got and key[2] in skipped:
            continue
        if key not in got:
            print("missing:", *key, ascii(expected[key])[:300])
        elif key not in expected:
            print("too much:", *key, ascii(got[key])[:300])
        elif expected[key] != got[key]:
            for name, want, have in zip(COLUMNS, expected[key], got[key]):
                if want != have:
                    print("differs:", *key, name, "expected", ascii(want)[:200], "got", ascii(have)[:200])
    if not expected:
        print("nothing was expected")


def quoted(text):
    """As the writer does; the organisation always is."""
    return '"' + text.replace('"', '""') + '"' if re.search('[", ]', text) else text


def planted_rows():
    rng = random.Random(1)
    noise = "".join(rng.choice("abcdefghijklmnopqrstuvwxyz0123456789") for _ in range(60000))
    plain = ["mx1", "2026-11-22 13:01", "203.0.113.7", "user", "null", "Off", "N/A", "N/A", "N/A"]

    def row(**changed):
        fields = [quoted(changed.get(name, value)) for name, value in zip(COLUMNS[:-1], plain)]
        return ",".join(fields + ['"' + changed.get("aso", "N/A").replace('"', '""') + '"']).encode()

    rows = []
    for text in NASTY:
        if all(ord(c) >= 32 and not 0x7F <= ord(c) < 0xA0 for c in text):
            rows += [row(hostname=text), row(aso=text), row(server=text)]
    rows += [row(server=""), row(user=""), row(hostname=""), row(aso=""), row(country_code=""), row(reverse_dns_status="")]
    rows += [row(country_code=cc) for cc in ["NA", "N/A", "na", "''", "\\'"]]
    odd = [row(country_code=cc) for cc in ["Z", "ABC", "é1", "N ", "x" * 3000]]
    rows += [row(reverse_dns_status=status) for status in ["OK", "Failed (NXDOMAIN)", "'", "\\", "x" * 10000]]
    rows += [row(asn=asn) for asn in ["0", "1", "4294967295", "00007", "N/A"]]
    rows += [row(date=date) for date in ["1000-01-01 00:00", "9999-12-31 23:59", "2024-02-29 02:30", "2026-03-29 02:30", "1969-12-31 23:59", "2038-01-19 03:15"]]
    rows += [row(ip=ip) for ip in ["::", "::1", "2001:db8::1", "::ffff:192.0.2.7", "::192.0.2.7", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1::8", "64:ff9b::1.2.3.4", "0:0:0:0:0:0:0:0", "255.255.255.255", "0.0.0.0", "unknown", "fe80::1",
                                   "2001:0DB8:0000:0000:0000:0000:0000:0001", "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255"]]
    rows += [row(user=noise[:10000]), row(server=noise[:10000]), row(hostname=noise[:10000]), row(aso=noise[:10000])]
    rows += [row(user=noise), row(aso="\\xff" * 60000), row(user="'" * 30000), row(user="\\" * 30000), row(user="日" * 20000)]
    rows += [row(server=noise, user=noise, hostname=noise, aso=noise)]
    foreign = [
        b"", b",", b",,,,,,,,", b"x", HEADER + b",x", b"mx1,\"2026-11-22 13:01\",203.0.113.7,torn", b"mx1,\"2026-11-22 13:01", b"\0" * 700,
        b"mx1,\"2026-11-22 13:01\",203.0.113.7,u,null,Off,N/A,N/A,\"N/A\",more", b"'); DROP TABLE failed_logins; --",
        row(date="2026-02-29 00:00"), row(date="2026-11-22 24:00"), row(date="0999-12-31 23:59"), row(date="0000-00-00 00:00"),
        row(ip="example.org"), row(ip="203.0.113.7/24"), row(ip=""), row(ip="1.2.3"), row(asn="4294967296"), row(asn="-1"), row(asn="1.5"), row(asn=""),
        row(user="\xff").replace("\xff".encode(), b"\xff"), row(user="x\x1b[2Jx"), row(user="x\0x"), b"mx1,2026-11-22 13:01,203.0.113.7,a\"b,null,Off,N/A,N/A,N/A",
        b"\xff\xfe" * 40000, row()[:-5], b"x" * 3000000, row() + b"\r\r",
    ]  # fmt: skip
    lines = [(line, "") for line in rows] + [(line, "odd") for line in odd] + [(line, "foreign") for line in foreign]
    for line, kind in lines:
        assert (parse(line) is None) == (kind == "foreign"), line[:200]
    rng.shuffle(lines)
    return lines


def plant(path):
    with open(path, "rb") as file:
        data = file.read()
    begin = data.index(b"\n", data.index(b"filler") - 200) + 1
    end = data.index(b"\n", data.rindex(b"filler"))
    new = planted_rows()
    left = end - begin + 1 - sum(len(line) + 1 for line, _ in new)
    frame = b'mx1,"2026-11-22 13:01",203.0.113.7,%s,null,Off,N/A,N/A,"N/A"'
    if left < 1000:
        sys.exit("sql-rows.py: there are %d bytes too few to fill" % (1000 - left))
    # the last ones fill what is left
    while left:
        take = left if left < 50000 else 40000
        new.append((frame % (b"f" * (take - len(frame) + 1)), ""))
        left -= take
    text = b"\n".join(line for line, _ in new)
    with open(path, "r+b") as file:
        file.seek(begin)
        file.write(text)
    offset = begin
    for line, kind in new:
        if kind:
            print(kind, offset)
        offset += len(line) + 1


def damage(path, how, seed):
    rng = random.Random(seed)
    with open(path, "rb") as file:
        data = bytearray(file.read())
    if how == "byte":
        at = rng.randrange(len(data))
        data[at] ^= 1 << rng.randrange(8)
    elif how == "cut":
        del data[rng.randrange(len(data)) :]
    elif how == "line":
        lines = data.split(b"\n")
        del lines[rng.randrange(len(lines) - 1)]
        data = b"\n".join(lines)
    elif how == "twice":
        lines = data.split(b"\n")
        at = rng.randrange(len(lines) - 1)
        lines.insert(at, lines[at])
        data = b"\n".join(lines)
    elif how == "nul":
        at = rng.randrange(len(data))
        data[at : at + 512] = bytes(len(data[at : at + 512]))
    elif how == "tail":
        data += b"DROP TABLE failed_logins;\n"
    elif how == "empty":
        data = b""
    else:
        sys.exit("sql-rows.py: no such damage: " + how)
    with open(path, "wb") as file:
        file.write(data)


def main(arguments):
    command, arguments = arguments[0], arguments[1:]
    if command == "log":
        log(int(arguments[0]), int(arguments[1]))
    elif command == "expect":
        expect(arguments[0], arguments[1:])
    elif command == "compare":
        compare(*arguments)
    elif command == "plant":
        plant(arguments[0])
    elif command == "damage":
        damage(arguments[0], arguments[1], int(arguments[2]))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")
    main(sys.argv[1:])
