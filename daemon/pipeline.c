/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/pipeline.h"

#include "base/calendar.h"
#include "daemon/events.h"
#include "daemon/log.h"
#include "store/csv.h"

#include <inttypes.h>
#include <stdio.h>

#define ASN_TEXT_MAX 12

/* Counted since the entry before it of the same log. */
typedef struct Since {
	uint32_t lines, successes, outages, aborted, skipped;
	uint64_t lost;
} Since;

/*
 * A failure that waits for its name. Its texts lie in the ring: server, user, the place behind its line, service and method.
 */
typedef struct Entry {
	RdnsEntry *name; /* NULL: lookups are off */
	int64_t time_us;
	int64_t stamp_us; /* 0: it has no time of its own */
	uint32_t log;
	uint32_t count;
	uint32_t done; /* rows of it that are written */
	size_t text;   /* in the ring */
	uint32_t server_len, user_len, place_len;
	uint32_t service_len, method_len; /* 0: not there, or failed logins are not told */
	bool has_server, has_user;
	IpAddr ip;
	Since since;
} Entry;

typedef struct PipelineLog {
	Source *source;
	Counters read;    /* of all that was taken */
	int64_t read_us;  /* the last event's time */
	Since since;      /* what read counts more than the newest entry */
	Counters written; /* up to the last row written */
	int64_t written_us;
	bool has_place;               /* a row was written since nothing waited: */
	char place[SOURCE_PLACE_MAX]; /* the place behind its line */
	size_t waiting;               /* entries in the FIFO */
} PipelineLog;

struct Pipeline {
	PipelineOptions options;
	PipelineLog *logs;
	size_t log_count;
	Entry *entries; /* a ring */
	size_t head, count;
	char *text; /* a ring of whole texts */
	size_t text_head, text_tail;
	LocalZone zone;
	uint64_t rows;
	bool hurries;  /* no name is waited for any more */
	Events events; /* of rows in the output */
};

int pipeline_new(const PipelineOptions *options, Pipeline **ret_pipeline)
{
	_cleanup_(pipeline_freep) Pipeline *pipeline = calloc(1, sizeof(*pipeline));

	if (!pipeline)
		return -ENOMEM;
	pipeline->options = *options;
	/* Pages that a short queue never touches cost nothing. */
	pipeline->entries = calloc(PIPELINE_ENTRIES, sizeof(*pipeline->entries));
	pipeline->text = malloc(PIPELINE_TEXT);
	if (!pipeline->entries || !pipeline->text)
		return -ENOMEM;
	*ret_pipeline = TAKE(pipeline);
	return 0;
}

static Entry *entry_at(const Pipeline *pipeline, size_t index)
{
	return &pipeline->entries[(pipeline->head + index) % PIPELINE_ENTRIES];
}

void pipeline_free(Pipeline *pipeline)
{
	if (!pipeline)
		return;
	for (size_t i = 0; i < pipeline->count; i++)
		if (entry_at(pipeline, i)->name)
			rdns_entry_unref(pipeline->options.rdns, entry_at(pipeline, i)->name);
	events_done(&pipeline->events);
	free(pipeline->entries);
	free(pipeline->text);
	free(pipeline->logs);
	free(pipeline);
}

int pipeline_add_log(Pipeline *pipeline, Source *source, const LogState *state)
{
	PipelineLog *logs = array_grow(pipeline->logs, pipeline->log_count, sizeof(*logs));

	if (!logs)
		return -ENOMEM;
	pipeline->logs = logs;
	logs[pipeline->log_count++] = (PipelineLog){
		.source = source,
		.read = state->counters,
		.read_us = state->stamp_us,
		.written = state->counters,
		.written_us = state->stamp_us,
	};
	return 0;
}

bool pipeline_empty(const Pipeline *pipeline)
{
	return !pipeline->count;
}

size_t pipeline_waiting(const Pipeline *pipeline)
{
	return pipeline->count;
}

