/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/sqlspool.h"

#include "scratch.h"
#include "tap.h"

static const struct {
	uint64_t sequence;
	int64_t time_us;
	const char *name; /* NULL: there is none */
} names[] = {
	{1, 0, "0000000001-19700101T000000Z.sql"},
	{1, 999999, "0000000001-19700101T000000Z.sql"},
	{42, 1763806272000000, "0000000042-20251122T101112Z.sql"},
	{9999999999, 1709251199000000, "9999999999-20240229T235959Z.sql"},
	{1, 253402300799000000, "0000000001-99991231T235959Z.sql"},
	{1, 253402300800000000, NULL},
	{1, -1, NULL},
	{0, 1763806272000000, NULL},
	{10000000000, 1763806272000000, NULL},
};

static void test_names(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_sqlspool_ SqlSpool spool = SQLSPOOL_INIT;
		char name[SQLSPOOL_NAME_MAX] = "";
		int r = sqlspool_name(names[i].sequence, names[i].time_us, name);

		if (!names[i].name) {
			tap_ok(r == -ERANGE, "no name for %" PRIu64 " at %" PRId64,
				names[i].sequence, names[i].time_us);
			continue;
		}
		MUST(!mkdir("names", 0700));
		scratch_run("echo > names/%s", names[i].name);
		MUST(!sqlspool_read("names", &spool));
		tap_ok(!r && !strcmp(name, names[i].name) && spool.count == 1 &&
				!strcmp(spool.entries[0].name, name) &&
				spool.entries[0].sequence == names[i].sequence &&
				spool.entries[0].written_us ==
					names[i].time_us / 1000000 * 1000000 &&
				spool.entries[0].size_bytes == 1,
			"%s is written and read", names[i].name);
		scratch_run("rm -r names");
	}
}

/* What is none of the spool's, and stays. */
static const char *const strangers[] = {
	"0000000001-20251122T101112Z.sql~",
	"0000000001-20251122T101112Z.sq",
	"x0000000001-20251122T101112Z.sql",
	"00000000001-20251122T101112Z.sql",
	"000000001-20251122T101112Z.sql",
	"0000000000-20251122T101112Z.sql",
	"0000000001-20251122T101112.sql",
	"0000000001_20251122T101112Z.sql",
	"0000000001-20251322T101112Z.sql",
	"0000000001-20250229T101112Z.sql",
	"0000000001-20251122T241112Z.sql",
	"0000000001-20251122T106012Z.sql",
	"0000000001-20251122T101160Z.sql",
	"000000000a-20251122T101112Z.sql",
	"+000000001-20251122T101112Z.sql",
	".0000000000-20251122T101112Z.sql.tmp",
	".0000000001-20251122T101112Z.sql.tmp2",
	"00000000001-20251122T101112Z.sql.tmp",
	".x000000001-20251122T101112Z.sql.tmp",
	".0000000001-20251122T101112Z.sql",
	"notes",
};

static void test_directory(void)
{
	static const char *const files[] = {"0000000002-20251122T101112Z.sql",
		"0000000010-20251122T101110Z.sql", "0000000001-20991122T101112Z.sql",
		"0000000010-20251122T101111Z.sql"};
	static const uint64_t order[] = {1, 2, 10, 10};
	_cleanup_sqlspool_ SqlSpool spool = SQLSPOOL_INIT, changed = SQLSPOOL_INIT;
	_cleanup_free_ char *path = NULL;
	struct stat st;
	int sum = 0;

	tap_ok(!sqlspool_read("spool", &spool) && !spool.count && access("spool", F_OK) < 0,
		"without a directory it is empty, and stays without");
	sqlspool_done(&spool);
	tap_ok(!sqlspool_open("spool", &spool) && !stat("spool", &st) &&
			(st.st_mode & 07777) == 0700 && !spool.count,
		"it is made, for its owner");
	sqlspool_done(&spool);
	MUST(!chdir("spool"));
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		scratch_text(files[i], "x");
	for (size_t i = 0; i < ARRAY_SIZE(strangers); i++)
		scratch_text(strangers[i], "");
	MUST(!mkdir("0000000011-20251122T101112Z.sql", 0700));
	MUST(!mkdir(".0000000011-20251122T101112Z.sql.tmp", 0700));
	MUST(!symlink("notes", "0000000012-20251122T101112Z.sql"));
	scratch_text(".0000000013-20251122T101112Z.sql.tmp", "half");
	MUST(!chdir(".."));
	MUST(!sqlspool_read("spool", &spool));
	for (size_t i = 0; i < spool.count && i < ARRAY_SIZE(order); i++)
		sum += spool.entries[i].sequence == order[i];
	tap_ok(sum == 4 && spool.count == 4, "what is there comes in order, and nothing else");
	tap_ok(!access("spool/.0000000013-20251122T101112Z.sql.tmp", F_OK),
		"looking changes nothing");
	tap_ok(!sqlspool_open("spool", &changed) && changed.count == 4 &&
			access("spool/.0000000013-20251122T101112Z.sql.tmp", F_OK) < 0,
		"what was begun is removed");
	MUST(!chdir("spool"));
	sum = 0;
	for (size_t i = 0; i < ARRAY_SIZE(strangers); i++)
		sum += !access(strangers[i], F_OK);
	tap_ok(sum == ARRAY_SIZE(strangers) &&
			!access(".0000000011-20251122T101112Z.sql.tmp", F_OK),
		"what is none of its own stays");
	MUST(!chdir(".."));
	path = sqlspool_path_dup(&spool, &spool.entries[1]);
	MUST(path);
	tap_ok(!strcmp(path, "spool/0000000002-20251122T101112Z.sql") &&
			!sqlspool_remove(&spool, &spool.entries[1]) && !sqlspool_sync(&spool) &&
			access(path, F_OK) < 0 && !sqlspool_remove(&spool, &spool.entries[1]),
		"a file is removed, and may be gone already");
}

static void test_errors(void)
{
	_cleanup_sqlspool_ SqlSpool spool = SQLSPOOL_INIT;

	scratch_text("file", "");
	tap_ok(sqlspool_open("none/spool", &spool) == -ENOENT, "the directory above must be there");
	tap_ok(sqlspool_open("file", &spool) == -ENOTDIR &&
			sqlspool_read("file", &spool) == -ENOTDIR,
		"a file is none");
	MUST(!mkdir("closed", 0700) && !chmod("closed", 0));
	scratch_be_nobody("closed");
	tap_ok(sqlspool_open("closed", &spool) == -EACCES &&
			sqlspool_read("closed", &spool) == -EACCES,
		"one that can't be read is an error, not an empty one");
	scratch_come_back();
}

int main(void)
{
	scratch_enter();
	/* Where nobody may go. */
	MUST(!chmod(".", 0711));
	test_names();
	test_directory();
	test_errors();
	return tap_done();
}
