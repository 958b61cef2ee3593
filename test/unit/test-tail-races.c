/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run: timeout=120 */

/*
 * The writer of a log does something between any two system calls of the one who follows it: a thread each, of which one runs at a time,
 * handed over in the calls by which the names and the files are looked at. So a seed is one order of events, and each gap between two
 * looks is tried sooner or later, however short it is.
 */
#include "log-world.h"
#include "scratch.h"
#include "tap.h"

#include <dirent.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/inotify.h>

static Random randomness, order;
static Moment *moment;

/* ---- turns ---------------------------------------------------------------------------------- */

static sem_t to_writer, to_reader;
static __thread bool is_writer;
static bool writer_done, in_step;
static unsigned turns;            /* things that the writer does before the reader goes on */
static uint32_t one_in, max_bits; /* how often, and how much at a time */
static StrBuf history;

static void wait_for(sem_t *sem)
{
	while (sem_wait(sem) < 0)
		MUST(errno == EINTR);
}

static void end_turn(void)
{
	if (!is_writer)
		return;
	if (turns) {
		turns--;
		return;
	}
	MUST(!sem_post(&to_reader));
	wait_for(&to_writer);
}

static void let_write(unsigned count)
{
	if (writer_done)
		return;
	turns = count;
	MUST(!sem_post(&to_writer));
	wait_for(&to_reader);
}

static void let_write_some(void)
{
	let_write(random_below(&order, 1U << random_below(&order, max_bits)));
}

/* Before each call of the reader's. */
static void interrupt(const char *call)
{
	int error = errno;

	if (!is_writer && in_step && !writer_done && !random_below(&order, one_in)) {
		in_step = false;
		strbuf_appendf(&history, "{%s: ", call);
		let_write_some();
		strbuf_append_string(&history, "} ");
		in_step = true;
	}
	errno = error;
}

