/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Swaps the databases of a service that has more lines to read than it can, and follows its CSV: every row must be there, in its order, with
 * what either the databases before the last swap say of its address or those after it, never the former again once the latter were used.
 *
 *	swap-drive make DIR SIDE RANGES
 *		Writes DIR/country.csv and DIR/asn.csv, with so many ranges; those of side 0 and side 1 have nothing in common.
 *	swap-drive run PID LOG CSV PLACE SETS SWAPS RANGES
 *		The service PID reads LOG and uses PLACE/{country.csv,asn.csv,ip.image}, which are those of SETS/0/db now. At the end
 *		there is a row for each border of a range, and the addresses beside it. Prints what the service takes after 10 swaps and at the end:
 *		"memory SWAPS SIZE ANONYMOUS MAPPINGS DESCRIPTORS", the first two in KiB.
 */

#include "base/base.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#define PATH_SIZE 512
#define FIRST_ADDRESS 0x0b000000u /* 11.0.0.0, and no special range from there ... */
#define LAST_ADDRESS 0x63ffffffu  /* ... to 99.255.255.255 */
#define MS_NS 1000000
#define TRICKLE_LINES 10 /* while the service waits for quiet */
#define FLOOD_LINES 1000
#define QUIET_MS 900   /* it waits for a second before it looks at new databases */
#define AHEAD_MAX 4000 /* lines that are not rows yet */
#define DEADLINE_MS 60000
#define FIRST_LOOK 10   /* swaps until what it takes is settled */
#define ROTATE_SWAPS 10 /* so that the log does not grow for ever */
#define LINE_SIZE 512

enum { COUNTRY, ASN, KINDS };

static const char *const names[] = {"country.csv", "asn.csv", "ip.image"};

typedef struct Range {
	uint32_t first, last;
} Range;

typedef struct Side {
	Range *ranges[KINDS];
} Side;

static Side sides[2];
static size_t range_count;

static void die(const char *what)
{
	fprintf(stderr, "swap-drive: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15u;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / MS_NS;
}

static void nap(void)
{
	(void)nanosleep(&(struct timespec){.tv_nsec = MS_NS / 5}, NULL);
}

/* ---- what the databases say ----------------------------------------------------------------- */

static Range *make_ranges(unsigned side, unsigned kind)
{
	uint32_t room = (LAST_ADDRESS - FIRST_ADDRESS) / (uint32_t)range_count, at = FIRST_ADDRESS;
	Range *ranges = calloc(range_count, sizeof(*ranges));
	uint64_t seed = mix(2 * side + kind);

	if (!ranges)
		die("ranges");
	for (size_t i = 0; i < range_count; i++) {
		uint64_t random = mix(seed + i);

		/* One of four has a gap before it. */
		if (!(random % 4))
			at += 1 + (uint32_t)(random >> 32) % (room / 4);
		ranges[i].first = at;
		at += 1 + (uint32_t)(random >> 8) % (room + room / 2);
		ranges[i].last = at - 1;
	}
	return ranges;
}

static const Range *find(const Range *ranges, uint32_t address)
{
	size_t low = 0, high = range_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ranges[middle].last < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low < range_count && ranges[low].first <= address ? &ranges[low] : NULL;
}

static void country_of(unsigned side, size_t range, char code[3])
{
	uint64_t random = mix(range + side);

	code[0] = (char)('A' + 13 * side + random % 13);
	code[1] = (char)('A' + (random >> 32) % 25); /* never ZZ, which is none */
	code[2] = '\0';
}

static unsigned asn_of(unsigned side, size_t range)
{
	return 1 + 10000000 * side + (unsigned)range;
}

static void format_address(uint32_t address, char text[16])
{
	(void)snprintf(text, 16, "%u.%u.%u.%u", address >> 24, address >> 16 & 255,
		address >> 8 & 255, address & 255);
}

static FILE *create(const char *dir, const char *name)
{
	char path[PATH_SIZE];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "we");
	if (!file)
		die(path);
	return file;
}

static void make(const char *dir, unsigned side)
{
	FILE *files[KINDS];

	for (unsigned kind = 0; kind < KINDS; kind++) {
		const Range *ranges = sides[side].ranges[kind];

		files[kind] = create(dir, names[kind]);
		for (size_t i = 0; i < range_count; i++) {
			char first[16], last[16], code[3];

			format_address(ranges[i].first, first);
			format_address(ranges[i].last, last);
			country_of(side, i, code);
			if (kind == COUNTRY)
				fprintf(files[kind], "%s,%s,%s\n", first, last, code);
			else
				fprintf(files[kind], "%s,%s,%u,\"Network, %zu\"\n", first, last,
					asn_of(side, i), i);
		}
		if (fclose(files[kind]))
			die(dir);
	}
}

/* ---- lines and rows ------------------------------------------------------------------------- */

