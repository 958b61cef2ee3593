#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""smtp-play.py DIR [PORT]

A mail server on 127.0.0.1 (its port is then in DIR/port) that behaves as DIR/mode says, which it reads at each step. Lines of it:
  STAGE [once|to=ADDRESS|over=BYTES] ANSWER    at banner, ehlo, mail, rcpt, data or end (of the data), instead of the usual answer
  size BYTES                                   what it says to EHLO that it takes
ANSWER is an SMTP reply, "hang" (until the client goes away), "close", or at the end "lost": it takes the mail and closes.
over=BYTES: for mails larger than that (end). DIR/log has what happened, DIR/mail/N the mails that it took, as they
were, DIR/mail/N.to to whom.
"""
import os
import socketserver
import sys
import threading

DIR = sys.argv[1]
USUAL = {"banner": "220 play ESMTP", "mail": "250 2.1.0 ok", "rcpt": "250 2.1.5 ok", "data": "354 go on", "end": "250 2.0.0 taken"}
lock = threading.Lock()
taken = 0
spent = set()


def log(text):
    with lock, open(os.path.join(DIR, "log"), "a", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text + "\n")


def mode():
    try:
        with open(os.path.join(DIR, "mode"), encoding="utf-8") as file:
            return [line.split() for line in file.read().splitlines() if line]
    except FileNotFoundError:
        return []


def keep(lines, recipients):
    global taken
    with lock:
        taken += 1
        base = os.path.join(DIR, "mail", "%04d" % taken)
    with open(base + ".part", "wb") as file:
        file.writelines(lines)
    with open(base + ".to", "w", encoding="utf-8") as file:
        file.write(" ".join(recipients) + "\n")
    os.rename(base + ".part", base)
    log("taken for " + " ".join(recipients))


class Session(socketserver.StreamRequestHandler):
    def reply(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def chosen(self, stage, address="", size=0):
        for words in mode():
            answer = words[2:]
            if words[0] != stage or len(words) < 2:
                continue
            if words[1] == "once":
                key = " ".join(words)
                if key in spent:
                    continue
                spent.add(key)
            elif words[1].startswith("to="):
                if words[1][3:] != address:
                    continue
            elif words[1].startswith("over="):
                if size <= int(words[1][5:]):
                    continue
            else:
                answer = words[1:]
            return " ".join(answer)
        return USUAL.get(stage, "")

    def act(self, stage, **about):
        """The answer of a stage; None when the session is over."""
        answer = self.chosen(stage, **about)
        if answer == "hang":
            log("hang " + stage)
            while self.rfile.read(1):
                pass
            log("gone")
            return None
        if answer in ("close", "lost"):
            log(answer + " " + stage)
            return "" if answer == "lost" else None
        if stage != "ehlo":
            self.reply(answer)
        log("%s %s" % (stage, answer))
        return answer

    def data(self, recipients):
        lines = []
        while True:
            line = self.rfile.readline()
            if not line:
                log("cut off")
                return False
            if line == b".\r\n":
                break
            lines.append(line[1:] if line.startswith(b".") else line)
        answer = self.act("end", size=sum(map(len, lines)))
        if answer is None:
            return False
        if answer == "" or answer[0] == "2":
            keep(lines, recipients)
        return answer != ""

    def handle(self):
        log("connect")
        try:
            self.session()
        except (ConnectionError, ValueError) as error:
            log("broken: %s" % error)

    def session(self):
        recipients = []
        answer = self.act("banner")
        if answer is None or answer[0] != "2":
            return
        while True:
            line = self.rfile.readline().decode("utf-8", "backslashreplace").rstrip("\r\n")
            if not line:
                return
            verb = line.split(":")[0].split()[0].upper() if line.split() else ""
            if verb in ("EHLO", "HELO"):
                special = self.chosen("ehlo")
                if special:
                    if self.act("ehlo") is None:
                        return
                    self.reply(special)
                    continue
                size = [words[1] for words in mode() if words[0] == "size"]
                self.reply("250-play")
                if size:
                    self.reply("250-SIZE " + size[0])
                self.reply("250 8BITMIME")
            elif verb == "MAIL":
                log(line)
                recipients = []
                if self.act("mail") is None:
                    return
            elif verb == "RCPT":
                address = line[line.index("<") + 1:line.index(">")]
                answer = self.act("rcpt", address=address)
                if answer is None:
                    return
                if answer[0] == "2":
                    recipients.append(address)
            elif verb == "DATA":
                if not recipients:
                    self.reply("554 5.5.1 no recipients")
                    continue
                answer = self.act("data")
                if answer is None:
                    return
                if answer[0] == "3" and not self.data(recipients):
                    return
            elif verb == "RSET":
                recipients = []
                self.reply("250 ok")
            elif verb == "QUIT":
                self.reply("221 bye")
                return
            else:
                self.reply("250 ok")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 50


os.makedirs(os.path.join(DIR, "mail"), exist_ok=True)
taken = len([name for name in os.listdir(os.path.join(DIR, "mail")) if name.endswith(".to")])
server = Server(("127.0.0.1", int(sys.argv[2]) if len(sys.argv) > 2 else 0), Session)
with open(os.path.join(DIR, "port.new"), "w", encoding="ascii") as port:
    port.write("%d\n" % server.server_address[1])
os.rename(os.path.join(DIR, "port.new"), os.path.join(DIR, "port"))
server.serve_forever()
