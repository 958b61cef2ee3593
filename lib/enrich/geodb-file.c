/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/hash.h"
#include "enrich/geodb-image.h"
#include "enrich/geodb-source.h"

struct GeoLoader {
	char *path; /* of the image, for what is wrong with it */
	GeoImage header;
	Mapping *mapping;
	Digest *digest;
	uint64_t checked; /* bytes */
};

static int stale(const char *path, const char *wrong, Why *ret_why)
{
	why_set(ret_why, "%s: %s", path, wrong);
	return GEODB_STALE;
}

static int failed(const char *path, int error, Why *ret_why)
{
	why_set(ret_why, "%s: %s", path, strerror(-error));
	return error;
}

/* Whether the image was made from what is at the paths. */
static int check_sources(
	const char *image_path, const GeoImage *header, const GeoPaths *paths, Why *ret_why)
{
	static const char *const names[GEO_KINDS] = {"countries", "networks"};

	for (size_t kind = 0; kind < GEO_KINDS; kind++) {
		const char *path = paths->path[kind];
		GeoSource source = {
			.there = header->sources[kind].there != 0,
			.size_bytes = header->sources[kind].size_bytes,
			.mtime_ns = header->sources[kind].mtime_ns,
		};
		int r = geo_source_is_same(path, &source);

		if (r < 0)
			return failed(path, r, ret_why);
		if (!r) {
			why_set(ret_why, "%s: it is of another database of %s than %s", image_path,
				names[kind], path ? path : "none");
			return GEODB_STALE;
		}
	}
	return 0;
}

