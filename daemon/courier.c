/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/courier.h"

#include "base/calendar.h"
#include "base/utf8.h"
#include "daemon/interrupt.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "report/transport.h"

#include <stdio.h>

#define KEEP_US (COURIER_KEEP_DAYS * 86400 * USEC_PER_SEC)

/* What became of a letter in this run. */
typedef enum Fate {
	FATE_SENT,
	FATE_WAITS,
	FATE_FAILED,
} Fate;

typedef struct Courier {
	TransportOptions transport;
	Spool *spool;
	bool stopped; /* nobody can be talked to: no other letter is tried */
	size_t fates[FATE_FAILED + 1];
	Why whys[FATE_FAILED + 1]; /* of the last of each: its file and why */
} Courier;

/* One letter in work. */
typedef struct Errand {
	SpoolEntry *entry;
	char *tries_path;
	Letter letter;
	Tries tries;
	Why why; /* what is to be said of it */
} Errand;

static void errand_done(Errand *errand)
{
	free(errand->tries_path);
	letter_done(&errand->letter);
	tries_done(&errand->tries);
}

static TransportOptions transport_of(const Config *config)
{
	return (TransportOptions){
		.sendmail = config->report.transport == REPORT_SENDMAIL,
		.sendmail_path = config->report.sendmail_path,
		.url = config->report.smtp_url,
		.user = config->report.smtp_user,
		.password_file = config->report.smtp_password_file,
	};
}

/* ---- what is known of a letter --------------------------------------------------------------- */

static size_t count_receipts(const Tries *tries, Receipt receipt)
{
	size_t count = 0;

	for (size_t i = 0; i < tries->receipt_count; i++)
		count += tries->receipts[i] == receipt;
	return count;
}

static void forget_refusals(Tries *tries)
{
	for (size_t i = 0; i < tries->receipt_count; i++)
		if (tries->receipts[i] == RECEIPT_REFUSED)
			tries->receipts[i] = RECEIPT_NONE;
}

/* Without memory the reason before stays. */
static int save_tries(Errand *errand)
{
	if (*errand->why.text)
		(void)tries_set_reason(&errand->tries, errand->why.text);
	return tries_save(errand->tries_path, &errand->tries);
}

/*
 * The letter and its tries. 0; -EBADMSG with the reason: it can't be sent as it is; -errno with the reason: perhaps later.
 */
static int load(const Courier *courier, Errand *errand)
{
	Tries *tries = &errand->tries;
	Why why = {""};
	int r;

	errand->tries_path = spool_tries_path_dup(courier->spool, errand->entry);
	r = errand->tries_path ? 0 : -ENOMEM;
	if (!r)
		r = spool_load(courier->spool, errand->entry, &errand->letter, &why);
	if (r < 0) {
		why_set(&errand->why, "%s", *why.text ? why.text : strerror(-r));
		return r;
	}
	r = tries_load(errand->tries_path, tries, &why);
	/* Of another letter, which had that name before. */
	if (!r && tries->created_us != errand->letter.created_us) {
		tries_done(tries);
		r = TRIES_NONE;
	}
	if (r == TRIES_NONE)
		r = tries_begin(&errand->letter, tries);
	if (!r && tries->receipt_count != errand->letter.to_count) {
		why_set(&why, "it is about another number of recipients");
		r = -EBADMSG;
	}
	if (r < 0)
		why_set(&errand->why, "who has got it is not known: %s",
			*why.text ? why.text : strerror(-r));
	return r;
}

/* ---- what becomes of it ---------------------------------------------------------------------- */