const Counters *pipeline_counters(const Pipeline *pipeline, size_t log)
{
	return &pipeline->logs[log].read;
}

uint64_t pipeline_rows(const Pipeline *pipeline)
{
	return pipeline->rows;
}

/* Room for len bytes in one piece: their place, or SIZE_MAX. The tail never catches up with the head. */
static size_t reserve_text(const Pipeline *pipeline, size_t len)
{
	size_t head = pipeline->text_head, tail = pipeline->text_tail;

	if (!pipeline->count)
		return len <= PIPELINE_TEXT ? 0 : SIZE_MAX;
	if (tail >= head) {
		if (PIPELINE_TEXT - tail >= len)
			return tail;
		return len < head ? 0 : SIZE_MAX;
	}
	return head - tail > len ? tail : SIZE_MAX;
}

size_t pipeline_log_waiting(const Pipeline *pipeline, size_t log)
{
	return pipeline->logs[log].waiting;
}

bool pipeline_has_room(const Pipeline *pipeline)
{
	return pipeline->count < PIPELINE_ENTRIES &&
	       reserve_text(pipeline, LINES_LINE_MAX + SOURCE_PLACE_MAX) != SIZE_MAX;
}

static size_t put_text(Pipeline *pipeline, size_t at, const void *data, size_t len)
{
	if (len)
		memcpy(pipeline->text + at, data, len);
	return at + len;
}

static bool tells_events(const Pipeline *pipeline)
{
	return pipeline->options.tells_events && log_events_level() < LOG_LEVEL_COUNT;
}

/* Puts a failure behind the others. There is room. 0 or -ENOMEM. */
static int push(Pipeline *pipeline, uint32_t log, const SourceEvent *found, uint64_t now_ms,
	int64_t wall_us)
{
	PipelineLog *from = &pipeline->logs[log];
	const AuthEvent *event = &found->event;
	char place[SOURCE_PLACE_MAX];
	size_t place_len = source_place(from->source, found, place), at, len;
	Entry entry = {
		.time_us = event->has_time ? event->time_us : wall_us,
		.stamp_us = event->has_time ? event->time_us : 0,
		.log = log,
		.count = event->count,
		.server_len = (uint32_t)event->server.len,
		.user_len = (uint32_t)event->user.len,
		.place_len = (uint32_t)place_len,
		.has_server = event->server.data,
		.has_user = event->user.data,
		.ip = event->ip,
		.since = from->since,
	};
	int r;

	if (pipeline->options.rdns) {
		r = rdns_lookup(pipeline->options.rdns, &event->ip, now_ms, &entry.name);
		if (r < 0)
			return r;
	}
	if (!pipeline->count)
		pipeline->head = pipeline->text_head = 0;
	len = event->server.len + event->user.len + place_len;
	if (tells_events(pipeline) &&
		reserve_text(pipeline, len + event->service.len + event->method.len) != SIZE_MAX) {
		entry.service_len = (uint32_t)event->service.len;
		entry.method_len = (uint32_t)event->method.len;
		len += event->service.len + event->method.len;
	}
	entry.text = reserve_text(pipeline, len);
	at = put_text(pipeline, entry.text, event->server.data, event->server.len);
	at = put_text(pipeline, at, event->user.data, event->user.len);
	at = put_text(pipeline, at, place, place_len);
	at = put_text(pipeline, at, event->service.data, entry.service_len);
	pipeline->text_tail = put_text(pipeline, at, event->method.data, entry.method_len);
	*entry_at(pipeline, pipeline->count++) = entry;
	from->waiting++;
	from->since = (Since){0};
	return 0;
}

