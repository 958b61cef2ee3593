/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "state/trail.h"

#include "base/file.h"

void trail_cut(Trail *trail, uint64_t offset)
{
	while (trail->count && trail->places[trail->count - 1].offset > offset)
		trail->count--;
}

/*
 * Which place can best be done without: where the gap that it would leave is smallest, measured by its distance from the
 * newest. Never the first nor the last.
 */
static uint32_t find_dispensable(const Trail *trail)
{
	uint64_t newest = trail->places[trail->count - 1].offset;
	double best_gap = 0;
	uint32_t best = 1;

	for (uint32_t i = 1; i + 1 < trail->count; i++) {
		uint64_t before = trail->places[i - 1].offset;
		double gap =
			(double)(trail->places[i + 1].offset - before) / (double)(newest - before);

		if (i == 1 || gap < best_gap) {
			best = i;
			best_gap = gap;
		}
	}
	return best;
}

void trail_add(Trail *trail, const FileMark *mark)
{
	trail_cut(trail, mark->offset);
	if (!mark->tail_len ||
		(trail->count &&
			mark->offset - trail->places[trail->count - 1].offset < MARK_TAIL_MAX))
		return;
	if (trail->count == TRAIL_MAX) {
		uint32_t at = find_dispensable(trail);

		trail->count--;
		memmove(&trail->places[at], &trail->places[at + 1],
			(trail->count - at) * sizeof(trail->places[0]));
	}
	trail->places[trail->count++] = (TrailPlace){mark->offset, mark->tail_hash, mark->tail_len};
}

int trail_match_fd(const Trail *trail, int fd, uint64_t size, uint32_t *ret_at, bool *ret_newer)
{
	char before[MARK_TAIL_MAX];

	*ret_newer = false;
	for (uint32_t i = trail->count; i-- > 0;) {
		const TrailPlace *place = &trail->places[i];
		ssize_t n;

		if (place->offset > size)
			continue;
		n = file_pread_full(fd, before, place->len, (off_t)(place->offset - place->len));
		if (n < 0)
			return (int)n;
		if ((size_t)n == place->len && mark_hash(before, place->len) == place->hash) {
			*ret_at = i;
			return 0;
		}
		*ret_newer = true;
	}
	return MARK_OTHER;
}
