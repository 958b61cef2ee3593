/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "log-world.h"

#include "base/file.h"
#include "pack.h"

static uint32_t below(const World *w, uint32_t limit)
{
	return random_below(w->random, limit);
}

static bool chance(const World *w, uint32_t one_in)
{
	return !below(w, one_in);
}

static void yield(const World *w)
{
	if (w->yield)
		w->yield();
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

/* ---- the writer ------------------------------------------------------------------------------- */

void world_say(World *w, const char *fmt, ...)
{
	va_list ap;

	yield(w);
	va_start(ap, fmt);
	strbuf_vappendf(w->history, fmt, ap);
	va_end(ap);
	strbuf_append_char(w->history, ' ');
}

void world_fail(World *w, const char *what)
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
	MUST(!mkdir(WORLD_DIR, 0755) || errno == EEXIST);
	w->fd = open(
		WORLD_LOG, O_WRONLY | O_CREAT | O_CLOEXEC | (w->no_append ? 0 : O_APPEND), 0644);
	MUST(w->fd >= 0);
	stamp_fd(w, w->fd);
	world_say(w, "open");
	if (w->no_append)
		MUST(lseek(w->fd, 0, SEEK_END) >= 0);
}

void world_write(World *w, uint32_t count)
{
	open_log(w);
	world_say(w, "write(%u)", count);
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
	world_say(w, "half(%" PRIu64 ")", w->written);
	MUST(!file_write_full(w->fd, line.data, line.len / 2));
	stamp_fd(w, w->fd);
	w->half = true;
}

/* The last line of a renamed file stays without a newline; the next lines go to the new one. */
void world_hang_up(World *w)
{
	struct stat ours, named = {0};

	if (w->fd < 0)
		return;
	MUST(!fstat(w->fd, &ours) && (!stat(WORLD_LOG, &named) || errno == ENOENT));
	if (w->half && ours.st_ino == named.st_ino)
		world_write(w, 1);
	world_say(w, "hup%s", w->half ? "(half)" : "");
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
static void shift_numbers(const World *w)
{
	char from[64], to[64];

	for (unsigned n = 60; n > 0; n--) {
		for (unsigned s = 0; s < ARRAY_SIZE(packed_suffixes); s++) {
			(void)snprintf(
				from, sizeof(from), WORLD_LOG ".%u%s", n, packed_suffixes[s]);
			(void)snprintf(
				to, sizeof(to), WORLD_LOG ".%u%s", n + 1, packed_suffixes[s]);
			if (!rename(from, to))
				yield(w);
			else
				MUST(errno == ENOENT);
		}
	}
}

/* The name that the next rotated file gets; numbers are shifted for it. */
static void rotated_name(World *w, char name[64])
{
	if (w->dated) {
		(void)snprintf(name, 64, WORLD_LOG "-%u", 20261100 + w->date++);
		return;
	}
	shift_numbers(w);
	(void)snprintf(name, 64, WORLD_LOG ".1");
}

static void create_empty(World *w)
{
	int fd = open(WORLD_LOG, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0)
		return;
	stamp_fd(w, fd);
	(void)close(fd);
	world_say(w, "create");
}

void world_link(World *w, const char *target)
{
	world_say(w, "link(%s)", target);
	MUST(!symlink(target, WORLD_DIR "/link") && !rename(WORLD_DIR "/link", WORLD_LOG));
}

static void rotate(World *w)
{
	char name[64];

	if (!exists(WORLD_LOG))
		return;
	if (w->linked) {
		(void)snprintf(name, sizeof(name), "mail-%u.log", 20261100 + ++w->date);
		world_link(w, name);
		return;
	}
	rotated_name(w, name);
	world_say(w, "rotate");
	MUST(!rename(WORLD_LOG, name));
}

/* The log is not always the file that the writer has open. */
static void truncate_log(World *w)
{
	int fd = open(WORLD_LOG, O_WRONLY | O_TRUNC | O_CLOEXEC);

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
	if (!exists(WORLD_LOG) || w->fd < 0 || w->half)
		return;
	all = scratch_read(WORLD_LOG);
	if (!all.len)
		return;
	rotated_name(w, name);
	world_say(w, "copy");
	fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	MUST(fd >= 0);
	first = below(w, (uint32_t)all.len + 1);
	MUST(!file_write_full(fd, all.data, first));
	stamp_fd(w, fd);
	world_read_some(w);
	MUST(!file_write_full(fd, all.data + first, all.len - first));
	stamp_fd(w, fd);
	(void)close(fd);
	world_read_some(w);
	world_say(w, "truncate");
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
		(void)snprintf(name, sizeof(name), WORLD_DIR "/mail-%u.log",
			20261100 + below(w, w->date + 1));
	else if (w->dated)
		(void)snprintf(name, sizeof(name), WORLD_LOG "-%u",
			20261100 + (w->date ? below(w, w->date) : 0));
	else
		(void)snprintf(name, sizeof(name), WORLD_LOG ".%u", 1 + below(w, 5));
	/* Nobody compresses what is still the log. */
	if (w->linked && !stat(WORLD_LOG, &writer) && !stat(name, &st) &&
		writer.st_ino == st.st_ino)
		return;
	if (stat(name, &st) || (w->fd >= 0 && fstat(w->fd, &writer)) || writer.st_ino == st.st_ino)
		return;
	how = 1 + below(w, packed_count - 1);
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
	world_say(w, "compress(%s)", strrchr(name, 'g') + 1);
	(void)snprintf(to, sizeof(to), "%s%s", name, packed_suffixes[how]);
	fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	MUST(fd >= 0);
	first = below(w, (uint32_t)packed.len + 1);
	MUST(!file_write_full(fd, packed.data, first));
	world_read_some(w);
	MUST(!file_write_full(fd, packed.data + first, packed.len - first));
	times[0] = times[1] = st.st_mtim;
	MUST(!futimens(fd, times));
	(void)close(fd);
	if (chance(w, 2))
		world_read_some(w);
	yield(w);
	MUST(!unlink(name));
}

/* ---- the reader ----------------------------------------------------------------------------- */

static void on_notice(void *userdata, bool warning, const char *text)
{
	World *w = userdata;

	w->warnings += warning;
	world_say(w, "[%s]", text);
	if (warning && !w->loss_allowed)
		world_fail(w, "a warning");
}

static Saved *new_saved(World *w)
{
	Saved *saved =
		&w->saved[w->saved_count < ARRAY_SIZE(w->saved) ? w->saved_count++
								: below(w, ARRAY_SIZE(w->saved))];

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
			world_say(w, "again(%" PRIu64 "-%" PRIu64 ")", n, w->kept);
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
		world_fail(w, "a line that was not written");
	} else if (text.len != expected.len || memcmp(text.data, expected.data, text.len - 1) ||
		   text.data[text.len - 1] != '\n') {
		world_fail(w, "another line");
	}
	if (w->wrong)
		world_say(w, "(%.40s)", text.data);
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
		if (chance(w, 40))
			save_position(w, n);
		if (!all && chance(w, 6))
			break;
	}
	tail_consume(w->tail, n);
}

