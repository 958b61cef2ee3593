/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "source/find.h"

#include "base/file.h"

#include <unistd.h>

bool find_has_directory(const char *path)
{
	_cleanup_free_ char *dir = file_parent_dup(path);

	return !dir || !access(dir, F_OK) || errno != ENOENT;
}

static int look(const char *path, const ArchiveFrom *from, ArchivePlace *place, Why *why)
{
	int r = archive_next(path, from, place, why);

	if (r == (ARCHIVE_LOST | ARCHIVE_NOTHING) && find_has_directory(path))
		r = archive_next(path, from, place, why);
	return r;
}

/* The next best place is `place`, if `found` says so. The other one counts only if the first file is still gone when it is known. */
static int find_after_finished(const char *path, const ArchiveFrom *from,
	const ArchiveFrom *finished, int found, ArchivePlace *place, Why *why)
{
	ArchivePlace other, again;
	Why ignored;
	int r = look(path, finished, &other, &ignored), still;

	if (r < 0)
		return found;
	if (r & ARCHIVE_LOST) {
		if (!(r & ARCHIVE_NOTHING))
			archive_place_done(&other);
		return found;
	}
	still = look(path, from, &again, why);
	if (!(found & ARCHIVE_NOTHING))
		archive_place_done(place);
	if (still < 0 || !(still & ARCHIVE_LOST)) {
		if (!(r & ARCHIVE_NOTHING))
			archive_place_done(&other);
		if (still >= 0 && !(still & ARCHIVE_NOTHING))
			*place = again;
		return still;
	}
	if (!(still & ARCHIVE_NOTHING))
		archive_place_done(&again);
	if (!(r & ARCHIVE_NOTHING))
		*place = other;
	return r | ARCHIVE_LOST;
}

int find_place(const char *path, const ArchiveFrom *from, const ArchiveFrom *finished,
	ArchivePlace *ret_place, Why *ret_why)
{
	int r = look(path, from, ret_place, ret_why);

	if (r >= 0 && r & ARCHIVE_LOST && finished)
		r = find_after_finished(path, from, finished, r, ret_place, ret_why);
	return r;
}
