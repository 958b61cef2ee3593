/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/sqlbatch.h"

#include "scratch.h"
#include "store/sqlreplay.h"
#include "tap.h"

#include <sys/resource.h>

#define S(text) SPAN_LITERAL(text)
#define MISSING         \
	{               \
		NULL, 0 \
	}
#define INSTANCE 0x0123456789abcdefULL
#define NAME "0000000007-20251122T101112Z.sql"

static const Row first = {{S("srv01"), S("2025-05-17 12:05"), S("81.30.107.24"), S("contribute"),
	S("mail.example.com"), S("OK"), S("US"), S("9808"), S("China Mobile")}};
static const Row second = {{S(""), S("2025-05-17 12:06"), S("unknown"), MISSING, MISSING,
	S("Errno 1"), MISSING, MISSING, MISSING}};

/* What a file of the two rows is, but for its hash. */
static const struct {
	SqlDialect dialect;
	const char *dialect_name, *begin, *insert, *insert_end, *ledger;
	const char *from, *counts, *not_exists;
} files[] = {
	{SQL_SQLITE, "sqlite", "BEGIN IMMEDIATE;\n",
		"INSERT INTO \"failed_logins\" (\"instance\",\"csv\",\"byte_offset\",\"server\","
		"\"date\",\"ip\",\"username\",\"hostname\",\"reverse_dns_status\",\"country_code\","
		"\"asn\",\"aso\") VALUES\n",
		"ON CONFLICT (\"instance\",\"csv\",\"byte_offset\") DO NOTHING;\n",
		"INSERT INTO \"failed_logins_batches\" (\"instance\",\"sequence\",\"hash\","
		"\"row_count\",\"skipped\",\"from_csv\",\"from_offset\",\"to_csv\",\"to_offset\")"
		"\n",
		"",
		"(SELECT count(*) FROM \"failed_logins\" WHERE \"instance\" = '0123456789abcdef' "
		"AND \"csv\" = 1 AND \"byte_offset\" >= 69) + "
		"(SELECT count(*) FROM \"failed_logins\" WHERE \"instance\" = '0123456789abcdef' "
		"AND \"csv\" = 2 AND \"byte_offset\" < 300)",
		"\"failed_logins_batches\" WHERE \"instance\" = '0123456789abcdef' AND "
		"\"sequence\" = 7 AND \"hash\" = "},
	{SQL_POSTGRESQL, "postgresql",
		"SET standard_conforming_strings = on;\nSET client_encoding = 'UTF8';\n"
		"BEGIN ISOLATION LEVEL READ COMMITTED;\n",
		"INSERT INTO \"failed_logins\" (\"instance\",\"csv\",\"byte_offset\",\"server\","
		"\"date\",\"ip\",\"username\",\"hostname\",\"reverse_dns_status\",\"country_code\","
		"\"asn\",\"aso\") VALUES\n",
		"ON CONFLICT (\"instance\",\"csv\",\"byte_offset\") DO NOTHING;\n",
		"INSERT INTO \"failed_logins_batches\" (\"instance\",\"sequence\",\"hash\","
		"\"row_count\",\"skipped\",\"from_csv\",\"from_offset\",\"to_csv\",\"to_offset\")"
		"\n",
		"",
		"(SELECT count(*) FROM \"failed_logins\" WHERE \"instance\" = '0123456789abcdef' "
		"AND \"csv\" = 1 AND \"byte_offset\" >= 69) + "
		"(SELECT count(*) FROM \"failed_logins\" WHERE \"instance\" = '0123456789abcdef' "
		"AND \"csv\" = 2 AND \"byte_offset\" < 300)",
		"\"failed_logins_batches\" WHERE \"instance\" = '0123456789abcdef' AND "
		"\"sequence\" = 7 AND \"hash\" = "},
	{SQL_MYSQL, "mysql",
		"SET NAMES utf8mb4;\n"
		"SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION';\n"
		"SET TRANSACTION ISOLATION LEVEL READ COMMITTED;\nSTART TRANSACTION;\n",
		"INSERT INTO `failed_logins` (`instance`,`csv`,`byte_offset`,`server`,`date`,`ip`,"
		"`username`,`hostname`,`reverse_dns_status`,`country_code`,`asn`,`aso`) VALUES\n",
		"ON DUPLICATE KEY UPDATE `failed_logins`.`instance` = `failed_logins`.`instance`;"
		"\n",
		"INSERT INTO `failed_logins_batches` (`instance`,`sequence`,`hash`,`row_count`,"
		"`skipped`,`from_csv`,`from_offset`,`to_csv`,`to_offset`)\n",
		" FROM DUAL",
		"(SELECT count(*) FROM `failed_logins` WHERE `instance` = '0123456789abcdef' "
		"AND `csv` = 1 AND `byte_offset` >= 69) + "
		"(SELECT count(*) FROM `failed_logins` WHERE `instance` = '0123456789abcdef' "
		"AND `csv` = 2 AND `byte_offset` < 300)",
		"`failed_logins_batches` WHERE `instance` = '0123456789abcdef' AND `sequence` = 7 "
		"AND `hash` = "},
};

