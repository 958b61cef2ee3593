/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run: timeout=120 */
#include "source/tail.h"

#include "pack.h"
#include "random.h"
#include "tap.h"

#include <poll.h>
#include <sys/random.h>
#include <time.h>

#define DIR "d"
#define LOG DIR "/mail.log"
#define SECOND_US INT64_C(1000000)

static Random randomness;
static Moment *moment;

static uint32_t below(uint32_t limit)
{
	return random_below(&randomness, limit);
}

static bool chance(uint32_t one_in)
{
	return !below(one_in);
}

/* ---- the lines ------------------------------------------------------------------------------ */

/* Line n, newline included, always the same; mostly short, now and then too long for any buffer. */
static StrBuf line_text(uint64_t n)
{
	Random own = {(n + 1) * 0x9e3779b97f4a7c15ULL};
	uint32_t kind = random_below(&own, 3000), len = random_below(&own, 120);
	StrBuf sb = STRBUF_INIT;
	char *to;

	if (kind < 3)
		len = kind == 0 ? 700 << 10 : kind == 1 ? 70 << 10 : 5000;
	strbuf_appendf(&sb, "Nov 22 12:00:00 mx1 %" PRIu64 ": ", n);
	to = strbuf_reserve(&sb, len);
	MUST(to);
	/* NULs and carriage returns too. */
	for (uint32_t i = 0; i < len; i++)
		to[i] = (char)"abcdefghijk \0\r\xff"[random_below(&own, 15)];
	sb.len += len;
	strbuf_append_char(&sb, '\n');
	return sb;
}

/* ---- the writer's world --------------------------------------------------------------------- */

typedef struct Saved {
	LogState state;
	uint64_t next;
	int64_t time_us;
} Saved;

typedef struct World {
	int64_t now_us;
	unsigned date;
	bool dated;
	bool linked;    /* the log is a link to the file of the date */
	bool no_append; /* the writer goes on at its own offset when the file is truncated */

	int fd;           /* the writer's; -1: none */
	uint64_t written; /* lines: their numbers are 0 to written - 1 */
	bool half;        /* of line `written` the first bytes stand at the end */

	Tail *tail;
	bool alone;    /* the tail is in another process */
	uint64_t next; /* line that has to come */
	LogState
		state; /* as a daemon keeps it: position and finished are not always saved together */
	Saved saved[8];
	unsigned saved_count;
	/* After a power cut: lines from reread to kept - 1 may come again, then comes line resume. */
	bool cut;
	uint64_t reread, kept, resume;
	ino_t cut_inode;   /* the file: its lines are not in a row any more */
	bool loss_allowed; /* a file was truncated or deleted without a copy: that is said */
	unsigned warnings;
	const char *wrong;
	uint64_t wrong_line;
	StrBuf history; /* what was done, for the one who has to find out */
} World;

