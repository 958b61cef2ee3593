/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/sql-import.h"

#include "base/file.h"
#include "base/number.h"
#include "daemon/command.h"
#include "daemon/database.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/meter.h"
#include "state/imported.h"
#include "state/lock.h"
#include "store/sqlreplay.h"
#include "store/sqlschema.h"
#include "store/sqlspool.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>

#define COMMAND "sql-import"
#define OTHERS_ROWS                                                                         \
	"was an older state put back, or is this host a copy of another? 'reset' begins a " \
	"record that has an instance of its own"
#define TRIES_MAX 4 /* of a file whose transaction the database undoes */

/* A file that the ledger has. */
typedef struct LedgerRow {
	uint64_t sequence;
	char hash[DIGEST_TEXT_LEN + 1];
} LedgerRow;

typedef struct Import {
	const Config *config;
	int lock_fd;
	StrBuf database; /* what it is called */
	SqlSpool spool;
	Sink *sink;
	bool prepared; /* the database has the table */
	SqlTable table;
	bool locked; /* we are alone with the instance, and what the ledger has of it is known */
	uint64_t instance;
	LedgerRow *ledger;
	size_t ledger_count, ledger_at;
	uint64_t done_bytes, total_bytes;
	Meter meter;
} Import;

static void import_done(Import *import)
{
	sink_free(import->sink);
	sqlspool_done(&import->spool);
	strbuf_done(&import->database);
	free(import->ledger);
	close_fd(&import->lock_fd);
}

/* ---- the database ---------------------------------------------------------------------------- */

/* For a reason of the database: names it. Returns r. */
static int of_database(const Import *import, int r, const Why *why, Why *ret_why)
{
	if (r)
		why_set(ret_why, "%s: %s", strbuf_text(&import->database),
			*why->text ? why->text : strerror(r < 0 ? -r : EAGAIN));
	return r;
}

static int execute(const Import *import, const char *statement, Why *ret_why)
{
	Why why = {""};

	return of_database(import, sink_execute(import->sink, statement, &why), &why, ret_why);
}

static bool is_same_table(const SqlTable *a, const SqlTable *b)
{
	bool same = a->dialect == b->dialect && !strcmp(a->name, b->name);

	for (size_t i = 0; same && i < COLUMN_COUNT; i++)
		same = !strcmp(a->columns[i], b->columns[i]);
	return same;
}

static int unlock(Import *import, Why *ret_why)
{
	Why why = {""};

	if (!import->locked)
		return 0;
	import->locked = false;
	return of_database(import, sink_unlock(import->sink, &why), &why, ret_why);
}

/* Rows go in, and questions get their answers, without an index, too. */
static int of_schema(const Import *import, int r, const Why *why, Why *ret_why)
{
	if (r != SQLSCHEMA_INCOMPLETE)
		return of_database(import, r, why, ret_why);
	log_warning("%s: %s; questions that would use it take longer",
		strbuf_text(&import->database), why->text);
	return 0;
}

/* What comes behind the rows. */
static int complete(Import *import, Why *ret_why)
{
	Why why = {""};
	int r = unlock(import, ret_why);

	if (r || !import->prepared)
		return r;
	import->prepared = false;
	r = sqlschema_complete(import->sink, &import->table, DATABASE_WAIT_MS, &why);
	return of_schema(import, r, &why, ret_why);
}

static int prepare_table(Import *import, const SqlTable *table, Why *ret_why)
{
	Why why = {""};
	int r = complete(import, ret_why);

	if (!r) {
		r = sqlschema_prepare(import->sink, table, DATABASE_WAIT_MS, &why);
		r = of_schema(import, r, &why, ret_why);
	}
	import->prepared = !r;
	import->table = *table;
	return r;
}