/* One step. True while there is more to do. */
bool world_step(World *w, bool all)
{
	Why why = {""};
	int r = 0;

	if (!tail_chunk(w->tail).len)
		r = tail_fill(w->tail, w->now_us, &why);
	/* Names that move all the time: it looks again. */
	if (r == -ESTALE && w->written == UINT64_MAX)
		return false;
	if (r < 0) {
		world_say(w, "<%s>", why.text);
		world_fail(w, "an error");
	}
	take_lines(w, all);
	if (chance(w, 10))
		save_all(w);
	return !r && !w->wrong;
}

void world_start(World *w, const Saved *from)
{
	TailCallbacks callbacks = {on_notice, w, w->moment};
	LogState state = {0};

	if (from) {
		state = from->state;
		/* st_dev changes at a reboot. */
		if (chance(w, 4)) {
			state.position.device++;
			state.finished.device++;
		}
		w->next = from->next;
		w->state = state;
	}
	tail_free(w->tail);
	w->tail = NULL;
	MUST(!tail_new(
		WORLD_LOG, from ? &state : NULL, from ? from->time_us : 0, &callbacks, &w->tail));
}

void world_restart(World *w)
{
	Saved saved;

	if (!w->tail)
		return;
	if (!w->saved_count || chance(w, 2))
		save_all(w);
	saved = w->saved[chance(w, 2) ? w->saved_count - 1 : below(w, w->saved_count)];
	world_say(w, "world_restart(%" PRIu64 "->%" PRIu64 ")", w->next, saved.next);
	world_start(w, &saved);
}

void world_read_some(World *w)
{
	yield(w);
	if (w->wrong || w->alone)
		return;
	if (!w->tail) {
		if (chance(w, 3)) {
			world_say(w, "start");
			world_start(w, NULL);
		}
		return;
	}
	for (uint32_t i = below(w, 5); i > 0 && world_step(w, false); i--)
		;
	if (chance(w, 6))
		world_restart(w);
	else if (chance(w, 6) && !tail_chunk(w->tail).len && tail_close(w->tail, w->now_us))
		world_say(w, "close");
	if (!tail_chunk(w->tail).len)
		tail_release(w->tail);
}

/* Reads until all is read that can be. */
void world_drain(World *w)
{
	if (!w->tail)
		world_start(w, NULL);
	for (int i = 0; i < 100000 && world_step(w, true); i++)
		if (i == 99999)
			world_fail(w, "no end of reading");
}

