/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "state/jobs.h"

#include "base/number.h"
#include "base/utf8.h"
#include "state/frame.h"

#include <inttypes.h>

void job_record_done(JobRecord *record)
{
	free(record->name);
	free(record->expression);
	free(record->result);
	*record = (JobRecord){0};
}

void job_records_done(JobRecords *records)
{
	while (records->count)
		job_record_done(&records->list[--records->count]);
}

static void append_text(StrBuf *sb, const char *key, const char *text)
{
	if (!text)
		return;
	strbuf_appendf(sb, "%s ", key);
	utf8_append_escaped(sb, span_from_string(text));
	strbuf_append_char(sb, '\n');
}

void jobs_append(StrBuf *sb, const JobRecord *record)
{
	const char *result = record->result;
	_cleanup_free_ char *cut = NULL;

	if (result && strlen(result) > JOB_RESULT_MAX)
		result = cut = span_dup((Span){result, JOB_RESULT_MAX});
	append_text(sb, "job", record->name);
	append_text(sb, "expression", record->expression);
	strbuf_appendf(sb,
		"since %" PRId64 "\nslot %" PRId64 "\ndue %" PRId64 "\nserved %" PRId64
		"\nstarted %" PRId64 "\nended %" PRId64 "\nok %" PRId64 "\nfailures %" PRIu64
		"\nrunning %d\n",
		record->since_us, record->slot_us, record->due_us, record->served_us,
		record->started_us, record->ended_us, record->ok_us, record->failures,
		record->running);
	append_text(sb, "result", result);
}

static int read_text(const char *value, char **field)
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;

	/* What is empty has a place, too. */
	strbuf_append_string(&sb, "");
	utf8_append_unescaped(&sb, span_from_string(value));
	free(*field);
	*field = strbuf_error(&sb) ? NULL : strdup(strbuf_text(&sb));
	return *field ? 0 : -ENOMEM;
}

/* What is not known is of a later edition. 0, -EBADMSG, -ENOMEM. */
static int read_line(JobRecords *records, const char *key, const char *value)
{
	JobRecord *record = records->count ? &records->list[records->count - 1] : NULL;
	uint64_t number;

	if (!strcmp(key, "job")) {
		if (records->count == JOB_RECORDS_MAX)
			return -EBADMSG;
		record = &records->list[records->count++];
		*record = (JobRecord){0};
		return read_text(value, &record->name);
	}
	if (!record)
		return -EBADMSG;
	if (!strcmp(key, "expression"))
		return read_text(value, &record->expression);
	if (!strcmp(key, "result"))
		return read_text(value, &record->result);
	const struct {
		const char *key;
		int64_t *field;
	} instants[] = {
		{"since", &record->since_us},
		{"slot", &record->slot_us},
		{"due", &record->due_us},
		{"served", &record->served_us},
		{"started", &record->started_us},
		{"ended", &record->ended_us},
		{"ok", &record->ok_us},
	};
	for (size_t i = 0; i < ARRAY_SIZE(instants); i++) {
		if (strcmp(key, instants[i].key))
			continue;
		if (number_parse_u64(span_from_string(value), INT64_MAX, &number))
			return -EBADMSG;
		*instants[i].field = (int64_t)number;
	}
	if (!strcmp(key, "failures"))
		return number_parse_u64(span_from_string(value), INT64_MAX, &record->failures)
			       ? -EBADMSG
			       : 0;
	if (!strcmp(key, "running"))
		record->running = !strcmp(value, "1");
	return 0;
}

int jobs_load(const char *path, JobRecords *ret_records, Why *ret_why)
{
	_cleanup_job_records_ JobRecords records = JOB_RECORDS_INIT;
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
	size_t at = 0;
	char *line;
	int r = frame_load(path, JOBS_NAME, JOBS_VERSION, &sb, ret_why);

	if (r)
		return r == FRAME_NONE ? JOBS_NONE : r;
	while (!(r = frame_line(&sb, &at, &line)) && line) {
		char *value = strchr(line, ' ');

		if (value)
			*value++ = '\0';
		r = value ? read_line(&records, line, value) : -EBADMSG;
		if (r)
			break;
	}
	if (r) {
		why_set(ret_why, "%s", r == -EBADMSG ? "a line of it can't be read" : strerror(-r));
		return r;
	}
	*ret_records = records;
	records = JOB_RECORDS_INIT;
	return 0;
}
