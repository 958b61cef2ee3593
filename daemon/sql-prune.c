/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/sql-prune.h"

#include "daemon/command.h"
#include "daemon/database.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/sql-mark.h"
#include "store/sqlreplay.h"
#include "store/sqlspool.h"

#include <inttypes.h>
#include <stdio.h>

#define DAY_US ((int64_t)24 * 3600 * 1000000)

typedef struct Prune {
	const Config *config;
	SqlMark mark;
	SqlSpool spool;
	Sink *sink; /* NULL: no file needed it yet */
	size_t removed, waiting, foreign;
	size_t unanswered; /* the database could not say */
} Prune;

static void prune_done(Prune *prune)
{
	sqlmark_done(&prune->mark);
	sqlspool_done(&prune->spool);
	sink_free(prune->sink);
}

static int fail(const char *what, int error)
{
	log_error("%s: %s", what, strerror(-error));
	return error;
}

typedef struct Question {
	const char *hash;
	bool found;
} Question;

static int compare_hash(void *userdata, const char *const *values, size_t count)
{
	Question *question = userdata;

	question->found |= count == 1 && values[0] && !strcmp(values[0], question->hash);
	return 0;
}

/* Whether the database has the file. 0; 1 when it can't say now; -errno; both with *ret_why. */
static int ask(Prune *prune, const SqlHead *head, bool *ret_found, Why *ret_why)
{
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;
	Question question = {.hash = head->hash};
	int r = prune->sink ? 0 : database_open(prune->config, &prune->sink, ret_why);

	if (r)
		return r;
	sqlhead_append_question(&text, head);
	r = strbuf_error(&text);
	if (!r)
		r = sink_query(prune->sink, strbuf_text(&text), compare_hash, &question, ret_why);
	*ret_found = question.found;
	return r;
}

/* 0 or an error, said. */
static int look_at(Prune *prune, const SqlSpoolEntry *entry)
{
	_cleanup_free_ char *path = sqlspool_path_dup(&prune->spool, entry);
	bool found = false;
	Why why = {""};
	SqlHead head;
	int r;

	if (!path)
		return fail(prune->spool.dir, -ENOMEM);
	r = sqlreplay_head(path, &head, &why);
	if (r < 0) {
		/* What can't be read was perhaps never taken in. */
		log_error("%s: %s", path, *why.text ? why.text : strerror(-r));
		return r;
	}
	if (head.sequence != entry->sequence ||
		head.table.dialect != (SqlDialect)prune->config->database.db_type) {
		prune->foreign++;
		return 0;
	}
	r = ask(prune, &head, &found, &why);
	if (r) {
		/* It has no ledger yet, as a rule, and says so of each file. */
		if (!prune->unanswered++)
			log_error("%s: %s", path,
				*why.text ? why.text : strerror(r < 0 ? -r : EAGAIN));
		return r;
	}
	if (!found) {
		prune->waiting++;
		return 0;
	}
	r = sqlspool_remove(&prune->spool, entry);
	if (r < 0)
		return fail(path, r);
	prune->removed++;
	return 0;
}

/* 0 or an error, said. */
static int look(Prune *prune, int64_t before_us)
{
	SqlSpool *spool = &prune->spool;
	const char *dir = prune->config->database.sql_export_dir;
	int r = sqlmark_open(prune->config->paths.state_dir, &prune->mark), failed = 0;

	if (r)
		return r;
	r = sqlspool_open(dir, spool);
	if (r < 0)
		return fail(dir, r);
	for (size_t i = 0; i < spool->count && r != SINK_AWAY; i++) {
		const SqlSpoolEntry *entry = &spool->entries[i];

		/* One that the bookmark is not behind yet must stay until it is. */
		if (entry->written_us > before_us || entry->sequence >= prune->mark.state.next)
			continue;
		r = look_at(prune, entry);
		failed = r ? r : failed;
	}
	r = sqlspool_sync(spool);
	return r < 0 ? fail(dir, r) : failed;
}

int sql_prune(const Config *config, unsigned days)
{
	Prune prune = {.config = config, .mark = SQLMARK_INIT, .spool = SQLSPOOL_INIT};
	int r = look(&prune, loop_wall_us() - days * DAY_US);

	if (prune.removed || prune.waiting || prune.foreign || prune.unanswered)
		(void)printf("%s: removed %zu, kept %zu that the database does not have, %zu that "
			     "are not for it\n",
			config->database.sql_export_dir, prune.removed,
			prune.waiting + prune.unanswered, prune.foreign);
	prune_done(&prune);
	return r ? EXIT_FAILED : EXIT_DONE;
}