typedef struct Run {
	const char *pid, *csv_path;
	FILE *log;
	int csv;
	char *buffer; /* of the CSV, from the first row that is not checked on */
	size_t len, size;
	bool header;
	uint64_t lines, rows;
	uint64_t border_line; /* the lines from this one on are about borders */
	uint32_t *borders;
	unsigned side; /* that rows are of */
	bool may_change;
	uint64_t changed_ms; /* when the databases were replaced last */
	uint64_t swaps_seen;
} Run;

static uint32_t address_of(const Run *run, uint64_t line)
{
	if (line >= run->border_line)
		return run->borders[line - run->border_line];
	return FIRST_ADDRESS + (uint32_t)(mix(line) % (LAST_ADDRESS - FIRST_ADDRESS));
}

static void write_lines(Run *run, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++, run->lines++) {
		char ip[16];

		format_address(address_of(run, run->lines), ip);
		fprintf(run->log,
			"2026-11-22T13:01:48+00:00 mx1 postfix/smtpd[9]: warning: unknown[%s]: "
			"SASL PLAIN authentication failed: no, sasl_username=u%" PRIu64 "\n",
			ip, run->lines);
	}
	if (fflush(run->log))
		die("log");
}

static size_t expect_row(const Run *run, unsigned side, char row[LINE_SIZE])
{
	uint32_t address = address_of(run, run->rows);
	const Range *country = find(sides[side].ranges[COUNTRY], address);
	const Range *asn = find(sides[side].ranges[ASN], address);
	char ip[16], code[4] = "N/A", network[64] = "N/A,\"N/A\"";

	format_address(address, ip);
	if (country)
		country_of(side, (size_t)(country - sides[side].ranges[COUNTRY]), code);
	if (asn) {
		size_t i = (size_t)(asn - sides[side].ranges[ASN]);

		(void)snprintf(network, sizeof(network), "%u,\"Network, %zu\"", asn_of(side, i), i);
	}
	return (size_t)snprintf(row, LINE_SIZE,
		"mx1,\"2026-11-22 13:01\",%s,u%" PRIu64 ",null,Off,%s,%s", ip, run->rows, code,
		network);
}

static void check_row(Run *run, const char *text, size_t len)
{
	char row[LINE_SIZE], other[LINE_SIZE];
	size_t row_len = expect_row(run, run->side, row), other_len;

	if (row_len != len || memcmp(row, text, len) != 0) {
		other_len = expect_row(run, !run->side, other);
		if (!run->may_change || now_ms() < run->changed_ms + QUIET_MS || other_len != len ||
			memcmp(other, text, len) != 0) {
			printf("row %" PRIu64 " after %" PRIu64
			       " swaps is\n%.*s\nand not\n%s\n%s%s\n",
				run->rows, run->swaps_seen, (int)len, text, row,
				run->may_change ? "nor\n" : "", run->may_change ? other : "");
			exit(1);
		}
		run->side = !run->side;
		run->may_change = false;
		run->swaps_seen++;
	}
	run->rows++;
}

/* Whether there was anything new. */
static bool check_rows(Run *run)
{
	size_t at = 0;
	ssize_t n = read(run->csv, run->buffer + run->len, run->size - run->len);
	const char *end;

	if (n < 0)
		die(run->csv_path);
	run->len += (size_t)n;
	while ((end = memchr(run->buffer + at, '\n', run->len - at))) {
		if (run->header)
			check_row(run, run->buffer + at, (size_t)(end - run->buffer) - at);
		run->header = true;
		at = (size_t)(end - run->buffer) + 1;
	}
	memmove(run->buffer, run->buffer + at, run->len - at);
	run->len -= at;
	return n;
}

static void past_deadline(const Run *run, const char *what)
{
	printf("%s: %" PRIu64 " of %" PRIu64 " rows after %" PRIu64 " swaps\n", what, run->rows,
		run->lines, run->swaps_seen);
	exit(1);
}

/* Until every line is a row. */
static void drain(Run *run)
{
	uint64_t until = now_ms() + DEADLINE_MS;

	while (run->rows < run->lines) {
		if (check_rows(run))
			until = now_ms() + DEADLINE_MS;
		else if (now_ms() > until)
			past_deadline(run, "rows are missing");
		else
			nap();
	}
}

/* ---- the service ---------------------------------------------------------------------------- */

static size_t count_lines(const char *pid, const char *name)
{
	char path[PATH_SIZE], line[PATH_SIZE];
	size_t count = 0;
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%s/%s", pid, name);
	file = fopen(path, "re");
	if (!file)
		die(path);
	while (fgets(line, sizeof(line), file))
		count++;
	(void)fclose(file);
	return count;
}

static unsigned long read_status(const char *pid, const char *key)
{
	char path[PATH_SIZE], line[PATH_SIZE];
	unsigned long value = 0;
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%s/status", pid);
	file = fopen(path, "re");
	if (!file)
		die(path);
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, key, strlen(key)))
			value = strtoul(line + strlen(key), NULL, 10);
	(void)fclose(file);
	return value;
}

