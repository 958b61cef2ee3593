/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Prints a page of made-up facts: print-report text|html NAME. Without arguments, the names. */

#include <stdio.h>

#include "report-sample.h"
#include "report/html.h"
#include "report/text.h"

int main(int argc, char **argv)
{
	_cleanup_strbuf_ StrBuf page = STRBUF_INIT;
	ReportFacts facts;
	const char *name;
	int r;

	if (argc != 3 || !report_sample(argv[2], &facts)) {
		for (size_t i = 0; (name = report_sample_name(i)); i++)
			(void)puts(name);
		return argc != 1;
	}
	r = strcmp(argv[1], "html") ? report_text(&facts, &page) : report_html(&facts, &page);
	if (r < 0 || fwrite(strbuf_text(&page), 1, page.len, stdout) != page.len ||
		fflush(stdout)) {
		(void)fprintf(stderr, "print-report: %s\n", strerror(r < 0 ? -r : errno));
		return 1;
	}
	return 0;
}
