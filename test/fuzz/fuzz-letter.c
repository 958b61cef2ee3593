/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A report that waits, and what has become of it: the input as either file, and between a first line and a checksum that are right. */

#include "fuzz.h"

#include <inttypes.h>

#include "../unit/scratch.h"
#include "base/hash.h"
#include "report/letter.h"

static bool same(const char *a, const char *b)
{
	_cleanup_strbuf_ StrBuf one = scratch_read(a), other = scratch_read(b);

	return one.len == other.len && !memcmp(strbuf_text(&one), strbuf_text(&other), one.len);
}

static void check_letter(void)
{
	_cleanup_letter_ Letter letter = LETTER_INIT, back = LETTER_INIT;
	Why why = {0};
	int r = letter_load("letter", &letter, &why);

	if (r) {
		HOLDS(r == -EBADMSG && why.text[0]);
		return;
	}
	HOLDS(!letter_save("first", &letter));
	HOLDS(!letter_load("first", &back, &why));
	HOLDS(!letter_save("second", &back));
	HOLDS(same("first", "second"));
}

static void check_tries(void)
{
	_cleanup_tries_ Tries tries = TRIES_INIT, back = TRIES_INIT;
	Why why = {0};
	int r = tries_load("tries", &tries, &why);

	if (r) {
		HOLDS(r == -EBADMSG && why.text[0]);
		return;
	}
	HOLDS(!tries_save("first", &tries));
	HOLDS(!tries_load("first", &back, &why));
	HOLDS(!tries_save("second", &back));
	HOLDS(same("first", "second"));
}

static void write_sealed(const char *path, const char *first_line, Span rest)
{
	static StrBuf text;

	strbuf_reset(&text);
	strbuf_append_string(&text, first_line);
	strbuf_append_span(&text, rest);
	strbuf_appendf(&text, "checksum %016" PRIx64 "\n",
		hash_bytes(HASH_KEY_FIXED, text.data, text.len));
	scratch_write(path, text.data, text.len);
}

FUZZ_TARGET(letter)
{
	Span rest = fuzz_rest(&(FuzzInput){data, size});

	if (!*scratch_root)
		scratch_enter();
	scratch_write("letter", data, size);
	scratch_write("tries", data, size);
	check_letter();
	check_tries();
	write_sealed("letter", "maillogsentinel-letter 1\n", rest);
	write_sealed("tries", "maillogsentinel-tries 1\n", rest);
	check_letter();
	check_tries();
	return 0;
}
