/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Every line of test/corpus is read and compared field by field: as it is, with the stamp in the
 * other form, folded by rsyslog, behind a <PRI>, as RFC 5424, and cut at every byte.
 */

#include <time.h>

#include "corpus.h"
#include "parse/postfix.h"
#include "tap.h"

static struct {
	size_t stamps, folded, priority, rfc5424;
} tried;

/* The line ends where its memory does, so that the sanitizer sees a byte read too far. */
static void parse(const CorpusRow *row, int year, Span line, AuthEvent *ret_event)
{
	_cleanup_free_ char *copy = malloc(MAX(line.len, 1));
	StampContext context = {.reference_us = row->reference_us, .year = year};

	if (!copy)
		abort();
	memcpy(copy, line.data, line.len);
	postfix_parse_line(&context, (Span){copy, line.len}, ret_event);
	if (ret_event->kind != EVENT_OTHER && !postfix_find_candidate(copy, line.len)) {
		tap_note("the search would have skipped this line");
		ret_event->kind = EVENT_KIND_COUNT;
	}
	/* the caller's line has the same bytes and lives longer */
	Span *spans[] = {&ret_event->server, &ret_event->service, &ret_event->client,
		&ret_event->method, &ret_event->reason, &ret_event->user};
	for (size_t i = 0; i < ARRAY_SIZE(spans); i++) {
		if (!spans[i]->data)
			continue;
		if (spans[i]->data < copy || spans[i]->len > line.len ||
			(size_t)(spans[i]->data - copy) > line.len - spans[i]->len)
			abort();
		spans[i]->data = line.data + (spans[i]->data - copy);
	}
}

static bool same(const CorpusRow *row, const AuthEvent *want, const AuthEvent *got)
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
	char ip[IP_TEXT_MAX];

	ipaddr_format(&got->ip, ip);
	if (got->kind == want->kind && got->has_time == want->has_time &&
		(!want->has_time || got->time_us == want->time_us) && got->count == want->count &&
		got->repeat_capped == want->repeat_capped &&
		span_equal(got->server, want->server) && span_equal(got->service, want->service) &&
		span_equal(got->client, want->client) && span_equal(got->method, want->method) &&
		span_equal(got->reason, want->reason) && span_equal(got->user, want->user) &&
		(row->want_ip.data ? span_equal_string(row->want_ip, ip)
				   : got->ip.family == IP_UNKNOWN))
		return true;
	if (got->kind == EVENT_KIND_COUNT)
		return false;
	corpus_append_want(&sb, got);
	tap_note("got:  %s", strbuf_text(&sb));
	return false;
}

static bool check(const CorpusRow *row, const char *how, int year, Span line, const AuthEvent *want)
{
	AuthEvent got;

	parse(row, year, line, &got);
	if (same(row, want, &got))
		return true;
	tap_note("%s: %.*s", how, (int)line.len, line.data);
	return false;
}

/* Whether the wall clock showed the same before, so that a stamp without an offset means another instant. */
static bool comes_twice(time_t t, const struct tm *tm)
{
	for (int back = 1800; back <= 7200; back += 1800) {
		time_t earlier = t - back;
		struct tm other;

		if (localtime_r(&earlier, &other) && other.tm_hour == tm->tm_hour &&
			other.tm_min == tm->tm_min)
			return true;
	}
	return false;
}

static bool check_other_stamp(const CorpusRow *row)
{
	AuthEvent want = row->want;
	time_t seconds = (time_t)(want.time_us / 1000000);
	const char *p = row->line.data;
	bool iso = row->line.len > 20 && p[4] == '-' && p[10] == 'T';
	bool traditional = row->line.len > 15 && p[3] == ' ' && p[9] == ':' && p[15] == ' ';
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
	char stamp[64];
	struct tm tm;
	Span rest;

	if ((!iso && !traditional) || !want.has_time || !localtime_r(&seconds, &tm) ||
		comes_twice(seconds, &tm))
		return true;
	tried.stamps++;
	rest.data = iso ? memchr(p, ' ', row->line.len) : p + 15;
	if (!rest.data)
		rest.data = p + row->line.len;
	rest.len = (size_t)(p + row->line.len - rest.data);
	if (iso) {
		if (!strftime(stamp, sizeof(stamp), "%b %e %H:%M:%S", &tm))
			abort();
		strbuf_append_string(&sb, stamp);
		want.time_us = (int64_t)seconds * 1000000;
	} else {
		if (!strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm))
			abort();
		strbuf_appendf(&sb, "%s.%06d%+03ld:%02ld", stamp, (int)(want.time_us % 1000000),
			tm.tm_gmtoff / 3600, labs(tm.tm_gmtoff / 60 % 60));
	}
	strbuf_append_span(&sb, rest);
	return check(
		row, "with the other stamp", tm.tm_year + 1900, (Span){sb.data, sb.len}, &want);
}

/* Where the message starts in a line of the forms that have "tag[pid]: "; 0 when it is none. */
static size_t message_offset(const CorpusRow *row)
{
	const char *p, *end = row->line.data + row->line.len;

	if (!row->want.service.data)
		return 0;
	p = memmem(row->line.data, row->line.len, row->want.service.data, row->want.service.len);
	if (!p)
		return 0;
	p += row->want.service.len;
	if (p < end && *p == '[')
		while (p < end && *p++ != ']')
			;
	if (end - p < 2 || p[0] != ':' || p[1] != ' ')
		return 0;
	for (p++; p < end && *p == ' '; p++)
		;
	/* Solaris' message id belongs to the header */
	if (end - p > 4 && !memcmp(p, "[ID ", 4))
		while (p < end && *p++ != ']')
			;
	for (; p < end && *p == ' '; p++)
		;
	return (size_t)(p - row->line.data);
}

