/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/warnings.h"

#include "scratch.h"
#include "tap.h"

/* What the program's log was told since the last call: its file, without stamps. */
static StrBuf take_log(void)
{
	StrBuf sb = scratch_read("log"), plain = STRBUF_INIT;
	char *line, *rest = sb.data;

	while (rest && *rest && (line = strsep(&rest, "\n"))) {
		const char *level = strstr(line, "WARNING");

		strbuf_appendf(&plain, "%s%s", plain.len ? "|" : "",
			level                  ? level
			: strstr(line, "INFO") ? strstr(line, "INFO")
					       : line);
	}
	strbuf_done(&sb);
	MUST(!truncate("log", 0));
	return plain;
}

static void forget_log(void)
{
	_cleanup_strbuf_ StrBuf sb = take_log();
}

static void expect(const char *said, const char *what)
{
	_cleanup_strbuf_ StrBuf sb = take_log();
	bool ok = !*said ? !sb.len : sb.data && strstr(sb.data, said);

	if (!tap_ok(ok, "%s", what))
		tap_note("%s", strbuf_text(&sb));
}

static void raise_one(Warnings *warnings, const char *key, int64_t since_us, const char *text)
{
	warnings_raise(warnings, LOG_LEVEL_WARNING, key, since_us, "%s", text);
}

/* "key@since=text ..." */
static StrBuf text_of(const Warnings *warnings)
{
	size_t count;
	uint64_t more;
	_cleanup_free_ StatusWarning *list = warnings_copy_dup(warnings, &count, &more);
	StrBuf sb = STRBUF_INIT;

	for (size_t i = 0; i < count; i++)
		strbuf_appendf(&sb, "%s%s@%" PRId64 "=%s", i ? " " : "", list[i].key,
			list[i].since_us, list[i].text);
	if (more)
		strbuf_appendf(&sb, " +%" PRIu64, more);
	return sb;
}

static void stands(const Warnings *warnings, const char *expected, const char *what)
{
	_cleanup_strbuf_ StrBuf sb = text_of(warnings);

	if (!tap_ok(!strcmp(strbuf_text(&sb), expected), "%s", what))
		tap_note("%s", strbuf_text(&sb));
}

static void test_life(void)
{
	_cleanup_(warnings_freep) Warnings *warnings = NULL;

	MUST(!warnings_new(&warnings));
	stands(warnings, "", "none");
	raise_one(warnings, "b", 20, "second");
	expect("second", "it is said when it begins");
	raise_one(warnings, "b", 30, "second");
	expect("", "and only then");
	raise_one(warnings, "a", 10, "first");
	stands(warnings, "a@10=first b@20=second", "in the order of their beginning");
	forget_log();
	raise_one(warnings, "b", 40, "another");
	expect("another", "another sentence is said, too");
	stands(warnings, "a@10=first b@20=another",
		"of the same condition, which began when it did");
	warnings_clear(warnings, "c", "%s", "it is over");
	expect("", "what did not last has no end");
	tap_ok(!strcmp(warnings_text(warnings, "a"), "first"), "has");
	warnings_clear(warnings, "a", "%s", "it is over");
	expect("it is over", "the end is said");
	tap_ok(!warnings_text(warnings, "a"), "has not");
	warnings_clear(warnings, "b", NULL);
	expect("", "or not");
	stands(warnings, "", "none again");
}

static void test_forget(void)
{
	_cleanup_(warnings_freep) Warnings *warnings = NULL;

	MUST(!warnings_new(&warnings));
	raise_one(warnings, "lost:1", 10, "x");
	raise_one(warnings, "lost:2", 20, "x");
	raise_one(warnings, "other", 5, "x");
	warnings_forget(warnings, "lost:", 20);
	stands(warnings, "other@5=x lost:2@20=x", "what is old and of a kind is forgotten");
}

static void test_many(void)
{
	_cleanup_(warnings_freep) Warnings *warnings = NULL;
	uint64_t more;
	size_t count;
	char key[32];

	MUST(!warnings_new(&warnings));
	for (int i = 0; i < WARNINGS_MAX; i++) {
		(void)snprintf(key, sizeof(key), "%d", i);
		raise_one(warnings, key, i, "x");
	}
	forget_log();
	raise_one(warnings, "more", 1, "x");
	expect("there are more than 1024 warnings", "more than are kept: that is said");
	raise_one(warnings, "more still", 1, "x");
	expect("", "once");
	free(warnings_copy_dup(warnings, &count, &more));
	tap_ok(count == WARNINGS_MAX && more == 2, "they are counted");
	warnings_clear(warnings, "7", NULL);
	raise_one(warnings, "more", 1, "x");
	tap_ok(warnings_text(warnings, "more"), "where one ends there is room");
}

static bool minds(void *userdata, const char *key)
{
	return strcmp(key, userdata) != 0;
}

static void test_sweep(void)
{
	_cleanup_(warnings_freep) Warnings *warnings = NULL;
	char gone[] = "missing:/b";

	MUST(!warnings_new(&warnings));
	raise_one(warnings, "missing:/a", 1, "a");
	raise_one(warnings, gone, 2, "b");
	raise_one(warnings, "missing:/c", 3, "c");
	forget_log();
	warnings_sweep(warnings, minds, gone);
	stands(warnings, "missing:/a@1=a missing:/c@3=c",
		"what nobody minds any more is forgotten");
	expect("", "in silence");
}

int main(void)
{
	LogOptions options = {.level = LOG_LEVEL_INFO, .file = "log", .file_max_bytes = 1 << 30};

	scratch_enter();
	MUST(!log_configure(&options));
	test_life();
	test_forget();
	test_many();
	test_sweep();
	log_close();
	return tap_done();
}