static StrBuf expected_file(size_t i, const char *hash)
{
	StrBuf sb = STRBUF_INIT;

	strbuf_appendf(&sb,
		"-- maillogsentinel sql 1\n-- dialect: %s\n-- table: failed_logins\n"
		"-- columns: server=server date=date ip=ip user=username hostname=hostname "
		"reverse_dns_status=reverse_dns_status country_code=country_code asn=asn aso=aso\n"
		"-- instance: 0123456789abcdef\n-- sequence: 7\n-- rows: 2\n-- skipped: 1\n"
		"-- from: 1.69\n-- to: 2.300\n-- hash: %s\n-- ",
		files[i].dialect_name, hash);
	for (size_t k = 0; k < 134; k++)
		strbuf_append_char(&sb, '-');
	strbuf_appendf(&sb, "\n%s%s%s%s%s", files[i].begin, files[i].insert,
		"('0123456789abcdef',1,69,'srv01','2025-05-17 12:05','81.30.107.24','contribute',"
		"'mail.example.com','OK','US',9808,'China Mobile'),\n",
		"('0123456789abcdef',2,200,NULL,'2025-05-17 12:06',NULL,NULL,NULL,'Errno 1',"
		"NULL,NULL,NULL)\n",
		files[i].insert_end);
	strbuf_appendf(&sb,
		"%sSELECT '0123456789abcdef',7,'%s',2,1,1,69,2,300%s\nWHERE %s = 2\n"
		"AND NOT EXISTS (SELECT 1 FROM %s'%s');\nCOMMIT;\n",
		files[i].ledger, hash, files[i].from, files[i].counts, files[i].not_exists, hash);
	return sb;
}

static void write_two(SqlDialect dialect, SqlHead *ret_head)
{
	_cleanup_(sqlbatch_freep) SqlBatch *batch = NULL;
	CsvPlace place = {INSTANCE, 1, 69};
	SqlTable table;

	MUST(!sql_table_init(&table, dialect, "failed_logins"));
	MUST(!sqlbatch_new(".", NAME, &table, 7, &place, &batch));
	MUST(!sqlbatch_add(batch, &place, &first, NULL));
	sqlbatch_skip(batch);
	place = (CsvPlace){INSTANCE, 2, 200};
	MUST(!sqlbatch_add(batch, &place, &second, NULL));
	place.offset = 300;
	MUST(!sqlbatch_finish(batch, &place, ret_head, NULL));
}

static void test_files(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		_cleanup_(sqlreplay_freep) SqlReplay *replay = NULL;
		_cleanup_strbuf_ StrBuf expected = STRBUF_INIT, statements = STRBUF_INIT;
		const char *name = files[i].dialect_name;
		Span statement;
		SqlHead head;
		Why why = {""};

		write_two(files[i].dialect, &head);
		expected = expected_file(i, head.hash);
		tap_ok(scratch_holds(NAME, expected.data, expected.len),
			"%s: the file is what it should be", name);
		tap_ok(!sqlreplay_open(NAME, &replay, &why) &&
				!memcmp(sqlreplay_get_head(replay), &head, sizeof(head)),
			"%s: it is read: %s", name, why.text);
		if (!replay)
			continue;
		for (int again = 0; again < 2; again++) {
			strbuf_reset(&statements);
			while (!sqlreplay_next(replay, &statement, NULL)) {
				strbuf_append_span(&statements, statement);
				strbuf_append_string(&statements, ";\n");
			}
			tap_ok(strstr(strbuf_text(&expected), strbuf_text(&statements)) &&
					statements.len > expected.len / 2,
				"%s: statement by statement%s", name, again ? ", and again" : "");
			sqlreplay_rewind(replay);
		}
	}
}