static Fate fail(const Courier *courier, Errand *errand)
{
	Tries *tries = &errand->tries;
	int r = 0;

	/* What could not be read begins anew, with the reason. */
	if (tries->receipt_count != errand->letter.to_count) {
		tries_done(tries);
		if (errand->letter.to_count)
			r = tries_begin(&errand->letter, tries);
	}
	/* Should it get its name back, all who have not got it are tried, for as long as a new one. */
	forget_refusals(tries);
	tries->since_us = 0;
	if (!r)
		r = errand->tries_path ? save_tries(errand) : -ENOMEM;
	/* It must not be in the way of others, whether that is noted or not. */
	if (r >= 0 || r == -ENOSPC || r == -EDQUOT)
		r = spool_fail(courier->spool, errand->entry);
	if (r < 0) {
		Why why = errand->why;

		why_set(&errand->why, "%.400s; that can't be noted: %s", why.text, strerror(-r));
	}
	return FATE_FAILED;
}

static Fate finish(const Courier *courier, Errand *errand)
{
	int r = spool_remove(courier->spool, errand->entry);

	if (!r)
		return FATE_SENT;
	why_set(&errand->why, "was accepted, but can't be removed: %s", strerror(-r));
	/* Then at least it is known that all have got it. */
	if (save_tries(errand) < 0)
		why_set(&errand->why,
			"was accepted, but that can't be noted: %s; it may be sent once more",
			strerror(-r));
	return FATE_WAITS;
}

/* Notes that it is tried now. 0 or -errno. */
static int begin(Errand *errand, int64_t now_us)
{
	Tries *tries = &errand->tries;

	if (tries->open)
		log_warning("%s: was being sent when an earlier run ended; it may arrive twice",
			errand->entry->name);
	/* Nobody is left only where it had failed and was given its name back. */
	if (!count_receipts(tries, RECEIPT_NONE))
		forget_refusals(tries);
	/* A clock that was set back makes the time no longer. */
	if (!tries->since_us || tries->since_us > now_us)
		tries->since_us = now_us;
	if (!tries->first_us)
		tries->first_us = now_us;
	tries->last_us = now_us;
	tries->count++;
	tries->open = true;
	return tries_save(errand->tries_path, tries);
}

/* Sends it to those who have not answered yet. As transport_send(). */
static int transport(const Courier *courier, Errand *errand)
{
	const Letter *letter = &errand->letter;
	_cleanup_free_ const char **to = calloc(letter->to_count, sizeof(*to));
	_cleanup_free_ Delivery *deliveries = calloc(letter->to_count, sizeof(*deliveries));
	size_t count = 0, at = 0;
	int r;

	if (!to || !deliveries)
		return -ENOMEM;
	for (size_t i = 0; i < letter->to_count; i++)
		if (errand->tries.receipts[i] == RECEIPT_NONE)
			to[count++] = letter->to[i];
	r = transport_send(&courier->transport, letter->from, to, count, letter->message,
		deliveries, &errand->why);
	for (size_t i = 0; i < letter->to_count; i++) {
		Receipt *receipt = &errand->tries.receipts[i];

		if (*receipt != RECEIPT_NONE)
			continue;
		if (deliveries[at] == DELIVERY_ACCEPTED)
			*receipt = RECEIPT_ACCEPTED;
		else if (deliveries[at] == DELIVERY_REFUSED)
			*receipt = RECEIPT_REFUSED;
		at++;
	}
	return r;
}