static int add_ledger_row(void *userdata, const char *const *values, size_t count)
{
	Import *import = userdata;
	LedgerRow row = {.sequence = 0};
	LedgerRow *rows;

	/* Whatever else may stand there is no file of ours. */
	if (count != 2 || !values[0] || !values[1] ||
		number_parse_u64(span_from_string(values[0]), UINT64_MAX, &row.sequence) < 0 ||
		strlen(values[1]) > DIGEST_TEXT_LEN)
		return 0;
	memcpy(row.hash, values[1], strlen(values[1]));
	rows = array_grow(import->ledger, import->ledger_count, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	import->ledger = rows;
	rows[import->ledger_count++] = row;
	return 0;
}

/* Waits until we are alone with the instance's rows, and asks which of its files are in, from this one on. */
static int read_ledger(Import *import, const SqlHead *head, Why *ret_why)
{
	_cleanup_strbuf_ StrBuf question = STRBUF_INIT;
	SqlDialect dialect = head->table.dialect;
	char name[40];
	Why why = {""};
	int r = unlock(import, ret_why);

	if (r)
		return r;
	(void)snprintf(name, sizeof(name), "import_%016" PRIx64, head->range.instance);
	r = sink_lock(import->sink, name, DATABASE_WAIT_MS, &why);
	if (r)
		return of_database(import, r, &why, ret_why);
	import->locked = true;
	import->instance = head->range.instance;
	import->ledger_count = import->ledger_at = 0;
	strbuf_append_string(&question, "SELECT ");
	sql_append_name(&question, dialect, "sequence", "");
	strbuf_append_char(&question, ',');
	sql_append_name(&question, dialect, "hash", "");
	strbuf_append_string(&question, " FROM ");
	sql_append_name(&question, dialect, head->table.name, SQL_LEDGER_SUFFIX);
	strbuf_append_string(&question, " WHERE ");
	sql_append_name(&question, dialect, "instance", "");
	strbuf_appendf(&question, " = '%016" PRIx64 "' AND ", head->range.instance);
	sql_append_name(&question, dialect, "sequence", "");
	strbuf_appendf(&question, " >= %" PRIu64 " ORDER BY ", head->sequence);
	sql_append_name(&question, dialect, "sequence", "");
	r = strbuf_error(&question);
	if (!r)
		r = sink_query(import->sink, question.data, add_ledger_row, import, &why);
	return of_database(import, r, &why, ret_why);
}

/* Makes all that is needed before the file can be sent. */
static int approach(Import *import, const SqlHead *head, Why *ret_why)
{
	int r = 0;

	if (!import->sink)
		r = database_open(import->config, &import->sink, ret_why);
	if (!r && (!import->prepared || !is_same_table(&import->table, &head->table)))
		r = prepare_table(import, &head->table, ret_why);
	if (!r && (!import->locked || import->instance != head->range.instance))
		r = read_ledger(import, head, ret_why);
	return r;
}

/* ---- a file ----------------------------------------------------------------------------------- */

/* What the ledger has of the file. */
typedef struct Found {
	const char *hash; /* of the file */
	size_t same, other;
} Found;

static int compare_hash(void *userdata, const char *const *values, size_t count)
{
	Found *found = userdata;

	if (count && values[0] && !strcmp(values[0], found->hash))
		found->same++;
	else
		found->other++;
	return 0;
}

/* Whether its own statement has put it into the ledger. */
static int check_ledger(const Import *import, const SqlHead *head, Why *ret_why)
{
	_cleanup_strbuf_ StrBuf question = STRBUF_INIT;
	Found found = {.hash = head->hash};
	Why why = {""};
	int r;

	sqlhead_append_question(&question, head);
	r = strbuf_error(&question);
	if (!r)
		r = sink_query(import->sink, question.data, compare_hash, &found, &why);
	if (r)
		return of_database(import, r, &why, ret_why);
	if (found.same)
		return 0;
	why_set(&why,
		"the table does not hold exactly its %" PRIu64 " rows from %" PRIu64 ".%" PRIu64
		" to %" PRIu64 ".%" PRIu64 " of %016" PRIx64 ": " OTHERS_ROWS,
		head->rows, head->range.from_csv, head->range.from_offset, head->range.to_csv,
		head->range.to_offset, head->range.instance);
	return of_database(import, -EBADMSG, &why, ret_why);
}

enum { IS_IN = 2, UNDONE = 3 }; /* beside SINK_AWAY */

/* 0; UNDONE: another's transaction stood in the way, and none of it is in; SINK_AWAY; -errno; with *ret_why. */
static int send(Import *import, SqlReplay *replay, Why *ret_why)
{
	const SqlHead *head = sqlreplay_get_head(replay);
	Span statement;
	Why why = {""};
	int r = 0, end = 0;

	while (!r) {
		end = sqlreplay_next(replay, &statement, ret_why);
		if (end)
			break;
		r = execute(import, statement.data, ret_why);
		import->done_bytes += statement.len;
		meter_show(&import->meter, import->done_bytes, import->total_bytes);
	}
	if (!r)
		r = end == SQLREPLAY_END ? check_ledger(import, head, ret_why) : end;
	if (!r)
		r = execute(import, SQLHEAD_COMMIT, ret_why);
	/* Where the connection is lost, the database does so itself; where nothing has begun, there is nothing to be undone. */
	if (r && !sink_execute(import->sink, "ROLLBACK", &why) && r == SINK_AWAY)
		r = UNDONE;
	return r;
}

/* What the ledger says, whose rows are in order as the files are. 0; IS_IN; -EEXIST with *ret_why: another file of its sequence is. */
static int find(Import *import, const SqlHead *head, Why *ret_why)
{
	const LedgerRow *row;

	while (import->ledger_at < import->ledger_count &&
		import->ledger[import->ledger_at].sequence < head->sequence)
		import->ledger_at++;
	row = &import->ledger[import->ledger_at];
	if (import->ledger_at == import->ledger_count || row->sequence != head->sequence)
		return 0;
	if (!strcmp(row->hash, head->hash))
		return IS_IN;
	why_set(ret_why, "%s: another file of its number is in, with the hash %s: " OTHERS_ROWS,
		strbuf_text(&import->database), row->hash);
	return -EEXIST;
}

/* What the file says of itself, and whether that can be true here. */
static int read_head(const Import *import, const SqlSpoolEntry *entry, const char *path,
	SqlHead *ret_head, Why *ret_why)
{
	SqlDialect dialect = (SqlDialect)import->config->database.db_type;
	int r = sqlreplay_head(path, ret_head, ret_why);

	if (r)
		return r;
	if (ret_head->sequence != entry->sequence) {
		why_set(ret_why, "it is the file %010" PRIu64 " under another name",
			ret_head->sequence);
		return -EBADMSG;
	}
	if (ret_head->table.dialect != dialect) {
		why_set(ret_why,
			"it is for %s, and database.db_type is %s: import it into that, or remove "
			"it and have its rows written anew (sql-export --from-start)",
			sql_dialect_name(ret_head->table.dialect), sql_dialect_name(dialect));
		return -EBADMSG;
	}
	return 0;
}

/* 0, and it is in now; IS_IN: it was before; UNDONE; SINK_AWAY; -errno; with *ret_why. */
static int import_file(
	Import *import, const SqlSpoolEntry *entry, const char *path, SqlHead *head, Why *ret_why)
{
	_cleanup_(sqlreplay_freep) SqlReplay *replay = NULL;
	int r = read_head(import, entry, path, head, ret_why);

	if (!r)
		r = approach(import, head, ret_why);
	if (!r)
		r = find(import, head, ret_why);
	if (!r)
		r = sqlreplay_open(path, &replay, ret_why);
	if (!r && strcmp(sqlreplay_get_head(replay)->hash, head->hash) != 0) {
		why_set(ret_why, "it was replaced just now");
		r = -EBADMSG;
	}
	return r ? r : send(import, replay, ret_why);
}

/* ---- all of them ------------------------------------------------------------------------------ */

/* Who got into each other's way must not come at the same time again. */
static void pause_by_chance(unsigned tries)
{
	uint16_t chance = 0;
	struct timespec pause = {0};

	if (getrandom(&chance, sizeof(chance), GRND_NONBLOCK) < 0)
		chance = (uint16_t)getpid();
	pause.tv_nsec = (long)(chance % 200 + 20) * 1000000 * tries;
	(void)nanosleep(&pause, NULL);
}

/* As import_file(), but what was undone is tried again. */
static int insist(
	Import *import, const SqlSpoolEntry *entry, const char *path, SqlHead *head, Why *ret_why)
{
	uint64_t done_bytes = import->done_bytes;
	int r;

	for (unsigned tries = 1;; tries++) {
		r = import_file(import, entry, path, head, ret_why);
		if (r != UNDONE)
			return r;
		if (tries == TRIES_MAX)
			return SINK_AWAY;
		import->done_bytes = done_bytes;
		pause_by_chance(tries);
	}
}

/* 0 when the file is in; SINK_AWAY or -errno with *ret_why. */
static int import_next(Import *import, const SqlSpoolEntry *entry, Why *ret_why)
{
	_cleanup_free_ char *path = sqlspool_path_dup(&import->spool, entry);
	uint64_t done_bytes = import->done_bytes + entry->size_bytes;
	SqlHead head;
	Why why = {""};
	int r = path ? insist(import, entry, path, &head, &why) : -ENOMEM;

	import->done_bytes = done_bytes;
	if (r && r != IS_IN) {
		why_set(ret_why, "%s: %s", path ? path : entry->name,
			*why.text ? why.text : strerror(ENOMEM));
		return r;
	}
	if (!r) {
		meter_clear(&import->meter);
		/* main() reports what stdout could not take. */
		printf("%s: %" PRIu64 " rows\n", path, head.rows);
	}
	return 0;
}

/* What is known of it without the database. 0 or -errno, said. */
static int save(const Import *import, uint64_t sequence)
{
	const Imported imported = {.sequence = sequence, .checked_us = loop_wall_us()};
	int r = imported_save(import->config->paths.state_dir, &imported);

	if (r)
		log_error(
			"%s/sql-import.offset: %s", import->config->paths.state_dir, strerror(-r));
	return r;
}

/* Says why, and how many files wait: as the ledger has it, or, where it was not asked, as the import before left it. */
static void say_stopped(const Import *import, size_t at, const Why *why)
{
	Imported imported = {.sequence = 0};
	size_t waiting = 0;

	if (!import->locked && imported_load(import->config->paths.state_dir, &imported, NULL))
		imported.sequence = 0;
	for (size_t i = at; i < import->spool.count; i++)
		waiting += import->spool.entries[i].sequence > imported.sequence;
	if (waiting == 1)
		log_error("%s; a file waits", why->text);
	else if (waiting)
		log_error("%s; %zu files wait", why->text, waiting);
	else
		log_error("%s", why->text);
}

/*
 * Files that went away between this one and the one before, or those that were in at the last look: that, once, is said. Whether there were
 * any.
 */
static bool say_missing(const Import *import, size_t i, const uint64_t *seen)
{
	const SqlSpoolEntry *entries = import->spool.entries;
	uint64_t last = seen ? *seen : entries[0].sequence - 1;
	bool several;
	char to[32];

	if (i)
		last = MAX(last, entries[i - 1].sequence);
	if (entries[i].sequence <= last + 1)
		return false;
	(void)snprintf(to, sizeof(to), " to %010" PRIu64, entries[i].sequence - 1);
	several = entries[i].sequence > last + 2;
	log_error("%s: the file%s %010" PRIu64 "%s %s gone, and %s not seen to be in the database; "
		  "sql-export --from-start writes all rows again that the CSV still has",
		import->spool.dir, several ? "s" : "", last + 1, several ? to : "",
		several ? "are" : "is", several ? "were" : "was");
	return true;
}

/* 0 or an error, said. */
static int import_all(Import *import)
{
	Imported before = {.sequence = 0};
	bool seen = !imported_load(import->config->paths.state_dir, &before, NULL);
	bool missing = false;
	uint64_t through = 0;
	size_t i = 0;
	Why why = {""};
	int r = 0, end;

	for (size_t n = 0; n < import->spool.count; n++)
		import->total_bytes += import->spool.entries[n].size_bytes;
	for (; i < import->spool.count; i++) {
		r = import_next(import, &import->spool.entries[i], &why);
		if (r)
			break;
		missing |= say_missing(import, i, seen ? &before.sequence : NULL);
		through = import->spool.entries[i].sequence;
	}
	meter_clear(&import->meter);
	if (r)
		say_stopped(import, i, &why);
	if (import->sink && r != SINK_AWAY) {
		end = complete(import, &why);
		if (end)
			log_error("%s", why.text);
		r = r ? r : end;
	}
	if (through)
		r = save(import, through) ? -EIO : r;
	return r || !missing ? r : -ENOENT;
}

/* 0 or -errno, said. */
static int open_import(Import *import)
{
	const Config *config = import->config;
	_cleanup_free_ char *path = file_join_dup(config->paths.state_dir, COMMAND ".lock");
	char holder[LOCK_HOLDER_MAX] = "";
	int r;

	database_append_name(config, &import->database);
	r = path ? strbuf_error(&import->database) : -ENOMEM;
	if (!r)
		r = lock_take(path, COMMAND, &import->lock_fd, holder);
	if (r == LOCK_HELD) {
		log_error("%s: another import is at work (process %s)", config->paths.state_dir,
			*holder ? holder : "unknown");
		return -EBUSY;
	}
	if (r < 0) {
		log_error("%s: %s", path ? path : COMMAND, strerror(-r));
		return r;
	}
	r = sqlspool_read(config->database.sql_export_dir, &import->spool);
	if (r < 0)
		log_error("%s: %s", config->database.sql_export_dir, strerror(-r));
	return r;
}

int sql_import(const Config *config)
{
	Import import = {
		.config = config, .lock_fd = -1, .database = STRBUF_INIT, .spool = SQLSPOOL_INIT};
	int r;

	/* Whenever it is ended, what was not committed is undone; but a server that goes away is an error. */
	(void)signal(SIGPIPE, SIG_IGN);
	meter_init(&import.meter, COMMAND);
	r = open_import(&import);
	if (!r)
		r = import_all(&import);
	import_done(&import);
	return r ? EXIT_FAILED : EXIT_DONE;
}