/* ---- what is refused ------------------------------------------------------------------------ */

static bool refused(const char *path)
{
	_cleanup_(sqlreplay_freep) SqlReplay *replay = NULL;
	Why why = {""};

	return sqlreplay_open(path, &replay, &why) == -EBADMSG && *why.text;
}

static void test_damage(void)
{
	size_t step = getenv("MLS_TEST_SMALL") ? 13 : 1;

	for (size_t k = 0; k < ARRAY_SIZE(files); k++) {
		_cleanup_strbuf_ StrBuf file = STRBUF_INIT;
		size_t taken = 0;
		SqlHead head;

		write_two(files[k].dialect, &head);
		file = scratch_read(NAME);
		for (size_t i = 0; i < file.len; i += step) {
			for (int bit = 0; bit < 8; bit += 5) {
				file.data[i] ^= (char)(1 << bit);
				scratch_write("damaged", file.data, file.len);
				taken += !refused("damaged");
				file.data[i] ^= (char)(1 << bit);
			}
			scratch_write("damaged", file.data, i);
			taken += !refused("damaged");
			scratch_append("damaged", file.data + i + 1, file.len - i - 1);
			taken += !refused("damaged");
		}
		scratch_write("damaged", file.data, file.len);
		scratch_append("damaged", "\n", 1);
		taken += !refused("damaged");
		tap_ok(!taken, "%s: changed, cut, shortened or lengthened anywhere, it is refused",
			files[k].dialect_name);
	}
}

/* As a client of the database would not see it, but the hash is right. */
static void test_wrong_count(void)
{
	_cleanup_strbuf_ StrBuf file = STRBUF_INIT, end = STRBUF_INIT, text = STRBUF_INIT;
	_cleanup_(digest_freep) Digest *digest = NULL;
	size_t len, body;
	SqlHead head;
	Why why = {""};

	write_two(SQL_SQLITE, &head);
	file = scratch_read(NAME);
	MUST(!sqlhead_parse((Span){file.data, file.len}, &head, &len, NULL));
	sqlhead_append_ledger(&end, &head);
	body = file.len - len - end.len - strlen("COMMIT;\n");
	for (head.rows = 1; head.rows < 4; head.rows++) {
		_cleanup_(sqlreplay_freep) SqlReplay *replay = NULL;

		MUST(!digest_new(&digest));
		digest_add(digest, file.data + len, body);
		strbuf_reset(&text);
		sqlhead_append_unhashed(&text, &head);
		digest_add(digest, text.data, text.len);
		digest_get_text(digest, head.hash);
		digest_free(TAKE(digest));
		strbuf_reset(&text);
		sqlhead_append(&text, &head);
		strbuf_append(&text, file.data + len, body);
		sqlhead_append_ledger(&text, &head);
		strbuf_append_string(&text, "COMMIT;\n");
		MUST(!strbuf_error(&text));
		scratch_write("count", text.data, text.len);
		tap_ok(sqlreplay_open("count", &replay, &why) == (head.rows == 2 ? 0 : -EBADMSG),
			"two rows and a head that says %" PRIu64, head.rows);
	}
}

static const struct {
	const char *name, *text;
	const char *why;
} strange[] = {
	{"empty", "", "its first line is not that of such a file"},
	{"another file", "BEGIN;\n", "its first line is not that of such a file"},
	{"a newer version", "-- maillogsentinel sql 2\n-- dialect: sqlite\n",
		"its form is none that this version knows"},
	{"the first line alone", "-- maillogsentinel sql 1\n", "its head is torn"},
	{"an unknown dialect", "-- maillogsentinel sql 1\n-- dialect: oracle\n-- table: t\n",
		"its head is torn"},
	{"a table that is none",
		"-- maillogsentinel sql 1\n-- dialect: sqlite\n-- table: t\";\n-- columns: \n",
		"its head is torn"},
	{"columns that are none",
		"-- maillogsentinel sql 1\n-- dialect: sqlite\n-- table: t\n-- columns: server= "
		"date\n",
		"its head is torn"},
};