static Fate send_letter(Courier *courier, Errand *errand)
{
	Tries *tries = &errand->tries;
	int r;

	if (count_receipts(tries, RECEIPT_ACCEPTED) == tries->receipt_count)
		return finish(courier, errand);
	r = begin(errand, loop_wall_us());
	if (r < 0) {
		/* What came of it could not be noted either. */
		why_set(&errand->why, "%s: %s", errand->tries_path, strerror(-r));
		return FATE_WAITS;
	}
	r = transport(courier, errand);
	courier->stopped = r != 0;
	if (r < 0 && !*errand->why.text)
		why_set(&errand->why, "%s", strerror(-r));
	tries->open = false;
	if (count_receipts(tries, RECEIPT_ACCEPTED) == tries->receipt_count)
		return finish(courier, errand);
	if (!count_receipts(tries, RECEIPT_NONE))
		return fail(courier, errand);
	if (r != -EINTR && loop_wall_us() - tries->since_us >= KEEP_US) {
		/* The next one may have waited for as long. */
		courier->stopped = false;
		return fail(courier, errand);
	}
	r = save_tries(errand);
	if (r < 0)
		log_warning("%s: %s", errand->tries_path, strerror(-r));
	return FATE_WAITS;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static void say_sent(const char *what, const char *const *to, size_t to_count)
{
	_cleanup_strbuf_ StrBuf line = STRBUF_INIT;

	strbuf_appendf(&line, "%s: sent to", what);
	for (size_t i = 0; i < to_count; i++) {
		strbuf_append_string(&line, i ? ", " : " ");
		utf8_append_escaped(&line, span_from_string(to[i]));
	}
	strbuf_append_char(&line, '\n');
	/* main() reports what stdout could not take. */
	(void)fputs(strbuf_text(&line), stdout);
}

static void carry(Courier *courier, SpoolEntry *entry)
{
	Errand errand = {.entry = entry, .letter = LETTER_INIT, .tries = TRIES_INIT};
	_cleanup_free_ char *path = NULL;
	int r = load(courier, &errand);
	Fate fate = FATE_WAITS;

	if (r == -EBADMSG)
		fate = fail(courier, &errand);
	else if (!r)
		fate = send_letter(courier, &errand);
	courier->fates[fate]++;
	path = spool_letter_path_dup(courier->spool, entry);
	why_set(&courier->whys[fate], "%s: %s", path ? path : entry->name, errand.why.text);
	if (fate == FATE_SENT)
		say_sent(entry->name, errand.letter.to, errand.letter.to_count);
	errand_done(&errand);
}

static void append_fate(
	const Courier *courier, Fate fate, const char *one, const char *several, StrBuf *line)
{
	size_t count = courier->fates[fate];

	if (!count)
		return;
	if (line->len)
		strbuf_append_string(line, "; ");
	if (count > 1)
		strbuf_appendf(line, "%zu reports %s", count, several);
	if (*courier->whys[fate].text)
		strbuf_appendf(line, "%s%s", count > 1 ? ", " : "", courier->whys[fate].text);
	if (count == 1)
		strbuf_appendf(line, "; %s", one);
}

bool courier_send(const Config *config, Spool *spool, size_t count)
{
	_cleanup_strbuf_ StrBuf line = STRBUF_INIT;
	Courier courier = {.transport = transport_of(config), .spool = spool};

	for (size_t i = 0; i < count; i++) {
		if (spool->entries[i].failed)
			continue;
		if (courier.stopped || interrupt_is_pending())
			courier.fates[FATE_WAITS]++;
		else
			carry(&courier, &spool->entries[i]);
	}
	append_fate(&courier, FATE_FAILED, "it has failed and is kept", "have failed and are kept",
		&line);
	append_fate(
		&courier, FATE_WAITS, "it is tried again later", "are tried again later", &line);
	if (!courier.fates[FATE_FAILED] && !courier.fates[FATE_WAITS])
		return true;
	if (strbuf_error(&line))
		log_error("%s: not all was sent: %s", spool->dir, strerror(ENOMEM));
	else
		log_error("%s", strbuf_text(&line));
	return false;
}

bool courier_send_now(const Config *config, const char *from, Span message)
{
	const TransportOptions options = transport_of(config);
	const char *const *to = (const char *const *)config->report.email;
	size_t count = 0, accepted = 0;
	_cleanup_free_ Delivery *deliveries = NULL;
	Why why = {""};
	int r;

	/* There is one at least. */
	do
		count++;
	while (to[count]);
	deliveries = calloc(count, sizeof(*deliveries));
	r = deliveries ? transport_send(&options, from, to, count, message, deliveries, &why)
		       : -ENOMEM;
	for (size_t i = 0; deliveries && i < count; i++)
		accepted += deliveries[i] == DELIVERY_ACCEPTED;
	if (accepted == count) {
		say_sent("report", to, count);
		return true;
	}
	log_error("report: %zu of %zu recipients have not accepted it: %s", count - accepted, count,
		*why.text ? why.text : strerror(r < 0 ? -r : EIO));
	return false;
}
