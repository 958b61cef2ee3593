#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A storm of reloads: storm.py PROGRAM DIRECTORY SEED SECONDS LINES_PER_S. See storm.sh.

Two logs are written and rotated; the daemon gets SIGHUPs one by one and many at once, each with another configuration, good or bad,
and is killed and stopped. Others look at its status and its metrics all the time, and at what it tells systemd. At the end each line
that was a failed login must be one row, in the order of its log.
"""
import json, os, random, re, signal, socket, stat, subprocess, sys, threading, time

PROGRAM, DIR, SEED, SECONDS, RATE = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5])
rng = random.Random(SEED)
faults = []
over = threading.Event()
# names that would like to be something else; the number before them says which line it was
HOSTILE = [b"", b"\xff\xfe", b"\x1b[2J\x1b]0;x\x07", "\u202egnp.exe".encode(), b'","', b"a\\x41", b"\r", b"'; --", b'"} 1',
	b"MLS_IP=198.51.100.9", b"<b>", b"%n%s", "\u2028x\u0085".encode(), b"\x01\x7f"]
# in the name of a log, a newline and what systemd and Prometheus would do with the rest
ODD = 'odd"\\\nMAINPID=1\nSTOPPING=1\nSTATUS=mine'


def fault(text):
	if len(faults) < 20:
		faults.append(text)


class Writer(threading.Thread):
	"""One log, rotated as logrotate does: renamed, and a new file for the lines that follow."""

	def __init__(self, name, directory, rate):
		super().__init__(daemon=True)
		self.name, self.path, self.rate = name, os.path.join(directory, "mail.log"), rate
		os.makedirs(directory, exist_ok=True)
		self.count, self.rotations = 0, 0
		self.rng = random.Random(SEED * 7 + len(name))
		self.file = open(self.path, "ab", buffering=0)

	def run(self):
		turn = time.monotonic()
		while not over.is_set():
			lines = b""
			for _ in range(self.rate // 50):
				stamp = time.strftime("%b %e %H:%M:%S").encode()
				if self.rng.random() < 0.7:
					user = b"%s-%d-%s" % (self.name.encode(), self.count, self.rng.choice(HOSTILE))
					ip = b"192.0.2.%d" % self.rng.randrange(1, 255)
					lines += b"%s mx postfix/smtpd[7]: warning: unknown[%s]: SASL LOGIN authentication failed: " % (stamp, ip)
					lines += b"(reason unavailable), sasl_username=%s\n" % user
					self.count += 1
				else:
					lines += b"%s mx postfix/smtpd[7]: connect from unknown[192.0.2.9]\n" % stamp
			# in two writes, which may be in two files' reads, but never in two files
			cut = self.rng.randrange(len(lines) + 1)
			self.file.write(lines[:cut])
			self.file.write(lines[cut:])
			if self.rng.random() < 0.04:
				for n in range(self.rotations, 0, -1):
					os.rename("%s.%d" % (self.path, n), "%s.%d" % (self.path, n + 1))
				os.rename(self.path, self.path + ".1")
				self.rotations += 1
				self.file.close()
				self.file = open(self.path, "ab", buffering=0)
			turn += 0.02
			time.sleep(max(0, turn - time.monotonic()))


class Notified(threading.Thread):
	"""What systemd would be told, by which process."""

	def __init__(self, path):
		super().__init__(daemon=True)
		self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
		self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
		self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
		self.socket.bind(path)
		self.states = []

	def run(self):
		while True:
			message, ancillary, _, _ = self.socket.recvmsg(65536, 256)
			pid = int.from_bytes(ancillary[0][2][:4], sys.byteorder)
			self.states.append((pid, message))

	def of(self, pid):
		return [m for p, m in list(self.states) if p == pid]

	def check(self):
		known = {"READY", "RELOADING", "MONOTONIC_USEC", "STATUS", "STOPPING", "WATCHDOG", "EXTEND_TIMEOUT_USEC"}
		reloading, reloads = {}, 0
		for pid, message in self.states:
			try:
				text = message.decode()
			except UnicodeDecodeError:
				fault("told systemd what is no UTF-8: %r" % message)
				continue
			for line in text.rstrip("\n").split("\n"):
				key, _, value = line.partition("=")
				if key not in known:
					fault("told systemd %r in %r" % (line, text))
				if key == "STATUS" and (value == "mine" or re.search(r"[\x00-\x1f\x7f\u202e]", value)):
					fault("status text %r" % value)
				if key == "STOPPING" and pid not in stopped:
					fault("process %d said STOPPING=1: %r" % (pid, text))
				if key == "RELOADING":
					if not re.search(r"^MONOTONIC_USEC=\d+$", text, re.M):
						fault("RELOADING=1 without MONOTONIC_USEC: %r" % text)
					reloading[pid] = True
				if key == "READY" and reloading.pop(pid, None):
					reloads += 1
		for pid in reloading:
			if pid not in killed and pid not in stopped:
				fault("process %d did not finish its reload" % pid)
		return reloads


def look_at_status():
	"""status --json, as often as it goes: always an object, and what one process has counted never goes back."""
	last = {}
	while not over.is_set():
		run = subprocess.run([PROGRAM, "-c", DIR + "/calm.conf", "status", "--json"], capture_output=True)
		look_at_status.looks += 1
		if run.returncode not in (0, 1, 3):
			fault("status exits with %d: %r" % (run.returncode, run.stderr[:300]))
			continue
		try:
			now = json.loads(run.stdout)
		except ValueError as error:
			fault("status --json: %s: %r" % (error, run.stdout[:300]))
			continue
		if last and last["pid"] == now["pid"]:
			for key in ("lines", "failures", "rows", "generation", "written"):
				if key in now and now[key] < last[key]:
					fault("%s went from %s to %s in process %s" % (key, last[key], now[key], now["pid"]))
		if now["rows"] > now["failures"]:
			fault("%d rows of %d failures" % (now["rows"], now["failures"]))
		last = now


look_at_status.looks = 0
SAMPLE = re.compile(r'^([a-z_]+)((?:\{(?:[a-z_]+="(?:[^"\\\n]|\\[\\n"])*",?)*\})?) (-?[0-9.e+]+|NaN)$')


def look_at_metrics():
	"""The file for Prometheus: whole whenever it is read, and no counter goes back, whatever is killed."""
	path, last, seen = DIR + "/mls.prom", {}, False
	while not over.is_set():
		time.sleep(0.01)
		try:
			with open(path, "rb") as file:
				text = file.read()
				mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
		except FileNotFoundError:
			if seen:
				fault("the metrics were gone for a moment")
				seen = False
			continue
		if not seen or mode != 0o644:
			if mode != 0o644:
				fault("metrics of mode %o" % mode)
		seen = True
		look_at_metrics.looks += 1
		if not text.endswith(b"\n"):
			fault("metrics are cut: %r" % text[-80:])
		now = {}
		for line in text.decode().splitlines():
			if not line.startswith("#"):
				sample = SAMPLE.match(line)
				if not sample:
					fault("metrics: %r" % line)
				elif sample[1].endswith("_total"):
					now[sample[1] + sample[2]] = float(sample[3])
		for key in ("maillogsentinel_rows_total", "maillogsentinel_lines_total"):
			if now.get(key, 0) < last.get(key, 0):
				fault("%s went from %s to %s" % (key, last[key], now[key]))
		last = now


look_at_metrics.looks = 0
killed, stopped = set(), set()
logs = {"a": DIR + "/a", "b": DIR + "/" + ODD}


def conf(text):
	return text.replace("@", DIR)


def quoted(text):
	return '"%s"' % text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


BASE = conf('schedule: { ip_update_schedule = ""; report_schedule = ""; };\nmetrics: { textfile = "@/mls.prom"; };\n')
BOTH = "mail_log = [ %s, %s ];" % tuple(quoted(path + "/mail.log") for path in logs.values())
PATHS = conf('state_dir = "@/state"; ') + BOTH
CALM = BASE + conf('paths: { working_dir = "@/csv"; %s };\ndns: { enabled = false; };\n' % PATHS)
GOOD = [
	CALM,
	BASE + conf('paths: { working_dir = "@/csv"; csv_filename = "other.csv"; %s };\ndns: { enabled = false; };\n' % PATHS),
	BASE + conf('paths: { working_dir = "@/elsewhere"; %s };\ndns: { enabled = false; };\n' % PATHS),
	CALM + 'general: { log_level = "DEBUG"; };\ndns_cache: { size = 3; };\n',
	BASE + conf('paths: { working_dir = "@/csv"; state_dir = "@/state"; mail_log = "@/a/mail.log"; };\ndns: { enabled = false; };\n'),
	CALM.replace("enabled = false;", 'enabled = true; servers = "127.0.0.1:9"; timeout_ms = 100; tries = 1;'),
]
BAD = [
	"paths: {\n", "nonsense\n", "\x00\xff" * 40, CALM + "dns_cache: { size = -1; };\n", CALM + "journals: { x = 1; };\n",
	CALM.replace("/csv", "/absent/csv"), CALM.replace("/state", "/otherstate"),
	CALM.replace('report_schedule = ""', 'report_schedule = "25:99"'),
]


def write_config(text):
	with open(DIR + "/conf.new", "w", errors="surrogateescape") as file:
		file.write(text)
	os.rename(DIR + "/conf.new", DIR + "/mls.conf")


def start():
	environment = dict(os.environ, NOTIFY_SOCKET=DIR + "/notify")
	with open(DIR + "/log", "ab") as log:
		daemon = subprocess.Popen([PROGRAM, "-c", DIR + "/mls.conf", "run"], env=environment, stdout=log, stderr=log)
	deadline = time.monotonic() + 30
	while not any(b"READY=1" in message for message in notified.of(daemon.pid)):
		if daemon.poll() is not None or time.monotonic() > deadline:
			fault("the daemon did not start: %s" % daemon.poll())
			return daemon
		time.sleep(0.005)
	return daemon


def rows_of(directory):
	rows = []
	for name in sorted(os.listdir(directory)):
		if name.endswith(".csv"):
			with open(os.path.join(directory, name), "rb") as file:
				text = file.read()
			if not text.endswith(b"\n"):
				fault("%s ends in the middle of a row" % name)
			numbers = []
			for row in text.split(b"\n")[1:-1]:
				found = re.search(rb',"?([ab])-(\d+)-', row)
				if found:
					numbers.append((found[1].decode(), int(found[2])))
				else:
					fault("%s has the row %r" % (name, row[:200]))
			for log in logs:
				mine = [number for other, number in numbers if other == log]
				if mine != sorted(mine):
					fault("%s: rows of %s out of order" % (name, log))
			rows += numbers
	return rows


def all_rows():
	return rows_of(DIR + "/csv") + rows_of(DIR + "/elsewhere")


for name in ("csv", "elsewhere", "state", "otherstate"):
	os.makedirs(os.path.join(DIR, name))
with open(DIR + "/calm.conf", "w") as file:
	file.write(CALM)
write_config(CALM)
notified = Notified(DIR + "/notify")
notified.start()
writers = [Writer(name, directory, RATE // 2) for name, directory in logs.items()]
for writer in writers:
	writer.start()
lookers = [threading.Thread(target=look, daemon=True) for look in (look_at_status, look_at_metrics)]
daemon = start()
for looker in lookers:
	looker.start()
end, hups, kills, stops = time.monotonic() + SECONDS, 0, 0, 0
while time.monotonic() < end and not faults:
	chance = rng.random()
	if chance < 0.06:
		write_config(rng.choice(GOOD))
		if rng.random() < 0.7:
			killed.add(daemon.pid)
			daemon.kill()
			kills += 1
		else:
			stopped.add(daemon.pid)
			daemon.terminate()
			stops += 1
		if daemon.wait() not in (0, -9):
			fault("the daemon ended with %d" % daemon.returncode)
		daemon = start()
	else:
		write_config(rng.choice(GOOD if chance < 0.7 else BAD))
		for _ in range(rng.choice((1, 1, 1, 2, 20))):
			daemon.send_signal(signal.SIGHUP)
			hups += 1
		time.sleep(rng.choice((0, 0.005, 0.02, 0.1)))
	if daemon.poll() is not None:
		fault("the daemon ended by itself with %d" % daemon.returncode)
over.set()
for thread in writers + lookers:
	thread.join()
write_config(CALM)
daemon.send_signal(signal.SIGHUP)
wanted = sorted((writer.name, number) for writer in writers for number in range(writer.count))
deadline = time.monotonic() + 60
while daemon.poll() is None and time.monotonic() < deadline and len(all_rows()) < len(wanted):
	time.sleep(0.2)
stopped.add(daemon.pid)
daemon.terminate()
if daemon.wait() != 0:
	fault("the daemon ended with %d" % daemon.returncode)
with open(DIR + "/mls.prom") as file:
	if "\nmaillogsentinel_up 0\n" not in file.read():
		fault("the metrics say that it is still up")
rows = sorted(all_rows())
if rows != wanted:
	missing, extra = sorted(set(wanted) - set(rows)), len(rows) - len(set(rows))
	fault("%d rows of %d failed logins: %d are missing (%s), %d twice" % (len(rows), len(wanted), len(missing), missing[:3], extra))
reloads = notified.check()
print("%d failed logins, %d rotations, %d SIGHUPs (%d reloads told), %d kills, %d stops; %d looks at the status, %d at the metrics" % (
	len(wanted), sum(writer.rotations for writer in writers), hups, reloads, kills, stops, look_at_status.looks, look_at_metrics.looks))
for text in faults:
	print("fault:", text)
sys.exit(1 if faults else 0)
