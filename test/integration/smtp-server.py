# SPDX-License-Identifier: GPL-3.0-or-later
"""An SMTP server for tests, of as many kinds as there are lines below, each at a port of its own.

    smtp-server.py DIRECTORY

DIRECTORY holds good.pem, other.pem and self.pem (a key and a certificate each). "NAME PORT" lines go to DIRECTORY/ports when all of them listen;
what each heard goes to DIRECTORY/NAME: commands with "+" before those that came over TLS, then the message's lines.
"""

import base64
import os
import socket
import ssl
import sys
import threading

WORK = sys.argv[1]
# name: certificate; whether TLS begins at once; what else
KINDS = {
    "plain": (None, False, ""),
    "good": ("good", False, ""),
    "self": ("self", False, ""),
    "other": ("other", False, ""),
    "good-smtps": ("good", True, ""),
    "self-smtps": ("self", True, ""),
    "refuses": ("good", False, "refuses"),
    "breaks": ("good", False, "breaks"),
    "injects": ("good", False, "injects"),
    "after": ("self", False, "after"),
    "size": ("good", False, "size"),
    "stalls": ("good", False, "stalls"),
}
USER, PASSWORD = b"mls", "s\u00e9cret \\ \"x\"".encode()


class Connection:
    def __init__(self, name, sock):
        self.certificate, self.tls, self.extra = KINDS[name]
        self.sock = sock
        self.is_tls = False
        self.log = open(os.path.join(WORK, name), "ab", buffering=0)
        if self.tls:
            self.wrap()
        self.file = self.sock.makefile("rb")

    def wrap(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.path.join(WORK, self.certificate + ".pem"))
        self.sock = context.wrap_socket(self.sock, server_side=True)
        self.is_tls = True

    def say(self, *lines):
        self.sock.sendall(b"".join(line.encode() + b"\r\n" for line in lines))

    def hear(self):
        line = self.file.readline()
        if not line:
            raise ConnectionError
        return line

    def greet(self):
        lines = ["mail.test"]
        if self.certificate and not self.is_tls:
            lines.append("STARTTLS")
            if self.extra == "size":
                lines.append("SIZE 10")
        if self.extra != "after" or self.is_tls:
            lines.append("AUTH PLAIN")
        self.say(*("250" + ("-" if line is not lines[-1] else " ") + line for line in lines))

    def start_tls(self):
        if self.extra == "refuses":
            self.say("454 4.7.0 TLS not available")
        elif self.extra == "breaks":
            self.say("220 go on")
            # not before the client has begun with it: that would be something else, "injects"
            self.sock.recv(1)
            self.sock.sendall(b"this is no TLS\r\n")
            raise ConnectionError
        elif self.extra == "stalls":
            self.say("220 go on")
            self.hear()
            threading.Event().wait(60)
        else:
            if self.extra == "injects":
                self.say("220 go on", "250-injected", "250 AUTH PLAIN")
            else:
                self.say("220 go on")
            self.wrap()
            self.file = self.sock.makefile("rb")

    def log_in(self, line):
        given = line.split()[2:]
        if not given:
            self.say("334 ")
            given = [self.hear()]
        known = base64.b64decode(given[0]) == b"\0" + USER + b"\0" + PASSWORD
        self.log.write(b"known\n" if known else b"unknown\n")
        self.say("235 2.7.0 welcome" if known else "535 5.7.8 authentication failed")

    def take_message(self):
        self.say("354 go on")
        while (line := self.hear()) != b".\r\n":
            self.log.write(line[1:] if line.startswith(b"..") else line)
        self.say("250 2.0.0 queued")

    def serve(self):
        self.say("220 mail.test ESMTP")
        while True:
            line = self.hear()
            verb = line.split()[0].upper() if line.split() else b""
            self.log.write((b"+" if self.is_tls else b"") + b" ".join(line.split()[: 2 if verb == b"AUTH" else 9]) + b"\n")
            if verb in (b"EHLO", b"HELO"):
                self.greet()
            elif verb == b"STARTTLS":
                self.start_tls()
            elif verb == b"AUTH":
                self.log_in(line)
            elif verb == b"DATA":
                self.take_message()
            elif verb == b"QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 ok")


def serve(name, listener):
    def one(sock):
        try:
            Connection(name, sock).serve()
        except (OSError, ConnectionError):
            pass
        finally:
            sock.close()

    while True:
        sock, _ = listener.accept()
        threading.Thread(target=one, args=(sock,), daemon=True).start()


ports = ""
for name in KINDS:
    listener = socket.create_server(("127.0.0.1", 0))
    ports += "%s %d\n" % (name, listener.getsockname()[1])
    threading.Thread(target=serve, args=(name, listener), daemon=True).start()
with open(os.path.join(WORK, "ports.new"), "w", encoding="ascii") as file:
    file.write(ports)
os.rename(os.path.join(WORK, "ports.new"), os.path.join(WORK, "ports"))
threading.Event().wait()