static bool check_folded(const CorpusRow *row)
{
	size_t offset = message_offset(row);
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
	AuthEvent want = row->want;

	if (!offset)
		return true;
	tried.folded++;
	strbuf_append(&sb, row->line.data, offset);
	strbuf_append_string(&sb, "message repeated 2 times: [ ");
	strbuf_append(&sb, row->line.data + offset, row->line.len - offset);
	strbuf_append_string(&sb, "]");
	if (want.kind != EVENT_OTHER) {
		want.repeat_capped |= want.count * 2 > EVENT_REPEAT_MAX;
		want.count = MIN(want.count * 2, EVENT_REPEAT_MAX);
	}
	return check(row, "folded", row->year, (Span){sb.data, sb.len}, &want);
}

static bool check_priority(const CorpusRow *row)
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;

	if (row->line.len && *row->line.data == '<')
		return true;
	tried.priority++;
	strbuf_append_string(&sb, "<191>");
	strbuf_append_span(&sb, row->line);
	return check(row, "behind <191>", row->year, (Span){sb.data, sb.len}, &row->want);
}

static bool check_rfc5424(const CorpusRow *row)
{
	size_t offset = message_offset(row);
	time_t seconds = (time_t)(row->want.time_us / 1000000);
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
	char stamp[64];
	struct tm tm;

	if (!offset || !row->want.has_time || !row->want.server.data)
		return true;
	tried.rfc5424++;
	if (!gmtime_r(&seconds, &tm) || !strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm))
		abort();
	strbuf_appendf(&sb, "<22>1 %s.%06dZ ", stamp, (int)(row->want.time_us % 1000000));
	strbuf_append_span(&sb, row->want.server);
	strbuf_append_char(&sb, ' ');
	strbuf_append_span(&sb, row->want.service);
	strbuf_append_string(&sb, " 290 - [a@1 b=\"]: SASL \\\"\"][c] \xef\xbb\xbf");
	strbuf_append(&sb, row->line.data + offset, row->line.len - offset);
	return check(row, "as RFC 5424", row->year, (Span){sb.data, sb.len}, &row->want);
}

/*
 * A cut line may say less, but nothing else: never another address or server, never a success for
 * a failure. (Cut in the middle of a method, "authentication aborted" can be its last words.)
 */
static bool check_cut(const CorpusRow *row)
{
	size_t step = getenv("MLS_TEST_SMALL") ? 17 : 1;

	for (size_t len = 0; len < row->line.len; len += step) {
		AuthEvent got;
		char ip[IP_TEXT_MAX];

		parse(row, row->year, (Span){row->line.data, len}, &got);
		if (got.kind == EVENT_OTHER)
			continue;
		ipaddr_format(&got.ip, ip);
		if (row->want.kind == EVENT_OTHER
				? got.kind == EVENT_ABORTED
				: (got.kind == EVENT_SUCCESS) ==
						  (row->want.kind == EVENT_SUCCESS) &&
					  span_equal_string(row->want_ip, ip) &&
					  span_equal(got.client, row->want.client) &&
					  span_equal(got.server, row->want.server))
			continue;
		tap_note("cut: %.*s", (int)len, row->line.data);
		return false;
	}
	return true;
}

static void check_row(const CorpusRow *row)
{
	bool ok;

	corpus_set_zone(row->zone);
	if (!row->has_want) {
		_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
		AuthEvent got;

		parse(row, row->year, row->line, &got);
		corpus_append_want(&sb, &got);
		tap_ok(false, "%s:%u has no want:", row->file, row->number);
		tap_note("if this is right, it is:");
		tap_note("want: %s", strbuf_text(&sb));
		return;
	}
	ok = check(row, "as it is", row->year, row->line, &row->want);
	ok &= check_other_stamp(row);
	ok &= check_folded(row);
	ok &= check_priority(row);
	ok &= check_rfc5424(row);
	ok &= check_cut(row);
	tap_ok(ok, "%s:%u", row->file, row->number);
}

int main(void)
{
	size_t kinds[EVENT_KIND_COUNT] = {0};
	Corpus corpus;

	corpus_load(&corpus);
	for (size_t i = 0; i < corpus.count; i++) {
		check_row(&corpus.rows[i]);
		kinds[corpus.rows[i].want.kind]++;
	}
	for (int k = 0; k < EVENT_KIND_COUNT; k++)
		tap_ok(kinds[k] >= 8, "%zu lines of kind %s", kinds[k],
			event_kind_name((EventKind)k));
	tap_ok(tried.stamps > 1000, "%zu lines with the other stamp", tried.stamps);
	tap_ok(tried.folded > 1000, "%zu lines folded", tried.folded);
	tap_ok(tried.priority > 1000, "%zu lines behind <PRI>", tried.priority);
	tap_ok(tried.rfc5424 > 1000, "%zu lines as RFC 5424", tried.rfc5424);
	corpus_done(&corpus);
	return tap_done();
}
