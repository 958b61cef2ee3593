/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A reader's bookmark: the input as the file, and between a first line and a checksum that are right. As fuzz-checkpoint.c. */

#include "fuzz.h"

#include <inttypes.h>

#include "../unit/scratch.h"
#include "base/hash.h"
#include "state/bookmark.h"

static void load_and_check(const void *content, size_t len)
{
	_cleanup_strbuf_ StrBuf payload = STRBUF_INIT, payload_back = STRBUF_INIT;
	Bookmark bookmark, back;
	Why why = {0};
	int r;

	scratch_write("report.offset", content, len);
	r = bookmark_load(".", "report", &bookmark, &payload, &why);
	if (r) {
		HOLDS(r == -EBADMSG && why.text[0]);
		return;
	}
	HOLDS(bookmark.place.number);
	HOLDS(!bookmark_save(".", "report", &bookmark, (Span){payload.data, payload.len}));
	HOLDS(!bookmark_load(".", "report", &back, &payload_back, &why));
	HOLDS(span_equal((Span){strbuf_text(&payload), payload.len},
		(Span){strbuf_text(&payload_back), payload_back.len}));
	HOLDS(back.has_counters == bookmark.has_counters);
	HOLDS(!memcmp(&back.counters, &bookmark.counters, sizeof(back.counters)));
	HOLDS(back.written_us == bookmark.written_us && back.place.series == bookmark.place.series);
	HOLDS(back.place.number == bookmark.place.number &&
		back.place.offset == bookmark.place.offset);
}

FUZZ_TARGET(bookmark)
{
	static StrBuf text;

	if (!*scratch_root)
		scratch_enter();
	load_and_check(data, size);
	strbuf_reset(&text);
	strbuf_append_string(&text, "maillogsentinel-bookmark 2\n");
	strbuf_append_span(&text, fuzz_rest(&(FuzzInput){data, size}));
	strbuf_appendf(&text, "checksum %016" PRIx64 "\n",
		hash_bytes(HASH_KEY_FIXED, text.data, text.len));
	load_and_check(text.data, text.len);
	return 0;
}
