/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Writes numbered failed logins to many logs at once (DIR/mxNNN/mail.log) and rotates each of them many times meanwhile: renamed
 * and made anew, written on for a while after that as rsyslog does, copied and truncated, with numbers and with dates, compressed at
 * once or a rotation later. Some logs appear late, and directories vanish for a while. At the end it says how many lines each has.
 *
 * many-write DIR LOGS LINES SEED
 */

#include "base/base.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <zlib.h>

#define PATH_SIZE 512
#define STEP_NS 300000

typedef struct Writer {
	char dir[PATH_SIZE], aside[PATH_SIZE];
	int fd; /* -1: not yet open */
	unsigned number, lines, rotations, suffix;
	unsigned late;     /* steps until it appears */
	unsigned away;     /* steps until its directory comes back; 0: it is there */
	unsigned old_left; /* lines that still go to the renamed file */
	bool dated, delayed;
} Writer;

static uint64_t state;

static unsigned pick(unsigned below)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)((state >> 33) % below);
}

static void die(const char *what)
{
	fprintf(stderr, "many-write: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void path_of(const Writer *writer, const char *name, char path[PATH_SIZE])
{
	if (snprintf(path, PATH_SIZE, "%s/%s", writer->away ? writer->aside : writer->dir, name) >=
		PATH_SIZE)
		die("a path is too long");
}

static void reopen_log(Writer *writer)
{
	char path[PATH_SIZE];

	path_of(writer, "mail.log", path);
	if (writer->fd >= 0)
		(void)close(writer->fd);
	writer->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (writer->fd < 0)
		die(path);
}

static void write_line(Writer *writer, unsigned log)
{
	char line[256];
	int n = snprintf(line, sizeof(line),
		"2026-11-22T13:01:48.060269+00:00 mx%03u postfix/smtpd[9]: warning: "
		"unknown[203.0.113.7]: SASL PLAIN authentication failed: x, "
		"sasl_username=u%u\n",
		log, ++writer->lines);

	if (write(writer->fd, line, (size_t)n) != n)
		die("write");
	if (writer->old_left && !--writer->old_left)
		reopen_log(writer);
}

/* mail.log.N or mail.log-DATE of the rotation before which there were `age` others. */
static void sibling(const Writer *writer, unsigned age, char name[64])
{
	if (writer->dated)
		(void)snprintf(name, 64, "mail.log-%u", 1795352400u + writer->rotations - age);
	else
		(void)snprintf(name, 64, "mail.log.%u", age + 1);
}

static void move(const Writer *writer, const char *from_name, const char *to_name)
{
	char from[PATH_SIZE], to[PATH_SIZE];

	path_of(writer, from_name, from);
	path_of(writer, to_name, to);
	if (rename(from, to) < 0 && errno != ENOENT)
		die(from);
}

/* The older ones step back. */
static void make_place(const Writer *writer)
{
	for (unsigned age = writer->rotations; age-- > 0 && !writer->dated;) {
		char from[64], to[64];

		(void)snprintf(from, sizeof(from), "mail.log.%u", age + 1);
		(void)snprintf(to, sizeof(to), "mail.log.%u", age + 2);
		move(writer, from, to);
		(void)snprintf(from, sizeof(from), "mail.log.%u.gz", age + 1);
		(void)snprintf(to, sizeof(to), "mail.log.%u.gz", age + 2);
		move(writer, from, to);
	}
}

static void compress_file(const Writer *writer, unsigned age)
{
	char name[64], from[PATH_SIZE], to[PATH_SIZE + 3], data[65536];
	ssize_t n;
	gzFile gz;
	int fd;

	sibling(writer, age, name);
	path_of(writer, name, from);
	(void)snprintf(to, sizeof(to), "%s.gz", from);
	fd = open(from, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return;
	gz = gzopen(to, "wb");
	if (fd < 0 || !gz)
		die(to);
	while ((n = read(fd, data, sizeof(data))) > 0)
		if (gzwrite(gz, data, (unsigned)n) != n)
			die(to);
	if (n < 0 || gzclose(gz) != Z_OK || unlink(from) < 0)
		die(to);
	(void)close(fd);
}

static void copy_and_truncate(Writer *writer, const char *name)
{
	char from[PATH_SIZE], to[PATH_SIZE], data[65536];
	int in, out;
	ssize_t n;

	path_of(writer, "mail.log", from);
	path_of(writer, name, to);
	in = open(from, O_RDONLY | O_CLOEXEC);
	out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (in < 0 || out < 0)
		die(to);
	while ((n = read(in, data, sizeof(data))) > 0)
		if (write(out, data, (size_t)n) != n)
			die(to);
	(void)close(in);
	(void)close(out);
	if (ftruncate(writer->fd, 0) < 0)
		die(from);
}

static void rotate(Writer *writer)
{
	char name[64];
	bool compressed_now;

	/* The old file must be let go of before it is compressed. */
	if (writer->old_left)
		return;
	make_place(writer);
	writer->rotations++;
	sibling(writer, 0, name);
	if (!pick(3)) {
		copy_and_truncate(writer, name);
	} else {
		move(writer, "mail.log", name);
		if (pick(2))
			reopen_log(writer);
		else {
			char path[PATH_SIZE];
			int fd;

			path_of(writer, "mail.log", path);
			fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
			if (fd < 0)
				die(path);
			(void)close(fd);
			writer->old_left = 1 + pick(5);
		}
	}
	compressed_now = !writer->delayed && !writer->old_left;
	if (compressed_now)
		compress_file(writer, 0);
	if (writer->rotations > 1)
		compress_file(writer, 1);
}

static void start(Writer *writer)
{
	if (mkdir(writer->dir, 0755) < 0)
		die(writer->dir);
	reopen_log(writer);
}

/* One thing happens to the log. False when it has all its lines. */
static bool step(Writer *writer, unsigned log, unsigned lines)
{
	if (writer->late) {
		if (!--writer->late)
			start(writer);
		return true;
	}
	if (writer->away && !--writer->away && rename(writer->aside, writer->dir) < 0)
		die(writer->dir);
	if (writer->lines >= lines && !writer->away && !writer->old_left)
		return false;
	for (unsigned n = 1 + pick(5); n; n--)
		write_line(writer, log);
	if (!pick(8) && writer->lines < lines)
		rotate(writer);
	if (!writer->away && !pick(60)) {
		writer->away = 1 + pick(10);
		if (rename(writer->dir, writer->aside) < 0)
			die(writer->dir);
	}
	return true;
}

int main(int argc, char **argv)
{
	unsigned logs, lines;
	Writer *writers;
	bool more = true;

	if (argc != 5)
		return 2;
	logs = (unsigned)strtoul(argv[2], NULL, 10);
	lines = (unsigned)strtoul(argv[3], NULL, 10);
	state = strtoull(argv[4], NULL, 10);
	writers = calloc(logs, sizeof(*writers));
	if (!writers)
		die("memory");
	for (unsigned i = 0; i < logs; i++) {
		Writer *writer = &writers[i];

		(void)snprintf(writer->dir, PATH_SIZE, "%s/mx%03u", argv[1], i);
		(void)snprintf(writer->aside, PATH_SIZE, "%s.aside/mx%03u", argv[1], i);
		writer->fd = -1;
		writer->dated = pick(2);
		writer->delayed = pick(2);
		writer->late = pick(4) ? 0 : 1 + pick(20);
		if (!writer->late)
			start(writer);
	}
	while (more) {
		more = false;
		for (unsigned i = 0; i < logs; i++) {
			struct timespec pause = {0, STEP_NS};

			more |= step(&writers[i], i, lines);
			(void)nanosleep(&pause, NULL);
		}
	}
	for (unsigned i = 0; i < logs; i++)
		printf("mx%03u %u %u\n", i, writers[i].lines, writers[i].rotations);
	free(writers);
	return 0;
}
