/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/fetched.h"

#include "state/frame.h"

#include <inttypes.h>
#include <sys/stat.h>

#define FORMAT_NAME "fetched"
#define FORMAT_VERSION 1

static const char *const kind_names[GEO_KINDS] = {[GEO_COUNTRY] = "country", [GEO_ASN] = "asn"};

void fetched_file_done(FetchedFile *file)
{
	for (size_t i = 0; i < file->count; i++)
		free(file->parts[i].url);
	free(file->parts);
	*file = (FetchedFile){0};
}

void fetched_done(Fetched *fetched)
{
	for (size_t i = 0; i < GEO_KINDS; i++)
		fetched_file_done(&fetched->files[i]);
}

int fetched_file_add(FetchedFile *file, const char *url, const char *sha256, const char *etag)
{
	FetchedPart *parts = array_grow(file->parts, file->count, sizeof(*parts)), *part;
	char *copy;

	if (!parts)
		return -ENOMEM;
	file->parts = parts;
	copy = strdup(url);
	if (!copy)
		return -ENOMEM;
	part = &file->parts[file->count++];
	*part = (FetchedPart){.url = copy};
	(void)snprintf(part->sha256, sizeof(part->sha256), "%s", sha256);
	(void)snprintf(part->etag, sizeof(part->etag), "%s", etag);
	return 0;
}

/* The checksum of the file has told that this program wrote the line. NOLINTBEGIN(cert-err34-c) */
static int read_line(char *line, Fetched *fetched, FetchedFile **file)
{
	char sha256[SHA256_TEXT_SIZE];
	int end = 0;

	for (size_t i = 0; i < GEO_KINDS; i++)
		if (!strcmp(line, kind_names[i])) {
			*file = &fetched->files[i];
			return 0;
		}
	if (!*file)
		return -EBADMSG;
	if (sscanf(line, "size=%" SCNu64 " mtime=%" SCNd64, &(*file)->size_bytes,
		    &(*file)->mtime_ns) == 2)
		return 0;
	if (sscanf(line, "part %64[0-9a-f] %n", sha256, &end) == 1 && end && line[end])
		return fetched_file_add(*file, line + end, sha256, "");
	if (strncmp(line, "etag ", 5) != 0 || !(*file)->count)
		return -EBADMSG;
	(void)snprintf((*file)->parts[(*file)->count - 1].etag, DOWNLOAD_ETAG_SIZE, "%s", line + 5);
	return 0;
}
/* NOLINTEND(cert-err34-c) */

int fetched_load(const char *path, Fetched *ret_fetched)
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
	Fetched fetched = {0};
	FetchedFile *file = NULL;
	char *line = NULL;
	size_t at = 0;
	int r = frame_load(path, FORMAT_NAME, FORMAT_VERSION, &sb, NULL);

	*ret_fetched = fetched;
	if (r)
		return r == -ENOMEM ? r : 0;
	do {
		r = frame_line(&sb, &at, &line);
		if (!r && line)
			r = read_line(line, &fetched, &file);
	} while (!r && line);
	if (r < 0)
		fetched_done(&fetched);
	*ret_fetched = fetched;
	return r == -ENOMEM ? r : 0;
}

int fetched_save(const char *path, const Fetched *fetched)
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;

	frame_begin(&sb, FORMAT_NAME, FORMAT_VERSION);
	for (size_t i = 0; i < GEO_KINDS; i++) {
		const FetchedFile *file = &fetched->files[i];

		if (!file->count)
			continue;
		strbuf_appendf(&sb, "%s\nsize=%" PRIu64 " mtime=%" PRId64 "\n", kind_names[i],
			file->size_bytes, file->mtime_ns);
		for (size_t j = 0; j < file->count; j++) {
			strbuf_appendf(
				&sb, "part %s %s\n", file->parts[j].sha256, file->parts[j].url);
			if (*file->parts[j].etag)
				strbuf_appendf(&sb, "etag %s\n", file->parts[j].etag);
		}
	}
	return frame_save(path, &sb);
}

bool fetched_file_fits(const FetchedFile *file, const char *path, char *const *urls)
{
	struct stat st;
	size_t n = 0;

	if (!file->count || stat(path, &st) < 0 || (uint64_t)st.st_size != file->size_bytes ||
		st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec != file->mtime_ns)
		return false;
	for (; urls[n]; n++)
		if (n == file->count || strcmp(file->parts[n].url, urls[n]) != 0)
			return false;
	return n == file->count;
}