static size_t count_descriptors(const char *pid)
{
	char path[PATH_SIZE];
	size_t count = 0;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	dir = opendir(path);
	if (!dir)
		die(path);
	while (readdir(dir))
		count++;
	(void)closedir(dir);
	return count;
}

static void print_memory(Run *run)
{
	drain(run);
	for (int i = 0; i < 500; i++)
		nap();
	printf("memory %" PRIu64 " %lu %lu %zu %zu\n", run->swaps_seen,
		read_status(run->pid, "VmSize:"), read_status(run->pid, "RssAnon:"),
		count_lines(run->pid, "maps"), count_descriptors(run->pid));
}

static void rotate(Run *run, const char *path)
{
	char old[PATH_SIZE];

	drain(run);
	(void)snprintf(old, sizeof(old), "%s.1", path);
	if (rename(path, old) < 0 || fclose(run->log))
		die(path);
	run->log = fopen(path, "ae");
	if (!run->log)
		die(path);
}

/* Puts the files of a side in place, each in one step, as update-db does. */
static void put_in_place(const char *place, const char *sets, unsigned side)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char from[PATH_SIZE], temporary[PATH_SIZE], to[PATH_SIZE];

		(void)snprintf(from, sizeof(from), "%s/%u/db/%s", sets, side, names[i]);
		(void)snprintf(temporary, sizeof(temporary), "%s/new", place);
		(void)snprintf(to, sizeof(to), "%s/%s", place, names[i]);
		if (link(from, temporary) < 0 || rename(temporary, to) < 0)
			die(to);
	}
}

static void swap(Run *run, const char *place, const char *sets)
{
	uint64_t swaps = run->swaps_seen, start = now_ms();

	put_in_place(place, sets, !run->side);
	run->may_change = true;
	run->changed_ms = start;
	while (run->swaps_seen == swaps) {
		if (now_ms() > start + DEADLINE_MS)
			past_deadline(run, "the databases were not swapped");
		if (run->lines - run->rows < AHEAD_MAX)
			write_lines(run, now_ms() < start + QUIET_MS ? TRICKLE_LINES : FLOOD_LINES);
		if (!check_rows(run))
			nap();
	}
}

/* Rows for the ends of all ranges, and what lies beside them. */
static void check_borders(Run *run)
{
	run->borders = calloc(range_count * KINDS * 4, sizeof(*run->borders));
	if (!run->borders)
		die("borders");
	run->border_line = run->lines;
	for (unsigned kind = 0; kind < KINDS; kind++)
		for (size_t i = 0; i < range_count; i++) {
			const Range *range = &sides[run->side].ranges[kind][i];
			uint32_t *to = &run->borders[4 * (kind * range_count + i)];

			to[0] = range->first - 1;
			to[1] = range->first;
			to[2] = range->last;
			to[3] = range->last + 1;
		}
	for (size_t left = range_count * KINDS * 4; left;) {
		size_t some = MIN(left, (size_t)FLOOD_LINES);

		if (run->lines - run->rows < AHEAD_MAX) {
			write_lines(run, some);
			left -= some;
		} else if (!check_rows(run)) {
			nap();
		}
	}
	drain(run);
	printf("borders %zu\n", range_count * KINDS * 4);
	free(run->borders);
}

int main(int argc, char **argv)
{
	Run run = {.border_line = UINT64_MAX, .size = (size_t)1 << 20};
	uint64_t swaps;

	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	if ((argc != 5 || strcmp(argv[1], "make") != 0) &&
		(argc != 9 || strcmp(argv[1], "run") != 0))
		return 2;
	range_count = strtoul(argv[argc - 1], NULL, 10);
	for (unsigned side = 0; side < 2; side++)
		for (unsigned kind = 0; kind < KINDS; kind++)
			sides[side].ranges[kind] = make_ranges(side, kind);
	if (argc == 5) {
		make(argv[2], argv[3][0] == '1');
	} else {
		run.pid = argv[2];
		run.csv_path = argv[4];
		run.log = fopen(argv[3], "ae");
		run.csv = open(argv[4], O_RDONLY | O_CLOEXEC);
		run.buffer = malloc(run.size);
		if (!run.log || run.csv < 0 || !run.buffer)
			die("files");
		swaps = strtoull(argv[7], NULL, 10);
		while (run.swaps_seen < swaps) {
			swap(&run, argv[5], argv[6]);
			if (!(run.swaps_seen % ROTATE_SWAPS))
				rotate(&run, argv[3]);
			if (run.swaps_seen == FIRST_LOOK)
				print_memory(&run);
		}
		print_memory(&run);
		check_borders(&run);
		printf("rows %" PRIu64 "\n", run.rows);
		(void)fclose(run.log);
		(void)close(run.csv);
		free(run.buffer);
	}
	for (unsigned side = 0; side < 2; side++)
		for (unsigned kind = 0; kind < KINDS; kind++)
			free(sides[side].ranges[kind]);
	return 0;
}
