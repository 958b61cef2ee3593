/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/status-keeper.h"

#include "base/file.h"
#include "daemon/log.h"
#include "daemon/metrics-file.h"
#include "daemon/notify.h"
#include "daemon/sentence.h"

#define WRITE_INTERVAL_MS 1000

struct StatusKeeper {
	LoopTimer *timer;
	MetricsFile *metrics;
	void (*fill)(void *userdata, Status *status);
	void *userdata;
	char *path;
	int lock_fd;
	int error;      /* said already */
	StrBuf written; /* what the file says */
	StrBuf said;    /* what systemd was told */
	uint64_t written_ms;
	Status totals; /* the numbers of the last session that knew them */
};

static void on_timer(void *userdata)
{
	status_keeper_write(userdata);
}

int status_keeper_new(Loop *loop, const Config *config, Warnings *warnings,
	void (*fill)(void *userdata, Status *status), void *userdata, StatusKeeper **ret_keeper)
{
	_cleanup_(status_keeper_freep) StatusKeeper *keeper = calloc(1, sizeof(*keeper));
	int r;

	if (!keeper)
		return -ENOMEM;
	keeper->lock_fd = -1;
	keeper->fill = fill;
	keeper->userdata = userdata;
	keeper->path = file_join_dup(config->paths.state_dir, "status");
	r = keeper->path ? loop_timer_new(loop, on_timer, keeper, &keeper->timer) : -ENOMEM;
	if (!r)
		r = metrics_file_new(config->metrics.textfile, warnings, &keeper->metrics);
	if (r < 0)
		return r;
	*ret_keeper = TAKE(keeper);
	return 0;
}

void status_keeper_free(StatusKeeper *keeper)
{
	if (!keeper)
		return;
	loop_timer_free(keeper->timer);
	metrics_file_free(keeper->metrics);
	strbuf_done(&keeper->written);
	strbuf_done(&keeper->said);
	free(keeper->path);
	if (keeper->lock_fd >= 0)
		(void)close(keeper->lock_fd);
	free(keeper);
}

void status_keeper_changed(StatusKeeper *keeper)
{
	uint64_t since = loop_now_ms() - keeper->written_ms;

	if (!loop_timer_is_set(keeper->timer))
		loop_timer_set(keeper->timer,
			since >= WRITE_INTERVAL_MS ? 0 : (int64_t)(WRITE_INTERVAL_MS - since));
}

int status_keeper_reconfigure(StatusKeeper *keeper, const Config *config)
{
	int r = metrics_file_set_path(keeper->metrics, config->metrics.textfile);

	if (!r)
		status_keeper_changed(keeper);
	return r;
}

static bool is_same(const StrBuf *a, const StrBuf *b)
{
	return a->len == b->len && (!a->len || !memcmp(a->data, b->data, a->len));
}

/* Not only when the file could be written: that it can't may be what is to be said. */
static void tell(StatusKeeper *keeper, const Status *status)
{
	_cleanup_strbuf_ StrBuf sentence = STRBUF_INIT;

	sentence_append(status, &sentence);
	if (strbuf_error(&sentence) || is_same(&sentence, &keeper->said))
		return;
	notify_status(strbuf_text(&sentence));
	strbuf_done(&keeper->said);
	keeper->said = sentence;
	sentence = STRBUF_INIT;
}

static void write_status(StatusKeeper *keeper, const Status *status)
{
	_cleanup_strbuf_ StrBuf text = STRBUF_INIT;
	int r;

	status_append(status, &text);
	r = strbuf_error(&text);
	if (!r && is_same(&text, &keeper->written))
		return;
	if (!r)
		r = status_write(keeper->path, (Span){text.data, text.len}, loop_wall_us(),
			&keeper->lock_fd);
	if (r < 0) {
		/* Nothing depends on it, and a full disk is said where it matters. */
		if (r != keeper->error)
			log_warning("%s: %s", keeper->path, strerror(-r));
		keeper->error = r;
		return;
	}
	keeper->error = 0;
	strbuf_done(&keeper->written);
	keeper->written = text;
	text = STRBUF_INIT;
}

/* A session that can't be opened knows nothing; what was counted before stands. */
static void keep_totals(StatusKeeper *keeper, Status *status)
{
	Status *totals = &keeper->totals;

	if (status->committed_us) {
		*totals = (Status){
			.committed_us = status->committed_us,
			.rows = status->rows,
			.gone = status_sum(status),
			.committed = status->committed,
			.committed_rows = status->committed_rows,
		};
		return;
	}
	status->committed_us = totals->committed_us;
	status->rows = totals->rows;
	status->gone = totals->gone;
	status->committed = totals->committed;
	status->committed_rows = totals->committed_rows;
}

void status_keeper_write(StatusKeeper *keeper)
{
	_cleanup_status_ Status status = STATUS_INIT;

	keeper->written_ms = loop_now_ms();
	keeper->fill(keeper->userdata, &status);
	keep_totals(keeper, &status);
	tell(keeper, &status);
	write_status(keeper, &status);
	/* Last, as its counters must not be ahead of those that the next start finds in the status. */
	if (metrics_file_write(keeper->metrics, &status, keeper->written_ms))
		status_keeper_changed(keeper);
}
