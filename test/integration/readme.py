# SPDX-License-Identifier: GPL-3.0-or-later
"""What README.md shows is what happens: runs its examples and compares what comes, or puts it there.

    readme.py README [--write]

It looks whether links lead somewhere and the table of commands has those that there are, compares the table of options with `maillogsentinel check-config --dump`, then runs each block ```console, in order. In such a block "$ " and "# " begin a command, "> " goes on with it, and what follows is what it prints on a terminal of 80 columns. A comment
"<!-- box: COMMAND -->" is a command that is not shown; what it prints is a failure. "[...]" stands for
more of the same. What differs from one time to the next (process ids,
times of the day, how long something took) is not compared.

It runs in name spaces of its own that readme.sh has made, where it may write to /etc and /var; it is the name server and the mail
server of that place.
"""

import difflib
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

NAMES = {
    "8.8.8.8": "dns.google",
    "2001:4860:4860::8888": "dns.google",
    "1.1.1.1": "one.one.one.one",
    "2606:4700:4700::1111": "one.one.one.one",
    "9.9.9.9": "dns9.quad9.net",
    "2620:fe::fe": "dns.quad9.net",
    "208.67.222.222": "dns.opendns.com",
}
# what two runs may have in different form
VARYING = [
    (r"process \d+", "process N"),
    (r"\b(pid|kill) \d+", r"\1 N"),
    (r"2026-03-14([ T])23:\d\d(:\d\d(\.\d+)?)?", r"NOW"),
    (r"20260314T23\d{4}Z", "NOW"),
    (r"\(\d+(\.\d+)? (bytes|KiB)", "(SIZE"),
    (r"\b\d+(\.\d+)? (ms|s)\b", "SPAN"),
    (r"\b[0-9a-f]{16,}\b", "HEX"),
    (r"\b\d+(\.\d+)? lookups a minute", "RATE"),
]
DEADLINE_S = 60
TABLE_BEGIN = "<!-- options: from the program -->\n"
TABLE_END = "<!-- end of options -->"


def reverse_name(address):
    if ":" in address:
        digits = socket.inet_pton(socket.AF_INET6, address).hex()
        return ".".join(reversed(digits)) + ".ip6.arpa"
    return ".".join(reversed(address.split("."))) + ".in-addr.arpa"


def serve_names(sock):
    names = {reverse_name(address): name for address, name in NAMES.items()}
    while True:
        query, peer = sock.recvfrom(4096)
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode("ascii", "replace").lower())
            at += 1 + query[at]
        question = query[12:at + 5]
        name = names.get(".".join(labels))
        answer = b""
        if name:
            data = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
            answer = b"\xc0\x0c" + struct.pack("!HHIH", 12, 1, 3600, len(data)) + data
        head = query[:2] + struct.pack("!HHHHH", 0x8180 if name else 0x8183, 1, 1 if name else 0, 0, 0)
        sock.sendto(head + question + answer, peer)


def serve_mail(listener):
    while True:
        connection = listener.accept()[0]
        lines = connection.makefile("rb")
        connection.sendall(b"220 mx1.example.com ESMTP\r\n")
        in_data = False
        for line in lines:
            if in_data:
                if line != b".\r\n":
                    continue
                in_data = False
            verb = line[:4].upper()
            if verb == b"DATA":
                in_data = True
                connection.sendall(b"354 go on\r\n")
            elif verb == b"QUIT":
                connection.sendall(b"221 bye\r\n")
                break
            else:
                connection.sendall(b"250 fine\r\n")
        connection.close()


def run(command):
    """What the command prints on a terminal, and its exit status. A "^C" is typed when nothing has come for a second."""
    interrupt = command.endswith("^C")
    pid, terminal = pty.fork()
    if not pid:
        os.execvp("bash", ["bash", "-c", "stty cols 80 -echoctl; " + command.removesuffix("^C")])
    output, end, typed = b"", time.monotonic() + DEADLINE_S, False
    while True:
        ready, _, _ = select.select([terminal], [], [], 1 if interrupt and not typed else 5)
        if not ready:
            if interrupt and not typed and output:
                os.write(terminal, b"\x03")
                output, typed = output + b"^C\n", True
            elif time.monotonic() > end:
                os.kill(pid, signal.SIGKILL)
                output += b"(killed: too slow)\n"
            continue
        try:
            chunk = os.read(terminal, 65536)
        except OSError:
            break
        if not chunk:
            break
        output += chunk
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    text = output.decode("utf-8", "replace").replace("\r\n", "\n")
    # a line of progress that was wiped out
    text = re.sub(r"[^\n]*\r(\x1b\[K)?", "", text)
    return text.splitlines(), status


def settled(lines):
    text = "\n".join(line.rstrip() for line in lines)
    for pattern, stand_in in VARYING:
        text = re.sub(pattern, stand_in, text)
    return text


def hidden(number, command):
    lines, status = run(command)
    print("%s %d - in between: %s" % ("not ok" if lines or status else "ok", number, command))
    print("".join("# %s\n" % line for line in lines), end="")
    return not lines and not status


