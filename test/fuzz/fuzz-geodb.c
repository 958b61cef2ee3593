/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * libFuzzer's entry. The first byte chooses a sample database (test/unit/geodb-sample.h); for 0
 * and 1 the rest is a CSV file itself, for the others it is a list of changes to the sample: two
 * bytes where, one byte what. No seeds are needed.
 */

#include "../unit/geodb-sample.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static StrBuf samples[SAMPLE_FORMS * 2];
	_cleanup_strbuf_ StrBuf file = STRBUF_INIT;
	GeoDb *db = NULL;
	unsigned form;
	char path[64];
	Why why = {0};
	int r;

	if (!size)
		return 0;
	form = data[0] % ARRAY_SIZE(samples);
	data++, size--;
	if (form / 2 < 2) {
		strbuf_append(&file, data, size);
	} else {
		if (!samples[form].len)
			write_form(&samples[form], form / 2, form % 2 ? MMDB_FLAT : MMDB_NESTED);
		strbuf_append(&file, samples[form].data, samples[form].len);
		for (; size >= 3; data += 3, size -= 3)
			file.data[((size_t)data[0] << 8 | data[1]) % file.len] = (char)data[2];
	}
	r = open_database((Span){strbuf_text(&file), file.len}, form / 2 % 2 ? ASN : COUNTRY, &db,
		path, &why);
	if (r ? r != -EBADMSG || !why.text[0] : !db)
		__builtin_trap();
	geodb_free(db);
	return 0;
}
