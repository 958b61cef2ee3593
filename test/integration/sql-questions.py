# SPDX-License-Identifier: GPL-3.0-or-later
"""The log that sql-questions.sh asks about, and what the answers are, counted from the CSV without any SQL.

    sql-questions.py log                    print the log
    sql-questions.py country                print a database of countries for it
    sql-questions.py asn                    and one of networks
    sql-questions.py blocks MANUAL DIR      write each statement of the manual as DIR/N.sql, and print "N HEADING"
    sql-questions.py answer CSV HEADING N   print the answer of the Nth statement below that heading: tabs, \\N for NULL

An answer that has an order must have one: two rows that could change places end the program.
"""

import collections
import csv
import ipaddress
import random
import re
import sys

DAYS = range(1, 29)  # of November 2026


def print_log():
    chance = random.Random(8)  # with which every answer has one order
    lines = []

    def fail(day, minute, ip, user, server="mx1", name="unknown"):
        stamp = "2026-11-%02dT%02d:%02d:%02d" % (day, minute // 60, minute % 60, chance.randrange(60))
        lines.append((stamp, server, "%s[%s]" % (name, ip), user))

    # many, of whom few do the most
    addresses = ["%d.%d.%d.%d" % (chance.choice((45, 81, 185, 203)), i % 7, i, 1 + i % 250) for i in range(150)]
    addresses += ["2001:db8:%x::%x" % (i % 5, i) for i in range(30)]
    chance.shuffle(addresses)
    names = ["info", "Info", "root", "root ", "o'brien", "x'); DROP TABLE failed_logins; --", "a\\b", "null", "NA", "N/A",
             "100%", "müller", "with \"quotes\"", "_", "admin@example.com"]
    names += ["n%d" % i for i in range(60)]
    # alike for longer than databases like to look
    names += ["x" * 1500 + end for end in "ab"]
    for i, ip in enumerate(addresses):
        for _ in range(1 + 4000 // (12 + i * i)):
            fail(chance.choice(DAYS), chance.randrange(1440), ip, names[int(chance.random() ** 2 * len(names))],
                 chance.choice(("mx1", "mx1", "mx2", "mx3")) if i % 20 == 0 else "mx1")
    # one who did this and that, and neighbours of various zeal
    for minute, user in enumerate(("info", "sales", "sales", "o'brien")):
        fail(17, 600 + minute // 2, "192.0.2.66", user, "mx2", "client.example.net")
    for i, n in enumerate((7, 3, 2)):
        for _ in range(n):
            fail(16 + i, 700, "192.0.2.%d" % (70 + i), "info")
    # neither neighbour nor 192.0.2.0/24
    fail(16, 700, "192.0.20.1", "info")
    # from many at once, and a smaller one that is none
    for n, user in ((31, "boss"), (24, "chef"), (19, "clerk")):
        for i in range(n):
            for _ in range(1 + i % 2):
                fail(18, 60 + i, "100.%d.7.%d" % (n, i), user)
    # slowly
    for n, ip in enumerate(("198.51.100.1", "198.51.100.2", "2001:db8:5::5", "198.51.100.3")):
        for day in DAYS[: 20 - 4 * n]:
            for _ in range(1 + day % 3):
                fail(day, 1000 + n, ip, "n%d" % day)
    # new networks, and one without an address
    for n, ip in enumerate(("64.1.0.1", "64.2.0.1", "64.3.0.1")):
        for i in range(9 - 2 * n):
            fail(21 + n, 5, ip, "info")
    for day in DAYS[:5]:
        fail(day, 30, "unknown", "info")
    for stamp, server, client, user in sorted(lines):
        print("%s+00:00 %s postfix/smtpd[99]: warning: %s: SASL LOGIN authentication failed: authentication failure, "
              "sasl_username=%s" % (stamp, server, client, user))


def print_country():
    for first_octet, code in ((45, "RO"), (64, "NA"), (81, "CN"), (100, "US"), (185, "NL")):
        print("%d.0.0.0,%d.255.255.255,%s" % (first_octet, first_octet, code))


def print_asn():
    for first_octet in (45, 64, 81, 185):
        for second in range(7):
            # one network has two names
            asn = 4200000000 + second if first_octet == 185 else 1000 * first_octet + max(second, 1)
            print("%d.%d.0.0,%d.%d.255.255,%d,\"Netz %d, \"\"%s\"\" \\%d O'Neill äöü\"" %
                  (first_octet, second, first_octet, second, asn, first_octet, "abcdefg"[second], second))


def write_blocks(manual, directory):
    count, heading, block = 0, "", None
    for line in open(manual, encoding="utf-8"):
        line = line.rstrip("\n")
        if re.match(r"\.S[hs] ", line):
            heading = line[4:].removesuffix("\\&")
        elif line.startswith(".Bd "):
            block = []
        elif line == ".Ed":
            text = "\n".join(block)
            if re.match(r"(-- .*\n)?(SELECT|DELETE|CREATE|GRANT)\b", text):
                count += 1
                with open("%s/%d.sql" % (directory, count), "w", encoding="utf-8") as out:
                    out.write(text + "\n")
                print(count, heading)
            block = None
        elif block is not None:
            # roff has no other way to write a backslash
            block.append(line.replace("\\e", "\\").replace("\\(aq", "'").replace("\\(dq", '"'))


def read_rows(path):
    missing = {"user": "N/A", "hostname": "null", "country_code": "N/A", "asn": "N/A", "aso": "N/A", "ip": "unknown"}
    rows = []
    for row in csv.DictReader(open(path, encoding="utf-8", newline="")):
        for column, value in row.items():
            if missing.get(column) == value:
                row[column] = None
            elif column in ("server", "user", "hostname", "aso") and value.startswith("'"):
                row[column] = value[1:]
        rows.append(row)
    return rows


def group(rows, key):
    groups = collections.defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return groups.items()


def distinct(rows, column):
    return len({row[column] for row in rows} - {None})


def greatest(rows, column):
    return max((row[column] for row in rows if row[column] is not None), default=None)


def first(rows):
    return min(row["date"] for row in rows)


def last(rows):
    return max(row["date"] for row in rows)


def in_order(answer, *keys, limit=None):
    """Sorts by the columns, which a minus turns around, and cuts."""
    answer = list(answer)
    for key in reversed(keys):
        answer.sort(key=lambda row: row[abs(key) - 1], reverse=key < 0)
    order = [tuple(row[abs(key) - 1] for key in keys) for row in answer[: limit and limit + 1]]
    if len(set(order)) != len(order):
        sys.exit("no order: %s" % [key for key, n in collections.Counter(order).items() if n > 1])
    return answer[:limit]


def day(row):
    return row["date"][:10]


def slow(rows):
    return len({day(row) for row in rows})


def by_ip(rows):
    return group([row for row in rows if row["ip"]], lambda row: row["ip"])


def range_of(rows):
    found = [r for r in rows if r["ip"] and ipaddress.ip_address(r["ip"]) in ipaddress.ip_network("192.0.2.0/24")]
    return in_order(((ip, len(g), last(g)) for ip, g in by_ip(found)), -2)


def country(rows):
    return in_order(((code, len(g), distinct(g, "ip"), "%.1f" % (100 * len(g) / len(rows)))
                     for code, g in group(rows, lambda row: row["country_code"])), -2, limit=10)


ANSWERS = {
    "How many failed logins came each day?": [
        lambda rows: in_order(((d, len(g), distinct(g, "ip"), distinct(g, "user")) for d, g in group(rows, day)), 1)],
    "Which addresses come most often, and from where?": [
        lambda rows: in_order(((ip, len(g), distinct(g, "user"), greatest(g, "country_code"), greatest(g, "aso"))
                               for ip, g in by_ip(r for r in rows if "2026-11-15" <= day(r) < "2026-11-22")), -2, limit=10),
        lambda rows: in_order(((ip, len(g), distinct(g, "user"), greatest(g, "country_code"), greatest(g, "aso"), first(g), last(g))
                               for ip, g in by_ip(rows)), -2, limit=10)],
    "Which user names are tried most?": [
        lambda rows: in_order(((user, len(g), distinct(g, "ip"))
                               for user, g in group(rows, lambda row: row["user"]) if user is not None), -2, limit=10)],
    "Which share has each country?": [country],
    "Which networks are new?": [
        lambda rows: in_order(((asn, greatest(g, "aso"), len(g), distinct(g, "ip"), first(g))
                               for asn, g in group(rows, lambda row: row["asn"]) if asn and first(g) >= "2026-11-20"), -3, limit=10)],
    "What did this address do?": [
        lambda rows: [(r["date"], r["server"], r["user"], r["hostname"]) for r in rows if r["ip"] == "192.0.2.66"]],
    "What comes from this range of addresses?": [range_of, range_of],
    "Which user names are attacked from many addresses at once?": [
        lambda rows: in_order(((user, distinct(g, "ip"), len(g))
                               for user, g in group([r for r in rows if day(r) >= "2026-11-15"], lambda row: row["user"])
                               if user is not None and 3 * distinct(g, "ip") >= len(g) and distinct(g, "ip") >= 20), -2, limit=10)],
    "Who comes slowly, a few times a day but for many days?": [
        lambda rows: in_order(((ip, slow(g), len(g)) for ip, g in by_ip(rows) if slow(g) >= 7 and len(g) <= 3 * slow(g)),
                              -2, -3, limit=10)],
    "Which addresses attack more than one of our servers?": [
        lambda rows: in_order(((ip, distinct(g, "server"), len(g), first(g), last(g))
                               for ip, g in by_ip(rows) if distinct(g, "server") > 1), -2, -3, limit=10)],
}


def main():
    if sys.argv[1] in ("log", "country", "asn"):
        {"log": print_log, "country": print_country, "asn": print_asn}[sys.argv[1]]()
    elif sys.argv[1] == "blocks":
        write_blocks(*sys.argv[2:])
    else:
        for row in ANSWERS[sys.argv[3]][int(sys.argv[4])](read_rows(sys.argv[2])):
            print("\t".join("\\N" if value is None else str(value) for value in row))


main()