static void test_strange(void)
{
	_cleanup_(sqlreplay_freep) SqlReplay *replay = NULL;
	SqlHead head;

	for (size_t i = 0; i < ARRAY_SIZE(strange); i++) {
		Why why = {""}, head_why = {""};

		scratch_text("strange", strange[i].text);
		if (!tap_ok(sqlreplay_open("strange", &replay, &why) == -EBADMSG &&
				    sqlreplay_head("strange", &head, &head_why) == -EBADMSG &&
				    !strcmp(why.text, strange[i].why) &&
				    !strcmp(head_why.text, strange[i].why),
			    "no file of rows: %s", strange[i].name))
			tap_note("%s / %s", why.text, head_why.text);
	}
	MUST(!mkfifo("fifo", 0600));
	tap_ok(refused("fifo"), "a named pipe is refused, and not waited for");
	tap_ok(refused("."), "a directory is refused");
	tap_ok(sqlreplay_open("none", &replay, NULL) == -ENOENT &&
			sqlreplay_head("none", &head, NULL) == -ENOENT,
		"none is -ENOENT");
}

/* Memory is not for whatever somebody has made of a file. */
static void test_endless(void)
{
	_cleanup_(sqlreplay_freep) SqlReplay *replay = NULL;
	_cleanup_strbuf_ StrBuf file = STRBUF_INIT;
	Why why = {""};
	SqlHead head;
	size_t len;
	char *rest;

	write_two(SQL_SQLITE, &head);
	file = scratch_read(NAME);
	MUST(!sqlhead_parse((Span){file.data, file.len}, &head, &len, NULL));
	strbuf_truncate(&file, len);
	rest = strbuf_reserve(&file, 2 * SQLREPLAY_STATEMENT_MAX);
	MUST(rest);
	memset(rest, 'x', 2 * SQLREPLAY_STATEMENT_MAX);
	file.len += 2 * SQLREPLAY_STATEMENT_MAX;
	scratch_write("endless", file.data, file.len);
	tap_ok(sqlreplay_open("endless", &replay, &why) == -EBADMSG &&
			strstr(why.text, "a statement is longer than 8388608 bytes"),
		"a statement without an end");
	MUST(!unlink("endless"));
}

/* Reads on after somebody has changed the file. Whether the ledger's statement was withheld. */
static bool withheld(void (*change)(const StrBuf *file))
{
	_cleanup_(sqlreplay_freep) SqlReplay *replay = NULL;
	_cleanup_strbuf_ StrBuf file = STRBUF_INIT;
	bool ledger = false;
	Span statement;
	SqlHead head;
	int r;

	write_two(SQL_SQLITE, &head);
	file = scratch_read(NAME);
	MUST(!sqlreplay_open(NAME, &replay, NULL));
	change(&file);
	while (!(r = sqlreplay_next(replay, &statement, NULL)))
		ledger = ledger || strstr(statement.data, "_batches");
	return r == -EBADMSG && !ledger;
}

static void change_row(const StrBuf *file)
{
	int fd = open(NAME, O_WRONLY | O_CLOEXEC);
	const char *user = strstr(file->data, "contribute");

	MUST(fd >= 0 && user && pwrite(fd, "x", 1, user - file->data) == 1);
	(void)close(fd);
}

static void change_end(const StrBuf *file)
{
	scratch_append(NAME, "DROP TABLE x;\n", 14);
	(void)file;
}

static void change_end_unseen(const StrBuf *file)
{
	scratch_append(NAME, "", 1);
	(void)file;
}

static void cut(const StrBuf *file)
{
	MUST(!truncate(NAME, (off_t)file->len - 800));
}