/* 0, PIPELINE_FULL (not taken), -ENOMEM (not taken). */
static int take(Pipeline *pipeline, uint32_t index, const SourceEvent *found, uint64_t now_ms,
	int64_t wall_us)
{
	PipelineLog *log = &pipeline->logs[index];
	const AuthEvent *event = &found->event;
	Counters read = log->read;
	Since since = log->since;
	int r;

	if (event->kind == EVENT_FAILURE && !pipeline_has_room(pipeline))
		return PIPELINE_FULL;
	log->read.lines += found->lines;
	log->since.lines += (uint32_t)found->lines;
	log->read.skipped += found->skipped;
	log->since.skipped += (uint32_t)found->skipped;
	switch (event->kind) {
	case EVENT_FAILURE:
		log->read.failures += event->count;
		r = push(pipeline, index, found, now_ms, wall_us);
		if (r < 0) {
			log->read = read;
			log->since = since;
			return r;
		}
		if (event->repeat_capped)
			pipeline->options.repeat_capped(
				pipeline->options.userdata, source_name(log->source));
		break;
	case EVENT_SUCCESS:
		log->read.successes += event->count;
		log->since.successes += event->count;
		break;
	case EVENT_OUTAGE:
		log->read.outages += event->count;
		log->since.outages += event->count;
		break;
	case EVENT_ABORTED:
		log->read.aborted += event->count;
		log->since.aborted += event->count;
		break;
	default:
		log->read.lost += found->lost;
		log->since.lost += found->lost;
		if (found->lost)
			pipeline->options.lost(pipeline->options.userdata, source_name(log->source),
				found->lost, log->read.lost);
		return 0;
	}
	if (event->has_time)
		log->read_us = event->time_us;
	return 0;
}

int pipeline_read(Pipeline *pipeline, size_t index, uint64_t now_ms, int64_t wall_us)
{
	Source *source = pipeline->logs[index].source;
	SourceEvent found;

	while (source_next(source, wall_us, &found)) {
		int r = take(pipeline, (uint32_t)index, &found, now_ms, wall_us);

		if (r)
			return r;
		source_advance(source, &found);
	}
	return 0;
}

/* One row, whole or not at all. 0 or -ENOMEM. */
static int append_row(Pipeline *pipeline, const Entry *entry, const Row *row)
{
	const GeoDb *geodb = *pipeline->options.geodb;
	StrBuf *output = pipeline->options.output;
	size_t before = output->len;
	GeoRecord place;

	do {
		strbuf_truncate(output, before);
		geodb_lookup(geodb, &entry->ip, &place);
		if (place.text.data)
			csv_append_row_with_place(output, row, place.text);
		else
			csv_append_row(output, row);
		/* Where the database went away under the text, once more without it. */
	} while (place.text.data && geodb_is_lost(geodb));
	if (!strbuf_error(output))
		return 0;
	strbuf_truncate(output, before);
	output->error = 0;
	return -ENOMEM;
}

/* All rows of the entry are in the output. */
static void keep_event(Pipeline *pipeline, const Entry *entry, const Row *row)
{
	const char *service = pipeline->text + entry->text + entry->server_len + entry->user_len +
			      entry->place_len;
	FailedLogin login = {
		.row = *row,
		.time_us = entry->time_us,
		.count = entry->count,
		.log = span_from_string(source_name(pipeline->logs[entry->log].source)),
	};
	Span *field = login.row.field;
	char asn[ASN_TEXT_MAX];
	GeoRecord place;

	if (entry->service_len)
		login.service = (Span){service, entry->service_len};
	if (entry->method_len)
		login.method = (Span){service + entry->service_len, entry->method_len};
	geodb_lookup(*pipeline->options.geodb, &entry->ip, &place);
	if (*place.country_code)
		field[COLUMN_COUNTRY_CODE] = span_from_string(place.country_code);
	if (place.asn)
		field[COLUMN_ASN] =
			(Span){asn, (size_t)snprintf(asn, sizeof(asn), "%" PRIu32, place.asn)};
	field[COLUMN_ASO] = place.organisation;
	events_add(&pipeline->events, &login);
}

