/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run: no-valgrind */
/* It goes on after a signal, but not with the registers that the instruction had. */

/* Mapped files that are cut, and what SIGBUS does otherwise. */

#include "base/mapping.h"

#include <sys/mman.h>

#include "scratch.h"
#include "tap.h"

#define PAGES 5

static size_t page;

static Mapping *map(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	Mapping *mapping;

	MUST(fd >= 0 && !mapping_new(fd, PAGES * page, &mapping) && !close(fd));
	return mapping;
}

static void write_file(const char *path)
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;

	while (sb.len < PAGES * page)
		strbuf_append_char(&sb, 'x');
	scratch_write(path, sb.data, sb.len);
}

static size_t count_x(const Mapping *mapping)
{
	const volatile uint8_t *data = mapping_data(mapping);
	size_t count = 0;

	for (size_t i = 0; i < PAGES * page; i++)
		count += data[i] == 'x';
	return count;
}

static void test_cut(void)
{
	Mapping *cut, *other;

	write_file("cut");
	write_file("other");
	cut = map("cut");
	other = map("other");
	tap_ok(count_x(cut) == PAGES * page, "a file is mapped");
	MUST(!truncate("cut", 0));
	tap_ok(count_x(cut) == 0, "a file that is cut is all zeros");
	tap_ok(count_x(other) == PAGES * page, "and no other is");
	write_file("byte");
	mapping_free(cut);
	cut = map("byte");
	MUST(!truncate("byte", (off_t)(PAGES * page - 1)));
	tap_ok(count_x(cut) == PAGES * page - 1,
		"a byte that is cut off is a zero, and all else is there");
	write_file("again");
	mapping_free(cut);
	cut = map("again");
	MUST(!truncate("again", (off_t)page * 2));
	tap_ok(count_x(cut) == 2 * page, "what is left is there until more is wanted");
	tap_ok(count_x(cut) == 0, "then all of it is zeros");
	mapping_free(cut);
	mapping_free(other);
}

static void test_many(void)
{
	Mapping *mappings[MAPPINGS_MAX], *more = NULL;
	size_t zeros = 0;
	int fd;

	write_file("many");
	for (size_t i = 0; i < MAPPINGS_MAX; i++)
		mappings[i] = map("many");
	fd = open("many", O_RDONLY | O_CLOEXEC);
	tap_ok(mapping_new(fd, page, &more) == -EMFILE && !more, "no more than %d", MAPPINGS_MAX);
	mapping_free(mappings[3]);
	tap_ok(!mapping_new(fd, page * PAGES, &mappings[3]), "one goes, another comes");
	MUST(!truncate("many", 0));
	for (size_t i = 0; i < MAPPINGS_MAX; i++) {
		zeros += count_x(mappings[i]) == 0;
		mapping_free(mappings[i]);
	}
	tap_ok(zeros == MAPPINGS_MAX, "all of them are guarded");
	tap_ok(mapping_new(fd, 0, &more) == -EINVAL, "nothing can't be mapped");
	(void)close(fd);
}

/* ---- SIGBUS that is not ours ---- */

static void fault_elsewhere(void)
{
	int fd = open("elsewhere", O_RDONLY | O_CLOEXEC);
	const volatile char *data = mmap(NULL, page, PROT_READ, MAP_SHARED, fd, 0);

	MUST(data != MAP_FAILED && !truncate("elsewhere", 0));
	(void)*data;
}

static void send_signal(void)
{
	MUST(!kill(getpid(), SIGBUS));
}

static volatile sig_atomic_t seen;

static void see(int number)
{
	seen = number;
	_exit(42);
}

static const struct {
	const char *name;
	void (*cause)(void);
	void (*former)(int number);
	bool still_mapped;
	int status; /* as wait(2) */
} causes[] = {
	{"a fault elsewhere", fault_elsewhere, SIG_DFL, true, SIGBUS},
	{"a fault elsewhere, after the last mapping", fault_elsewhere, SIG_DFL, false, SIGBUS},
	{"a fault elsewhere, with a handler", fault_elsewhere, see, true, 42 << 8},
	{"a signal that is sent", send_signal, SIG_DFL, true, SIGBUS},
	{"a signal that is sent, with a handler", send_signal, see, true, 42 << 8},
};

static void test_others(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(causes); i++) {
		int status;
		pid_t pid;

		write_file("elsewhere");
		write_file("ours");
		(void)fflush(stdout);
		pid = fork();
		MUST(pid >= 0);
		if (!pid) {
			struct sigaction action = {.sa_handler = causes[i].former};
			Mapping *mapping;

			MUST(!sigaction(SIGBUS, &action, NULL));
			mapping = map("ours");
			MUST(!truncate("ours", 0) && !count_x(mapping));
			if (!causes[i].still_mapped)
				mapping_free(mapping);
			causes[i].cause();
			_exit(0);
		}
		MUST(waitpid(pid, &status, 0) == pid);
		if (!tap_ok((status & ~0x80) == causes[i].status, "%s", causes[i].name))
			tap_note("status %x", (unsigned)status);
	}
}

int main(void)
{
	page = (size_t)sysconf(_SC_PAGESIZE);
	scratch_enter();
	test_cut();
	test_many();
	test_others();
	return tap_done();
}