static void test_changed(void)
{
	tap_ok(withheld(change_row), "a row that changes after the file was opened");
	tap_ok(withheld(change_end), "an end that changes after the file was opened");
	tap_ok(withheld(change_end_unseen), "even by a NUL");
	tap_ok(withheld(cut), "a file that is cut after it was opened");
}

/* ---- writing -------------------------------------------------------------------------------- */

static void begin(const char *dir, SqlBatch **ret_batch)
{
	CsvPlace place = {INSTANCE, 1, 69};
	SqlTable table;

	MUST(!sql_table_init(&table, SQL_SQLITE, "t"));
	MUST(!sqlbatch_new(dir, NAME, &table, 1, &place, ret_batch));
}

static int entries(const char *dir)
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;

	scratch_run("ls -A %s | wc -l > count", dir);
	sb = scratch_read("count");
	return (int)strtol(strbuf_text(&sb), NULL, 10);
}

static void test_places(void)
{
	static const struct {
		const char *name;
		CsvPlace places[2], end;
		int added, finished; /* of the second row */
	} table[] = {
		{"the next row", {{INSTANCE, 1, 69}, {INSTANCE, 1, 70}}, {INSTANCE, 1, 71}, 0, 0},
		{"the next file", {{INSTANCE, 1, 69}, {INSTANCE, 2, 0}}, {INSTANCE, 2, 1}, 0, 0},
		{"an end in a later file", {{INSTANCE, 1, 69}, {INSTANCE, 2, 0}}, {INSTANCE, 9, 0},
			0, 0},
		{"the same row again", {{INSTANCE, 1, 69}, {INSTANCE, 1, 69}}, {INSTANCE, 1, 71},
			-EINVAL, -EINVAL},
		{"a row before", {{INSTANCE, 2, 69}, {INSTANCE, 2, 68}}, {INSTANCE, 2, 71}, -EINVAL,
			-EINVAL},
		{"a file before", {{INSTANCE, 2, 69}, {INSTANCE, 1, 99}}, {INSTANCE, 2, 71},
			-EINVAL, -EINVAL},
		{"another instance", {{INSTANCE, 1, 69}, {INSTANCE + 1, 1, 70}}, {INSTANCE, 2, 71},
			-EINVAL, -EINVAL},
		{"an offset that is no BIGINT", {{INSTANCE, 1, 69}, {INSTANCE, 1, 1ULL << 63}},
			{INSTANCE, 2, 71}, -EINVAL, -EINVAL},
		{"a number that is no BIGINT", {{INSTANCE, 1, 69}, {INSTANCE, 1ULL << 63, 1}},
			{INSTANCE, 2, 71}, -EINVAL, -EINVAL},
		{"the largest", {{INSTANCE, 1, 69}, {INSTANCE, INT64_MAX, INT64_MAX - 1}},
			{INSTANCE, INT64_MAX, INT64_MAX}, 0, 0},
		{"an end at the last row", {{INSTANCE, 1, 69}, {INSTANCE, 1, 70}},
			{INSTANCE, 1, 70}, 0, -EINVAL},
		{"an end of another instance", {{INSTANCE, 1, 69}, {INSTANCE, 1, 70}}, {1, 1, 71},
			0, -EINVAL},
	};

	MUST(!mkdir("places", 0700));
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		_cleanup_(sqlbatch_freep) SqlBatch *batch = NULL;
		_cleanup_(sqlreplay_freep) SqlReplay *replay = NULL;
		SqlHead head;
		Why why = {""};
		int added, finished;

		begin("places", &batch);
		MUST(!sqlbatch_add(batch, &table[i].places[0], &first, NULL));
		added = sqlbatch_add(batch, &table[i].places[1], &second, &why);
		finished = sqlbatch_finish(batch, &table[i].end, &head, &why);
		sqlbatch_free(TAKE(batch));
		if (!tap_ok(added == table[i].added && finished == table[i].finished &&
				    entries("places") == !finished && !finished == !*why.text,
			    "places: %s", table[i].name))
			tap_note("%d %d %s", added, finished, why.text);
		if (!finished)
			tap_ok(!sqlreplay_open("places/" NAME, &replay, &why) &&
					!unlink("places/" NAME),
				"places: %s: it is read %s", table[i].name, why.text);
	}
}