/* ---- what happens --------------------------------------------------------------------------- */

/* What is lost without a copy must have been read; older places are worth nothing after it. */
static void read_before_loss(World *w)
{
	world_drain(w);
	if (w->next != w->written)
		world_fail(w, "not all was read before the loss");
	w->saved_count = 0;
	save_all(w);
	w->loss_allowed = true;
}

/* The log is cut, and there is no copy. */
static void truncate_lost(World *w)
{
	struct stat st;

	if (stat(WORLD_LOG, &st) || !st.st_size || w->half || w->fd < 0 || w->alone || w->linked)
		return;
	read_before_loss(w);
	world_say(w, "cut");
	truncate_log(w);
	if (chance(w, 2))
		world_write(w, 1 + below(w, 30));
}

/* The log is deleted; the writer goes on for a while, and the one who has it open sees that. */
static void delete_log(World *w)
{
	struct stat st;

	/* Who has not read of it can't have it open. */
	if (stat(WORLD_LOG, &st) || !st.st_size || w->half || w->fd < 0 || w->alone || w->linked)
		return;
	read_before_loss(w);
	world_say(w, "delete");
	MUST(!unlink(WORLD_LOG));
	world_write(w, below(w, 3));
	while (world_step(w, true))
		;
	world_hang_up(w);
	world_write(w, 1);
	world_drain(w);
	if (w->next != w->written)
		world_fail(w, "a deleted log was not read to its end");
	w->saved_count = 0;
	save_all(w);
}

static void restart_at_end(World *w)
{
	Saved saved = w->saved[0];

	saved.next = w->next;
	world_say(w, "reboot");
	world_start(w, &saved);
}

/* The log loses its last lines, all of which had been read; and grows, after that was noticed or before and then beyond its old length. */
static void lose_end(World *w)
{
	_cleanup_strbuf_ StrBuf all = STRBUF_INIT;
	struct stat named, ours;
	uint64_t count = 0, kept;
	size_t at = 0;

	if (w->fd < 0 || w->half || w->alone || w->no_append || stat(WORLD_LOG, &named) ||
		fstat(w->fd, &ours) || named.st_ino != ours.st_ino || named.st_ino == w->cut_inode)
		return;
	all = scratch_read(WORLD_LOG);
	for (size_t i = 0; i < all.len; i++)
		count += all.data[i] == '\n';
	/* One line is what has to be left, so that it is the same file. */
	if (count < 3 || !*all.data)
		return;
	read_before_loss(w);
	kept = 1 + below(w, (uint32_t)count - 1);
	for (uint64_t n = 0; n < kept; n++)
		at = (size_t)((char *)memchr(all.data + at, '\n', all.len - at) - all.data) + 1;
	world_say(w, "lose(%" PRIu64 " of %" PRIu64 ")", count - kept, count);
	MUST(!truncate(WORLD_LOG, (off_t)at));
	w->cut = true;
	w->cut_inode = named.st_ino;
	w->reread = w->written - count;
	w->kept = w->reread + kept;
	w->resume = w->written;
	if (chance(w, 2))
		restart_at_end(w);
	if (chance(w, 2)) {
		world_drain(w);
		world_write(w, 1);
	} else {
		do {
			world_write(w, 1);
			MUST(!stat(WORLD_LOG, &named));
		} while ((size_t)named.st_size < all.len);
	}
	world_drain(w);
	if (w->next != w->written)
		world_fail(w, "not all was read after a power cut");
	w->cut = false;
	w->kept = 0;
	w->saved_count = 0;
	save_all(w);
}

void world_happen(World *w)
{
	switch (below(w, 16)) {
	case 0:
	case 1:
	case 2:
	case 3: world_write(w, 1 + below(w, 12)); break;
	case 4: write_half(w); break;
	case 5: world_hang_up(w); break;
	case 6:
		rotate(w);
		if (chance(w, 2))
			create_empty(w);
		break;
	case 7:
		rotate(w);
		create_empty(w);
		world_read_some(w);
		/* It goes on with the old file, until it is told. */
		world_write(w, below(w, 3));
		world_read_some(w);
		world_hang_up(w);
		world_write(w, below(w, 4));
		break;
	case 8:
		rotate(w);
		world_hang_up(w);
		create_empty(w);
		rotate(w);
		break;
	case 9:
	case 10: compress_one(w); break;
	case 11: copy_truncate(w); break;
	case 12:
		copy_truncate(w);
		world_write(w, 1 + below(w, 40));
		break;
	case 13:
		if (chance(w, 4))
			w->dated = !w->dated;
		break;
	case 14:
		if (chance(w, 4))
			truncate_lost(w);
		else if (chance(w, 3))
			delete_log(w);
		else if (chance(w, 2))
			lose_end(w);
		break;
	default: world_restart(w); break;
	}
}
