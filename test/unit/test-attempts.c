/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The real logs of the corpus against an independent record of who tried what: the client's side
 * wrote test/corpus/attempts.tsv while Postfix wrote its log. Every login that the client saw
 * fail is one failure in the log with this address, method and user, byte for byte after what the
 * servers do to a user name, and every other failure in the log is none of a client's.
 */

#include <stdio.h>

#include "base/number.h"
#include "corpus.h"
#include "parse/postfix.h"
#include "tap.h"

#define USER_MAX 400
#define WINDOW_US 4000000 /* the record has the start of a login, but the end of a session */

typedef struct Attempt {
	int64_t time_us;
	char backend[32];
	char method[32];
	char address[48];
	char user[USER_MAX]; /* as the log shows it */
	size_t user_len;
	bool has_user;
	bool succeeded;
	bool aborted;
	bool matched;
} Attempt;

typedef struct Attempts {
	Attempt *rows;
	size_t count;
} Attempts;

static Attempt *add(Attempts *attempts)
{
	Attempt *rows = reallocarray(attempts->rows, attempts->count + 1, sizeof(*rows));

	if (!rows)
		abort();
	attempts->rows = rows;
	rows[attempts->count] = (Attempt){0};
	return &rows[attempts->count++];
}

/* Which server an attempt outside the named series met, by the time of day. */
static const char *backend_at(int64_t time_us)
{
	return time_us < 1795352500000000 ? "dovecot" : "repeatedmsg";
}

/* What the hand-written sessions of the client tried (the record has their names only). */
static const struct {
	const char *session;
	const char *method;
	const char *users[4]; /* "-": none */
	enum { FAILS, ABORTS, SUCCEEDS } outcome;
} sessions[] = {
	{"auth-cancelled", "LOGIN", {"-"}, ABORTS},
	{"auth-bad-base64", "PLAIN", {"-"}, FAILS},
	{"auth-bad-mech", "CRAM-MD5", {"-"}, FAILS},
	{"auth-empty-initial", "PLAIN", {"-"}, FAILS},
	{"auth-no-nul", "PLAIN", {"-"}, FAILS},
	{"auth-authzid", "PLAIN", {"alice"}, FAILS},
	{"auth-3-in-one-conn", "PLAIN", {"u0", "u1", "u2"}, FAILS},
	{"auth-same-4-in-one-conn", "PLAIN", {"same", "same", "same", "same"}, FAILS},
};

static size_t decode_base64(const char *text, char *to, size_t size)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t bits = 0;
	size_t n = 0, have = 0;

	for (; *text && *text != '='; text++) {
		const char *digit = strchr(digits, *text);

		if (!digit)
			abort();
		bits = bits << 6 | (uint32_t)(digit - digits);
		have += 6;
		if (have >= 8) {
			have -= 8;
			if (n == size)
				abort();
			to[n++] = (char)(bits >> have & 0xff);
		}
	}
	return n;
}

/* Dovecot's protocol escapes \001, TAB, CR and LF as \001 and a letter. */
static size_t as_dovecot(const char *user, size_t len, char *to)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		char c = user[i];
		const char *escape = memchr("\001\t\r\n", c, 4);

		if (n + 2 > USER_MAX)
			abort();
		if (escape) {
			to[n++] = '\001';
			to[n++] = "1trn"[escape - "\001\t\r\n"];
		} else {
			to[n++] = c;
		}
	}
	return n;
}

/* Postfix cuts a failure's user at 100 bytes and prints "?" for controls and invalid UTF-8. */
static size_t as_postfix(char *user, size_t len, bool succeeded)
{
	if (!succeeded)
		len = MIN(len, 100);
	for (size_t i = 0; i < len;) {
		unsigned char c = (unsigned char)user[i];
		size_t n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc2 ? 2 : 1, k;

		for (k = 1; k < n && i + k < len && ((unsigned char)user[i + k] & 0xc0) == 0x80;
			k++)
			;
		if (k < n || c < 0x20 || c == 0x7f || (n == 1 && c >= 0x80) || c > 0xf4) {
			user[i] = '?';
			n = 1;
		}
		i += n;
	}
	return len;
}