static void test_nothing(void)
{
	static const CsvPlace place = {INSTANCE, 1, 69}, end = {INSTANCE, 1, 200};
	Row early = first;
	SqlBatch *batch;
	SqlHead head;
	Why why = {""};

	MUST(!mkdir("dir", 0700));
	begin("dir", &batch);
	sqlbatch_skip(batch);
	tap_ok(sqlbatch_finish(batch, &end, &head, &why) == SQLBATCH_EMPTY, "no row, no file");
	sqlbatch_free(batch);
	begin("dir", &batch);
	early.field[COLUMN_DATE] = S("0999-05-17 12:05");
	tap_ok(sqlbatch_add(batch, &place, &early, &why) == SQL_NOT_TAKEN && *why.text,
		"a row that no database takes");
	tap_ok(sqlbatch_finish(batch, &end, &head, &why) == SQLBATCH_EMPTY, "alone makes none");
	sqlbatch_free(batch);
	tap_ok(!entries("dir"), "nor leaves anything");
	begin("dir", &batch);
	MUST(!sqlbatch_add(batch, &place, &first, NULL));
	tap_ok(entries("dir") == 1 && access("dir/" NAME, F_OK) < 0 &&
			!access("dir/." NAME ".tmp", F_OK),
		"until it is finished it has another name");
	sqlbatch_free(batch);
	tap_ok(!entries("dir"), "given up, nothing is left");
	begin("dir", &batch);
	tap_ok(sqlbatch_add(batch, &(CsvPlace){INSTANCE, 1, 68}, &first, &why) == -EINVAL,
		"a row that is before the range is refused");
	sqlbatch_free(batch);
	begin("none", &batch);
	tap_ok(sqlbatch_add(batch, &place, &first, &why) == -ENOENT && strstr(why.text, "none/"),
		"without the directory it is an error that names it");
	tap_ok(sqlbatch_finish(batch, &end, &head, &why) == -ENOENT, "and stays one");
	sqlbatch_free(batch);
}

static void test_not_taken(void)
{
	static const char *const dates[] = {"0001-01-01 00:00", "2025-01-01 00:00",
		"0999-01-01 00:00", "2025-01-01 00:01", "0000-01-01 00:00"};
	_cleanup_(sqlbatch_freep) SqlBatch *batch = NULL;
	_cleanup_(sqlreplay_freep) SqlReplay *replay = NULL;
	CsvPlace place = {INSTANCE, 1, 100};
	SqlHead head;
	int sum = 0;

	begin("dir", &batch);
	for (size_t i = 0; i < ARRAY_SIZE(dates); i++) {
		Row row = first;

		row.field[COLUMN_DATE] = span_from_string(dates[i]);
		place.offset++;
		if (sqlbatch_add(batch, &place, &row, NULL) == SQL_NOT_TAKEN) {
			sqlbatch_skip(batch);
			sum++;
		}
	}
	place.offset++;
	tap_ok(sum == 3 && !sqlbatch_finish(batch, &place, &head, NULL) && head.rows == 2 &&
			head.skipped == 3 && !sqlreplay_open("dir/" NAME, &replay, NULL),
		"rows that no database takes, between others: the others are there");
	MUST(!unlink("dir/" NAME));
}

static void test_mode(void)
{
	static const CsvPlace place = {INSTANCE, 1, 69}, end = {INSTANCE, 1, 200};
	mode_t mask = umask(0777);
	struct stat st;
	SqlBatch *batch;
	SqlHead head;

	MUST(!symlink("../target", "dir/." NAME ".tmp"));
	begin("dir", &batch);
	MUST(!sqlbatch_add(batch, &place, &first, NULL));
	MUST(!sqlbatch_finish(batch, &end, &head, NULL));
	sqlbatch_free(batch);
	(void)umask(mask);
	tap_ok(!lstat("dir/" NAME, &st) && st.st_mode == (S_IFREG | 0600) && entries("dir") == 1 &&
			access("target", F_OK) < 0,
		"mode 0600 whatever the umask; what a crash left is replaced, no link followed");
	MUST(!unlink("dir/" NAME));
}