static int open_image(GeoLoader *loader, const GeoPaths *paths, const GeoText *text, Why *ret_why)
{
	/* Not to wait for a writer when the path is a pipe's. */
	_cleanup_close_ int fd = open(loader->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	GeoImage *header = &loader->header;
	const char *wrong;
	struct stat st;
	ssize_t n;
	int r;

	if (fd < 0 && errno == ENOENT)
		return stale(loader->path, "there is none", ret_why);
	if (fd < 0 || fstat(fd, &st) < 0)
		return failed(loader->path, -errno, ret_why);
	if (!S_ISREG(st.st_mode))
		return stale(loader->path, "this is not a file", ret_why);
	n = file_pread_full(fd, header, sizeof(*header), 0);
	if (n < 0)
		return failed(loader->path, (int)n, ret_why);
	if ((size_t)n < sizeof(*header))
		return stale(loader->path, "it is not whole", ret_why);
	wrong = geo_image_wrong(header, (uint64_t)st.st_size);
	if (!wrong && header->text_version != text->version)
		wrong = "its texts are of another version";
	if (wrong)
		return stale(loader->path, wrong, ret_why);
	r = check_sources(loader->path, header, paths, ret_why);
	if (r)
		return r;
	r = mapping_new(fd, header->size, &loader->mapping);
	if (!r)
		r = digest_new(&loader->digest);
	if (r < 0)
		return failed(loader->path, r, ret_why);
	/* The copy is what will be used, so it is what is checked. */
	digest_add(loader->digest, header, sizeof(*header));
	loader->checked = sizeof(*header);
	return 0;
}

int geodb_loader_new(const char *image_path, const GeoPaths *paths, const GeoText *text,
	GeoLoader **ret_loader, Why *ret_why)
{
	_cleanup_(geodb_loader_freep) GeoLoader *loader = calloc(1, sizeof(*loader));
	int r;

	if (!loader)
		return failed(image_path, -ENOMEM, ret_why);
	loader->path = strdup(image_path);
	if (!loader->path)
		return failed(image_path, -ENOMEM, ret_why);
	r = open_image(loader, paths, text, ret_why);
	if (!r)
		*ret_loader = TAKE(loader);
	return r;
}

void geodb_loader_free(GeoLoader *loader)
{
	if (!loader)
		return;
	mapping_free(loader->mapping);
	digest_free(loader->digest);
	free(loader->path);
	free(loader);
}

int geodb_loader_step(GeoLoader *loader, GeoDb **ret_db, Why *ret_why)
{
	const uint8_t *image = mapping_data(loader->mapping);
	uint64_t end = loader->header.size - sizeof(uint64_t), seal;
	size_t len = MIN(end - loader->checked, GEODB_STEP_MAX);
	int r;

	digest_add(loader->digest, image + loader->checked, len);
	loader->checked += len;
	if (loader->checked < end)
		return GEODB_MORE;
	seal = geo_image_seal(digest_get(loader->digest));
	if (memcmp(image + end, &seal, sizeof(seal)) != 0)
		return stale(loader->path, "it is damaged", ret_why);
	r = geo_image_open(&loader->header, seal, NULL, loader->mapping, ret_db);
	if (r < 0)
		return failed(loader->path, r, ret_why);
	loader->mapping = NULL;
	return 0;
}

int geodb_load(const char *image_path, const GeoPaths *paths, const GeoText *text, GeoDb **ret_db,
	Why *ret_why)
{
	_cleanup_(geodb_loader_freep) GeoLoader *loader = NULL;
	int r = geodb_loader_new(image_path, paths, text, &loader, ret_why);

	if (r)
		return r;
	do
		r = geodb_loader_step(loader, ret_db, ret_why);
	while (r == GEODB_MORE);
	return r;
}

/* ---- saving ---- */

/* The names in the directory: the image's, and the one that it has before it is renamed. */
typedef struct Place {
	int dir;
	const char *name;
	char *temporary;
} Place;

/*
 * A file without a name where the file system has such, so that a process that is killed leaves nothing behind; else one with a name of its
 * own, as another process may be saving too.
 */
static int open_temporary(Place *place, bool *ret_named)
{
	int fd = openat(place->dir, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600), r;
	HashKey random;

	*ret_named = false;
	if (fd >= 0)
		return fd;
	if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL && errno != ENOENT)
		return -errno;
	r = hash_key_random(&random);
	if (r < 0)
		return r;
	free(place->temporary);
	if (asprintf(&place->temporary, "%s.%016" PRIx64, place->name, random.k0) < 0) {
		place->temporary = NULL;
		return -ENOMEM;
	}
	fd = openat(place->dir, place->temporary,
		O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	*ret_named = fd >= 0;
	return fd < 0 ? -errno : fd;
}

static int write_temporary(int fd, int dir, Span bytes)
{
	struct stat st;
	int r = file_write_full(fd, bytes.data, bytes.len);

	if (r < 0)
		return r;
	/* What root writes shall be the service's, like all else in its directory. */
	if (!geteuid() && (fstat(dir, &st) < 0 || fchown(fd, st.st_uid, st.st_gid) < 0))
		return -errno;
	if (fchmod(fd, 0644) < 0 || fsync(fd) < 0)
		return -errno;
	return 0;
}

/*
 * What has the name already is whole too: another process is between this and its renaming, or was
 * killed there. It finds ours under the name then, or that we have renamed its own.
 */
static int give_name(int fd, const Place *place)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	while (linkat(AT_FDCWD, path, place->dir, place->temporary, AT_SYMLINK_FOLLOW) < 0) {
		if (errno != EEXIST)
			return -errno;
		if (unlinkat(place->dir, place->temporary, 0) < 0 && errno != ENOENT)
			return -errno;
	}
	return 0;
}

static int save(Place *place, Span bytes)
{
	_cleanup_close_ int fd = -1;
	bool named, linked = false;
	int r;

	fd = open_temporary(place, &named);
	if (fd < 0)
		return fd;
	r = write_temporary(fd, place->dir, bytes);
	if (!r && !named) {
		r = give_name(fd, place);
		linked = !r;
	}
	if (!r && renameat(place->dir, place->temporary, place->dir, place->name) < 0 &&
		!(linked && errno == ENOENT))
		r = -errno;
	if (r < 0 && (named || linked))
		(void)unlinkat(place->dir, place->temporary, 0);
	if (!r && fsync(place->dir) < 0)
		r = -errno;
	return r;
}

int geodb_save(const GeoDb *db, const char *image_path)
{
	_cleanup_free_ char *parent = file_parent_dup(image_path);
	const char *slash = strrchr(image_path, '/');
	_cleanup_close_ int dir = -1;
	Place place = {.name = slash ? slash + 1 : image_path};
	int r;

	if (geodb_is_lost(db))
		return -ESTALE;
	if (!parent || asprintf(&place.temporary, "%s.tmp", place.name) < 0)
		return -ENOMEM;
	dir = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	place.dir = dir;
	r = dir < 0 ? -errno : save(&place, geo_image_bytes(db));
	free(place.temporary);
	return r;
}