static void add_session(Attempts *attempts, int64_t time_us, const char *address, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(sessions); i++) {
		if (strcmp(sessions[i].session, name) != 0)
			continue;
		for (size_t k = 0; k < 4 && sessions[i].users[k]; k++) {
			Attempt *attempt = add(attempts);

			attempt->time_us = time_us;
			snprintf(attempt->backend, sizeof(attempt->backend), "%s",
				backend_at(time_us));
			snprintf(attempt->address, sizeof(attempt->address), "%s", address);
			snprintf(
				attempt->method, sizeof(attempt->method), "%s", sessions[i].method);
			attempt->aborted = sessions[i].outcome == ABORTS;
			attempt->has_user = strcmp(sessions[i].users[k], "-") != 0;
			attempt->user_len = attempt->has_user ? strlen(sessions[i].users[k]) : 0;
			memcpy(attempt->user, sessions[i].users[k], attempt->user_len);
		}
	}
}

/* The one login that the record lacks: it sent the mail that ends the session with Dovecot. */
static void add_last_mail(Attempts *attempts)
{
	*add(attempts) = (Attempt){
		.time_us = 1795352447500000,
		.backend = "dovecot",
		.method = "PLAIN",
		.address = "203.0.113.7",
		.user = "a@example.com",
		.user_len = strlen("a@example.com"),
		.has_user = true,
		.succeeded = true,
	};
}

static void add_login(Attempts *attempts, int64_t time_us, char *const field[9])
{
	Attempt *attempt = add(attempts);
	char user[USER_MAX];
	size_t len = decode_base64(field[5], user, sizeof(user));
	bool dovecot = strcmp(field[1], "cyrus") != 0 && strcmp(field[1], "cyrus-nosaslauthd") != 0;

	attempt->time_us = time_us;
	snprintf(attempt->backend, sizeof(attempt->backend), "%s", field[1]);
	snprintf(attempt->address, sizeof(attempt->address), "%s", field[3]);
	snprintf(attempt->method, sizeof(attempt->method), "%s", field[4]);
	attempt->succeeded = !strcmp(field[7], "0");
	/* Dovecot that is down names nobody, nor does Cyrus with an empty name */
	attempt->has_user = strcmp(field[1], "dovecot-down") != 0 && (dovecot || len);
	if (!attempt->has_user)
		return;
	if (dovecot) {
		len = as_dovecot(user, len, attempt->user);
	} else {
		memcpy(attempt->user, user, len);
	}
	attempt->user_len = as_postfix(attempt->user, len, attempt->succeeded);
}

static void read_attempts(Attempts *ret_attempts)
{
	Attempts attempts = {0};
	size_t len;
	_cleanup_free_ char *text = corpus_read_source("test/corpus/attempts.tsv", &len);

	for (char *line = text, *next; *line; line = next) {
		char *end = strchr(line, '\n'), *field[9] = {line};
		size_t fields = 1;
		double seconds;

		next = end ? end + 1 : line + strlen(line);
		if (end)
			*end = '\0';
		for (char *p = line; *p; p++)
			if (*p == '\t' && fields < ARRAY_SIZE(field)) {
				*p = '\0';
				field[fields++] = p + 1;
			}
		if (fields < 6 || sscanf(field[0], "%lf", &seconds) != 1) {
			printf("Bail out! attempts.tsv: a line with %zu fields\n", fields);
			exit(1);
		}
		if (!strcmp(field[1], "RAW"))
			add_session(&attempts, (int64_t)(seconds * 1e6), field[3], field[4]);
		else if (strcmp(field[1], "IMAP") != 0 && fields >= 8)
			add_login(&attempts, (int64_t)(seconds * 1e6), field);
	}
	add_last_mail(&attempts);
	*ret_attempts = attempts;
}

