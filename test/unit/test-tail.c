/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run: timeout=120 */
#include "log-world.h"
#include "scratch.h"
#include "tap.h"

#include <poll.h>
#include <time.h>

static Random randomness;
static Moment *moment;

static bool run(uint64_t seed, bool verbose)
{
	_cleanup_strbuf_ StrBuf history = STRBUF_INIT;
	World w = {.random = &randomness,
		.moment = moment,
		.history = &history,
		.fd = -1,
		.now_us = 1700000000 * SECOND_US};
	uint32_t events;
	bool ok;

	randomness = (Random){(seed + 1) * 0x9e3779b97f4a7c15ULL | 1};
	scratch_empty();
	w.dated = !random_below(&randomness, 3);
	w.no_append = !random_below(&randomness, 8);
	w.linked = !random_below(&randomness, 6);
	if (w.linked) {
		MUST(!mkdir(WORLD_DIR, 0755));
		w.no_append = false;
		world_link(&w, "mail-20261100.log");
	}
	events = 5 + random_below(&randomness, 40);
	for (uint32_t i = 0; i < events && !w.wrong; i++) {
		world_happen(&w);
		world_read_some(&w);
	}
	if (!w.wrong) {
		world_write(&w, 1);
		world_hang_up(&w);
		world_write(&w, 1);
		world_say(&w, "drain");
		world_drain(&w);
	}
	if (w.next != w.written)
		world_fail(&w, "lines are missing");
	ok = !w.wrong;
	if (!ok || verbose)
		tap_note("seed %" PRIu64 ": %s at line %" PRIu64 " of %" PRIu64 ": %s", seed,
			ok ? "right" : w.wrong, w.wrong_line, w.written, strbuf_text(&history));
	tail_free(w.tail);
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
	_cleanup_strbuf_ StrBuf history = STRBUF_INIT;
	World w = {.random = &randomness,
		.history = &history,
		.fd = -1,
		.now_us = 1700000000 * SECOND_US,
		.alone = true,
		.dated = seed % 3 == 0,
		.no_append = seed % 5 == 0};

	randomness = (Random){(seed + 1) * 0x9e3779b97f4a7c15ULL | 1};
	for (int i = 0; i < 50; i++)
		world_happen(&w);
	world_write(&w, 1);
	world_hang_up(&w);
	world_write(&w, 1);
	_exit(write(fd, &w.written, sizeof(w.written)) != sizeof(w.written));
}

/* Follows what another process writes, and starts anew at any moment. */
static bool follow(uint64_t seed)
{
	_cleanup_strbuf_ StrBuf history = STRBUF_INIT;
	World w = {.random = &randomness,
		.moment = moment,
		.history = &history,
		.fd = -1,
		.written = UINT64_MAX};
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
	world_start(&w, NULL);
	while (w.next < total && !w.wrong) {
		MUST(!clock_gettime(CLOCK_MONOTONIC, &now));
		w.now_us = (int64_t)time(NULL) * SECOND_US;
		if (total == UINT64_MAX)
			(void)!read(ends[0], &total, sizeof(total));
		if (!world_step(&w, !random_below(&randomness, 2)) && !w.wrong)
			(void)poll(NULL, 0, 1);
		if (!random_below(&randomness, 20))
			world_restart(&w);
		if (now.tv_sec - began.tv_sec > 60)
			world_fail(&w, "no end of waiting");
	}
	MUST(waitpid(pid, &status, 0) == pid);
	if (status)
		world_fail(&w, "the writer failed");
	ok = !w.wrong;
	if (!ok)
		tap_note("seed %" PRIu64 ": %s at line %" PRIu64 " of %" PRIu64 ": %s", seed,
			w.wrong, w.wrong_line, total, strbuf_text(&history));
	tail_free(w.tail);
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
