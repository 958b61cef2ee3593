#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""read-mail.py [--mbox] FILE DIR

Takes a mail (of a mailbox all, into DIR/1, DIR/2 ...) apart with Python's parser, which is nothing of the program's own:
  head       lines "Name: value", decoded; "structure: ", the types of all parts; "defects: ", what the parser and RFC 5322 do not like
  text html  the bodies;   page  what of the HTML is to be read, blanks as one;   tags  what the page is built of
  NAME       the attachment, unpacked when it is gzip; its name as sent and its type stand in head, "attachment: ", "attachment-type: "
"""
import email
import email.policy
import gzip
import html.parser
import mailbox
import os
import re
import sys

HEADERS = ("From", "To", "Date", "Message-ID", "Subject", "Auto-Submitted", "MIME-Version")
SILENT = ("style", "title", "script")


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.words, self.tags, self.silent = [], set(), 0

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        for name, value in attrs:
            if name.startswith("on") or name in ("src", "href", "background", "action", "srcset"):
                self.tags.add("%s %s=%s" % (tag, name, value))
        self.silent += tag in SILENT
        if tag not in ("wbr", "span", "b", "strong", "bdi", "a", "small"):
            self.words.append(" ")

    def handle_endtag(self, tag):
        self.silent -= tag in SILENT

    def handle_data(self, data):
        if not self.silent:
            self.words.append(data)

    def handle_decl(self, decl):
        self.tags.add("!" + decl)


def write(directory, name, content):
    with open(os.path.join(directory, name), "wb") as file:
        file.write(content if isinstance(content, bytes) else content.encode("utf-8", "surrogateescape"))


def structure(part):
    if not part.is_multipart():
        return part.get_content_type()
    return "%s(%s)" % (part.get_content_type(), " ".join(structure(child) for child in part.iter_parts()))


def defects(raw, message):
    found = [repr(defect) for part in message.walk() for defect in part.defects]
    found += [repr(defect) for value in message.values() for defect in getattr(value, "defects", ())]
    found += ["%s is there %d times" % (name, len(message.get_all(name, []))) for name in HEADERS
              if len(message.get_all(name, [])) != 1]
    lines = raw.replace(b"\r\n", b"\n").split(b"\n")
    if any(len(line) > 998 for line in lines):
        found.append("a line of more than 998 octets")
    if b"\r" in raw.replace(b"\r\n", b""):
        found.append("a CR alone")
    if b"\0" in raw:
        found.append("a NUL")
    head = lines[:lines.index(b"")]
    if any(any(byte > 126 or (byte < 32 and byte != 9) for byte in line) for line in head):
        found.append("a header that is not plain ASCII")
    if any(len(line) > 78 for line in head if not line.startswith((b"Received:", b"Delivered-To:"))):
        found.append("a header line of more than 78 octets")
    return found


def take_apart(raw, directory):
    os.makedirs(directory, exist_ok=True)
    message = email.message_from_bytes(raw, policy=email.policy.default)
    head = ["%s: %s" % (name, message[name]) for name in HEADERS if name in message]
    head += ["structure: " + structure(message), "defects: " + "; ".join(defects(raw, message))]
    for part in message.walk():
        if part.get_content_disposition() == "attachment":
            content, kind = part.get_payload(decode=True), part.get_content_type()
            name = part.get_filename() or ""
            head += ["attachment: " + name, "attachment-type: " + kind]
            write(directory, "rows", gzip.decompress(content) if kind == "application/gzip" else content)
        elif part.get_content_type() == "text/plain":
            write(directory, "text", part.get_content().replace("\r\n", "\n"))
        elif part.get_content_type() == "text/html":
            page = Page()
            page.feed(part.get_content())
            page.close()
            write(directory, "html", part.get_content().replace("\r\n", "\n"))
            write(directory, "page", re.sub(r"\s+", " ", "".join(page.words)) + "\n")
            write(directory, "tags", "".join(tag + "\n" for tag in sorted(page.tags)))
    write(directory, "head", "".join(line + "\n" for line in head))


def main(arguments):
    if arguments[0] != "--mbox":
        with open(arguments[0], "rb") as file:
            take_apart(file.read(), arguments[1])
        return
    for number, mail in enumerate(mailbox.mbox(arguments[1], create=False), 1):
        take_apart(mail.as_bytes(), os.path.join(arguments[2], str(number)))


main(sys.argv[1:])
