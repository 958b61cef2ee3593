#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers that are made to break `setup --interactive`: setup-hostile.py PROGRAM. Each is given to each question, in a terminal of its
own; what is refused is then answered by the default. It must neither crash nor hang nor show a byte that a terminal would obey,
and without a yes at the end it must change nothing. Prints a line for each fault, and a summary."""
import os, pty, re, select, signal, subprocess, sys, termios, time

PROGRAM = sys.argv[1]
HOSTILE = [
	b"\x1b[2J\x1b]0;owned\x07", b"\xff\xfe\x80", "\u202eexe.txt".encode(), b"x" * 10000, b"/" + b"y/" * 3000, b"root@box.example\x0b\x0cBcc: x@example.com",
	b'"; general: { log_level = "DEBUG"; }; #', b"$(touch /owned)`touch /owned`; touch /owned", b"-rf /", b"--help", b"%s%n%x", b"  ", b"/dev/full",
	b"/proc/self/mem", b"../../../../etc", b"99999999999999999999", b"smtp://user:secret@localhost:99999/", b"*-*-31 25:00",
]
faults = []


def tree():
	"""What is on the disk: names, modes, owners, sizes, times of change."""
	places = "find /etc /var/lib /opt /srv /root /home /usr/lib/systemd /usr/sbin -xdev".split()
	seen = subprocess.run(places + ["-type", "d", "-printf", "%p %m %u:%g\n", "-o", "-printf", "%p %m %u:%g %s %C@\n"], capture_output=True)
	return set(seen.stdout.decode(errors="surrogateescape").split("\n"))


class Session:
	def __init__(self):
		self.pid, self.fd = pty.fork()
		if self.pid == 0:
			os.environ.update(TERM="xterm", LC_ALL="C.UTF-8")
			os.execv(PROGRAM, [PROGRAM, "setup", "--interactive"])
		# what is typed is not shown, so that all that comes is the program's own; lines may be long
		mode = termios.tcgetattr(self.fd)
		mode[3] &= ~(termios.ECHO | termios.ECHOCTL | termios.ICANON)
		termios.tcsetattr(self.fd, termios.TCSANOW, mode)
		self.output, self.status = b"", None

	def read(self, seconds=10):
		"""Reads on until it waits for an answer: True, or has ended: False."""
		deadline, start = time.monotonic() + seconds, len(self.output)
		while time.monotonic() < deadline:
			if select.select([self.fd], [], [], 0.03)[0]:
				try:
					data = os.read(self.fd, 65536)
				except OSError:
					data = b""
				if not data:
					self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
					return False
				self.output += data
			elif len(self.output) > start and self.asleep():
				return True
		raise TimeoutError

	def asleep(self):
		with open("/proc/%d/stat" % self.pid) as file:
			state = file.read().rsplit(")", 1)[1].split()[0]
		return state == "S" and not self.output.endswith(b"\n")

	def question(self):
		return self.output.rsplit(b"\n", 1)[-1].decode(errors="replace")

	def say(self, answer):
		os.write(self.fd, answer + b"\n")

	def end(self):
		if self.status is None:
			os.kill(self.pid, signal.SIGKILL)
			os.waitpid(self.pid, 0)
		os.close(self.fd)


def look_at(output, what):
	for found in re.finditer(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xaa-\xae]", output):
		# colours are the program's own
		if not re.match(rb"\x1b\[[0-9;]*[mK]", output[found.start():found.start() + 12]):
			faults.append("%s: shows %r" % (what, output[max(0, found.start() - 40):found.end() + 20]))
			return
	try:
		output.decode()
	except UnicodeDecodeError as error:
		faults.append("%s: shows what is no UTF-8: %r" % (what, output[max(0, error.start - 40):error.end + 10]))


def walk(at, answers):
	"""Answers question number `at` with one after the other as long as they are refused, and the others by their defaults; at the last
	one, which would begin, hangs up. The question, or None; how many answers were used up."""
	session, number, asked, used, what = Session(), 0, None, 0, "question %d" % at
	try:
		while session.read():
			question = session.question()
			if LAST.search(question):
				break
			if asked is not None and question == asked and used < len(answers):
				number -= 1
			if number == at and used < len(answers):
				asked, what = question, "%s %r" % (question, answers[used][:30])
				session.say(answers[used])
				used += 1
			else:
				session.say(b"")
			number += 1
			if number > 60:
				faults.append("%s: asks for ever: %s" % (what, question))
				break
		if session.status is not None and session.status not in (0, 1, 2, 78):
			faults.append("%s: ends with %s" % (what, session.status))
	except TimeoutError:
		faults.append("%s: hangs after %r" % (what, session.output[-200:]))
	look_at(session.output, what)
	session.end()
	return asked, used


# the question whose yes begins
LAST = re.compile(r"^Do it")
before = tree()
questions, answers, sessions = [], 0, 0
while True:
	asked, used = walk(len(questions), HOSTILE)
	if asked is None:
		break
	questions.append(asked)
	while used < len(HOSTILE):
		used += walk(len(questions) - 1, HOSTILE[used:])[1]
		sessions += 1
	answers += used
changed = sorted(before ^ tree())
for line in changed[:20]:
	faults.append("changed: " + ascii(line))
if os.path.exists("/owned"):
	faults.append("an answer was run")
print("%d hostile answers to %d questions, in %d sessions" % (answers, len(questions), sessions))
for fault in faults[:30]:
	print("fault:", fault)
sys.exit(1 if faults or len(questions) < 3 else 0)
