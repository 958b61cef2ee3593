/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/sqlbatch.h"

#include "scratch.h"
#include "store/sqlreplay.h"
#include "tap.h"

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
		"START TRANSACTION;\n",
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

int main(void)
{
	scratch_enter();
	test_files();
	return tap_done();
}
