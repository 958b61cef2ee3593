/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "state/trail.h"

#include "random.h"
#include "scratch.h"
#include "state/checkpoint.h"
#include "tap.h"

#define SIZE ((size_t)4 << 20)

static unsigned char *data;

static FileMark mark_at(uint64_t offset)
{
	FileMark mark = {.offset = offset,
		.device = 1,
		.inode = 2,
		.head_len = (uint32_t)MIN(offset, (uint64_t)MARK_HEAD_MAX),
		.tail_len = (uint32_t)MIN(offset, (uint64_t)MARK_TAIL_MAX)};

	mark.head_hash = mark_hash(data, mark.head_len);
	mark.tail_hash = mark_hash(data + offset - mark.tail_len, mark.tail_len);
	return mark;
}

static bool in_order(const Trail *trail)
{
	for (uint32_t i = 1; i < trail->count; i++)
		if (trail->places[i].offset < trail->places[i - 1].offset + MARK_TAIL_MAX)
			return false;
	return trail->count <= TRAIL_MAX;
}

/* However reading went, of what lies before any cut at most a part that grows with the distance from the end has to be read again. */
static void test_density(Random *random)
{
	double worst = 0;
	bool ok = true;

	for (int run = 0; run < random_rounds(400); run++) {
		uint32_t step = 1 + random_below(random, run % 2 ? 200000 : 2000);
		uint64_t at = 1 + random_below(random, 200), first = at, newest = 0;
		Trail trail = {0};

		while (at < SIZE) {
			FileMark mark = mark_at(at);

			trail_add(&trail, &mark);
			ok &= in_order(&trail) && trail.places[0].offset == first;
			newest = at;
			at += 1 + random_below(random, step);
		}
		for (uint32_t i = 1; i < trail.count; i++) {
			double gap = (double)(trail.places[i].offset - trail.places[i - 1].offset);
			double distance = (double)(newest - trail.places[i].offset) + 2.0 * step +
					  4.0 * MARK_TAIL_MAX;

			worst = MAX(worst, gap / distance);
		}
	}
	tap_ok(ok, "places are in order, apart, and the first one stays");
	if (!tap_ok(worst < 4,
		    "they are close near the end, and nowhere far apart for where they are"))
		tap_note("%f", worst);
}

static void test_add(void)
{
	static const uint64_t offsets[] = {0, 100, 300, 356, 700, 5000, 600};
	Trail trail = {0};

	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
		FileMark mark = mark_at(offsets[i]);

		trail_add(&trail, &mark);
	}
	tap_ok(trail.count == 2 && trail.places[0].offset == 100 && trail.places[0].len == 100 &&
			trail.places[1].offset == 356 && trail.places[1].len == MARK_TAIL_MAX,
		"the start is no place, nor what is too close; what lies behind is forgotten");
	trail_cut(&trail, 356);
	tap_ok(trail.count == 2, "cut at a place");
	trail_cut(&trail, 355);
	tap_ok(trail.count == 1, "cut before it");
	trail_cut(&trail, 0);
	tap_ok(!trail.count, "cut to nothing");
}

static void test_match(void)
{
	static const uint64_t offsets[] = {100, 1000, 10000, 100000};
	static const struct {
		const char *name;
		size_t cut, size; /* the same bytes up to cut, then others up to size */
		int at;           /* -1: none */
		bool newer;
	} rows[] = {
		{"the same", 200000, 200000, 3, false},
		{"shorter", 50000, 50000, 2, false},
		{"shorter, at a place", 10000, 10000, 2, false},
		{"other bytes", 50000, 200000, 2, true},
		{"other bytes, shorter", 5000, 50000, 1, true},
		{"shorter than all", 50, 50, -1, false},
		{"other from the start", 0, 200000, -1, true},
		{"empty", 0, 0, -1, false},
	};
	Trail trail = {0};

	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
		FileMark mark = mark_at(offsets[i]);

		trail_add(&trail, &mark);
	}
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int fd = open("file", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644), r;
		uint32_t at = 99;
		bool newer = false;

		MUST(fd >= 0 && !file_write_full(fd, data, rows[i].cut) &&
			!file_write_full(fd, data + SIZE / 2, rows[i].size - rows[i].cut));
		r = trail_match_fd(&trail, fd, rows[i].size, &at, &newer);
		tap_ok((rows[i].at < 0 ? r == MARK_OTHER : !r && at == (uint32_t)rows[i].at) &&
				newer == rows[i].newer,
			"match: %s", rows[i].name);
		(void)close(fd);
	}
}

static void test_move(void)
{
	LogState log = {0};
	FileMark mark = mark_at(1000);

	checkpoint_move_log(&log, &mark);
	tap_ok(log.has_position && log.position.offset == 1000 && !log.earlier.count &&
			log.length == 1000,
		"a first place");
	log.length = 5000;
	mark = mark_at(3000);
	checkpoint_move_log(&log, &mark);
	tap_ok(log.earlier.count == 1 && log.earlier.places[0].offset == 1000 && log.length == 5000,
		"it becomes an earlier one");
	checkpoint_move_log(&log, &mark);
	tap_ok(log.earlier.count == 1, "the same place again");
	mark.inode++;
	mark.offset++;
	checkpoint_move_log(&log, &mark);
	tap_ok(!log.earlier.count && log.length == 3001, "another file has none");
}

int main(void)
{
	Random random = random_seeded();

	scratch_enter();
	data = malloc(SIZE);
	MUST(data);
	for (size_t i = 0; i < SIZE; i++)
		data[i] = (unsigned char)random_next(&random);
	test_add();
	test_density(&random);
	test_match();
	test_move();
	free(data);
	return tap_done();
}
