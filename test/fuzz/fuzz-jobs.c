/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * What is kept of the jobs: the input as the file, and between a first line and a checksum that are right, as fuzz-checkpoint.c; and
 * schedules that go on from what was read.
 */

#include "fuzz.h"

#include <inttypes.h>

#include "../unit/scratch.h"
#include "base/hash.h"
#include "daemon/schedule.h"
#include "state/frame.h"

#define NOW_US (1795352508 * USEC_PER_SEC)

static void append_all(StrBuf *sb, const JobRecords *records)
{
	strbuf_reset(sb);
	frame_begin(sb, JOBS_NAME, JOBS_VERSION);
	for (size_t i = 0; i < records->count; i++)
		jobs_append(sb, &records->list[i]);
}

/* Whatever the record says, it does not run more often than it may, and the next time is one. */
static void go_on(JobRecord *record_take, const char *expression)
{
	int64_t now_us = NOW_US, next_us;
	Schedule schedule;

	HOLDS(!schedule_init(&schedule, expression, 3600000, 1, NULL));
	HOLDS(!schedule_begin(&schedule, expression, record_take, true, now_us));
	for (int i = 0; i < 5; i++) {
		next_us = schedule_look(&schedule, now_us);
		HOLDS(next_us > now_us || !i);
		if (next_us == SCHEDULE_NEVER)
			break;
		HOLDS(next_us < now_us + 9 * 86400 * USEC_PER_SEC);
		now_us = MAX(now_us, next_us);
		schedule_started(&schedule, now_us);
		HOLDS(schedule_look(&schedule, now_us) == SCHEDULE_NEVER);
		schedule_ended(&schedule, now_us + 1, i & 1, "x");
		now_us++;
	}
	schedule_done(&schedule);
}

static void load_and_check(const void *content, size_t len)
{
	_cleanup_job_records_ JobRecords records = JOB_RECORDS_INIT, back = JOB_RECORDS_INIT;
	_cleanup_strbuf_ StrBuf first = STRBUF_INIT, second = STRBUF_INIT;
	Why why = {0};
	int r;

	scratch_write("jobs", content, len);
	r = jobs_load("jobs", &records, &why);
	if (r) {
		HOLDS(r == -EBADMSG && why.text[0]);
		return;
	}
	append_all(&first, &records);
	append_all(&second, &records);
	HOLDS(!frame_save("jobs", &second));
	HOLDS(!jobs_load("jobs", &back, &why));
	append_all(&second, &back);
	HOLDS(first.len == second.len && !memcmp(first.data, second.data, first.len));
	for (size_t i = 0; i < records.count; i++) {
		go_on(&records.list[i], "weekly");
		go_on(&back.list[i], i & 1 ? "*:0/5" : "2020-01-01");
	}
}

FUZZ_TARGET(jobs)
{
	static StrBuf text;

	if (!*scratch_root)
		scratch_enter();
	load_and_check(data, size);
	strbuf_reset(&text);
	strbuf_append_string(&text, "maillogsentinel-jobs 1\n");
	strbuf_append_span(&text, fuzz_rest(&(FuzzInput){data, size}));
	strbuf_appendf(&text, "checksum %016" PRIx64 "\n",
		hash_bytes(HASH_KEY_FIXED, text.data, text.len));
	load_and_check(text.data, text.len);
	return 0;
}
