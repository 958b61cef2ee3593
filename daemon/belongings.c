/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/belongings.h"

#include "base/file.h"
#include "base/utf8.h"
#include "daemon/databases.h"
#include "daemon/fetched.h"
#include "report/spool.h"
#include "source/siblings.h"
#include "state/bookmark.h"
#include "state/frame.h"
#include "store/csv.h"
#include "store/csvfind.h"
#include "store/sqlspool.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>

#define LOG_BACKUPS_MAX 100
#define FOLDER_LOG "log"

void belongings_done(Belongings *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->files[i].path);
		free(list->files[i].name);
	}
	for (size_t i = 0; i < list->folder_count; i++) {
		free(list->folders[i].name);
		free(list->folders[i].source);
	}
	free(list->files);
	free(list->folders);
	strbuf_done(&list->notes);
	*list = BELONGINGS_INIT;
}

/* ---- the list --------------------------------------------------------------------------------- */

static bool has_folder(const Belongings *list, const char *name)
{
	for (size_t i = 0; i < list->folder_count; i++)
		if (!strcmp(list->folders[i].name, name))
			return true;
	return false;
}

static int push_folder(Belongings *list, char *name_take, char *source_take, bool leaves)
{
	BelongingFolder *folders =
		name_take && source_take
			? array_grow(list->folders, list->folder_count, sizeof(*folders))
			: NULL;

	if (!folders) {
		free(name_take);
		free(source_take);
		return -ENOMEM;
	}
	list->folders = folders;
	folders[list->folder_count++] = (BelongingFolder){name_take, source_take, leaves};
	return 0;
}

/* Of what comes from the directory source: "csv", or "csv-2" where another directory has that. 0 or -ENOMEM. */
static int find_folder(Belongings *list, const char *wanted, const char *source, size_t *ret_folder)
{
	_cleanup_strbuf_ StrBuf name = STRBUF_INIT;
	size_t len = strlen(wanted);
	int r;

	for (size_t i = 0; i < list->folder_count; i++)
		if (!strcmp(list->folders[i].source, source) &&
			!strncmp(list->folders[i].name, wanted, len) &&
			(!list->folders[i].name[len] || list->folders[i].name[len] == '-')) {
			*ret_folder = i;
			return 0;
		}
	strbuf_append_string(&name, wanted);
	for (unsigned n = 2; !strbuf_error(&name) && has_folder(list, name.data); n++) {
		strbuf_reset(&name);
		strbuf_appendf(&name, "%s-%u", wanted, n);
	}
	r = push_folder(list, strbuf_take(&name), strdup(source), false);
	*ret_folder = list->folder_count - 1;
	return r;
}

static int push_file(Belongings *list, const Belonging *file_take)
{
	Belonging *files = file_take->path && file_take->name
				   ? array_grow(list->files, list->count, sizeof(*files))
				   : NULL;

	if (!files) {
		free(file_take->path);
		free(file_take->name);
		return -ENOMEM;
	}
	list->files = files;
	files[list->count++] = *file_take;
	list->size_bytes += file_take->size_bytes;
	return 0;
}

static bool has_file(const Belongings *list, const char *path)
{
	for (size_t i = 0; i < list->count; i++)
		if (!strcmp(list->files[i].path, path))
			return true;
	return false;
}