/* Rows of the entry, until all are there or the output is full. 0 or -ENOMEM: the last whole row is kept. */
static int append_rows(Pipeline *pipeline, Entry *entry)
{
	char date[CALENDAR_MINUTE_MAX], ip[IP_TEXT_MAX];
	RdnsStatus status = entry->name ? rdns_entry_status(entry->name) : RDNS_OFF;
	const char *text = pipeline->text + entry->text;
	Row row = {0};
	int r;

	if (status == RDNS_PENDING)
		status = RDNS_TIMEOUT;
	if (entry->has_server)
		row.field[COLUMN_SERVER] = (Span){text, entry->server_len};
	if (entry->has_user)
		row.field[COLUMN_USER] = (Span){text + entry->server_len, entry->user_len};
	row.field[COLUMN_DATE] =
		(Span){date, calendar_format_minute(&pipeline->zone, entry->time_us, date)};
	row.field[COLUMN_IP] = (Span){ip, ipaddr_format(&entry->ip, ip)};
	if (status == RDNS_OK)
		row.field[COLUMN_HOSTNAME] = span_from_string(rdns_entry_name(entry->name));
	row.field[COLUMN_RDNS_STATUS] = span_from_string(rdns_status_text(status));
	while (entry->done < entry->count && pipeline->options.output->len < PIPELINE_OUTPUT_MAX) {
		r = append_row(pipeline, entry, &row);
		if (r < 0)
			return r;
		entry->done++;
		pipeline->rows++;
	}
	if (entry->done == entry->count && tells_events(pipeline))
		keep_event(pipeline, entry, &row);
	return 0;
}

void pipeline_written(Pipeline *pipeline, int64_t wall_us)
{
	if (pipeline->events.first)
		events_say(&pipeline->events, wall_us);
}

/* The head is written: its line counts as done. */
static void pop(Pipeline *pipeline)
{
	Entry *entry = entry_at(pipeline, 0);
	PipelineLog *log = &pipeline->logs[entry->log];

	log->written.lines += entry->since.lines;
	log->written.failures += entry->count;
	log->written.successes += entry->since.successes;
	log->written.outages += entry->since.outages;
	log->written.aborted += entry->since.aborted;
	log->written.skipped += entry->since.skipped;
	log->written.lost += entry->since.lost;
	if (entry->stamp_us)
		log->written_us = entry->stamp_us;
	memcpy(log->place, pipeline->text + entry->text + entry->server_len + entry->user_len,
		entry->place_len);
	log->has_place = true;
	log->waiting--;
	if (entry->name)
		rdns_entry_unref(pipeline->options.rdns, entry->name);
	pipeline->head = (pipeline->head + 1) % PIPELINE_ENTRIES;
	pipeline->count--;
	pipeline->text_head = pipeline->count ? entry_at(pipeline, 0)->text : 0;
}

void pipeline_hurry(Pipeline *pipeline)
{
	pipeline->hurries = true;
}

int pipeline_write(Pipeline *pipeline)
{
	while (pipeline->count) {
		Entry *entry = entry_at(pipeline, 0);
		int r;

		if (!pipeline->hurries && entry->name &&
			rdns_entry_status(entry->name) == RDNS_PENDING)
			break;
		r = append_rows(pipeline, entry);
		if (r < 0)
			return r;
		if (entry->done < entry->count)
			break;
		pop(pipeline);
	}
	return 0;
}

bool pipeline_can_save(const Pipeline *pipeline)
{
	return !pipeline->count || !entry_at(pipeline, 0)->done;
}

void pipeline_save(Pipeline *pipeline, size_t index, LogState *state)
{
	PipelineLog *log = &pipeline->logs[index];

	if (!log->waiting) {
		/* Nothing of it waits: all that was read is done. */
		log->written = log->read;
		log->written_us = log->read_us;
		log->since = (Since){0};
		log->has_place = false;
		source_save(log->source, state);
	} else if (log->has_place) {
		source_save_place(log->source, log->place, state);
	}
	state->counters = log->written;
	state->stamp_us = log->written_us;
}