static void test_no_room(void)
{
	struct rlimit before, limit;
	CsvPlace place = {INSTANCE, 1, 69};
	SqlHead head;
	Why why = {""};
	SqlBatch *batch;
	int r = 0;

	MUST(!getrlimit(RLIMIT_FSIZE, &before));
	limit = before;
	limit.rlim_cur = 300000;
	(void)signal(SIGXFSZ, SIG_IGN);
	begin("dir", &batch);
	MUST(!setrlimit(RLIMIT_FSIZE, &limit));
	for (int i = 0; i < 10000 && !r; i++) {
		place.offset++;
		r = sqlbatch_add(batch, &place, &first, &why);
	}
	place.offset++;
	tap_ok(r == -EFBIG && strstr(why.text, NAME) && place.offset > 1000 &&
			sqlbatch_add(batch, &place, &first, &why) == -EFBIG &&
			sqlbatch_finish(batch, &place, &head, &why) == -EFBIG,
		"no room is an error that stays");
	sqlbatch_free(batch);
	limit.rlim_cur = 900;
	MUST(!setrlimit(RLIMIT_FSIZE, &limit));
	begin("dir", &batch);
	place.offset = 100;
	r = sqlbatch_add(batch, &place, &first, &why);
	place.offset = 200;
	r = r ? 0 : sqlbatch_finish(batch, &place, &head, &why);
	sqlbatch_free(batch);
	/* of what this prints, too */
	MUST(!setrlimit(RLIMIT_FSIZE, &before));
	tap_ok(r == -EFBIG, "and at the end");
	tap_ok(!entries("dir"), "nothing is left");
}

/* Rows until it is full: by their number, and by their bytes. */
static void test_limits(void)
{
	static const size_t lengths[] = {1, 1000, 200000};
	static char user[200000];
	memset(user, ';', sizeof(user));
	for (size_t k = 0; k < ARRAY_SIZE(lengths); k++) {
		_cleanup_(sqlbatch_freep) SqlBatch *batch = NULL;
		_cleanup_(sqlreplay_freep) SqlReplay *replay = NULL;
		CsvPlace place = {INSTANCE, 1, 69};
		uint64_t rows = 0, statements = 0, longest = 0;
		bool ends = true;
		Row row = first;
		Span statement;
		struct stat st;
		SqlHead head;

		row.field[COLUMN_USER] = (Span){user, lengths[k]};
		row.field[COLUMN_ASO] = S(";");
		begin("dir", &batch);
		while (!sqlbatch_full(batch)) {
			MUST(!sqlbatch_add(batch, &place, &row, NULL));
			place.offset++;
			rows++;
		}
		MUST(!sqlbatch_finish(batch, &place, &head, NULL));
		MUST(!stat("dir/" NAME, &st));
		MUST(!sqlreplay_open("dir/" NAME, &replay, NULL));
		while (!sqlreplay_next(replay, &statement, NULL)) {
			ends = ends && !statement.data[statement.len];
			longest = MAX(longest, statement.len);
			statements++;
		}
		if (!tap_ok(head.rows == rows && ends &&
				    (k ? (uint64_t)st.st_size > SQLBATCH_BYTES_MAX &&
							    (uint64_t)st.st_size <
								    SQLBATCH_BYTES_MAX + 600000
				       : rows == SQLBATCH_ROWS_MAX) &&
				    longest < 300000 + lengths[k] &&
				    statements >= 2 + rows / (k ? 300 : 500),
			    "values of %zu bytes: a full file", lengths[k]))
			tap_note("%" PRIu64 " rows, %" PRIu64 " statements, longest %" PRIu64
				 ", %lld bytes",
				rows, statements, longest, (long long)st.st_size);
	}
	MUST(!unlink("dir/" NAME));
}