/* Dovecot folds some names to lower case and leaves others. */
static bool same_user(const Attempt *attempt, Span user)
{
	if (attempt->has_user != (user.data != NULL) || user.len != attempt->user_len)
		return false;
	if (!user.len || !memcmp(user.data, attempt->user, user.len))
		return true;
	for (size_t i = 0; i < user.len; i++) {
		char c = attempt->user[i];

		if (user.data[i] != (c >= 'A' && c <= 'Z' ? (char)(c + 32) : c))
			return false;
	}
	return !strncmp(attempt->backend, "dovecot", strlen("dovecot"));
}

static bool matches(const Attempt *attempt, const AuthEvent *event)
{
	char ip[IP_TEXT_MAX];

	ipaddr_format(&event->ip, ip);
	return !attempt->matched && !strcmp(ip, attempt->address) &&
	       span_equal_string(event->method, attempt->method) &&
	       (event->kind == EVENT_ABORTED || same_user(attempt, event->user)) &&
	       (event->kind == EVENT_SUCCESS) == attempt->succeeded &&
	       (event->kind == EVENT_ABORTED) == attempt->aborted &&
	       event->time_us >= attempt->time_us - WINDOW_US &&
	       event->time_us <= attempt->time_us + WINDOW_US;
}

static void check(const Corpus *corpus, Attempts *attempts, const char *backend, const char *file)
{
	size_t lines = 0, events = 0, expected = 0, unknown = 0, missing = 0;

	for (size_t i = 0; i < attempts->count; i++)
		attempts->rows[i].matched = strcmp(attempts->rows[i].backend, backend) != 0;
	for (size_t i = 0; i < attempts->count; i++)
		expected += !attempts->rows[i].matched;
	for (size_t i = 0; i < corpus->count; i++) {
		const CorpusRow *row = &corpus->rows[i];
		StampContext context = {.reference_us = row->reference_us, .year = row->year};
		AuthEvent event;

		if (strcmp(row->file, file) != 0)
			continue;
		lines++;
		corpus_set_zone(row->zone);
		postfix_parse_line(&context, row->line, &event);
		if (event.kind == EVENT_OTHER)
			continue;
		for (uint32_t n = 0; n < event.count; n++) {
			size_t k = 0;

			while (k < attempts->count && !matches(&attempts->rows[k], &event))
				k++;
			events++;
			if (k < attempts->count) {
				attempts->rows[k].matched = true;
				continue;
			}
			unknown++;
			tap_note("nobody tried: %.*s", (int)row->line.len, row->line.data);
		}
	}
	for (size_t i = 0; i < attempts->count; i++) {
		const Attempt *attempt = &attempts->rows[i];

		if (attempt->matched)
			continue;
		missing++;
		tap_note("not in the log: %s %s '%.*s'", attempt->address, attempt->method,
			(int)attempt->user_len, attempt->user);
	}
	tap_ok(lines && events == expected && !unknown && !missing,
		"%s: %zu events are the %zu attempts", file, events, expected);
}

int main(void)
{
	Attempts attempts;
	Corpus corpus;

	corpus_load(&corpus);
	read_attempts(&attempts);
	check(&corpus, &attempts, "dovecot", "postfix-dovecot-iso");
	check(&corpus, &attempts, "dovecot", "postfix-dovecot-traditional");
	check(&corpus, &attempts, "dovecot-down", "postfix-dovecot-down-iso");
	check(&corpus, &attempts, "cyrus", "postfix-cyrus-iso");
	check(&corpus, &attempts, "cyrus-nosaslauthd", "postfix-cyrus-nosaslauthd-iso");
	check(&corpus, &attempts, "postlogd", "postfix-postlogd");
	check(&corpus, &attempts, "repeatedmsg", "postfix-repeatedmsg-iso");
	free(attempts.rows);
	corpus_done(&corpus);
	return tap_done();
}
