/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "source/tail.h"

#include "scratch.h"
#include "tap.h"

#define LOG "mail.log"
#define NOW_US INT64_C(1800000000000000)

static unsigned warnings;

static void on_notice(void *userdata, bool warning, const char *text)
{
	warnings += warning;
}

static const TailCallbacks callbacks = {.notice = on_notice};

static void append(const char *path, const char *text)
{
	scratch_append(path, text, strlen(text));
}

/* All that is there, which is consumed. */
static StrBuf read_all(Tail *tail)
{
	StrBuf lines = STRBUF_INIT;
	Why why = {""};
	int r = 0;

	for (int i = 0; i < 100 && !r; i++) {
		r = tail_fill(tail, NOW_US, &why);
		strbuf_append_span(&lines, tail_chunk(tail));
		tail_consume(tail, tail_chunk(tail).len);
	}
	return lines;
}

static void reads(Tail *tail, const char *expected, const char *what)
{
	_cleanup_strbuf_ StrBuf lines = read_all(tail);

	if (!tap_ok(!strcmp(strbuf_text(&lines), expected), "%s", what))
		tap_note("'%s'", strbuf_text(&lines));
}

/* What is committed is before "two", though "two" was read. */
static Tail *begin(LogState *state)
{
	Tail *tail;

	scratch_empty();
	append(LOG, "one\n");
	MUST(!tail_new(LOG, NULL, NOW_US, &callbacks, &tail));
	reads(tail, "one\n", "a log");
	*state = (LogState){0};
	tail_save(tail, state);
	append(LOG, "two\n");
	reads(tail, "two\n", "and more of it");
	return tail;
}

/* The one after it. */
static Tail *resume(const Tail *former, const LogState *state, bool wanted, const char *what)
{
	Tail *tail;

	MUST(!tail_new(LOG, state, NOW_US, &callbacks, &tail));
	tap_ok(tail_resume(tail, former, NOW_US) == wanted, "%s", what);
	return tail;
}

int main(void)
{
	LogState state;
	Tail *former, *tail;
	int fd;

	scratch_enter();
	former = begin(&state);
	tail = resume(former, &state, true, "one that has its name goes on in it");
	tail_free(former);
	append(LOG, "three\n");
	reads(tail, "two\nthree\n", "from its own place");
	tail_free(tail);

	former = begin(&state);
	fd = open(LOG, O_WRONLY | O_APPEND | O_CLOEXEC);
	MUST(fd >= 0 && !unlink(LOG));
	tail = resume(former, &state, true, "one that was removed");
	tail_free(former);
	MUST(write(fd, "three\n", 6) == 6);
	reads(tail, "two\nthree\n", "is read to its end");
	append(LOG, "four\n");
	MUST(write(fd, "still three\n", 12) == 12 && !close(fd));
	reads(tail, "still three\nfour\n", "before the next one");
	tail_free(tail);

	former = begin(&state);
	MUST(!truncate(LOG, 0));
	append(LOG, "eins\nzwei\ndrei\n");
	tail = resume(former, &state, false, "one that was cut and written anew");
	tail_free(former);
	warnings = 0;
	reads(tail, "eins\nzwei\ndrei\n", "is found by its content");
	tail_free(tail);

	former = begin(&state);
	MUST(!rename(LOG, LOG ".1"));
	append(LOG, "three\n");
	reads(former, "three\n", "the former one is at the next file");
	tail = resume(former, &state, false, "the place is in the file before");
	tail_free(former);
	warnings = 0;
	reads(tail, "two\nthree\n", "which is found by its content");
	tap_ok(!warnings, "without a word");
	tail_free(tail);

	former = begin(&state);
	state = (LogState){0};
	tail = resume(former, &state, false, "without a place");
	tail_free(former);
	reads(tail, "one\ntwo\n", "all is read");
	tail_free(tail);
	return tap_done();
}
