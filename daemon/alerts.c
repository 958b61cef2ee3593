/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/alerts.h"

#include "base/calendar.h"
#include "base/file.h"
#include "daemon/databases.h"

#include <inttypes.h>

#define END_SLACK_US \
	((int64_t)60 * 1000000) /* what a service commits last is about as old as its last status */
#define SILENCE_US ((int64_t)24 * 3600 * 1000000)

void alerts_done(Alerts *alerts)
{
	for (size_t i = 0; i < 2 * alerts->count; i++)
		free(alerts->texts[i]);
	free(alerts->texts);
	free(alerts->list);
}

void alerts_add(Alerts *alerts, int64_t since_us, const char *key, const char *fmt, ...)
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
	_cleanup_free_ char *text = NULL, *key_copy = NULL;
	size_t n = alerts->count;
	StatusWarning *list;
	char **texts;
	va_list ap;

	va_start(ap, fmt);
	strbuf_vappendf(&sb, fmt, ap);
	va_end(ap);
	text = strbuf_take(&sb);
	key_copy = strdup(key);
	list = array_grow(alerts->list, n, sizeof(*list));
	if (list)
		alerts->list = list;
	texts = array_grow(alerts->texts, n, 2 * sizeof(*texts));
	if (texts)
		alerts->texts = texts;
	if (!text || !key_copy || !list || !texts) {
		alerts->error = -ENOMEM;
		return;
	}
	list[n] = (StatusWarning){since_us, key_copy, text};
	texts[2 * n] = TAKE(key_copy);
	texts[2 * n + 1] = TAKE(text);
	alerts->count++;
}

/* ---- the service ---------------------------------------------------------------------------- */

static void add_absence(Alerts *alerts, int64_t since_us, bool stopped)
{
	char at[CALENDAR_MINUTE_MAX];
	LocalZone zone = {0};

	(void)calendar_format_minute(&zone, since_us, at);
	alerts_add(alerts, since_us, "service",
		"the service is not running: %s %s; what was logged since then is not in this "
		"report",
		stopped ? "it was stopped" : "it ended unexpectedly and was last heard of", at);
}

static void add_silence(Alerts *alerts, int64_t checkpoint_us)
{
	char at[CALENDAR_MINUTE_MAX];
	LocalZone zone = {0};

	(void)calendar_format_minute(&zone, checkpoint_us, at);
	alerts_add(alerts, checkpoint_us, "checkpoint",
		"nothing was read since %s: no service is running; what was logged since then is "
		"not in this report",
		at);
}

/* Without a service that looks at them. */
static void add_old_databases(Alerts *alerts, const Config *config, int64_t now_us)
{
	_cleanup_free_ char *image_path = config_image_path_dup(config);
	_cleanup_(geodb_freep) GeoDb *db = NULL;
	GeoPaths paths = databases_paths(config);

	if (!image_path) {
		alerts->error = -ENOMEM;
		return;
	}
	/* What can't be read is said by who needs it. */
	if (geodb_load(image_path, &paths, &databases_text, &db, NULL))
		return;
	for (unsigned kind = 0; kind < GEO_KINDS; kind++) {
		const GeoSource *source = geodb_source(db, (GeoKind)kind);
		char date[CALENDAR_MINUTE_MAX];
		LocalZone zone = {0};

		if (!source->there || now_us - source->date_us <= DATABASE_OLD_US)
			continue;
		(void)calendar_format_minute(&zone, source->date_us, date);
		alerts_add(alerts, source->date_us + DATABASE_OLD_US, "old",
			"%s: what it says of %s is of %.10s, older than 45 days; "
			"'maillogsentinel update-db' fetches what is new",
			paths.path[kind], databases_subject(1u << kind), date);
	}
}

static void add_status(Alerts *alerts, const Status *status, bool running)
{
	if (status->paused && running)
		alerts_add(
			alerts, status->written_us, "paused", "reading pauses: %s", status->paused);
	for (size_t i = 0; i < status->warning_count; i++) {
		const StatusWarning *warning = &status->warnings[i];

		/* Databases are looked at anew when it does not run, and failed messages always. */
		if (!strcmp(warning->key, "report-failed") ||
			(!running && !strncmp(warning->key, "old:", 4)))
			continue;
		alerts_add(alerts, warning->since_us, warning->key, "%s", warning->text);
	}
	if (status->more_warnings)
		alerts_add(alerts, status->written_us, "more",
			"and %" PRIu64 " more, which the service does not list",
			status->more_warnings);
}

void alerts_add_service(Alerts *alerts, const Config *config, int64_t checkpoint_us, int64_t now_us,
	ServiceState *ret_state)
{
	_cleanup_free_ char *path = file_join_dup(config->paths.state_dir, "status");
	_cleanup_status_ Status status = STATUS_INIT;
	bool running = false;
	int64_t end_us = 0;
	Why why = {""};
	int r = path ? status_read(path, &status, &running, &why) : -ENOMEM;

	*ret_state = (ServiceState){0};
	if (r == -ENOMEM) {
		alerts->error = r;
		return;
	}
	if (r < 0 && r != -ENOENT)
		alerts_add(alerts, now_us, "status", "%s: %s", path,
			*why.text ? why.text : strerror(-r));
	if (!r && !running)
		end_us = status.stopped_us ? status.stopped_us : status.written_us;
	if (!r && !running && checkpoint_us <= end_us + END_SLACK_US)
		add_absence(alerts, end_us, status.stopped_us);
	else if (!running && now_us - checkpoint_us > SILENCE_US)
		add_silence(alerts, checkpoint_us);
	if (!r)
		add_status(alerts, &status, running);
	if (!running)
		add_old_databases(alerts, config, now_us);
	ret_state->running = running;
	ret_state->heard_us = running ? now_us : status.stopped_us;
}
