/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Writes the rows of stdin, as a CSV database has them and without quotes, as MMDB to stdout:
 *
 *     make-mmdb country <rows      START,END,CC
 *     make-mmdb asn <rows          START,END,ASN,ORGANISATION
 */

#include <stdio.h>

#include "mmdb-writer.h"

typedef struct Value {
	char *text;
	uint32_t offset;
} Value;

/* The offset of a value, whose text is a row's from its third field on. */
static uint32_t value_of(MmdbWriter *w, bool country, char *text)
{
	static Value values[4096];
	static size_t count;
	char *organisation;
	size_t i = 0;

	while (i < count && strcmp(values[i].text, text) != 0)
		i++;
	if (i < count)
		return values[i].offset;
	values[i].text = strdup(text);
	if (++count == ARRAY_SIZE(values) || !values[i].text)
		abort();
	organisation = text + strcspn(text, ",");
	organisation += *organisation == ',';
	if (country)
		values[i].offset = mmdb_writer_country(w, MMDB_FLAT, text);
	else
		values[i].offset = mmdb_writer_network(
			w, (uint32_t)strtoul(text, NULL, 10), span_from_string(organisation));
	return values[i].offset;
}

int main(int argc, char **argv)
{
	bool country = argc == 2 && !strcmp(argv[1], "country");
	_cleanup_strbuf_ StrBuf file = STRBUF_INIT;
	MmdbWriter w;
	char line[1024];

	if (!country && (argc != 2 || strcmp(argv[1], "asn") != 0))
		return 2;
	mmdb_writer_init(&w, 6, 28, country ? "Test-Country" : "Test-ASN");
	while (fgets(line, sizeof(line), stdin)) {
		char *text = line, *start = strsep(&text, ","), *end = strsep(&text, ",");
		IpAddr first, last;

		if (!text)
			return 1;
		text[strcspn(text, "\n")] = '\0';
		if (ipaddr_parse(span_from_string(start), &first) < 0 ||
			ipaddr_parse(span_from_string(end), &last) < 0)
			return 1;
		mmdb_writer_range(&w, first.family, ipkey_from_addr(&first), ipkey_from_addr(&last),
			value_of(&w, country, text));
	}
	mmdb_writer_finish(&w, &file);
	mmdb_writer_done(&w);
	return fwrite(strbuf_text(&file), 1, file.len, stdout) == file.len && !fflush(stdout) ? 0
											      : 1;
}
