/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What the last import left for others to know: there and back, and whatever else may be in its place. */

#include "state/imported.h"

#include "base/strbuf.h"
#include "scratch.h"
#include "state/frame.h"
#include "tap.h"

#define PATH "sql-import.offset"

static const struct {
	const char *name;
	int version;
	const char *lines;
	int result;
} files[] = {
	{"it", 1, "sequence 7\nchecked 9\n", 0},
	{"of a later edition with more", 1, "sequence 7\nchecked 9\nmore 1\n", 0},
	{"of a newer version", 2, "sequence 7\nchecked 9\n", -EBADMSG},
	{"without a line", 1, "sequence 7\n", -EBADMSG},
	{"empty", 1, "", -EBADMSG},
	{"in another order", 1, "checked 9\nsequence 7\n", -EBADMSG},
	{"a number that is none", 1, "sequence -7\nchecked 9\n", -EBADMSG},
	{"a number that is too large", 1, "sequence 9223372036854775808\nchecked 9\n", -EBADMSG},
};

int main(void)
{
	const Imported written = {.sequence = 9999999999, .checked_us = 1795420000000000};
	Imported imported = {.sequence = 1};
	Why why = {""};

	scratch_enter();
	tap_ok(imported_load(".", &imported, &why) == IMPORTED_NONE && imported.sequence == 1,
		"none");
	tap_ok(!imported_save(".", &written) && !imported_load(".", &imported, &why) &&
			imported.sequence == written.sequence &&
			imported.checked_us == written.checked_us,
		"there and back");
	tap_ok(imported_save("absent", &written) == -ENOENT, "a directory that is not there");
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
		int r;

		frame_begin(&sb, "imported", files[i].version);
		strbuf_append_string(&sb, files[i].lines);
		MUST(!frame_save(PATH, &sb));
		imported = (Imported){.sequence = 1};
		why = (Why){""};
		r = imported_load(".", &imported, &why);
		if (!tap_ok(r == files[i].result && imported.sequence == (r ? 1 : 7) &&
				    imported.checked_us == (r ? 0 : 9) && !r == !*why.text,
			    "a file: %s", files[i].name))
			tap_note("%d '%s'", r, why.text);
	}
	scratch_text(PATH,
		"maillogsentinel-imported 1\nsequence 7\nchecked 9\nchecksum 0123456789abcdef\n");
	tap_ok(imported_load(".", &imported, &why) == -EBADMSG, "a file that was changed");
	return tap_done();
}