/* How the rows of the range are counted when there was a third CSV file between. */
static void test_three_files(void)
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT, question = STRBUF_INIT;
	SqlHead head = {.sequence = 3, .rows = 5, .range = {1, 4, 10, 6, 20}};

	MUST(!sql_table_init(&head.table, SQL_SQLITE, "t"));
	memset(head.hash, 'a', DIGEST_TEXT_LEN);
	sqlhead_append_ledger(&sb, &head);
	tap_ok(strstr(strbuf_text(&sb),
		       "WHERE (SELECT count(*) FROM \"t\" WHERE \"instance\" = '0000000000000001' "
		       "AND \"csv\" = 4 AND \"byte_offset\" >= 10) + (SELECT count(*) FROM \"t\" "
		       "WHERE \"instance\" = '0000000000000001' AND \"csv\" > 4 AND \"csv\" < 6) + "
		       "(SELECT count(*) FROM \"t\" WHERE \"instance\" = '0000000000000001' AND "
		       "\"csv\" = 6 AND \"byte_offset\" < 20) = 5\n"),
		"a range over three CSV files");
	strbuf_reset(&sb);
	head.range.to_csv = 4;
	sqlhead_append_ledger(&sb, &head);
	tap_ok(strstr(strbuf_text(&sb),
		       "WHERE (SELECT count(*) FROM \"t\" WHERE \"instance\" = '0000000000000001' "
		       "AND \"csv\" = 4 AND \"byte_offset\" >= 10 AND \"byte_offset\" < 20) = 5\n"),
		"a range in one");
	sqlhead_append_question(&question, &head);
	tap_ok(!strcmp(strbuf_text(&question),
		       "SELECT \"hash\" FROM \"t_batches\" WHERE \"instance\" = '0000000000000001' "
		       "AND \"sequence\" = 3"),
		"the question whether it is in");
}

/* The head is as long for all numbers, and what is read is what was written. */
static void test_heads(void)
{
	static const uint64_t numbers[] = {0, 1, 9, 10, 99999, INT64_MAX};
	size_t wrong = 0, len = 0, first_len = 0;

	for (size_t i = 0; i < 4096; i++) {
		_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
		SqlHead head = {.rows = numbers[i % 6],
			.sequence = numbers[i / 6 % 6],
			.skipped = numbers[i / 36 % 6],
			.range = {i * 0x9e3779b97f4a7c15ULL, numbers[i / 7 % 6], numbers[i / 5 % 6],
				numbers[i / 11 % 6], numbers[i / 3 % 6]}};
		SqlHead back;

		MUST(!sql_table_init(
			&head.table, SQL_POSTGRESQL, "aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd"));
		for (size_t k = 0; k < COLUMN_COUNT; k++) {
			memset(head.table.columns[k], 'x', SQL_NAME_MAX);
			head.table.columns[k][0] = (char)('a' + k);
		}
		memset(head.hash, 'f', DIGEST_TEXT_LEN);
		sqlhead_append(&sb, &head);
		first_len = i ? first_len : sb.len;
		strbuf_append_string(&sb, "rest");
		wrong += sqlhead_parse((Span){sb.data, sb.len}, &back, &len, NULL) ||
			 memcmp(&back, &head, sizeof(head)) != 0 || len != first_len ||
			 len + 4 != sb.len || len > SQLHEAD_MAX;
	}
	tap_ok(!wrong, "heads are of one length and come back");
}

static void test_short_heads(void)
{
	_cleanup_strbuf_ StrBuf file = STRBUF_INIT;
	size_t len, wrong = 0;
	SqlHead head;

	write_two(SQL_MYSQL, &head);
	file = scratch_read(NAME);
	MUST(!sqlhead_parse((Span){file.data, file.len}, &head, &len, NULL));
	for (size_t i = 0; i < len; i++) {
		_cleanup_free_ char *part = malloc(i + 1);
		size_t part_len;
		Why why = {""};

		MUST(part);
		memcpy(part + 1, file.data, i);
		wrong += sqlhead_parse((Span){part + 1, i}, &head, &part_len, &why) != -EBADMSG ||
			 !*why.text;
	}
	tap_ok(!wrong, "a head that is cut is none");
}

int main(void)
{
	scratch_enter();
	test_files();
	test_heads();
	test_short_heads();
	test_three_files();
	test_places();
	test_nothing();
	test_not_taken();
	test_mode();
	test_no_room();
	test_limits();
	test_strange();
	test_wrong_count();
	test_endless();
	test_changed();
	test_damage();
	return tap_done();
}