def examples(path, write):
    old = open(path, encoding="utf-8").read().split("\n")
    new, failed, count, i = [], 0, 3, 0
    while i < len(old):
        line = old[i]
        new.append(line)
        i += 1
        note = re.fullmatch(r"<!-- box: (.*) -->", line)
        if note:
            count += 1
            failed += not hidden(count, note.group(1))
        if line != "```console":
            continue
        while old[i] != "```":
            first = i
            assert re.match(r"[$#] ", old[i]), "%s:%d: is no command" % (path, i + 1)
            command = old[i][2:]
            i += 1
            while old[i].startswith("> "):
                command += "\n" + old[i][2:]
                i += 1
            new += old[first:i]
            expected = []
            while old[i] != "```" and not re.match(r"[$#] ", old[i]):
                expected.append(old[i])
                i += 1
            # a command that goes on until somebody ends it
            got, _ = run(command + ("^C" if "^C" in expected else ""))
            # what stands for more of the same
            if "[...]" in expected:
                at = expected.index("[...]")
                rest = len(expected) - at - 1
                got = got[:at] + ["[...]"] + (got[-rest:] if rest else [])
            got = [text.rstrip() for text in got]
            same = settled(got) == settled(expected)
            count += 1
            new += expected if same or not write else got
            print("%s %d - %s" % ("ok" if same or write else "not ok", count, command.replace("\n", " ")))
            if not same and not write:
                failed += 1
                for difference in difflib.unified_diff(expected, got, "README.md", "what comes", lineterm=""):
                    print("# " + difference)
    if write:
        with open(path, "w", encoding="utf-8") as out:
            out.write("\n".join(new))
    print("1..%d" % count)
    return failed


def links(path):
    text = open(path, encoding="utf-8").read()
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    anchors = {"#" + re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    found = map("".join, re.findall(r'\]\(([^)]*)\)|src(?:set)?="([^"]*)"', text))
    dead = [link for link in found if not re.match(r"https?:", link) and
            link not in anchors and not (not link.startswith("#") and os.path.exists(os.path.join(os.path.dirname(path), link)))]
    print("%s 1 - every link leads somewhere" % ("not ok" if dead else "ok"))
    print("".join("# %s\n" % link for link in dead), end="")
    return 1 if dead else 0


def commands(path):
    said = subprocess.run(["maillogsentinel", "--help"], stdout=subprocess.PIPE, check=True, encoding="utf-8").stdout
    there = set(re.findall(r"^  ([a-z-]+) ", said.split("Commands:")[1].split("\n\n")[0], re.MULTILINE))
    rows = re.findall(r"^\| \[(`[a-z`, -]+`)\]\(#", open(path, encoding="utf-8").read(), re.MULTILINE)
    listed = set(re.findall(r"`([a-z-]+)`", " ".join(rows)))
    print("%s 2 - the table of commands has all of them" % ("ok" if there == listed else "not ok"))
    print("".join("# %s is only in one of them\n" % name for name in sorted(there ^ listed)), end="")
    return there != listed


def options_table():
    dump = subprocess.run(["maillogsentinel", "-c", "/dev/null", "check-config", "--dump"], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, check=False, encoding="utf-8").stdout
    rows, group, comment = ["| option | default | what it is |", "|---|---|---|"], "", []
    for line in dump.split("\n"):
        head = re.match(r"([A-Za-z_]+): \{", line)
        option = re.match(r"\t#?([a-z_]+) = (.*);$", line)
        if head:
            group = head.group(1)
            comment = []
        elif line.startswith("\t# "):
            comment.append(line[3:])
        elif option:
            value = option.group(2)
            # which leave no room for what they are
            if value.startswith('"http') or (value.startswith('"/') and "db" in option.group(1)):
                value = '"…/' + value.rsplit("/", 1)[1]
            rows.append("| `%s.%s` | `%s` | %s |" % (group, option.group(1), value, " ".join(comment).replace("|", "\\|")))
            comment = []
    return rows


def options(path, write):
    text = open(path, encoding="utf-8").read()
    before, rest = text.split(TABLE_BEGIN)
    table, after = rest.split(TABLE_END)
    new = "\n".join(options_table()) + "\n"
    if write:
        with open(path, "w", encoding="utf-8") as out:
            out.write(before + TABLE_BEGIN + new + TABLE_END + after)
    same = write or table == new
    print("%s 3 - the table of options is the program's" % ("ok" if same else "not ok"))
    return 0 if same else 1


def main():
    path, write = sys.argv[1], "--write" in sys.argv[2:]
    names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    names.bind(("127.0.0.1", 53))
    mail = socket.create_server(("127.0.0.1", 25))
    for serve, sock in (serve_names, names), (serve_mail, mail):
        threading.Thread(target=serve, args=(sock,), daemon=True).start()
    failed = links(path)
    failed += commands(path)
    failed += options(path, write)
    failed += examples(path, write)
    return 1 if failed else 0


sys.exit(main())