static void say(World *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void say(World *w, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	strbuf_vappendf(&w->history, fmt, ap);
	va_end(ap);
	strbuf_append_char(&w->history, ' ');
}

static void fail(World *w, const char *what)
{
	if (w->wrong)
		return;
	w->wrong = what;
	w->wrong_line = w->next;
}

/* Time passes at each event; what is written has that time. */
static void stamp_fd(World *w, int fd)
{
	struct timespec times[2];

	w->now_us += SECOND_US;
	times[0] = times[1] = (struct timespec){w->now_us / SECOND_US, 0};
	MUST(!futimens(fd, times));
}

static bool exists(const char *path)
{
	return !access(path, F_OK);
}

static void open_log(World *w)
{
	if (w->fd >= 0)
		return;
	MUST(!mkdir(DIR, 0755) || errno == EEXIST);
	w->fd = open(LOG, O_WRONLY | O_CREAT | O_CLOEXEC | (w->no_append ? 0 : O_APPEND), 0644);
	MUST(w->fd >= 0);
	say(w, "open");
	if (w->no_append)
		MUST(lseek(w->fd, 0, SEEK_END) >= 0);
	stamp_fd(w, w->fd);
}

static void write_lines(World *w, uint32_t count)
{
	open_log(w);
	say(w, "write(%u)", count);
	for (uint32_t i = 0; i < count; i++) {
		_cleanup_strbuf_ StrBuf line = line_text(w->written);
		size_t from = w->half ? line.len / 2 : 0;

		MUST(!file_write_full(w->fd, line.data + from, line.len - from));
		w->half = false;
		w->written++;
	}
	stamp_fd(w, w->fd);
}

static void write_half(World *w)
{
	_cleanup_strbuf_ StrBuf line = line_text(w->written);

	if (w->half)
		return;
	open_log(w);
	say(w, "half(%" PRIu64 ")", w->written);
	MUST(!file_write_full(w->fd, line.data, line.len / 2));
	stamp_fd(w, w->fd);
	w->half = true;
}

/* The last line of a renamed file stays without a newline; the next lines go to the new one. */
static void hang_up(World *w)
{
	struct stat ours, named = {0};

	if (w->fd < 0)
		return;
	MUST(!fstat(w->fd, &ours) && (!stat(LOG, &named) || errno == ENOENT));
	if (w->half && ours.st_ino == named.st_ino)
		write_lines(w, 1);
	say(w, "hup%s", w->half ? "(half)" : "");
	if (w->half) {
		_cleanup_strbuf_ StrBuf line = line_text(w->written);
		size_t from = line.len / 2;

		MUST(!file_write_full(w->fd, line.data + from, line.len - 1 - from));
		w->half = false;
		w->written++;
		stamp_fd(w, w->fd);
	}
	(void)close(w->fd);
	w->fd = -1;
}

/* ---- rotation ------------------------------------------------------------------------------- */

static const char *const packed_suffixes[] = {"", ".gz", ".xz", ".zst"};
static const unsigned packed_count = 2 + (HAVE_LZMA ? 1 : 0) + (HAVE_ZSTD ? 1 : 0);

/* PATH.1 to PATH.2 and so on, compressed or not. */
static void shift_numbers(void)
{
	char from[64], to[64];

	for (unsigned n = 60; n > 0; n--) {
		for (unsigned s = 0; s < ARRAY_SIZE(packed_suffixes); s++) {
			(void)snprintf(from, sizeof(from), LOG ".%u%s", n, packed_suffixes[s]);
			(void)snprintf(to, sizeof(to), LOG ".%u%s", n + 1, packed_suffixes[s]);
			MUST(!rename(from, to) || errno == ENOENT);
		}
	}
}

/* The name that the next rotated file gets; numbers are shifted for it. */
static void rotated_name(World *w, char name[64])
{
	if (w->dated) {
		(void)snprintf(name, 64, LOG "-%u", 20261100 + w->date++);
		return;
	}
	shift_numbers();
	(void)snprintf(name, 64, LOG ".1");
}

static void create_empty(World *w)
{
	int fd = open(LOG, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0)
		return;
	say(w, "create");
	stamp_fd(w, fd);
	(void)close(fd);
}

static void switch_link(World *w, const char *target)
{
	say(w, "link(%s)", target);
	MUST(!symlink(target, DIR "/link") && !rename(DIR "/link", LOG));
}

static void rotate(World *w)
{
	char name[64];

	if (!exists(LOG))
		return;
	if (w->linked) {
		(void)snprintf(name, sizeof(name), "mail-%u.log", 20261100 + ++w->date);
		switch_link(w, name);
		return;
	}
	rotated_name(w, name);
	say(w, "rotate");
	MUST(!rename(LOG, name));
}

static void read_some(World *w);

/* The log is not always the file that the writer has open. */
static void truncate_log(World *w)
{
	int fd = open(LOG, O_WRONLY | O_TRUNC | O_CLOEXEC);

	MUST(fd >= 0);
	stamp_fd(w, fd);
	(void)close(fd);
}

/* A copy, in two steps between which the tail may look, then the log is cut to nothing. */
static void copy_truncate(World *w)
{
	_cleanup_strbuf_ StrBuf all = STRBUF_INIT;
	char name[64];
	size_t first;
	int fd;

	if (w->linked)
		return;
	/* A file that is copied has its name, and nobody writes half lines while it is truncated. */
	if (!exists(LOG) || w->fd < 0 || w->half)
		return;
	all = scratch_read(LOG);
	if (!all.len)
		return;
	rotated_name(w, name);
	say(w, "copy");
	fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	MUST(fd >= 0);
	first = below((uint32_t)all.len + 1);
	MUST(!file_write_full(fd, all.data, first));
	stamp_fd(w, fd);
	read_some(w);
	MUST(!file_write_full(fd, all.data + first, all.len - first));
	stamp_fd(w, fd);
	(void)close(fd);
	read_some(w);
	say(w, "truncate");
	truncate_log(w);
}

/* Compresses a sibling that nobody writes; the tail may look while both are there. */
static void compress_one(World *w)
{
	_cleanup_strbuf_ StrBuf all = STRBUF_INIT, packed = STRBUF_INIT;
	struct stat st, writer = {0};
	struct timespec times[2];
	char name[64], to[80];
	unsigned how;
	size_t first;
	int fd;

	if (w->linked)
		(void)snprintf(
			name, sizeof(name), DIR "/mail-%u.log", 20261100 + below(w->date + 1));
	else if (w->dated)
		(void)snprintf(
			name, sizeof(name), LOG "-%u", 20261100 + (w->date ? below(w->date) : 0));
	else
		(void)snprintf(name, sizeof(name), LOG ".%u", 1 + below(5));
	/* Nobody compresses what is still the log. */
	if (w->linked && !stat(LOG, &writer) && !stat(name, &st) && writer.st_ino == st.st_ino)
		return;
	if (stat(name, &st) || (w->fd >= 0 && fstat(w->fd, &writer)) || writer.st_ino == st.st_ino)
		return;
	how = 1 + below(packed_count - 1);
	all = scratch_read(name);
	if (how == 1)
		pack_gzip(&packed, all.data, all.len, (uint32_t)st.st_mtim.tv_sec);
#if HAVE_LZMA
	if (!strcmp(packed_suffixes[how], ".xz"))
		pack_xz(&packed, all.data, all.len);
#endif
#if HAVE_ZSTD
	if (!packed.len)
		how = 3, pack_zstd(&packed, all.data, all.len);
#endif
	say(w, "compress(%s)", strrchr(name, 'g') + 1);
	(void)snprintf(to, sizeof(to), "%s%s", name, packed_suffixes[how]);
	fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	MUST(fd >= 0);
	first = below((uint32_t)packed.len + 1);
	MUST(!file_write_full(fd, packed.data, first));
	read_some(w);
	MUST(!file_write_full(fd, packed.data + first, packed.len - first));
	times[0] = times[1] = st.st_mtim;
	MUST(!futimens(fd, times));
	(void)close(fd);
	if (chance(2))
		read_some(w);
	MUST(!unlink(name));
}

/* ---- the reader ----------------------------------------------------------------------------- */

static void on_notice(void *userdata, bool warning, const char *text)
{
	World *w = userdata;

	w->warnings += warning;
	say(w, "[%s]", text);
	if (warning && !w->loss_allowed)
		fail(w, "a warning");
}

static Saved *new_saved(World *w)
{
	Saved *saved =
		&w->saved[w->saved_count < ARRAY_SIZE(w->saved) ? w->saved_count++
								: below(ARRAY_SIZE(w->saved))];

	*saved = (Saved){.state = w->state, .next = w->next, .time_us = w->now_us};
	return saved;
}

/* As a daemon that waits for nothing saves it. */
static void save_all(World *w)
{
	if (!w->tail)
		return;
	tail_save(w->tail, &w->state);
	(void)new_saved(w);
}

/* As a daemon saves it while later lines wait for their names: only the position. */
static void save_position(World *w, size_t n)
{
	FileMark mark;

	tail_mark(w->tail, n, &mark);
	checkpoint_move_log(&w->state, &mark);
	tail_save_file(w->tail, &w->state);
	(void)new_saved(w);
}

static bool is_line(uint64_t n, Span text)
{
	_cleanup_strbuf_ StrBuf line = line_text(n);

	return span_equal(text, (Span){line.data, line.len});
}

/* Whether reading has gone back to a line that the power cut has left; only once. */
static void go_back(World *w, Span text)
{
	if (!w->cut || is_line(w->next, text))
		return;
	w->cut = false;
	for (uint64_t n = w->reread; n < w->kept; n++)
		if (is_line(n, text)) {
			say(w, "again(%" PRIu64 "-%" PRIu64 ")", n, w->kept);
			w->next = n;
		}
}

static void check_line(World *w, Span text, bool cut)
{
	_cleanup_strbuf_ StrBuf line = STRBUF_INIT;
	Span expected;

	/* What a writer without O_APPEND leaves after a truncation. */
	while (text.len && !*text.data)
		text.data++, text.len--;
	go_back(w, text);
	line = line_text(w->next);
	expected = (Span){line.data, line.len};
	if (cut)
		expected.len = LINES_LINE_MAX + 1;
	if (w->next >= w->written) {
		fail(w, "a line that was not written");
	} else if (text.len != expected.len || memcmp(text.data, expected.data, text.len - 1) ||
		   text.data[text.len - 1] != '\n') {
		fail(w, "another line");
	}
	if (w->wrong)
		say(w, "(%.40s)", text.data);
	w->next++;
	if (w->next == w->kept && w->kept)
		w->next = w->resume;
}

/* Takes lines of the chunk, all or only some, and keeps places between them. */
static void take_lines(World *w, bool all)
{
	Span chunk = tail_chunk(w->tail);
	size_t n = 0;

	while (n < chunk.len && !w->wrong) {
		const char *newline = memchr(chunk.data + n, '\n', chunk.len - n);
		size_t end = (size_t)(newline - chunk.data) + 1;

		check_line(w, (Span){chunk.data + n, end - n}, tail_chunk_is_cut(w->tail));
		n = end;
		if (chance(40))
			save_position(w, n);
		if (!all && chance(6))
			break;
	}
	tail_consume(w->tail, n);
}

/* One step. True while there is more to do. */
static bool step(World *w, bool all)
{
	Why why = {""};
	int r = 0;

	if (!tail_chunk(w->tail).len)
		r = tail_fill(w->tail, w->now_us, &why);
	/* Names that move all the time: it looks again. */
	if (r == -ESTALE && w->written == UINT64_MAX)
		return false;
	if (r < 0) {
		say(w, "<%s>", why.text);
		fail(w, "an error");
	}
	take_lines(w, all);
	if (chance(10))
		save_all(w);
	return !r && !w->wrong;
}

static void start(World *w, const Saved *from)
{
	TailCallbacks callbacks = {on_notice, w, moment};
	LogState state = {0};

	if (from) {
		state = from->state;
		/* st_dev changes at a reboot. */
		if (chance(4)) {
			state.position.device++;
			state.finished.device++;
		}
		w->next = from->next;
		w->state = state;
	}
	tail_free(w->tail);
	w->tail = NULL;
	MUST(!tail_new(LOG, from ? &state : NULL, from ? from->time_us : 0, &callbacks, &w->tail));
}

static void restart(World *w)
{
	Saved saved;

	if (!w->tail)
		return;
	if (!w->saved_count || chance(2))
		save_all(w);
	saved = w->saved[chance(2) ? w->saved_count - 1 : below(w->saved_count)];
	say(w, "restart(%" PRIu64 "->%" PRIu64 ")", w->next, saved.next);
	start(w, &saved);
}

static void read_some(World *w)
{
	if (w->wrong || w->alone)
		return;
	if (!w->tail) {
		if (chance(3)) {
			say(w, "start");
			start(w, NULL);
		}
		return;
	}
	for (uint32_t i = below(5); i > 0 && step(w, false); i--)
		;
	if (chance(6))
		restart(w);
	else if (chance(6) && !tail_chunk(w->tail).len && tail_close(w->tail, w->now_us))
		say(w, "close");
	if (!tail_chunk(w->tail).len)
		tail_release(w->tail);
}

/* Reads until all is read that can be. */
static void drain(World *w)
{
	if (!w->tail)
		start(w, NULL);
	for (int i = 0; i < 100000 && step(w, true); i++)
		if (i == 99999)
			fail(w, "no end of reading");
}

/* ---- what happens --------------------------------------------------------------------------- */

/* What is lost without a copy must have been read; older places are worth nothing after it. */
static void read_before_loss(World *w)
{
	drain(w);
	if (w->next != w->written)
		fail(w, "not all was read before the loss");
	w->saved_count = 0;
	save_all(w);
	w->loss_allowed = true;
}

/* The log is cut, and there is no copy. */
static void truncate_lost(World *w)
{
	struct stat st;

	if (stat(LOG, &st) || !st.st_size || w->half || w->fd < 0 || w->alone || w->linked)
		return;
	read_before_loss(w);
	say(w, "cut");
	truncate_log(w);
	if (chance(2))
		write_lines(w, 1 + below(30));
}

/* The log is deleted; the writer goes on for a while, and the one who has it open sees that. */
static void delete_log(World *w)
{
	struct stat st;

	/* Who has not read of it can't have it open. */
	if (stat(LOG, &st) || !st.st_size || w->half || w->fd < 0 || w->alone || w->linked)
		return;
	read_before_loss(w);
	say(w, "delete");
	MUST(!unlink(LOG));
	write_lines(w, below(3));
	while (step(w, true))
		;
	hang_up(w);
	write_lines(w, 1);
	drain(w);
	if (w->next != w->written)
		fail(w, "a deleted log was not read to its end");
	w->saved_count = 0;
	save_all(w);
}

static void restart_at_end(World *w)
{
	Saved saved = w->saved[0];

	saved.next = w->next;
	say(w, "reboot");
	start(w, &saved);
}

/* The log loses its last lines, all of which had been read; and grows, after that was noticed or before and then beyond its old length. */
static void lose_end(World *w)
{
	_cleanup_strbuf_ StrBuf all = STRBUF_INIT;
	struct stat named, ours;
	uint64_t count = 0, kept;
	size_t at = 0;

	if (w->fd < 0 || w->half || w->alone || w->no_append || stat(LOG, &named) ||
		fstat(w->fd, &ours) || named.st_ino != ours.st_ino || named.st_ino == w->cut_inode)
		return;
	all = scratch_read(LOG);
	for (size_t i = 0; i < all.len; i++)
		count += all.data[i] == '\n';
	/* One line is what has to be left, so that it is the same file. */
	if (count < 3 || !*all.data)
		return;
	read_before_loss(w);
	kept = 1 + below((uint32_t)count - 1);
	for (uint64_t n = 0; n < kept; n++)
		at = (size_t)((char *)memchr(all.data + at, '\n', all.len - at) - all.data) + 1;
	say(w, "lose(%" PRIu64 " of %" PRIu64 ")", count - kept, count);
	MUST(!truncate(LOG, (off_t)at));
	w->cut = true;
	w->cut_inode = named.st_ino;
	w->reread = w->written - count;
	w->kept = w->reread + kept;
	w->resume = w->written;
	if (chance(2))
		restart_at_end(w);
	if (chance(2)) {
		drain(w);
		write_lines(w, 1);
	} else {
		do {
			write_lines(w, 1);
			MUST(!stat(LOG, &named));
		} while ((size_t)named.st_size < all.len);
	}
	drain(w);
	if (w->next != w->written)
		fail(w, "not all was read after a power cut");
	w->cut = false;
	w->kept = 0;
	w->saved_count = 0;
	save_all(w);
}

static void happen(World *w)
{
	switch (below(16)) {
	case 0:
	case 1:
	case 2:
	case 3: write_lines(w, 1 + below(12)); break;
	case 4: write_half(w); break;
	case 5: hang_up(w); break;
	case 6:
		rotate(w);
		if (chance(2))
			create_empty(w);
		break;
	case 7:
		rotate(w);
		create_empty(w);
		read_some(w);
		/* It goes on with the old file, until it is told. */
		write_lines(w, below(3));
		read_some(w);
		hang_up(w);
		write_lines(w, below(4));
		break;
	case 8:
		rotate(w);
		hang_up(w);
		create_empty(w);
		rotate(w);
		break;
	case 9:
	case 10: compress_one(w); break;
	case 11: copy_truncate(w); break;
	case 12:
		copy_truncate(w);
		write_lines(w, 1 + below(40));
		break;
	case 13:
		if (chance(4))
			w->dated = !w->dated;
		break;
	case 14:
		if (chance(4))
			truncate_lost(w);
		else if (chance(3))
			delete_log(w);
		else if (chance(2))
			lose_end(w);
		break;
	default: restart(w); break;
	}
}

static bool run(uint64_t seed, bool verbose)
{
	World w = {.fd = -1, .now_us = 1700000000 * SECOND_US, .history = STRBUF_INIT};
	uint32_t events;
	bool ok;

	randomness = (Random){(seed + 1) * 0x9e3779b97f4a7c15ULL | 1};
	scratch_empty();
	w.dated = chance(3);
	w.no_append = chance(8);
	w.linked = chance(6);
	if (w.linked) {
		MUST(!mkdir(DIR, 0755));
		w.no_append = false;
		switch_link(&w, "mail-20261100.log");
	}
	events = 5 + below(40);
	for (uint32_t i = 0; i < events && !w.wrong; i++) {
		happen(&w);
		read_some(&w);
	}
	if (!w.wrong) {
		write_lines(&w, 1);
		hang_up(&w);
		write_lines(&w, 1);
		say(&w, "drain");
		drain(&w);
	}
	if (w.next != w.written)
		fail(&w, "lines are missing");
	ok = !w.wrong;
	if (!ok || verbose)
		tap_note("seed %" PRIu64 ": %s at line %" PRIu64 " of %" PRIu64 ": %s", seed,
			ok ? "right" : w.wrong, w.wrong_line, w.written, strbuf_text(&w.history));
	tail_free(w.tail);
	strbuf_done(&w.history);
	if (w.fd >= 0)
		(void)close(w.fd);
	return ok;
}

static void test_model(uint64_t seed, unsigned runs)
{
	unsigned wrong = 0;

	for (unsigned i = 0; i < runs; i++)
		wrong += !run(seed + i, false);
	tap_ok(!wrong, "%u random lives of a log: each line once, in order (%u wrong)", runs,
		wrong);
}

/* ---- two processes -------------------------------------------------------------------------- */

/* Writes and rotates as fast as it can, and says at its end how many lines there are. */
static void write_alone(uint64_t seed, int fd)
{
	World w = {.fd = -1,
		.now_us = 1700000000 * SECOND_US,
		.alone = true,
		.dated = seed % 3 == 0,
		.no_append = seed % 5 == 0};

	randomness = (Random){(seed + 1) * 0x9e3779b97f4a7c15ULL | 1};
	for (int i = 0; i < 50; i++)
		happen(&w);
	write_lines(&w, 1);
	hang_up(&w);
	write_lines(&w, 1);
	_exit(write(fd, &w.written, sizeof(w.written)) != sizeof(w.written));
}

/* Follows what another process writes, and starts anew at any moment. */
static bool follow(uint64_t seed)
{
	World w = {.fd = -1, .written = UINT64_MAX, .history = STRBUF_INIT};
	uint64_t total = UINT64_MAX;
	struct timespec began, now;
	int ends[2], status;
	bool ok;
	pid_t pid;

	scratch_empty();
	MUST(!pipe2(ends, O_CLOEXEC | O_NONBLOCK));
	MUST(!clock_gettime(CLOCK_MONOTONIC, &began));
	pid = fork();
	MUST(pid >= 0);
	if (!pid)
		write_alone(seed, ends[1]);
	(void)close(ends[1]);
	start(&w, NULL);
	while (w.next < total && !w.wrong) {
		MUST(!clock_gettime(CLOCK_MONOTONIC, &now));
		w.now_us = (int64_t)time(NULL) * SECOND_US;
		if (total == UINT64_MAX)
			(void)!read(ends[0], &total, sizeof(total));
		if (!step(&w, chance(2)) && !w.wrong)
			(void)poll(NULL, 0, 1);
		if (chance(20))
			restart(&w);
		if (now.tv_sec - began.tv_sec > 60)
			fail(&w, "no end of waiting");
	}
	MUST(waitpid(pid, &status, 0) == pid);
	if (status)
		fail(&w, "the writer failed");
	ok = !w.wrong;
	if (!ok)
		tap_note("seed %" PRIu64 ": %s at line %" PRIu64 " of %" PRIu64 ": %s", seed,
			w.wrong, w.wrong_line, total, strbuf_text(&w.history));
	tail_free(w.tail);
	strbuf_done(&w.history);
	(void)close(ends[0]);
	return ok;
}

static void test_two_processes(uint64_t seed, unsigned runs)
{
	unsigned wrong = 0;

	for (unsigned i = 0; i < runs; i++)
		wrong += !follow(seed + i);
	tap_ok(!wrong, "%u logs that another process writes: each line once, in order (%u wrong)",
		runs, wrong);
}

static void free_moment(void)
{
	moment_free(moment);
}

int main(int argc, char **argv)
{
	uint64_t seed;

	randomness = random_seeded();
	seed = random_next(&randomness) >> 32;
	scratch_enter();
	MUST(!moment_new(&moment) && !atexit(free_moment));
	if (argc > 2) {
		test_model(strtoull(argv[1], NULL, 10), (unsigned)strtoul(argv[2], NULL, 10));
		test_two_processes(
			strtoull(argv[1], NULL, 10), (unsigned)strtoul(argv[2], NULL, 10) / 10);
		return tap_done();
	}
	if (argc > 1)
		return !run(strtoull(argv[1], NULL, 10), true);
	test_model(seed, getenv("MLS_TEST_SMALL") ? 30 : 600);
	test_two_processes(seed, getenv("MLS_TEST_SMALL") ? 3 : 40);
	return tap_done();
}