static void note(Belongings *list, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void note(Belongings *list, const char *fmt, ...)
{
	size_t before = list->notes.len;
	va_list ap;

	va_start(ap, fmt);
	strbuf_vappendf(&list->notes, fmt, ap);
	va_end(ap);
	/* A name may have a line end in it; who prints it escapes the rest. */
	for (size_t i = before; i < list->notes.len; i++)
		if (list->notes.data[i] == '\n')
			list->notes.data[i] = '?';
	strbuf_append_char(&list->notes, '\n');
}

typedef struct Search {
	const Config *config;
	const char *state_dir;
	bool everything;
	Checkpoint checkpoint;
	Belongings list;
	Why *why;
} Search;

static int fail(Search *search, const char *path, int error)
{
	why_set(search->why, "%s: %s", path, strerror(-error));
	return error;
}

/*
 * Adds the file, if there is one. follow: it may be a link to the file that is meant; elsewhere a link is none of ours. 0 or
 * -errno.
 */
static int add(Search *search, const char *folder, const char *path, BelongingStage stage,
	bool follow, bool stays)
{
	_cleanup_free_ char *source = file_parent_dup(path), *real = NULL;
	const char *slash = strrchr(path, '/');
	Belonging file = {.stage = stage, .stays = stays};
	struct stat st;
	int r;

	if (lstat(path, &st) < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : fail(search, path, -errno);
	if (follow && S_ISLNK(st.st_mode)) {
		real = realpath(path, NULL);
		if (!real || lstat(real, &st) < 0)
			return errno == ENOENT ? 0 : fail(search, path, -errno);
	}
	/* It may be a link to the CSV itself. */
	if (stage == STAGE_ROTATED && S_ISLNK(st.st_mode))
		return 0;
	if (!S_ISREG(st.st_mode)) {
		note(&search->list, "%s: is no regular file; it stays.", path);
		return 0;
	}
	if (has_file(&search->list, real ? real : path))
		return 0;
	r = source ? find_folder(&search->list, folder, source, &file.folder) : -ENOMEM;
	if (r < 0)
		return fail(search, path, r);
	file.path = strdup(real ? real : path);
	file.name = strdup(slash ? slash + 1 : path);
	file.inode = st.st_ino;
	file.size_bytes = (uint64_t)st.st_size;
	file.modified = st.st_mtim;
	r = push_file(&search->list, &file);
	return r < 0 ? fail(search, path, r) : 0;
}

static int add_rest(Search *search, const char *folder, const char *path)
{
	return add(search, folder, path, STAGE_REST, false, false);
}

/* PATH and PATH with each of the endings. */
static int add_endings(Search *search, const char *folder, const char *path, bool follow,
	const char *const *endings)
{
	int r = 0;

	for (; *endings && !r; endings++) {
		_cleanup_strbuf_ StrBuf name = STRBUF_INIT;

		strbuf_appendf(&name, "%s%s", path, *endings);
		r = strbuf_error(&name) ? fail(search, path, -ENOMEM)
					: add(search, folder, name.data, STAGE_REST, follow, false);
	}
	return r;
}

/* Calls look() for each name in the directory. 0 or -errno. */
static int walk(Search *search, const char *path, const void *userdata,
	int (*look)(Search *search, const char *dir, const char *name, const void *userdata))
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	int r = 0;

	if (!dir)
		return errno == ENOENT ? 0 : fail(search, path, -errno);
	do {
		errno = 0;
		entry = readdir(dir);
		if (entry)
			r = look(search, path, entry->d_name, userdata);
		else if (errno)
			r = fail(search, path, -errno);
	} while (entry && !r);
	(void)closedir(dir);
	return r;
}

/* A directory that is the program's own: whatever file is in it. */
static int look_at_own(Search *search, const char *dir, const char *name, const void *folder)
{
	_cleanup_free_ char *path = file_join_dup(dir, name);

	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return 0;
	return path ? add_rest(search, folder, path) : fail(search, dir, -ENOMEM);
}

/* ---- the CSV ---------------------------------------------------------------------------------- */

static int look_at_csv(Search *search, const char *dir, const char *name, const void *userdata)
{
	const char *csv = userdata;
	_cleanup_free_ char *path = NULL;
	size_t len = strlen(csv);

	if (strncmp(name, csv, len) != 0 || !siblings_read_suffix(name + len))
		return 0;
	path = file_join_dup(dir, name);
	return path ? add(search, "csv", path, STAGE_ROTATED, false, false)
		    : fail(search, dir, -ENOMEM);
}

/* What the checkpoint knows by its content may have any name now. */
static int add_known_csv(Search *search, const char *path, const FileMark *mark)
{
	_cleanup_csvfound_ CsvFound found = CSV_FOUND_INIT;
	int r;

	if (!path || mark->offset <= csv_header().len)
		return 0;
	r = csvfind(path, mark, &found);
	if (r < 0)
		return fail(search, path, r);
	return found.path ? add(search, "csv", found.path, STAGE_ROTATED, false, false) : 0;
}

static int add_csv(Search *search, const char *path)
{
	_cleanup_free_ char *dir = file_parent_dup(path);
	const char *slash = strrchr(path, '/');
	int r = dir ? add(search, "csv", path, STAGE_CSV, true, false) : -ENOMEM;

	return r ? r : walk(search, dir, slash ? slash + 1 : path, look_at_csv);
}

static int add_csvs(Search *search)
{
	_cleanup_free_ char *path = config_csv_path_dup(search->config);
	const Checkpoint *checkpoint = &search->checkpoint;
	int r = path ? add_csv(search, path) : fail(search, search->state_dir, -ENOMEM);

	/* It may have been written elsewhere, by an earlier configuration. */
	if (!r && checkpoint->csv_path)
		r = add_csv(search, checkpoint->csv_path);
	if (!r)
		r = add_known_csv(search, checkpoint->csv_path, &checkpoint->csv);
	for (size_t i = 0; i < checkpoint->before_count && !r; i++)
		r = add_known_csv(search, checkpoint->before[i].path, &checkpoint->before[i].mark);
	return r;
}

/* ---- what else there is ----------------------------------------------------------------------- */

static int add_log(Search *search)
{
	const char *path = search->config->general.log_file;
	int r = *path ? add_rest(search, FOLDER_LOG, path) : 0;

	for (unsigned n = 1; *path && n <= LOG_BACKUPS_MAX && !r; n++) {
		_cleanup_strbuf_ StrBuf name = STRBUF_INIT;

		strbuf_appendf(&name, "%s.%u", path, n);
		r = strbuf_error(&name) ? fail(search, path, -ENOMEM)
					: add_rest(search, FOLDER_LOG, name.data);
	}
	return r;
}

/* Letters that wait; of those that failed, people have been told. */
static int note_spool(Search *search)
{
	_cleanup_spool_ Spool spool = SPOOL_INIT;
	size_t waiting = 0;
	int r = spool_read(search->state_dir, &spool);

	if (r < 0)
		return fail(search, search->state_dir, r);
	for (size_t i = 0; i < spool.count; i++)
		waiting += !spool.entries[i].failed;
	if (waiting == 1)
		note(&search->list, "A report waits to be sent; it won't be.");
	else if (waiting)
		note(&search->list, "%zu reports wait to be sent; they won't be.", waiting);
	return 0;
}

static int add_spool(Search *search)
{
	_cleanup_free_ char *dir = file_join_dup(search->state_dir, "spool");
	_cleanup_spool_ Spool spool = SPOOL_INIT;
	int r;

	if (!dir)
		return fail(search, search->state_dir, -ENOMEM);
	if (access(dir, F_OK) < 0)
		return errno == ENOENT ? 0 : fail(search, dir, -errno);
	r = spool_open(search->state_dir, &spool);
	if (r < 0)
		return fail(search, dir, r);
	r = walk(search, dir, "spool", look_at_own);
	return r ? r : note_spool(search);
}

static int add_state(Search *search)
{
	static const struct {
		const char *name;
		BelongingStage stage;
		bool of_sql, only_everything;
	} files[] = {
		{"state.offset", STAGE_CHECKPOINT, false, false},
		{"report.offset", STAGE_REST, false, false},
		/*
		 * After a reset they say what the database has already: rows that are read again are other rows to it, so somebody is to
		 * say whether it shall get them.
		 */
		{"sql-export.offset", STAGE_REST, true, false},
		{"sql-import.offset", STAGE_REST, true, false},
		{"jobs", STAGE_REST, false, true},
		{"status", STAGE_REST, false, true},
		{"state.offset.tmp", STAGE_REST, false, true},
		{"report.offset.tmp", STAGE_REST, false, true},
		{"sql-export.offset.tmp", STAGE_REST, false, true},
		{"sql-import.offset.tmp", STAGE_REST, false, true},
		{"jobs.tmp", STAGE_REST, false, true},
		{"status.tmp", STAGE_REST, false, true},
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(files) && !r; i++) {
		_cleanup_free_ char *path = NULL;

		if (files[i].only_everything && !search->everything)
			continue;
		path = file_join_dup(search->state_dir, files[i].name);
		r = path ? add(search, "state", path, files[i].stage, false,
				   files[i].of_sql && !search->everything)
			 : fail(search, search->state_dir, -ENOMEM);
	}
	return r;
}

/* A database elsewhere is this program's if it has fetched it, and not somebody else's who keeps it there. */
static int add_databases(Search *search)
{
	const Config *config = search->config;
	static const char *const endings[] = {"", ".prev", NULL};
	char *const *urls[GEO_KINDS] = {
		[GEO_COUNTRY] = config->geolocation.country_db_url,
		[GEO_ASN] = config->asn_aso.asn_db_url,
	};
	_cleanup_free_ char *dir = file_join_dup(search->state_dir, "db");
	_cleanup_free_ char *record = dir ? file_join_dup(dir, "fetched") : NULL;
	_cleanup_(fetched_done) Fetched fetched = {0};
	GeoPaths paths = databases_paths(config);
	int r = record ? fetched_load(record, &fetched) : -ENOMEM;

	if (r < 0)
		return fail(search, search->state_dir, r);
	r = walk(search, dir, "db", look_at_own);
	for (size_t kind = 0; kind < GEO_KINDS && !r; kind++) {
		const char *path = paths.path[kind];
		struct stat st;

		if (has_file(&search->list, path) || lstat(path, &st) < 0)
			continue;
		if (fetched_file_fits(&fetched.files[kind], path, urls[kind]))
			r = add_endings(search, "db", path, false, endings);
		else
			note(&search->list, "%s: was not fetched by update-db; it stays.", path);
	}
	return r;
}

static int add_exports(Search *search)
{
	const char *dir = search->config->database.sql_export_dir;
	_cleanup_sqlspool_ SqlSpool spool = SQLSPOOL_INIT;
	int r;

	if (access(dir, F_OK) < 0)
		return errno == ENOENT ? 0 : fail(search, dir, -errno);
	r = sqlspool_open(dir, &spool);
	if (r < 0)
		return fail(search, dir, r);
	for (size_t i = 0; i < spool.count && !r; i++) {
		_cleanup_free_ char *path = sqlspool_path_dup(&spool, &spool.entries[i]);

		r = path ? add_rest(search, "sql", path) : fail(search, dir, -ENOMEM);
	}
	return r;
}

static int add_everything(Search *search)
{
	/* The database before its log: without one, SQLite takes no notice of the other. */
	static const char *const sqlite[] = {"", "-wal", "-shm", "-journal", NULL};
	const Config *config = search->config;
	int r = add_databases(search);

	if (!r)
		r = add_exports(search);
	if (!r)
		r = add_endings(search, "database", config->database.db_path, true, sqlite);
	if (!r && *config->metrics.textfile)
		r = add_rest(search, "metrics", config->metrics.textfile);
	return r;
}

static void let_go(Search *search)
{
	for (size_t i = 0; i < search->list.folder_count; i++) {
		BelongingFolder *folder = &search->list.folders[i];
		size_t len = strlen(search->state_dir);

		/* What was made elsewhere may be named in a unit. */
		folder->leaves = strcmp(folder->name, "db") != 0 &&
				 !strncmp(folder->source, search->state_dir, len) &&
				 folder->source[len] == '/';
	}
}

static int compare(const void *a, const void *b)
{
	const Belonging *one = a, *other = b;

	if (one->stage != other->stage)
		return one->stage < other->stage ? -1 : 1;
	if (one->folder != other->folder)
		return one->folder < other->folder ? -1 : 1;
	return strcmp(one->path, other->path);
}

static void search_done(Search *search)
{
	checkpoint_done(&search->checkpoint);
	belongings_done(&search->list);
}

/* One that can't be read tells nothing, and may be why somebody starts over. */
static int load_checkpoint(Search *search)
{
	_cleanup_free_ char *path = file_join_dup(search->state_dir, "state.offset");
	Why why = {""};
	int r = path ? checkpoint_load(path, &search->checkpoint, &why) : -ENOMEM;

	if (r == -EBADMSG)
		note(&search->list, "%s: %s; rotated CSVs are known by their names alone.", path,
			why.text);
	return r < 0 && r != -EBADMSG ? fail(search, search->state_dir, r) : 0;
}

int belongings_find(const Config *config, bool everything, Belongings *ret_list, Why *ret_why)
{
	_cleanup_(search_done) Search search = {
		.config = config,
		.state_dir = config->paths.state_dir,
		.everything = everything,
		.checkpoint = CHECKPOINT_INIT,
		.list = BELONGINGS_INIT,
		.why = ret_why,
	};
	int r = load_checkpoint(&search);

	if (!r)
		r = add_csvs(&search);
	if (!r)
		r = add_log(&search);
	if (!r)
		r = add_state(&search);
	if (!r)
		r = add_spool(&search);
	if (!r && everything)
		r = add_everything(&search);
	if (!r && strbuf_error(&search.list.notes))
		r = fail(&search, search.state_dir, -ENOMEM);
	if (r)
		return r;
	let_go(&search);
	if (search.list.count)
		qsort(search.list.files, search.list.count, sizeof(*search.list.files), compare);
	*ret_list = search.list;
	search.list = BELONGINGS_INIT;
	return 0;
}

bool belongings_is_log(const BelongingFolder *folder)
{
	return !strcmp(folder->name, FOLDER_LOG);
}

/* ---- as text ---------------------------------------------------------------------------------- */

static void append_text(StrBuf *sb, const char *key, const char *text)
{
	strbuf_appendf(sb, "%s ", key);
	utf8_append_escaped(sb, span_from_string(text));
	strbuf_append_char(sb, '\n');
}

void belongings_append(const Belongings *list, StrBuf *sb)
{
	for (size_t i = 0; i < list->folder_count; i++) {
		strbuf_appendf(sb, "folder leaves=%d\n", list->folders[i].leaves);
		append_text(sb, "name", list->folders[i].name);
		append_text(sb, "from", list->folders[i].source);
	}
	for (size_t i = 0; i < list->count; i++) {
		const Belonging *file = &list->files[i];

		strbuf_appendf(sb,
			"file stage=%d stays=%d packed=%d folder=%zu inode=%" PRIu64
			" size=%" PRIu64 " modified=%lld.%09ld\n",
			(int)file->stage, file->stays, file->packed, file->folder, file->inode,
			file->size_bytes, (long long)file->modified.tv_sec, file->modified.tv_nsec);
		append_text(sb, "name", file->name);
		append_text(sb, "from", file->path);
	}
}

/* 0, -EBADMSG or -ENOMEM. */
static int parse_text(StrBuf *lines, size_t *at, const char *key, char **ret_text)
{
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;
	size_t len = strlen(key);
	char *line;
	int r = frame_line(lines, at, &line);

	if (r < 0 || !line || strncmp(line, key, len) != 0 || line[len] != ' ')
		return -EBADMSG;
	utf8_append_unescaped(&text, span_from_string(line + len + 1));
	strbuf_append_string(&text, "");
	*ret_text = strbuf_take(&text);
	return *ret_text ? 0 : -ENOMEM;
}

/* The two lines behind the first one. */
static int parse_texts(StrBuf *lines, size_t *at, char **ret_name, char **ret_from)
{
	_cleanup_free_ char *name = NULL;
	int r = parse_text(lines, at, "name", &name);

	if (!r)
		r = parse_text(lines, at, "from", ret_from);
	if (!r)
		*ret_name = TAKE(name);
	return r;
}

/* The checksum has told that this program wrote the numbers: none is out of range. NOLINTBEGIN(cert-err34-c) */
static int parse_file(StrBuf *lines, size_t *at, const char *line, Belongings *list)
{
	Belonging file = {0};
	int stage, stays, packed, end = 0, r;
	long long seconds;

	if (sscanf(line,
		    "file stage=%d stays=%d packed=%d folder=%zu inode=%" SCNu64 " size=%" SCNu64
		    " modified=%lld.%ld%n",
		    &stage, &stays, &packed, &file.folder, &file.inode, &file.size_bytes, &seconds,
		    &file.modified.tv_nsec, &end) != 8 ||
		line[end] || stage < 0 || stage >= STAGE_COUNT || file.folder >= list->folder_count)
		return -EBADMSG;
	file.stage = (BelongingStage)stage;
	file.stays = stays;
	file.packed = packed;
	file.modified.tv_sec = (time_t)seconds;
	r = parse_texts(lines, at, &file.name, &file.path);
	return r ? r : push_file(list, &file);
}

static int parse_folder(StrBuf *lines, size_t *at, const char *line, Belongings *list)
{
	char *name, *from;
	int leaves, end = 0, r;

	if (sscanf(line, "folder leaves=%d%n", &leaves, &end) != 1 || line[end])
		return -EBADMSG;
	r = parse_texts(lines, at, &name, &from);
	return r ? r : push_folder(list, name, from, leaves);
}
/* NOLINTEND(cert-err34-c) */

int belongings_parse(StrBuf *lines, size_t *at, Belongings *ret_list)
{
	_cleanup_belongings_ Belongings list = BELONGINGS_INIT;
	char *line;
	int r;

	do {
		r = frame_line(lines, at, &line);
		if (!r && line)
			r = !strncmp(line, "folder ", 7) ? parse_folder(lines, at, line, &list)
							 : parse_file(lines, at, line, &list);
	} while (!r && line);
	if (r)
		return r;
	*ret_list = list;
	list = BELONGINGS_INIT;
	return 0;
}