/* The linker leads the calls of the library here (--wrap, see test/meson.build). */
#define WRAP(type, call, parameters, arguments) \
	type __real_##call parameters;          \
	type __wrap_##call parameters;          \
	type __wrap_##call parameters           \
	{                                       \
		interrupt(#call);               \
		return __real_##call arguments; \
	}

WRAP(ssize_t, read, (int fd, void *data, size_t len), (fd, data, len))
WRAP(ssize_t, pread64, (int fd, void *data, size_t len, off_t at), (fd, data, len, at))
WRAP(int, fstat64, (int fd, struct stat *st), (fd, st))
WRAP(int, stat64, (const char *path, struct stat *st), (path, st))
WRAP(int, statx, (int dir, const char *path, int flags, unsigned mask, struct statx *st),
	(dir, path, flags, mask, st))
WRAP(struct dirent *, readdir64, (DIR * stream), (stream))
WRAP(ssize_t, getdents64, (int fd, void *data, size_t len), (fd, data, len))
WRAP(int, access, (const char *path, int mode), (path, mode))
WRAP(int, open64, (const char *path, int flags, mode_t mode), (path, flags, mode))
WRAP(int, openat64, (int dir, const char *path, int flags, mode_t mode), (dir, path, flags, mode))
WRAP(ssize_t, readlink, (const char *path, char *data, size_t len), (path, data, len))
WRAP(int, inotify_add_watch, (int fd, const char *path, uint32_t mask), (fd, path, mask))

/* ---- what the reader is done with ----------------------------------------------------------- */

static const World *reader;

/* The number of the last whole line in a file of any form; false: there is none. */
static bool read_last(const char *path, uint64_t *ret_number)
{
	_cleanup_(reader_freep) Reader *file = NULL;
	_cleanup_strbuf_ StrBuf all = STRBUF_INIT;
	const char *line, *number;
	ssize_t n = 1;

	MUST(!reader_new(open(path, O_RDONLY | O_CLOEXEC), &file));
	while (n > 0) {
		char *to = strbuf_reserve(&all, 65536);

		MUST(to);
		n = reader_read(file, to, 65536);
		MUST(n >= 0);
		all.len += (size_t)n;
	}
	if (!all.data || all.len < 2 || all.data[all.len - 1] != '\n')
		return false;
	line = memrchr(all.data, '\n', all.len - 1);
	line = line ? line + 1 : all.data;
	number = memmem(line, (size_t)(all.data + all.len - line), " mx1 ", 5);
	MUST(number);
	*ret_number = strtoull(number + 5, NULL, 10);
	return true;
}

/* The oldest rotated file, which logrotate would delete next. */
static bool find_oldest(char name[64])
{
	static const char *const suffixes[] = {"", ".gz", ".xz", ".zst"};

	for (unsigned n = 60; n > 0; n--)
		for (unsigned s = 0; s < ARRAY_SIZE(suffixes); s++) {
			(void)snprintf(name, 64, WORLD_LOG ".%u%s", n, suffixes[s]);
			if (!access(name, F_OK))
				return true;
		}
	for (unsigned n = 20261100; n < 20261160; n++)
		for (unsigned s = 0; s < ARRAY_SIZE(suffixes); s++) {
			(void)snprintf(name, 64, WORLD_LOG "-%u%s", n, suffixes[s]);
			if (!access(name, F_OK))
				return true;
		}
	return false;
}

/* Deletes it, if all lines of it were read, whatever place the reader starts at again. */
static void drop_oldest(World *w)
{
	uint64_t least = reader->next, last;
	struct stat st, writers;
	char name[64];

	for (unsigned i = 0; i < reader->saved_count; i++)
		least = MIN(least, reader->saved[i].next);
	if (!find_oldest(name) || stat(name, &st) ||
		(w->fd >= 0 && !fstat(w->fd, &writers) && writers.st_ino == st.st_ino))
		return;
	if (!read_last(name, &last) || last >= least)
		return;
	world_say(w, "drop(%s)", name + strlen(WORLD_LOG));
	MUST(!unlink(name));
}

/* ---- the two -------------------------------------------------------------------------------- */

typedef struct Race {
	uint64_t seed, total;
	bool drops;
} Race;

static void *write_all(void *userdata)
{
	Race *race = userdata;
	World w = {.random = &randomness,
		.history = &history,
		.yield = end_turn,
		.fd = -1,
		.now_us = 1700000000 * SECOND_US,
		.alone = true,
		.dated = race->seed % 3 == 0,
		.no_append = race->seed % 5 == 0,
		.linked = race->seed % 7 == 0};

	is_writer = true;
	wait_for(&to_writer);
	if (w.linked) {
		MUST(!mkdir(WORLD_DIR, 0755));
		w.no_append = false;
		world_link(&w, "mail-20261100.log");
	}
	for (int i = 0; i < 50; i++) {
		world_happen(&w);
		if (race->drops && random_below(&randomness, 2))
			drop_oldest(&w);
	}
	world_write(&w, 1);
	world_hang_up(&w);
	world_write(&w, 1);
	(void)close(w.fd);
	race->total = w.written;
	writer_done = true;
	MUST(!sem_post(&to_reader));
	return NULL;
}

static void read_all(World *w, const Race *race)
{
	unsigned idle = 0;

	while (!w->wrong && !(writer_done && w->next == race->total)) {
		bool more;

		in_step = true;
		more = world_step(w, random_below(&randomness, 2));
		in_step = false;
		if (more)
			continue;
		if (writer_done && idle++ > 200)
			world_fail(w, "lines are missing at the end");
		let_write_some();
		if (!random_below(&randomness, 20))
			world_restart(w);
	}
}

/* drops: files that were read are deleted, which may be said as a warning if one of them was the last. */
static bool run(uint64_t seed, bool drops, bool verbose)
{
	static const uint32_t rates[] = {1, 3, 10, 30, 100, 300};
	Race race = {.seed = seed, .drops = drops};
	World w = {.random = &randomness,
		.moment = moment,
		.history = &history,
		.fd = -1,
		.now_us = 1800000000 * SECOND_US,
		.written = UINT64_MAX,
		.loss_allowed = drops};
	pthread_t writer;

	scratch_empty();
	randomness = (Random){(seed + 1) * 0x9e3779b97f4a7c15ULL | 1};
	order = (Random){(seed + 7) * 0xd1342543de82ef95ULL | 1};
	one_in = rates[random_below(&order, ARRAY_SIZE(rates))];
	max_bits = 1 + random_below(&order, 8);
	writer_done = in_step = false;
	reader = &w;
	MUST(!sem_init(&to_writer, 0, 0) && !sem_init(&to_reader, 0, 0));
	MUST(!pthread_create(&writer, NULL, write_all, &race));
	world_start(&w, NULL);
	read_all(&w, &race);
	while (!writer_done)
		let_write(1000);
	MUST(!pthread_join(writer, NULL));
	if (w.wrong || verbose)
		tap_note("seed %" PRIu64 "%s: %s at line %" PRIu64 " of %" PRIu64 ": %s", seed,
			drops ? " drops" : "", w.wrong ? w.wrong : "right", w.wrong_line,
			race.total, strbuf_text(&history));
	tail_free(w.tail);
	strbuf_done(&history);
	return !w.wrong;
}

static void test_races(uint64_t seed, unsigned runs, bool drops)
{
	unsigned wrong = 0;

	for (unsigned i = 0; i < runs; i++)
		wrong += !run(seed + i, drops, false);
	tap_ok(!wrong,
		"%u logs that change between any two looks%s: each line once, in order (%u wrong)",
		runs, drops ? ", and lose the oldest file" : "", wrong);
}

static void free_moment(void)
{
	moment_free(moment);
}

/* Without arguments some seeds; SEED RUNS for more; SEED and "drops" or anything else prints the history of one. */
int main(int argc, char **argv)
{
	uint64_t seed;
	unsigned runs;

	order = random_seeded();
	seed = argc > 1 ? strtoull(argv[1], NULL, 10) : random_next(&order) >> 32;
	runs = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : (unsigned)random_rounds(80);
	scratch_enter();
	MUST(!moment_new(&moment) && !atexit(free_moment));
	if (argc > 2 && !runs)
		return !run(seed, !strcmp(argv[2], "drops"), true);
	test_races(seed, runs, false);
	test_races(seed, runs, true);
	return tap_done();
}
