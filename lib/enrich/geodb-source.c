/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "enrich/geodb-source.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "enrich/geodb-csv.h"
#include "enrich/geodb-mmdb.h"

/*
 * Larger than any database of countries or networks; City databases of the great vendors stay
 * below it too.
 */
#define FILE_SIZE_MAX ((off_t)512 << 20)

/* Who writes into a database in place may be at it for a while; then it is his turn to say so. */
#define TRIES 3

#define NS_PER_S 1000000000LL
#define US_PER_S 1000000ULL

static int64_t mtime_ns(const struct stat *st)
{
	return (int64_t)st->st_mtim.tv_sec * NS_PER_S + st->st_mtim.tv_nsec;
}

static int read_file(int fd, const struct stat *st, GeoRows *rows, Why *ret_why)
{
	int r;

	if (S_ISDIR(st->st_mode)) {
		r = -EISDIR;
	} else if (!S_ISREG(st->st_mode)) {
		why_set(ret_why, "this is not a file");
		return -EINVAL;
	} else if (st->st_size > FILE_SIZE_MAX) {
		r = -EFBIG;
	} else if (!st->st_size) {
		why_set(ret_why, "the file is empty");
		return -EBADMSG;
	} else {
		r = geodb_mmdb_recognise(fd, st->st_size);
		if (r > 0)
			return geodb_mmdb_read(fd, st->st_size, rows, ret_why);
		if (!r)
			return geodb_csv_read(fd, rows, ret_why);
	}
	why_set(ret_why, "%s", strerror(-r));
	return r;
}

static bool same_state(const struct stat *a, const struct stat *b)
{
	return a->st_size == b->st_size && mtime_ns(a) == mtime_ns(b) &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* One try. *ret_changed: what was read may be of no state that the file was in. */
static int read_state(
	const char *path, GeoRows *rows, struct stat *ret_st, bool *ret_changed, Why *ret_why)
{
	_cleanup_close_ int fd = -1;
	struct stat after;
	int r;

	/* Not to wait for a writer when the path is a pipe's. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 || fstat(fd, ret_st) < 0) {
		r = -errno;
		why_set(ret_why, "%s", strerror(-r));
		return r;
	}
	r = read_file(fd, ret_st, rows, ret_why);
	if (fstat(fd, &after) < 0) {
		r = -errno;
		why_set(ret_why, "%s", strerror(-r));
		return r;
	}
	*ret_changed = !same_state(ret_st, &after) ||
		       (!r && rows->size_bytes != (uint64_t)ret_st->st_size);
	return r;
}

static int read_still(const char *path, GeoRows *rows, struct stat *ret_st, Why *ret_why)
{
	GeoKind kind = rows->kind;

	for (unsigned i = 0; i < TRIES; i++) {
		bool changed = false;
		int r = read_state(path, rows, ret_st, &changed, ret_why);

		if (!changed)
			return r;
		geo_rows_done(rows);
		r = geo_rows_init(rows, kind);
		if (r < 0) {
			why_set(ret_why, "%s", strerror(-r));
			return r;
		}
	}
	why_set(ret_why, "the file changes while it is read");
	return -EAGAIN;
}

static uint64_t add_up_to_max(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static uint64_t covered_addresses(const IpSegments *v4)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < v4->count; i++)
		sum += v4->items[i].last.lo - v4->items[i].first.lo + 1;
	return sum;
}

static uint64_t covered_networks(const IpSegments *v6)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < v6->count; i++) {
		const IpSegment *s = &v6->items[i];
		bool shared = i && s[-1].last.hi == s->first.hi;

		sum = add_up_to_max(sum, s->last.hi - s->first.hi);
		sum = add_up_to_max(sum, !shared);
	}
	return sum;
}

int geo_source_read(const char *path, GeoRows *rows, GeoSource *ret_source, Why *ret_why)
{
	GeoSource source = {0};
	struct stat st = {0};
	Why why = {0};
	int r;

	if (!path) {
		*ret_source = source;
		return 0;
	}
	r = read_still(path, rows, &st, &why);
	if (r == -ENOENT) {
		*ret_source = source;
		return 0;
	}
	if (!r) {
		r = ipsegments_flatten(&rows->v4);
		if (!r)
			r = ipsegments_flatten(&rows->v6);
		why_set(&why, "%s", strerror(-r));
	}
	if (r) {
		why_set(ret_why, "%s: %s", path, why.text);
		return r;
	}
	source = (GeoSource){
		.there = true,
		.size_bytes = rows->size_bytes,
		.mtime_ns = mtime_ns(&st),
		.hash = rows->hash,
		.date_us = mtime_ns(&st) / 1000,
		.rows = rows->rows,
		.rejected = rows->rejected,
		.ranges_v4 = rows->v4.count,
		.ranges_v6 = rows->v6.count,
		.covered_v4 = covered_addresses(&rows->v4),
		.covered_v6 = covered_networks(&rows->v6),
	};
	if (rows->built_s && rows->built_s <= INT64_MAX / US_PER_S)
		source.date_us = (int64_t)(rows->built_s * US_PER_S);
	*ret_source = source;
	return 0;
}

int geo_source_is_same(const char *path, const GeoSource *source)
{
	struct stat st;

	if (!path || stat(path, &st) < 0) {
		if (path && errno != ENOENT)
			return -errno;
		return !source->there;
	}
	return source->there && (uint64_t)st.st_size == source->size_bytes &&
	       mtime_ns(&st) == source->mtime_ns;
}
